"""What holds for every test: where it runs, and how long hypothesis may take.

A test marked `device` runs on JAX's default device, an accelerator where there is one. Every other test runs on the
CPU, so that its numbers are the same everywhere.
"""

import os
from collections.abc import Iterator

# JAX reads these variables when it is imported.
# Each worker of pytest-xdist would otherwise claim most of an accelerator's memory.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# Tests compile much and compute little: without most of XLA's optimisations the whole run takes half as long.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax
import pytest
from hypothesis import settings

# An example that compiles takes a second, the next one no time at all: a deadline would say nothing about either.
settings.register_profile("jax", settings(), deadline=None)
settings.load_profile("jax")


@pytest.fixture(autouse=True)
def default_device(request: pytest.FixtureRequest) -> Iterator[None]:
    if jax.default_backend() == "cpu":
        yield
    elif request.node.get_closest_marker("device") is None:
        jax.config.update("jax_default_device", jax.devices("cpu")[0])
        yield
        jax.config.update("jax_default_device", None)
    else:
        # As precise as the CPU: the default of an accelerator may be too coarse to compare with anything.
        with jax.default_matmul_precision("highest"):
            yield
