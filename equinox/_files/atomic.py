"""Replace a file in one step, so that whatever happens, the old one or the new one is there, and whole.

The new contents go to a temporary file in the same folder. When they have reached the disk, the temporary file is given
the name of the old one, which file systems do in one step.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replaced(path: Path) -> Generator[BinaryIO]:
    """Open a file for writing (and reading) that takes the place of the one at `path` at the end of the `with` block.

    A symbolic link goes on pointing where it did: what it points to is replaced. The new file has the permissions of
    the old one; without an old one, those of any new file. After an error in the block the old file is as it was.

    **Raises**

    - `OSError`: if the file cannot be written, such as `FileNotFoundError` if there is no such folder, and
        `PermissionError` if the file or its folder is read-only.
    """
    target = path.resolve()
    old = target.stat() if target.exists() else None
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    # Named so that it can be recognised: if the process is killed, it stays.
    temporary = target.with_name(f".equinox-{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if old is not None:
                _take_over(temporary, old)
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def is_replaceable(path: Path) -> bool:
    """Say whether there is a file at `path`, or could be: not a folder, a pipe or a device such as `/dev/null`."""
    return path.is_file() or not path.exists()


def _take_over(temporary: Path, old: os.stat_result) -> None:
    """Give a file the owner, where that is allowed, and the permissions of an old one."""
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    temporary.chmod(stat.S_IMODE(old.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make sure that the new name of a file has reached the disk, where the system can say so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
