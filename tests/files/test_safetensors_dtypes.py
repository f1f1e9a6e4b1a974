import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from equinox._files.safetensors_dtypes import (
    DTYPES,
    from_bytes,
    is_stored_as_bytes,
    name_of,
    read_notes,
    write_notes,
)
from tests.files.stored import DTYPES as JAX_DTYPES


@pytest.mark.parametrize("name", DTYPES)
def test_names_are_those_of_the_reference_library(name):
    file = safetensors.numpy.save({"x": np.zeros(1, DTYPES[name])})
    assert f'"dtype":"{name}"'.encode() in file


@pytest.mark.parametrize("dtype", JAX_DTYPES, ids=str)
def test_every_dtype_has_a_name_or_is_stored_as_bytes(dtype):
    if is_stored_as_bytes(dtype):
        with pytest.raises(TypeError, match=f"no name for the dtype {dtype}"):
            name_of(dtype)
    else:
        assert DTYPES[name_of(dtype)] == dtype


@pytest.mark.parametrize("dtype", ["U2", "O", ">f4", "M8[s]", "i4,i4", "V2"])
def test_dtypes_that_only_numpy_has_are_not_stored(dtype):
    assert not is_stored_as_bytes(np.dtype(dtype))
    with pytest.raises(TypeError, match="no name"):
        name_of(np.dtype(dtype))


def test_bytes_become_what_the_note_says():
    array = np.array([[1, 2, 3]], ml_dtypes.int4)
    restored = from_bytes(array.view(np.uint8)[..., None], "int4")
    assert restored.dtype == jnp.int4
    assert restored.tolist() == [[1, 2, 3]]
    scalar = from_bytes(np.array(1 - 2j).reshape(1).view(np.uint8), "complex128")
    assert scalar.shape == ()
    assert scalar == 1 - 2j


def test_without_a_note_and_for_keys_an_array_stays_as_it_is():
    array = np.arange(2, dtype=np.uint32)
    assert from_bytes(array, None) is array
    assert from_bytes(array, "key<fry>") is array


@pytest.mark.parametrize("note", ["object", "float32", "complex128", "no dtype", "U2"])
def test_a_note_that_cannot_be_right_is_an_error(note):
    with pytest.raises(ValueError, match=f"stored from '{note}'"):
        from_bytes(np.zeros((3, 8), np.uint8), note)


def test_booleans_that_are_none_are_an_error():
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        from_bytes(np.array([0, 1, 2], np.uint8).view(np.bool_), None)


def test_notes_are_read_as_they_were_written():
    assert read_notes(write_notes({"a": "int4"})) == {"a": "int4"}
    assert write_notes({}) == {}
    assert read_notes({"format": "pt"}) == {}


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', "{", "null"])
def test_notes_that_cannot_be_understood_are_an_error(text):
    with pytest.raises(ValueError, match=r"equinox\.dtypes|delimiter|property name"):
        read_notes({"equinox.dtypes": text})
