"""Where in a model an error comes from: the Modules with methods on the traceback, and their places in the tree."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from .._module import Module
from .._places import TRANSPARENT, NodePath, Nodes, receiver
from ._result import Failure, Phase, PyTree

#: Frames of these packages are never the place of an error.
_LIBRARIES: Final = sys.stdlib_module_names | {
    "beartype",
    "equinox",
    "jax",
    "jaxlib",
    "jaxtyping",
    "numpy",
    "typeguard",
}

#: The folders of packages that are not being worked on.
_INSTALLED: Final = {"site-packages", "dist-packages"}


def failure_of(phase: Phase, error: BaseException, roots: Sequence[tuple[str, PyTree]]) -> Failure:
    """Describe an exception that the checked code has raised.

    **Arguments**

    - `phase`: what was going on.
    - `error`: the exception, with its traceback.
    - `roots`: the trees that were called or passed on, each after the name with which key paths into it begin.
    """
    start = error.__traceback__
    while start is not None and start.tb_frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
        start = start.tb_next
    nodes = Nodes(roots)
    path: NodePath | None = None
    modules: list[str] = []
    source: str | None = None
    nearness = 1
    previous: Module | None = None
    for frame, line in traceback.walk_tb(start):
        if (found_nearness := _nearness(frame)) >= nearness:
            nearness = found_nearness
            source = f"{_shown(frame.f_code.co_filename)}:{line}"
        module = receiver(frame)
        if module is None or module is previous:
            continue
        previous = module
        found = nodes.find(module, path or ())
        path = path if found is None else found
        if not isinstance(module, TRANSPARENT):
            modules.append(type(module).__name__)
    return Failure(
        phase=phase,
        error=type(error).__name__,
        message="\n".join([str(error), *getattr(error, "__notes__", ())]).strip(),
        path=None if path is None else "".join(path),
        modules=tuple(modules),
        source=source,
        traceback="".join(traceback.format_exception(type(error), error, start)),
    )


def _nearness(frame: FrameType) -> int:
    """Whether a frame is of the machinery (0), of an installed package (1), or of the user's own code (2).

    What is checked may be installed itself; then that is as near as it gets.
    """
    file = frame.f_code.co_filename
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    if package in _LIBRARIES or file.startswith("<"):
        return 0
    return 1 if _INSTALLED & {*Path(file).parts} else 2


def _shown(file: str) -> str:
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return file
