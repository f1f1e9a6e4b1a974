"""The dtypes of the safetensors format, and how those are stored for which it has no name.

A dtype without a name is stored as bytes, with one axis more, and a note in the file says what they are; another note
says which arrays are the data of PRNG keys.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

import jax.numpy as jnp
import numpy as np

from .records import is_extension_dtype

_Array: TypeAlias = np.ndarray[Any, Any]

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "U16": np.dtype(np.uint16),
    "I16": np.dtype(np.int16),
    "U32": np.dtype(np.uint32),
    "I32": np.dtype(np.int32),
    "U64": np.dtype(np.uint64),
    "I64": np.dtype(np.int64),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "C64": np.dtype(np.complex64),
    "F8_E4M3": np.dtype(jnp.float8_e4m3fn),
    "F8_E5M2": np.dtype(jnp.float8_e5m2),
    "F8_E8M0": np.dtype(jnp.float8_e8m0fnu),
    "F8_E4M3FNUZ": np.dtype(jnp.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(jnp.float8_e5m2fnuz),
}

_NAMES: Final = {dtype: name for name, dtype in DTYPES.items()}
_METADATA_KEY: Final = "equinox.dtypes"


def name_of(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype in the format.

    **Raises**

    - `TypeError`: if it has none.
    """
    if dtype not in _NAMES:
        raise TypeError(f"the safetensors format has no name for the dtype {dtype}.")
    return _NAMES[dtype]


def is_stored_as_bytes(dtype: np.dtype[Any]) -> bool:
    """Say whether arrays of a dtype that has no name in the format are stored nevertheless."""
    return dtype not in _NAMES and (is_extension_dtype(dtype) or dtype == np.complex128)


def from_bytes(array: _Array, note: str | None) -> _Array:
    """Give bytes the dtype that they were stored from, if the note of an array says that they are bytes.

    **Raises**

    - `ValueError`: if the note cannot be right.
    """
    if array.dtype == np.bool_ and (array.view(np.uint8) > 1).any():
        raise ValueError("there are booleans that are neither 0 nor 1.")
    if note is None or note.startswith("key<"):
        return array
    try:
        dtype = np.dtype(note)
    except TypeError:
        dtype = np.dtype(object)
    if not is_stored_as_bytes(dtype) or array.dtype != np.uint8 or array.shape[-1:] != (dtype.itemsize,):
        raise ValueError(f"a note says that {array.dtype} of shape {array.shape} is stored from {note!r}.")
    return array.view(dtype).reshape(array.shape[:-1])


def write_notes(notes: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to the metadata of a file, for the notes of its arrays by name."""
    return {_METADATA_KEY: json.dumps(notes)} if notes else {}


def read_notes(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the notes that are in the metadata of a file.

    **Raises**

    - `ValueError`: if they cannot be understood.
    """
    notes: Any = json.loads(metadata.get(_METADATA_KEY, "{}"))
    if type(notes) is not dict or any(type(note) is not str for note in cast(dict[str, Any], notes).values()):
        raise ValueError(f"`{_METADATA_KEY}` in the metadata is not a dictionary of texts.")
    return cast(dict[str, str], notes)
