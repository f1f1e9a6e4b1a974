"""`summary` and `count_params`: how big a model is."""

from typing import Any

from .._jax_tree import tree_flatten
from .._summary.summary import tree_summary as summary
from .._transforms.eval_shape import is_abstract
from .._tree.sizes import count_parameters

__all__ = ["count_params", "summary"]


def count_params(model: Any) -> int:
    """Return how many numbers there are in the floating-point and complex arrays of a model.

    **Arguments**

    - `model`: any PyTree. A `jax.ShapeDtypeStruct` counts like the array that it stands for.

    **Returns**

    The number. [`summary`][equinox.nn.summary] has it for each part of the model.

    **Example**
    ```python
    >>> eqx.nn.count_params(eqx.nn.Linear(3, 2, key=jax.random.key(0)))
    8

    ```
    """
    return count_parameters(leaf for leaf in tree_flatten(model)[0] if is_abstract(leaf))
