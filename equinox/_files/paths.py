"""Tell the path of a file from a file that is open, and complete it."""

import os
from pathlib import Path
from typing import Any, TypeAlias

from typing_extensions import TypeIs

StrOrBytesPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def is_path(path_or_file: Any) -> TypeIs[StrOrBytesPath]:
    """Say whether an argument is the path of a file, and not a file."""
    return isinstance(path_or_file, (str, bytes, os.PathLike))


def with_suffix(path: StrOrBytesPath, suffix: str) -> Path:
    """Return a path, with the suffix if it has none of its own: `model` becomes `model.eqx`."""
    complete = Path(os.fsdecode(path))
    return complete if complete.suffix else complete.with_name(complete.name + suffix)
