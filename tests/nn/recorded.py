"""What PyTorch computes, as `record_torch.py` wrote it down; or, with `PYTORCH=live`, as it computes it now."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np


def cases(layer: str) -> dict[str, dict[str, Any]]:
    """The cases of a layer, and of each its arrays."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, array in _arrays(layer).items():
        case, _, name = key.partition("/")
        found[case][name] = array
    return dict(found)


def _arrays(layer: str) -> dict[str, Any]:
    if os.environ.get("PYTORCH") == "live":
        from tests.nn.record_torch import record

        return record(layer)
    with np.load(Path(__file__).parent / "data" / f"{layer}.npz") as arrays:
        return dict(arrays)


def tolerance(array: Any) -> Any:
    """How far from PyTorch's results ours may be: rounding only."""
    limit = 1e-10 if array.dtype == np.float64 else 1e-5
    return {"rtol": limit, "atol": limit}
