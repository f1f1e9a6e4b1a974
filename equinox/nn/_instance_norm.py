"""`InstanceNorm`: makes mean and variance of each channel the same."""

from jax.typing import DTypeLike

from .._errors import locate
from ._group_norm import GroupNorm
from ._shapes import as_size


class InstanceNorm(GroupNorm):
    r"""Normalises each channel by its mean and variance over all other axes, and then may scale and shift it.

    $$\frac{x - \text{mean}(x)}{\sqrt{\text{var}(x) + \epsilon}} \odot w + b$$

    It is [`GroupNorm`][equinox.nn.GroupNorm] with as many groups as channels, and without parameters unless they are
    asked for. A channel with one entry only, which is its own mean, becomes 0.

    Ulyanov, Vedaldi & Lempitsky, *Instance Normalization: The Missing Ingredient for Fast Stylization*,
    arXiv:1607.08022, 2016.

    **Arguments**

    - `channels`: the number of channels.
    - `eps`: $\epsilon$, which keeps the divisor away from 0.
    - `channelwise_affine`: whether there are a weight $w$ and a bias $b$, which start as ones and zeros.
    - `dtype`: of the parameters, as in `GroupNorm`.

    **Raises**

    - `ValueError`: `channels` is not a positive integer; `dtype` is an integer one.

    **Example**
    ```python
    >>> norm = eqx.nn.InstanceNorm(2)
    >>> norm(jnp.array([[1.0, 3.0], [20.0, 40.0]])).round(3)
    Array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)

    ```
    """

    def __init__(
        self, channels: int, eps: float = 1e-5, channelwise_affine: bool = False, dtype: DTypeLike | None = None
    ) -> None:
        if as_size("channels", channels) == 0:
            raise ValueError(f"{locate('channels')} must be a positive integer, found 0.")
        super().__init__(channels, channels, eps, channelwise_affine, dtype)
