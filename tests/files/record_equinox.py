"""Record the bytes that Equinox 0.13.8 writes, for the tests to compare with. The tests themselves do not need it.

In an environment with `equinox==0.13.8`: `python tests/files/record_equinox.py`.
"""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np

FILE = Path(__file__).parent / "data" / "equinox-0.13.8.eqx"


def mixed_tree() -> dict[str, Any]:
    """A tree with a leaf of every kind that Equinox 0.13.8 can save and load."""
    return {
        "JAX": [
            jnp.arange(6.0, dtype=jnp.float32).reshape(2, 3),
            jnp.array(7, jnp.int32),
            jnp.array([True, False]),
            jnp.array([0.5, -1.5], jnp.bfloat16),
            jnp.array([1 + 2j], jnp.complex64),
            jnp.zeros((0, 3), jnp.uint8),
        ],
        "NumPy": (
            np.arange(3.0),
            np.asfortranarray(np.arange(6).reshape(2, 3)),
            np.arange(4.0)[::2],
            np.array(["text", "b"]),
            np.array(["2026-11-22"], "datetime64[s]"),
            np.array([(1, 2.5)], [("a", "<i4"), ("b", "<f8")]),
            np.array([1], ">i2"),
        ),
        "scalars": (np.float32(1.25), np.int64(-3), np.bool_(True), ml_dtypes.bfloat16(0.5), np.complex128(1j)),
        "Python": [True, 3, -0.1, 1e300, 2.5 - 1j, 2**63],
        "not stored": (abs, "text", None),
    }


if __name__ == "__main__":
    import equinox

    assert equinox.__version__ == "0.13.8", equinox.__version__
    FILE.parent.mkdir(exist_ok=True)
    equinox.tree_serialise_leaves(FILE, mixed_tree())
