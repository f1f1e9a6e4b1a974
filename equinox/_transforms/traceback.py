"""Keep the frames of this library out of the tracebacks that JAX shows to users, like those of JAX itself.

`JAX_TRACEBACK_FILTERING=off` shows them all.
"""

import contextlib
from pathlib import Path


def hide_frames(folder: Path) -> None:
    """Register the files in a folder with JAX as internal, for tracebacks and for the source lines of programs."""
    # JAX offers no public way to do this; without it tracebacks are longer, and nothing else changes.
    with contextlib.suppress(ImportError, AttributeError):
        from jax._src import source_info_util, traceback_util  # noqa: PLC0415 # private, so it may be gone

        traceback_util.register_exclusion(str(folder))
        source_info_util.register_exclusion(str(folder))
