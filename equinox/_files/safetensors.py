"""Save the leaves of a PyTree in the safetensors format, and load them: `save_safetensors`, `load_safetensors`."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar, overload

import numpy as np

from .atomic import replaced
from .leaves import from_stored, kind_of, stored_form, to_stored
from .named_leaves import Names, load_named, name_leaves
from .paths import StrOrBytesPath, with_suffix
from .records import read_array
from .report import LoadReport
from .safetensors_dtypes import DTYPES, from_bytes, is_stored_as_bytes, name_of, read_notes, write_notes
from .safetensors_header import Entry, read_header, write_header
from .tree_path_error import error_at_leaf

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


def save_safetensors(
    path: StrOrBytesPath, pytree: _PyTree, *, names: Names = None, metadata: Mapping[str, str] | None = None
) -> None:
    """Save the arrays and numbers of a PyTree to a file in the safetensors format, which other libraries read.

    The file is replaced in one step, as by `tree_serialise_leaves`. A dtype for which the format has no name, such as
    `int4` or `complex128`, is stored as `uint8`, with one axis more; PRNG keys are stored as their data. A note in the
    file says so, and `load_safetensors` reads it.

    **Arguments**

    - `path`: the path of the file, to which `.safetensors` is appended if it has no suffix.
    - `pytree`: the PyTree. Functions, strings and other leaves that are no arrays or numbers are not saved.
    - `names`: what leaves are to be called in the file, a function of their dotted names, such as `layers.0.weight`. By
        default they are called that.
    - `metadata`: text to be stored with the arrays, such as `{"format": "pt"}`.

    **Raises**

    - `TreePathError`: if a leaf cannot be saved, such as an array of text; it names the leaf.
    - `ValueError`: if two leaves have the same name.
    - `OSError`: if the file cannot be written.

    **Example**
    ```python
    >>> model = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.key(0))
    >>> eqx.save_safetensors("model.safetensors", model)
    >>> like = eqx.filter_eval_shape(eqx.nn.MLP, 2, 1, 8, 2, key=jax.random.key(0))
    >>> bool(eqx.tree_equal(eqx.load_safetensors("model.safetensors", like), model))
    True

    ```
    """
    leaves = name_leaves(pytree, names, argument="pytree")
    entries: dict[str, Entry] = {}
    notes: dict[str, str] = {}
    for name, (key_path, leaf) in leaves.items():
        try:
            entries[name], note = _plan(leaf)
        except Exception as error:
            raise error_at_leaf("pytree", key_path, error) from error
        if note is not None:
            notes[name] = note
    # The largest items come first, so that every array starts at a multiple of the size of its items.
    order = sorted(entries, key=lambda name: (-DTYPES[entries[name].dtype].itemsize, name))
    placed: dict[str, Entry] = {}
    position = 0
    for name in order:
        size = entries[name].stop
        placed[name] = entries[name]._replace(start=position, stop=position + size)
        position += size
    with replaced(with_suffix(path, ".safetensors")) as file:
        write_header(file, placed, {**(metadata or {}), **write_notes(notes)})
        for name in order:
            key_path, leaf = leaves[name]
            try:
                array = np.ascontiguousarray(to_stored(leaf))
            except Exception as error:
                raise error_at_leaf("pytree", key_path, error) from error
            file.write(array.reshape(-1).view(np.uint8).data)


def _plan(leaf: Any) -> tuple[Entry, str | None]:
    """Say how a leaf is stored, as if it were the first one of the file, and what is to be noted about it."""
    dtype, shape = stored_form(leaf)
    note = None
    if is_stored_as_bytes(dtype):
        note = str(dtype)
        dtype, shape = np.dtype(np.uint8), (*shape, dtype.itemsize)
    elif kind_of(leaf) == "PRNG key":
        note = str(leaf.dtype)
    return Entry(name_of(dtype), shape, 0, math.prod(shape) * dtype.itemsize), note


@overload
def load_safetensors(
    path: StrOrBytesPath,
    like: _T,
    *,
    strict: Literal[True] = True,
    names: Names = None,
    shardings: _PyTree = None,
) -> _T: ...
@overload
def load_safetensors(
    path: StrOrBytesPath,
    like: _T,
    *,
    strict: Literal[False],
    names: Names = None,
    shardings: _PyTree = None,
) -> tuple[_T, LoadReport]: ...
def load_safetensors(
    path: StrOrBytesPath, like: _T, *, strict: bool = True, names: Names = None, shardings: _PyTree = None
) -> _T | tuple[_T, LoadReport]:
    """Load the leaves of a PyTree from a file in the safetensors format, whichever library has written it.

    **Arguments**

    - `path`: the path of the file, to which `.safetensors` is appended if it has no suffix.
    - `like`: the PyTree whose arrays and numbers are replaced. `jax.ShapeDtypeStruct`s become JAX arrays.
    - `strict`: if `False`, leaves whose names are not in the file keep their values, and what else is in it is ignored.
    - `names`: what leaves are called in the file, a function of their dotted names, such as
        `lambda name: "encoder." + name`. By default they are called that.
    - `shardings`: where to put JAX arrays: a sharding, or a prefix of `like` with shardings and `None`s as its leaves.
        Each array is put there before the next one is read.

    **Returns**

    A PyTree like `like`, with the leaves that were loaded. With `strict=False`, a pair of it and a `LoadReport`.

    **Raises**

    - `ValueError`: if it is no whole safetensors file: a header that is too large, or arrays that overlap, leave gaps,
        go beyond the end of the file or have one name, which is found before anything is loaded; if two leaves have
        the same name, or `shardings` is not a prefix of `like`.
    - `RuntimeError`: if the names in the file and in `like` do not match.
    - `TreePathError`: if an array is not like the leaf: another kind, shape or dtype; it names the leaf.
    - `OSError`: if there is no such file, or it cannot be read.

    **Example**
    ```python
    >>> eqx.save_safetensors("part", {"weight": jnp.ones(2), "unused": 0})
    >>> tree, report = eqx.load_safetensors("part", {"weight": jnp.zeros(2)}, strict=False)
    >>> tree, report.unexpected
    ({'weight': Array([1., 1.], dtype=float32)}, ('unused',))

    ```
    """
    complete = with_suffix(path, ".safetensors")
    with complete.open("rb") as file:
        try:
            header = read_header(file, complete.stat().st_size)
            notes = read_notes(header.metadata)

            def read(name: str, target: Any) -> Any:
                entry = header.entries[name]
                file.seek(header.data_start + entry.start)
                array = read_array(file, entry.shape, DTYPES[entry.dtype])
                return from_stored(from_bytes(array, notes.get(name)), notes.get(name), target)

            loaded, report = load_named(like, header.entries, read, strict=strict, names=names, shardings=shardings)
        except (RuntimeError, ValueError) as error:
            error.add_note(f"The file is {complete}.")
            raise
    return loaded if strict else (loaded, report)
