"""Checking jaxtyping's annotations while the checked code runs, without a change to it."""

import contextlib
import importlib.util
from collections.abc import Sequence
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
    installed = [name for name in wanted if importlib.util.find_spec(name) is not None]
    if choice in _CHECKERS and not installed:
        raise UsageError(f"Annotations cannot be checked with {choice}, which is not installed.")
    return installed[0] if installed else None


def check_annotations(packages: Sequence[str], checker: str | None) -> contextlib.AbstractContextManager[object]:
    """Make a context in which the functions and classes of all modules that are imported check their annotations.

    **Arguments**

    - `packages`: the names of the packages whose modules are meant.
    - `checker`: what `choose_checker` returned.
    """
    if checker is None:
        return contextlib.nullcontext()
    hook: contextlib.AbstractContextManager[object] = install_import_hook(packages, _CHECKERS[checker])
    return hook
