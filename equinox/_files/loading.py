"""The ways to read the leaves of a tree one by one: from a file with or without a manifest, in order or by name."""

import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .._errors import describe
from .._jax_tree import KeyPath, keystr
from .checked_file import CheckedFile
from .leaf_specs import LeafSpec
from .leaves import is_jax_leaf, is_stored
from .manifest import Record
from .mark import is_marked
from .report import LoadReport
from .shardings import describe_target, put
from .streams import Readable
from .tree_path_error import TreePathError, error_at_leaf, show_name


def read_leaf(file: Readable, leaf: LeafSpec) -> Any:
    """Read one leaf at the current position of a file, and compare it with the one of `like`."""
    return make_leaf(leaf, lambda target: leaf.spec(file, target))


def make_leaf(leaf: LeafSpec, make: Callable[[Any], Any]) -> Any:
    """Make a leaf of what is to be loaded, put it where it is to be, and compare it with the one of `like`."""
    target = describe_target(leaf)
    try:
        value = put(make(target), target)
    except Exception as error:
        raise error_at_leaf("like", leaf.path, error) from error
    check_alike(value, leaf.leaf, leaf.path)
    return value


def check_alike(value: Any, like: Any, path: KeyPath) -> None:
    """Compare type, shape and dtype of a leaf that was loaded with those of the leaf of `like`."""
    is_right_kind = isinstance(value, jax.Array) if is_jax_leaf(like) else type(value) is type(like)
    if not is_right_kind:
        found, expected = describe(value), describe(like)
    elif not isinstance(value, (jax.Array, np.ndarray)):
        return
    elif value.shape != like.shape:
        found, expected = f"shape {value.shape}", f"shape {like.shape}"
    elif value.dtype != like.dtype:
        found, expected = f"dtype {value.dtype}", f"dtype {like.dtype}"
    else:
        return
    raise TreePathError(
        path,
        f"Deserialised leaf at path {path} (leaf {show_name(keystr(path))} of `like`): the file has {found}, and "
        f"`like` has {expected}. Load it into a leaf like the one that was saved, and convert that.",
    )


def load_plain(file: CheckedFile, leaves: Sequence[LeafSpec]) -> list[Any]:
    """Load the leaves from a file that has no manifest, and never had one."""
    values: list[Any] = []
    for leaf in leaves:
        if is_marked(file):
            raise RuntimeError(
                "the file is damaged: it was written with a list of its leaves at the end, which is not there. It may "
                "have been cut off."
            )
        values.append(read_leaf(file, leaf))
    position = file.tell()
    surplus = file.seek(0, io.SEEK_END) - position
    if surplus:
        raise RuntimeError(
            f"the file goes on for {surplus} bytes after the last leaf of `like`: `like` has fewer leaves."
        )
    return values


def load_in_order(
    file: CheckedFile, records: Sequence[Record], leaves: Sequence[LeafSpec], stored_name: Callable[[KeyPath], str]
) -> list[Any]:
    """Load the leaves from a file of which the manifest says the same leaves in the same order."""
    values: list[Any] = []
    remaining = list(reversed(records))
    for leaf in leaves:
        if remaining and remaining[-1].path == stored_name(leaf.path):
            value, is_read = _load_record(file, remaining.pop(), leaf)
            if not is_read:
                raise error_at_leaf("like", leaf.path, f"it is in the file, and not read for {describe(leaf.leaf)}.")
        else:
            value = _load_nothing(leaf, records, remaining[-1] if remaining else None, stored_name)
        values.append(value)
    if remaining:
        names = ", ".join(show_name(record.path) for record in reversed(remaining))
        raise RuntimeError(f"the file has leaves that `like` has not: {names}. `strict=False` ignores them.")
    return values


def load_by_name(
    file: CheckedFile, records: Sequence[Record], leaves: Sequence[LeafSpec], stored_name: Callable[[KeyPath], str]
) -> tuple[list[Any], LoadReport]:
    """Load those leaves that the manifest of a file has."""
    starts = itertools.accumulate((record.size for record in records), initial=0)
    by_name: dict[str, tuple[int, Record]] = {}
    for start, record in zip(starts, records, strict=False):
        if record.path in by_name:
            raise RuntimeError(f"the file has two leaves with the key path {show_name(record.path)}.")
        by_name[record.path] = start, record
    values: list[Any] = []
    matched: list[str] = []
    missing: list[str] = []
    for leaf in leaves:
        name = stored_name(leaf.path)
        is_read = False
        value = None
        if name in by_name:
            start, record = by_name[name]
            file.seek(start)
            value, is_read = _load_record(file, record, leaf)
        if is_read:
            del by_name[name]
            matched.append(keystr(leaf.path))
        elif is_stored(leaf.leaf):
            missing.append(keystr(leaf.path))
        values.append(value if is_read else leaf.leaf)
    return values, LoadReport(tuple(matched), tuple(missing), tuple(by_name))


def _load_record(file: CheckedFile, record: Record, leaf: LeafSpec) -> tuple[Any, bool]:
    """Load a leaf from its record at the current position, and say whether it was read at all."""
    start = file.tell()
    try:
        file.check(record)
    except ValueError as error:
        raise error_at_leaf("like", leaf.path, error) from error
    value = read_leaf(file, leaf)
    size = file.tell() - start
    if size not in (0, record.size):
        raise error_at_leaf(
            "like", leaf.path, f"its `filter_spec` has read {size} bytes, and {record.size} had been written for it."
        )
    return value, size > 0


def _load_nothing(
    leaf: LeafSpec, records: Sequence[Record], found: Record | None, stored_name: Callable[[KeyPath], str]
) -> Any:
    """Load a leaf that is not next in the file, which is right if nothing is read for it."""
    try:
        return read_leaf(io.BytesIO(), leaf)
    except TreePathError as error:
        name = stored_name(leaf.path)
        what = "the file has no more leaves" if found is None else f"the file has {show_name(found.path)} next"
        if any(record.path == name for record in records):
            advice = "The order has changed: `strict=False` finds leaves by their key paths."
        else:
            advice = "`renames` finds leaves under old key paths, `strict=False` loads what there is."
        raise error_at_leaf("like", leaf.path, f"{what}, not {show_name(name)}. {advice}") from error
