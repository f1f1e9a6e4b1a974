"""One of the two interpreters: it does what it is told, line by line.

`prepare NAME` makes the work ready, and answers with its result and the seconds until it was first there; `sample`
answers with the seconds that it takes now.
"""

import contextlib
import json
import sys
import time
from typing import Any, TextIO

import jax
import numpy as np

from .programs import PROGRAMS, Work


def _answer(output: TextIO, **values: Any) -> None:
    output.write(json.dumps(values) + "\n")
    output.flush()


def main() -> None:
    """Answer until there are no more lines. What JAX or a library prints goes elsewhere."""
    output = sys.stdout
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call] # it has no annotations
    work: Work | None = None
    with contextlib.redirect_stdout(sys.stderr):
        _answer(output, ready=True)
        for line in sys.stdin:
            start = time.perf_counter()
            if line.startswith("prepare "):
                work = PROGRAMS[line.removeprefix("prepare ").strip()]()
                leaves: list[Any] = jax.tree.leaves(work())
                seconds = time.perf_counter() - start
                _answer(output, seconds=seconds, result=[np.asarray(leaf).tolist() for leaf in leaves])
            else:
                assert work is not None
                work()
                _answer(output, seconds=time.perf_counter() - start)
