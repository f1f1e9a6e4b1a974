import enum
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from equinox._files.leaves import (
    from_stored,
    is_stored,
    key_data_of_one,
    kind_of,
    stored_form,
    to_stored,
)
from tests.files.stored import DTYPES, KEY_IMPLEMENTATIONS


def as_bytes(array: Any) -> Any:
    """How a record has an array of a dtype that a library has added."""
    return array.view(f"V{array.dtype.itemsize}")


class Wrapped:
    def __jax_array__(self):
        return jnp.ones(2)


class Color(enum.IntEnum):
    RED = 3


STORED = [jnp.ones(2), np.ones(2), np.float32(1), True, 1, 1.0, 1j, jax.random.key(0), jax.ShapeDtypeStruct((), float)]


@pytest.mark.parametrize("leaf", STORED, ids=str)
def test_arrays_and_numbers_are_stored(leaf):
    assert is_stored(leaf)
    assert kind_of(leaf) in {"JAX array", "NumPy array", "PRNG key", "number"}


@pytest.mark.parametrize("leaf", ["text", abs, b"bytes", object(), int])
def test_nothing_else_is_stored(leaf):
    assert not is_stored(leaf)
    assert to_stored(leaf) is None
    assert kind_of(leaf) == "other"


@pytest.mark.parametrize(
    ("leaf", "dtype"),
    [
        (True, "bool"),
        (3, "int64"),
        (2**63, "uint64"),
        (0.1, "float64"),
        (1j, "complex128"),
        (np.float16(1), "float16"),
        (Color.RED, "int64"),
        (ml_dtypes.float8_e5m2(1), "float8_e5m2"),
    ],
)
def test_numbers_are_stored_in_the_dtype_that_numpy_gives_them(leaf, dtype):
    array = to_stored(leaf)
    assert array is not None
    assert array.dtype == dtype
    assert array.shape == ()
    restored = from_stored(array, None, leaf)
    assert restored == leaf
    assert type(restored) is type(leaf)


def test_an_integer_of_more_than_64_bits_is_an_error():
    with pytest.raises(OverflowError, match=r"1180591620717411303424.*64 bits"):
        to_stored(2**70)


def test_an_object_that_can_become_an_array_is_an_error_and_not_lost():
    with pytest.raises(TypeError, match=r"`Wrapped`.*__jax_array__.*filter_spec"):
        to_stored(Wrapped())


@pytest.mark.parametrize("implementation", KEY_IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", [(), (2,), (2, 0)])
def test_prng_keys_are_stored_as_data_and_made_again(implementation, shape):
    keys = jnp.broadcast_to(jax.random.key(3, impl=implementation), shape)
    data = to_stored(keys)
    assert data is not None
    assert data.dtype == np.uint32
    for like in (keys, jax.ShapeDtypeStruct(keys.shape, keys.dtype)):
        for name in (None, str(keys.dtype)):
            restored = from_stored(data, name, like)
            assert restored.dtype == keys.dtype
            assert (jax.random.key_data(restored) == data).all()


def test_prng_keys_of_another_implementation_are_an_error():
    key = jax.random.key(0, impl="unsafe_rbg")
    data = to_stored(key)
    assert data is not None
    with pytest.raises(TypeError, match=r"key<urbg> here.*key<rbg>\[\]"):
        from_stored(data, str(key.dtype), jax.random.key(0, impl="rbg"))
    with pytest.raises(TypeError, match="not the data of key<fry>"):
        from_stored(data, None, jax.random.key(0))


def test_prng_keys_are_not_loaded_as_numbers_nor_numbers_as_prng_keys():
    with pytest.raises(TypeError, match=r"PRNG keys \(key<fry>\).*uint32\[2\]"):
        from_stored(np.zeros(2, np.uint32), "key<fry>", jnp.zeros(2, jnp.uint32))
    with pytest.raises(TypeError, match=r"uint32 here.*key<fry>"):
        from_stored(np.zeros(2, np.uint32), "uint32", jax.random.key(0))
    with pytest.raises(TypeError, match="not the data of key<fry>"):
        from_stored(np.zeros(2, np.int32), None, jax.random.key(0))
    with pytest.raises(TypeError, match="not the data of key<fry>"):
        from_stored(np.array(1, np.uint32), None, jax.random.key(0))


def test_the_implementation_of_a_dtype_is_known():
    assert key_data_of_one(jax.random.key(0).dtype) == ("threefry2x32", (2,))
    assert key_data_of_one(jax.random.key(0, impl="rbg").dtype) == ("rbg", (4,))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_array_of_every_dtype_is_made_again(dtype):
    array = np.array([0, 1], dtype)
    stored = as_bytes(array) if dtype.isbuiltin == 2 else array
    with jax.enable_x64(True):
        for like in (jnp.zeros(1, dtype), jax.ShapeDtypeStruct((), dtype), np.zeros(1, dtype)):
            restored = from_stored(stored, None, like)
            assert isinstance(restored, np.ndarray) is isinstance(like, np.ndarray)
            assert restored.dtype == dtype
            assert np.asarray(restored).tobytes() == array.tobytes()


def test_bytes_are_what_the_file_says_and_not_what_is_expected():
    stored = as_bytes(np.array([1], ml_dtypes.int4))
    assert from_stored(stored, "int4", jnp.zeros(1, jnp.uint4)).dtype == jnp.int4
    assert from_stored(stored, "float8_e4m3fn", np.zeros(1, np.float32)).dtype == jnp.float8_e4m3fn


def test_two_bytes_of_which_nothing_is_said_are_bfloat16():
    stored = as_bytes(np.array(1.5, ml_dtypes.bfloat16))
    assert from_stored(stored, None, jnp.zeros((), jnp.float32)).dtype == jnp.bfloat16
    assert from_stored(stored, None, 0.0) == 1.5


def test_bytes_without_a_meaning_stay_what_they_are():
    for dtype in ("V2", "V3"):
        assert from_stored(np.zeros(2, dtype), None, np.zeros(2, dtype)).dtype == dtype


def test_what_jax_would_cut_down_to_32_bits_is_an_error():
    for like in (jnp.zeros(2), jax.ShapeDtypeStruct((2,), "float32")):
        with pytest.raises(TypeError, match=r"float64\[2\].*float32.*64-bit mode"):
            from_stored(np.ones(2), None, like)


def test_the_order_of_bytes_is_no_loss_for_jax():
    restored = from_stored(np.array([1, 2], ">i4"), None, jnp.zeros(2, "int32"))
    assert restored.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("stored", "like"),
    [
        (np.array(1.5), 1),
        (np.array(1.5), True),
        (np.array(2), False),
        (np.array(2**60 + 1), 1.0),
        (np.array(0.1j), np.complex64(0)),
        (np.array(0.1), np.float32(0)),
        (np.array(300), np.uint8(0)),
        (np.array(0.1), ml_dtypes.bfloat16(0)),
        (np.array(1j), 1.0),
        (np.array(np.nan), 1),
        (np.array("text"), 1),
        (np.array(5), Color.RED),
    ],
    ids=str,
)
def test_a_number_that_would_lose_information_is_an_error(stored, like):
    with pytest.raises((ValueError, TypeError)):
        from_stored(stored, None, like)


def test_the_error_says_what_a_number_would_have_become():
    with pytest.raises(ValueError, match=r"1\.5 here.*become 1.*`int`"):
        from_stored(np.array(1.5), None, 7)


@pytest.mark.parametrize(
    ("stored", "like", "expected"),
    [
        (np.array(1.0), 7, 1),
        (np.array(1), True, True),
        (np.array(2), 0.5, 2.0),
        (np.array(1.5, np.float32), 0.0, 1.5),
        (np.array(1.5), np.float16(0), np.float16(1.5)),
        (np.array(3), 1j, 3 + 0j),
        (np.array(-1.0), np.int8(0), np.int8(-1)),
    ],
    ids=str,
)
def test_a_number_of_another_type_is_converted_where_nothing_is_lost(stored, like, expected):
    restored = from_stored(stored, None, like)
    assert type(restored) is type(like)
    assert restored == expected


def test_not_a_number_is_the_same_as_itself():
    assert np.isnan(from_stored(np.array(np.nan), None, 1.0))
    assert np.isnan(from_stored(np.array(np.nan, np.float32), None, np.float64(1)))


def test_an_array_is_no_number():
    for like in (1.0, np.float64(1)):
        with pytest.raises(TypeError, match=r"float64\[1\]"):
            from_stored(np.ones(1), None, like)


@pytest.mark.parametrize("leaf", STORED[:-1], ids=str)
def test_the_form_is_that_of_the_array_that_is_stored(leaf):
    array = to_stored(leaf)
    assert array is not None
    assert stored_form(leaf) == (array.dtype, array.shape)


def test_what_only_describes_an_array_has_no_form():
    assert to_stored(STORED[-1]) is None
    with pytest.raises(TypeError, match="describes an array"):
        stored_form(STORED[-1])
