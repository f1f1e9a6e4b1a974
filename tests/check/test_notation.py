import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox.check import UsageError
from equinox.check._notation import evaluate_arguments

# What `jax.numpy` offers, JAX can make arrays of; those with 64 bits only in another mode.
DTYPES = ["bool", "int4", "int8", "int32", "uint8", "float16", "bfloat16", "float32", "float8_e4m3fn", "complex64"]


def arguments(text, names=None, dims=None):
    """The arguments that the text stands for, with structs for arrays."""
    kept = {}

    def traced():
        args, kwargs = evaluate_arguments(text, names or {}, dims or {})
        kept["static"] = eqx.filter((args, kwargs), eqx.is_array, inverse=True)
        return eqx.filter((args, kwargs), eqx.is_array)

    return eqx.combine(jax.eval_shape(traced), kept["static"])


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), max_size=4))
def test_an_array_is_written_as_it_is_printed(dtype, shape):
    struct = jax.eval_shape(lambda: jnp.zeros(shape, dtype))
    ((found,), kwargs) = arguments(eqx.tree_pformat(struct, struct_as_array=True))
    assert found == struct
    assert kwargs == {}


def test_no_array_is_made(monkeypatch):
    before = len(jax.live_arrays())
    ((matrix,), _) = arguments("f32[1000000,1000000]")
    assert matrix.shape == (1_000_000, 1_000_000)
    assert len(jax.live_arrays()) == before


def test_an_array_of_64_bits_needs_the_mode_that_has_them():
    with pytest.raises(UsageError, match=r"`f64`.*JAX_ENABLE_X64"):
        arguments("f64[3]")
    with jax.enable_x64(True):
        assert arguments("f64[3]")[0][0].dtype == np.float64


def test_key_is_a_prng_key_and_keys_are_an_array_of_them():
    one, several, scalar = arguments("key, keys[2,3], keys[]")[0]
    assert (one.shape, several.shape, scalar.shape) == ((), (2, 3), ())
    assert one.dtype == several.dtype == scalar.dtype == jax.random.key(0).dtype


def test_arguments_go_by_position_and_by_keyword_and_may_be_trees():
    args, kwargs = arguments("{'x': f32[3], 'y': [i32[ ], 4]}, *(1, 2), training=True")
    assert args[0]["x"].shape == (3,)
    assert args[0]["y"][0].shape == ()
    assert args[0]["y"][1] == 4
    assert args[1:] == (1, 2)
    assert kwargs == {"training": True}


def test_text_may_be_empty_and_may_have_several_lines():
    assert arguments("") == ((), {})
    assert arguments("\n  1,\n  2,  # two\n") == ((1, 2), {})


def test_empty_brackets_that_are_not_those_of_an_array_stay_as_they_are():
    assert arguments("'names[]'") == (("names[]",), {})


def test_sizes_have_names():
    assert arguments("f32[batch,4]", dims={"batch": 32})[0][0].shape == (32, 4)


def test_other_names_come_from_the_module_but_those_of_arrays_and_sizes_come_first():
    names = {"width": 3, "f32": None, "key": None, "np": "mine", "batch": None}
    (width, array, key, module, batch), _ = arguments("width, f32[1], key, np, batch", names, {"batch": 2})
    assert (width, array.shape, key.shape, module, batch) == (3, (1,), (), "mine", 2)


def test_jax_numpy_and_this_library_need_no_import():
    assert arguments("jax, jnp, np, eqx")[0] == (jax, jnp, np, eqx)


def test_text_may_build_a_whole_model():
    (model,), _ = arguments("eqx.nn.Linear(100000, 100000, key=key)")
    assert model.weight.shape == (100_000, 100_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f32[4", "cannot be the arguments"),
        ("x := 1; y", "cannot be the arguments"),
        ("f32[batch,4]", r"`batch`.*--dim batch="),
        ("[f32[batch] for _ in 'ab']", "`batch`"),
        ("f32[2.5]", r"`f32\[...\]` must be given integers, found.*2\.5"),
        ("f32[-1]", "negative"),
        ("[f32]", r"`f32` in `\[f32\]` needs a shape"),
        ("rate=bf16", "`bf16` in `rate=bf16` needs a shape"),
    ],
)
def test_text_that_makes_no_sense_is_an_error_that_says_why(text, message):
    with pytest.raises(UsageError, match=message):
        arguments(text)


def test_a_name_that_is_missing_in_what_the_text_calls_is_no_error_of_the_text():
    def function():
        return eval("missing", {})

    with pytest.raises(NameError, match="missing") as caught:
        arguments("function()", {"function": function})
    assert not isinstance(caught.value, UsageError)
