import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.files.stored import assert_same


class Model(eqx.Module):
    layers: list
    scale: float
    activation: object
    name: str = eqx.field(static=True)


MODEL = Model(
    [eqx.nn.Linear(2, 3, key=jax.random.key(0)), {"b": np.ones(2), "a": jax.random.key(1)}], 0.5, abs, "model"
)


def test_leaves_have_dotted_names_and_are_the_objects_themselves():
    state = eqx.state_dict(MODEL)
    assert list(state) == ["layers.0.weight", "layers.0.bias", "layers.1.a", "layers.1.b", "scale"]
    assert state["layers.0.weight"] is MODEL.layers[0].weight
    assert state["scale"] == 0.5


def test_leaves_can_be_called_otherwise():
    assert list(eqx.state_dict({"a": 1}, names=lambda name: name + "!")) == ["a!"]
    assert eqx.load_state_dict({"a": 0}, {"a!": 1}, names=lambda name: name + "!") == {"a": 1}


def test_what_was_taken_out_can_be_put_in():
    like = jax.tree.map(lambda x: x if callable(x) or not eqx.is_array(x) else x.copy(), MODEL)
    assert_same(eqx.load_state_dict(like, eqx.state_dict(MODEL)), MODEL)


@pytest.mark.parametrize("like", [jnp.zeros(64), np.zeros(64, np.float32)], ids=["JAX", "NumPy"])
def test_what_is_loaded_shares_no_memory_with_arrays_of_numpy(like):
    # JAX uses memory as it is where it starts at a multiple of 64 bytes.
    memory = np.zeros(64 + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    weight = memory[start : start + 64]
    loaded = eqx.load_state_dict([like], {"0": weight})[0]
    weight[:] = -1
    np.testing.assert_array_equal(loaded, np.zeros(64))


def test_anything_that_numpy_understands_may_be_loaded():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.ones(2, np.float32)

    assert_same(eqx.load_state_dict([jnp.zeros(2)], {"0": Tensor()}), [jnp.ones(2)])


def test_names_that_do_not_match_are_an_error_that_lists_them():
    with pytest.raises(RuntimeError, match=r"Missing: 'a'. Not in `like`: 'b'"):
        eqx.load_state_dict({"a": 1}, {"b": 1})
    tree, report = eqx.load_state_dict({"a": 1}, {"b": 1}, strict=False)
    assert tree == {"a": 1}
    assert report == eqx.LoadReport((), ("a",), ("b",))


def test_what_is_not_like_the_leaf_is_an_error_that_names_it():
    with pytest.raises(eqx.TreePathError, match=r"`\['a'\]`.*shape \(2,\).*shape \(1,\)"):
        eqx.load_state_dict({"a": jnp.ones(1)}, {"a": jnp.ones(2)})
    with pytest.raises(eqx.TreePathError, match=r"`\['a'\]`.*1\.5"):
        eqx.load_state_dict({"a": 1}, {"a": 1.5})
