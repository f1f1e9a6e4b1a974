"""Save the leaves of a PyTree to a file: `tree_serialise_leaves`."""

from collections.abc import Iterable
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np

from .._jax_tree import keystr
from .._tree.predicates import IsLeaf
from .atomic import is_replaceable, replaced
from .leaf_specs import LeafSpec, check_functions, leaf_specs
from .leaves import kind_of
from .manifest import Record, checksum, write_manifest
from .mark import mark_record
from .paths import StrOrBytesPath, is_path, with_suffix
from .records import is_plain_void, read_header
from .specs import default_serialise_filter_spec
from .streams import Writable
from .tree_path_error import error_at_leaf

_PyTree: TypeAlias = Any


def tree_serialise_leaves(
    path_or_file: StrOrBytesPath | Writable,
    pytree: _PyTree,
    filter_spec: _PyTree = default_serialise_filter_spec,
    is_leaf: IsLeaf = None,
) -> None:
    """Save the leaves of a PyTree to a file.

    Arrays (PRNG keys too) and numbers are saved. Functions, strings and all other leaves are not, and neither are
    static fields nor the structure: `tree_deserialise_leaves` gets those from the tree that it is given.

    At a path, the file is replaced in one step: whatever happens meanwhile, the old file or the new one is there, and
    whole. (If the process is killed, a temporary file `.equinox-*.tmp` stays beside it.) After the data comes a list of
    the leaves with their key paths and checksums, with which `tree_deserialise_leaves` makes sure that it loads exactly
    what was saved.

    **Arguments**

    - `path_or_file`: the path of the file, to which `.eqx` is appended if it has no suffix; or a binary file that is
        open for writing, to which nothing but the data is written, one `.npy` record after the other, and which stays
        open.
    - `pytree`: the PyTree.
    - `filter_spec`: how to write a leaf: a function of the file and the leaf; or a prefix of `pytree` with such
        functions as its leaves. The results are ignored. The function may fall back on `default_serialise_filter_spec`.
    - `is_leaf`: which nodes of `pytree` to treat as leaves.

    **Raises**

    - `TreePathError`: if a leaf cannot be written; it names the leaf, and its cause says why.
    - `ValueError`: if `filter_spec` is not a prefix of `pytree`.
    - `OSError`: if the file cannot be written.

    **Example**
    ```python
    >>> model = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.key(0))
    >>> eqx.tree_serialise_leaves("model.eqx", model)
    >>> like = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.key(1))
    >>> bool(eqx.tree_equal(eqx.tree_deserialise_leaves("model.eqx", like), model))
    True

    ```
    """
    check_functions(filter_spec)
    leaves, _ = leaf_specs(filter_spec, pytree, is_leaf, argument="filter_spec", tree_argument="pytree")
    if not is_path(path_or_file):
        _write_leaves(path_or_file, leaves)
        return
    path = with_suffix(path_or_file, ".eqx")
    if is_replaceable(path):
        with replaced(path) as file:
            _write_leaves_and_manifest(file, leaves)
    else:
        with path.open("wb") as file:
            _write_leaves(file, leaves)


def _write_leaves(file: Writable, leaves: Iterable[LeafSpec]) -> None:
    for leaf in leaves:
        _write_leaf(file, leaf)


def _write_leaf(file: Writable, leaf: LeafSpec) -> None:
    try:
        leaf.spec(file, leaf.leaf)
    except Exception as error:
        raise error_at_leaf("pytree", leaf.path, error) from error


def _write_leaves_and_manifest(file: BinaryIO, leaves: Iterable[LeafSpec]) -> None:
    records: list[Record] = []
    for leaf in leaves:
        start = file.tell()
        _write_leaf(file, leaf)
        end = file.tell()
        if end > start:
            mark_record(file, start)
            # What is described is what is in the file, whoever has written it.
            records.append(_describe(file, start, end, leaf))
            file.seek(end)
    write_manifest(file, records)


def _describe(file: BinaryIO, start: int, end: int, leaf: LeafSpec) -> Record:
    file.seek(start)
    crc32 = checksum(file, end - start)
    file.seek(start)
    path = keystr(leaf.path)
    leaf_kind = kind_of(leaf.leaf)
    try:
        header = read_header(file)
    except (EOFError, ValueError):
        return Record(path, "other", None, None, end - start, crc32)
    shape = header.shape
    dtype: Any = header.dtype
    expected: Any = getattr(leaf.leaf, "dtype", None)
    if leaf_kind == "PRNG key" and dtype == np.uint32:
        shape, dtype = leaf.leaf.shape, expected
    elif is_plain_void(dtype) and isinstance(expected, np.dtype) and cast(Any, expected).itemsize == dtype.itemsize:
        dtype = cast(Any, expected)
    return Record(path, leaf_kind, shape, str(dtype), end - start, crc32)
