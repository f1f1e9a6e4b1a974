"""`DropPath`: a layer that forgets its whole input now and then, while a model is trained."""

from typing import Final

from jax import Array

from .._module import Module
from ._dropout import as_probability, drop
from ._spelling import spelled


class DropPath(Module):
    """Sets its whole input to zero with probability `p`, and otherwise divides it by $1 - p$.

    At the end of a residual branch, `x + drop_path(branch(x), key=key)`, it makes the depth of a network random. The
    expected output is the input. At inference time the output is the input itself. It acts on one example, so with a
    key for each, `jax.vmap` has each example in a batch take a path of its own.

    Huang et al., *Deep Networks with Stochastic Depth*, ECCV 2016 (with the division when something is kept, rather
    than a multiplication at inference time).

    **Arguments**

    - `p`: the probability of dropping the input, between 0 and 1. It may be a JAX scalar; no gradient flows to it.
    - `inference`, or `deterministic`: whether to return the input unchanged. It is a leaf named `inference`, which
        [`inference_mode`][equinox.nn.inference_mode] changes. `drop_path.deterministic` is the same leaf.

    **Raises**

    - `ValueError`: `p` is a number outside $[0, 1]$.

    **Example**
    ```python
    >>> drop_path = eqx.nn.DropPath(p=0.2)
    >>> keys = jax.random.split(jax.random.key(0), 4)
    >>> jax.vmap(lambda x, key: drop_path(x, key=key))(jnp.ones((4, 2)), keys)
    Array([[0.  , 0.  ],
           [1.25, 1.25],
           [0.  , 0.  ],
           [1.25, 1.25]], dtype=float32)

    ```
    """

    p: Final[float | Array]
    inference: Final[bool]

    def __init__(self, p: float | Array = 0.5, inference: bool = False, *, deterministic: bool | None = None) -> None:
        self.p = as_probability(p)
        self.inference = spelled(inference, deterministic=deterministic)

    @property
    def deterministic(self) -> bool:
        """The leaf `inference` by its other name."""
        return self.inference

    def __call__(
        self, x: Array, *, key: Array | None = None, inference: bool | None = None, deterministic: bool | None = None
    ) -> Array:
        """Drop `x`, or do not.

        **Arguments**

        - `x`: an array of any shape.
        - `key`: a PRNG key, which decides (with `p`). Not needed at inference time or if `p` is the number 0.
        - `inference`, or `deterministic`: if given, decides instead of the layer's own flag.

        **Returns**

        `x` itself at inference time or if `p` is the number 0. Otherwise an array of the shape and dtype of `x`, or of
        the default floating-point dtype if `x` is of an integer one.

        **Raises**

        - `RuntimeError`: `key` is needed and missing.
        - `ValueError`: `inference` and `deterministic` are both given and differ.
        """
        flag = spelled(self.inference, inference=inference, deterministic=deterministic)
        return drop(self, x, _one_for_all, flag, key)


def _one_for_all(x: Array) -> tuple[int, ...]:
    return (1,) * x.ndim
