"""Checking jaxtyping's annotations while the checked code runs, without a change to it."""

import contextlib
import importlib.metadata
import sys
from collections.abc import Generator, Sequence
from typing import Final

from jaxtyping import install_import_hook

from ._notation import UsageError

#: The packages that can compare a value with an annotation, best first, and what in them does it.
_CHECKERS: Final = {"beartype": "beartype.beartype", "typeguard": "typeguard.typechecked"}

#: How annotations may be checked: with whichever package is installed, with a certain one, or not at all.
CHOICES: Final = ("auto", *_CHECKERS, "off")


def choose_checker(choice: str) -> str | None:
    """The name of the package to check annotations with, or None if there is none.

    **Arguments**

    - `choice`: one of `CHOICES`.

    **Raises**

    - `UsageError`: it is not one of them, or a package that is not installed.
    """
    if choice not in CHOICES:
        raise UsageError(f"Annotations can be checked with one of {', '.join(map(repr, CHOICES))}, not {choice!r}.")
    wanted = [] if choice == "off" else [*_CHECKERS] if choice == "auto" else [choice]
    usable = [name for name in wanted if _is_usable(name)]
    if choice in _CHECKERS and not usable:
        advice = "Install typeguard<3, or beartype." if choice == "typeguard" else "Install it."
        raise UsageError(
            f"Annotations cannot be checked with {choice}: no version that is able to is installed. {advice}"
        )
    return usable[0] if usable else None


def _is_usable(checker: str) -> bool:
    try:
        version = importlib.metadata.version(checker)
    except importlib.metadata.PackageNotFoundError:
        return False
    # From version 3 on, typeguard reads the source, and takes the shapes in annotations for Python.
    return checker != "typeguard" or int(version.partition(".")[0]) < 3


def check_annotations(packages: Sequence[str], checker: str | None) -> contextlib.AbstractContextManager[object]:
    """Make a context in which modules are imported so that their functions and classes check their annotations.

    **Arguments**

    - `packages`: the names of the packages whose modules are meant.
    - `checker`: what `choose_checker` returned.
    """
    if checker is None:
        return contextlib.nullcontext()
    return _checked_imports(packages, _CHECKERS[checker])


@contextlib.contextmanager
def _checked_imports(packages: Sequence[str], decorator: str) -> Generator[None]:
    # While jaxtyping imports a module, Python writes the bytecode of those that this one imports to where jaxtyping
    # looks for checked bytecode, checked or not. Found there the next time, it would not be checked then either.
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        with install_import_hook(packages, decorator):
            yield
    finally:
        sys.dont_write_bytecode = before
