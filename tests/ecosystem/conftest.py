"""Programs for other libraries, as released, that are built on `equinox`. Where these are missing, nothing is run.

`make ecosystem` makes an environment that has them. The answers are known in closed form, or from NumPy and SciPy, so
everything is computed in double precision.
"""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
