"""Load the leaves of a PyTree from a file: `tree_deserialise_leaves`."""

import io
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar, overload

from .._tree.predicates import IsLeaf
from .checked_file import CheckedFile
from .leaf_specs import check_functions, leaf_specs
from .loading import load_by_name, load_in_order, load_plain, read_leaf
from .manifest import read_manifest
from .paths import StrOrBytesPath, is_path, with_suffix
from .renames import stored_names
from .report import LoadReport
from .shardings import with_shardings
from .specs import default_deserialise_filter_spec
from .streams import Readable

_PyTree: TypeAlias = Any
_T = TypeVar("_T")


@overload
def tree_deserialise_leaves(
    path_or_file: StrOrBytesPath | Readable,
    like: _T,
    filter_spec: _PyTree = ...,
    is_leaf: IsLeaf = None,
    *,
    strict: Literal[True] = True,
    renames: Mapping[str, Callable[[_T], Any]] | None = None,
    shardings: _PyTree = None,
) -> _T: ...
@overload
def tree_deserialise_leaves(
    path_or_file: StrOrBytesPath | Readable,
    like: _T,
    filter_spec: _PyTree = ...,
    is_leaf: IsLeaf = None,
    *,
    strict: Literal[False],
    renames: Mapping[str, Callable[[_T], Any]] | None = None,
    shardings: _PyTree = None,
) -> tuple[_T, LoadReport]: ...
def tree_deserialise_leaves(
    path_or_file: StrOrBytesPath | Readable,
    like: _T,
    filter_spec: _PyTree = default_deserialise_filter_spec,
    is_leaf: IsLeaf = None,
    *,
    strict: bool = True,
    renames: Mapping[str, Callable[[_T], Any]] | None = None,
    shardings: _PyTree = None,
) -> _T | tuple[_T, LoadReport]:
    """Load the leaves of a PyTree from a file that `tree_serialise_leaves` has written.

    What is loaded is what was saved, or there is an error: a file that was damaged or cut off, or that was saved from a
    tree with other leaves, is not loaded, not even in part. A file at a path knows the key paths of its leaves and has
    checksums. The data alone, in an open file or at a path, as Equinox until 0.13 writes it, has neither; then only the
    number of the leaves, and their shapes and dtypes, are compared.

    **Arguments**

    - `path_or_file`: the path of the file, to which `.eqx` is appended if it has no suffix; or a binary file that is
        open for reading and has `read` and `seek`. It is read from its current position on, and stays open.
    - `like`: a PyTree with the same structure as the one that was saved. Its leaves say what to load: JAX arrays and
        `jax.ShapeDtypeStruct`s (from `filter_eval_shape`, say), NumPy arrays and numbers are replaced, everything else
        is kept.
    - `filter_spec`: how to read a leaf: a function of the file and the leaf of `like` that returns the new leaf; or a
        prefix of `like` with such functions as its leaves. It may fall back on `default_deserialise_filter_spec`.
    - `is_leaf`: which nodes of `like` to treat as leaves.
    - `strict`: if `False`, leaves that are not in the file keep their values, and what is in the file and not in `like`
        is ignored. Leaves are found by their key paths then, in any order.
    - `renames`: where things are now that had other names when they were saved, for each the old key path as text:
        `{".encoder": lambda model: model.layers[0]}`.
    - `shardings`: where to put the JAX arrays, for a model that is too large for one device: a `jax.sharding.Sharding`,
        or a prefix of `like` with shardings as its leaves, and `None` for the default. Each leaf is put there before
        the next one is read. A `jax.ShapeDtypeStruct` may have its own.

    **Returns**

    A PyTree like `like`, with the leaves that were loaded. With `strict=False`, a pair of it and a `LoadReport`.

    **Raises**

    - `TreePathError`: if a leaf cannot be read, is damaged, is another one than was saved there, or is not like that of
        `like`; it names the leaf.
    - `RuntimeError`: if the file as a whole is damaged, or there is more in it.
    - `ValueError`: if `filter_spec` or `shardings` is not a prefix of `like`; if `strict=False` or `renames` is given
        for a file without key paths.
    - `TypeError`: if there is something else than a function in `filter_spec`, or than a sharding in `shardings`.
    - `OSError`: if there is no such file, or it cannot be read.

    **Example**
    ```python
    >>> tree = {"weight": jnp.arange(3.0), "steps": 5, "activation": jax.nn.relu}
    >>> eqx.tree_serialise_leaves("checkpoint", tree)
    >>> like = {"weight": jnp.zeros(3), "steps": 0, "activation": abs}
    >>> eqx.tree_deserialise_leaves("checkpoint", like)
    {'activation': <built-in function abs>, 'steps': 5, 'weight': Array([0., 1., 2.], dtype=float32)}

    ```
    """
    check_functions(filter_spec)
    leaves, rebuild = leaf_specs(filter_spec, like, is_leaf, argument="filter_spec", tree_argument="like")
    leaves = with_shardings(leaves, shardings, like, is_leaf)
    if not is_path(path_or_file):
        if renames or not strict:
            raise _needs_key_paths(strict)
        return rebuild([read_leaf(path_or_file, leaf) for leaf in leaves])
    stored_name = stored_names(renames, like, is_leaf)
    path = with_suffix(path_or_file, ".eqx")
    with CheckedFile(io.FileIO(path)) as file:
        try:
            records = read_manifest(file)
            if records is not None and not strict:
                values, report = load_by_name(file, records, leaves, stored_name)
                return rebuild(values), report
            if records is not None:
                return rebuild(load_in_order(file, records, leaves, stored_name))
            values = load_plain(file, leaves)
        except RuntimeError as error:
            error.add_note(f"The file is {path}.")
            raise
    if renames or not strict:
        raise _needs_key_paths(strict)
    return rebuild(values)


def _needs_key_paths(strict: bool) -> ValueError:
    return ValueError(
        f"argument `{'renames' if strict else 'strict'}`: there are no key paths in this file. They are in a file that "
        "`tree_serialise_leaves` writes when it is given a path, and are read when such a path is given here."
    )
