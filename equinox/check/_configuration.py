"""What to check, as it is written in `pyproject.toml`, so that the command needs no arguments."""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard, cast

from .._errors import describe
from ._notation import UsageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A target with all the arguments of [`check`][equinox.check.check]."""

    target: str
    init: str | None = None
    calls: tuple[str, ...] = ()
    dims: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    strict_dtypes: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that one run of the command does."""

    jobs: tuple[Job, ...]
    #: How annotations are checked.
    annotations: str = "auto"
    #: The packages whose annotations are checked, besides those of the targets.
    packages: tuple[str, ...] = ()


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))


def _is_list_of_tables(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in cast("list[object]", value))


def _is_table_of_sizes(value: Any) -> bool:
    return isinstance(value, dict) and all(type(size) is int for size in cast(dict[str, Any], value).values())


#: What every key must hold, in words and as a test.
_VALUES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "target": ("a string", _is(str)),
    "init": ("a string", _is(str)),
    "calls": ("a list of strings", _is_list_of_strings),
    "dims": ("a table of integers", _is_table_of_sizes),
    "strict_dtypes": ("true or false", _is(bool)),
    "annotations": ("a string", _is(str)),
    "packages": ("a list of strings", _is_list_of_strings),
}


def read_plan(file: Path) -> Plan:
    """Read the table `tool.equinox.check` of a file.

    `dims` and `strict_dtypes` may stand in that table as well as in that of one target: as values for all targets.

    **Raises**

    - `UsageError`: there is no such file, no such table in it, or something in the table that has no meaning.
    """
    try:
        with file.open("rb") as opened:
            content = tomllib.load(opened)
    except OSError as error:
        raise UsageError(f"`{file}` cannot be read, and no target is given: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"`{file}` is no TOML: {error}.") from None
    common: Any = content.get("tool", {}).get("equinox", {}).get("check", {})
    if not isinstance(common, dict):
        raise UsageError(f"[tool.equinox.check] must be a table, found {describe(common)}.")
    common = cast("dict[str, Any]", common)
    targets: Any = common.pop("target", [])
    if not _is_list_of_tables(targets):
        raise UsageError(f"[[tool.equinox.check.target]] must be one or more tables, found {describe(targets)}.")
    if not targets:
        raise UsageError(f"`{file}` has no table [[tool.equinox.check.target]], and no target is given.")
    _reject_meaningless("[tool.equinox.check]", common, {"dims", "strict_dtypes", "annotations", "packages"})
    jobs: list[Job] = []
    for table in targets:
        where = "[[tool.equinox.check.target]]"
        _reject_meaningless(where, table, {"target", "init", "calls", "dims", "strict_dtypes"})
        if "target" not in table:
            raise UsageError(f"{where} must have a key `target`, the address of what to check.")
        jobs.append(
            Job(
                target=table["target"],
                init=table.get("init"),
                calls=tuple(table.get("calls", ())),
                dims=common.get("dims", {}) | table.get("dims", {}),
                strict_dtypes=table.get("strict_dtypes", common.get("strict_dtypes", False)),
            )
        )
    packages = tuple(common.get("packages", ()))
    return Plan(jobs=tuple(jobs), annotations=common.get("annotations", "auto"), packages=packages)


def _reject_meaningless(where: str, table: dict[str, Any], keys: set[str]) -> None:
    for key, value in table.items():
        if key not in keys:
            raise UsageError(f"{where} has no key `{key}`. It has {', '.join(f'`{known}`' for known in sorted(keys))}.")
        expected, is_right = _VALUES[key]
        if not is_right(value):
            raise UsageError(f"{where}: `{key}` must be {expected}, found {describe(value)}.")
