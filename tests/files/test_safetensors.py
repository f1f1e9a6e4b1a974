import json
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings

import equinox as eqx
from tests.files.folders import names_in
from tests.files.stored import assert_same, blank, trees


def has_unique_names(tree: Any) -> bool:
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    return len({jax.tree_util.keystr(path, simple=True, separator=".") for path in paths}) == len(paths)


@given(trees().filter(has_unique_names))
@settings(max_examples=100)
def test_every_tree_comes_back_to_the_bit(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "every-tree.safetensors"
    eqx.save_safetensors(path, tree)
    with jax.enable_x64(True):
        assert_same(eqx.load_safetensors(path, jax.tree.map(blank, tree)), tree)
    safetensors.deserialize(path.read_bytes())


def test_the_reference_library_reads_what_we_write(tmp_path):
    tree = {
        "layers": [{"weight": jnp.arange(6.0).reshape(2, 3)}, {"weight": np.asfortranarray(np.eye(2))}],
        "steps": 3,
        "flags": jnp.array([True, False]),
        "complex": np.array([1 + 2j], np.complex64),
        "scalar": jnp.float16(2),
    }
    eqx.save_safetensors(tmp_path / "x", tree)
    found = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    assert found.keys() == {"layers.0.weight", "layers.1.weight", "steps", "flags", "complex", "scalar"}
    for name, array in eqx.state_dict(tree).items():
        assert found[name].dtype == np.asarray(array).dtype
        np.testing.assert_array_equal(found[name], array)


def test_what_the_reference_library_writes_is_read(tmp_path):
    state = {
        "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a.bias": np.array([1.5, -2], ml_dtypes.bfloat16),
        "b": np.array([1], np.int64),
        "c": np.array([1], ml_dtypes.float8_e4m3fn),
        "empty": np.zeros((0, 2), np.uint8),
    }
    safetensors.numpy.save_file(state, tmp_path / "x.safetensors", metadata={"format": "np"})
    like = {
        "a": {"weight": jnp.zeros((2, 3)), "bias": jnp.zeros(2, jnp.bfloat16)},
        "b": np.zeros(1, np.int64),
        "c": jax.ShapeDtypeStruct((1,), jnp.float8_e4m3fn),
        "empty": jnp.zeros((0, 2), jnp.uint8),
    }
    loaded = eqx.load_safetensors(tmp_path / "x", like)
    for name, array in eqx.state_dict(loaded).items():
        assert np.asarray(array).tobytes() == state[name].tobytes()


def test_every_array_starts_at_a_multiple_of_the_size_of_its_items(tmp_path):
    eqx.save_safetensors(tmp_path / "x", {"a": np.uint8(1), "b": np.float64(1), "c": np.float16(1), "d": np.int32([1])})
    contents = (tmp_path / "x.safetensors").read_bytes()
    size = int.from_bytes(contents[:8], "little")
    assert size % 8 == 0
    header = json.loads(contents[8 : 8 + size])
    assert {name: header[name]["data_offsets"][0] for name in "abcd"} == {"b": 0, "d": 8, "c": 12, "a": 14}


def test_metadata_is_stored_with_the_notes(tmp_path):
    eqx.save_safetensors(tmp_path / "x", {"i": jnp.ones(3, "int4")}, metadata={"format": "pt"})
    with safetensors.safe_open(tmp_path / "x.safetensors", framework="np") as file:
        assert file.metadata() == {"format": "pt", "equinox.dtypes": '{"i": "int4"}'}
        assert file.get_tensor("i").tolist() == [[1], [1], [1]]


def test_leaves_can_have_other_names_in_the_file(tmp_path):
    def names(name: str) -> str:
        return f"model.{name}"

    model = eqx.nn.Linear(2, 1, key=jax.random.key(0))
    eqx.save_safetensors(tmp_path / "x", model, names=names)
    assert safetensors.numpy.load_file(tmp_path / "x.safetensors").keys() == {"model.weight", "model.bias"}
    like = eqx.nn.Linear(2, 1, key=jax.random.key(1))
    assert_same(eqx.load_safetensors(tmp_path / "x", like, names=names), model)
    with pytest.raises(RuntimeError, match=r"Missing: 'weight', 'bias'. Not in `like`: 'model\."):
        eqx.load_safetensors(tmp_path / "x", like)


def test_leaves_that_are_missing_or_unexpected_are_reported_where_they_may_be(tmp_path):
    eqx.save_safetensors(tmp_path / "x", {"a": jnp.ones(2), "b": 1, "f": 3})
    like = {"a": jnp.zeros(2), "c": np.zeros(1), "f": abs}
    loaded, report = eqx.load_safetensors(tmp_path / "x", like, strict=False)
    assert_same(loaded, {**like, "a": jnp.ones(2)})
    assert report == eqx.LoadReport(matched=("a",), missing=("c",), unexpected=("b", "f"))


@pytest.mark.parametrize(
    ("like", "words"),
    [
        (jnp.zeros(3), r"shape \(2,\).*shape \(3,\)"),
        (jnp.zeros(2, jnp.float16), "dtype float32.*dtype float16"),
        (1.0, "float32.*1.0"),
        (jax.random.key(0), "key<fry>"),
    ],
    ids=["shape", "dtype", "number", "key"],
)
def test_an_array_that_is_not_like_the_leaf_is_an_error_that_names_the_leaf(tmp_path, like, words):
    eqx.save_safetensors(tmp_path / "x", {"a": [jnp.ones(2)]})
    with pytest.raises(eqx.TreePathError, match=rf"`\['a'\]\[0\]`.*{words}") as caught:
        eqx.load_safetensors(tmp_path / "x", {"a": [like]})
    assert caught.value.path == (jax.tree_util.DictKey("a"), jax.tree_util.SequenceKey(0))
    assert str(tmp_path / "x.safetensors") in caught.value.__notes__[0]


def test_prng_keys_of_another_implementation_are_an_error(tmp_path):
    eqx.save_safetensors(tmp_path / "x", {"key": jax.random.key(0, impl="rbg")})
    with pytest.raises(eqx.TreePathError, match=r"key<rbg>.*key<urbg>"):
        eqx.load_safetensors(tmp_path / "x", {"key": jax.random.key(0, impl="unsafe_rbg")})


@pytest.mark.parametrize(
    "leaf",
    [
        np.array(["text"]),
        np.array([{}], object),
        np.ones(1, ">f4"),
        np.ones(1, "i4,f4"),
        2**64,
        jax.ShapeDtypeStruct((), float),
    ],
    ids=["text", "object", "big-endian", "structured", "large", "abstract"],
)
def test_a_leaf_that_cannot_be_saved_is_named_and_leaves_the_old_file(tmp_path, leaf):
    eqx.save_safetensors(tmp_path / "x", [1])
    with pytest.raises(eqx.TreePathError, match=r"`\[1\]` of `pytree`"):
        eqx.save_safetensors(tmp_path / "x", [1, leaf])
    assert eqx.load_safetensors(tmp_path / "x", [0]) == [1]
    assert names_in(tmp_path) == ["x.safetensors"]


def test_an_error_while_an_array_is_written_leaves_the_old_file(tmp_path):
    eqx.save_safetensors(tmp_path / "x", [1])
    deleted = jnp.ones(2)
    deleted.delete()
    with pytest.raises(eqx.TreePathError, match=r"`\[1\]` of `pytree`.*deleted"):
        eqx.save_safetensors(tmp_path / "x", [1, deleted])
    assert eqx.load_safetensors(tmp_path / "x", [0]) == [1]
    assert names_in(tmp_path) == ["x.safetensors"]


def test_two_leaves_of_one_name_are_an_error_that_names_both(tmp_path):
    tree = {"a": {"b": 1}, "a.b": 2}
    with pytest.raises(ValueError, match=r"leaf `\['a\.b'\]`.*'a\.b'.*`\['a'\]\['b'\]`.*names"):
        eqx.save_safetensors(tmp_path / "x", tree)


def test_a_file_that_is_not_whole_is_an_error_at_every_length(tmp_path):
    eqx.save_safetensors(tmp_path / "x", {"a": jnp.ones(3), "b": 1})
    contents = (tmp_path / "x.safetensors").read_bytes()
    for size in range(len(contents)):
        (tmp_path / "cut.safetensors").write_bytes(contents[:size])
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message depends on where the cut is
            eqx.load_safetensors(tmp_path / "cut", {"a": jnp.ones(3), "b": 1})
        assert "cut.safetensors" in caught.value.__notes__[0]
