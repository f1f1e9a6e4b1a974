"""`SinusoidalPositionalEmbedding`: tells where something stands by sines and cosines of many periods."""

from typing import TYPE_CHECKING, Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from .._errors import locate
from .._module import Module, field
from ._angles import angles, as_positions
from ._initialise import parameter_dtype
from ._rotary_scaling import unscaled_frequencies
from ._shapes import as_size, checked


class SinusoidalPositionalEmbedding(Module):
    r"""Maps a position to a vector, which is added to whatever stands there.

    With $d$ = `embedding_size`, $m$ = `max_period` and $0 \le i < d/2$, position $p$ has the vector $e$ with

    $$e_{2i} = \sin(p\,m^{-2i/d}), \quad e_{2i+1} = \cos(p\,m^{-2i/d}).$$

    There are no parameters to train.

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section 3.5.

    **Arguments**

    - `embedding_size`: the size $d$ of the vectors, an even number.
    - `max_period`: a positive number. The longest period is about $2 \pi$ times as long, the shortest one is $2 \pi$.
    - `dtype`: of the vectors. By default `float32`, or `float64` under `jax_enable_x64`.
    - `interleaved`: whether sines and cosines alternate, as above. Otherwise all sines come first.

    **Raises**

    - `ValueError`: `embedding_size` is not an even non-negative integer; `max_period` is not positive; `dtype` is an
        integer one.

    **Example**
    ```python
    >>> embedding = eqx.nn.SinusoidalPositionalEmbedding(4)
    >>> embedding(0)
    Array([0., 1., 0., 1.], dtype=float32)
    >>> jax.vmap(embedding)(jnp.arange(10)).shape
    (10, 4)

    ```
    """

    embedding_size: Final[int]
    max_period: Final[float]
    dtype: Final[np.dtype[Any]]
    interleaved: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        embedding_size = field(static=True)
        max_period = field(static=True)
        dtype = field(static=True)
        interleaved = field(static=True)

    def __init__(
        self,
        embedding_size: int,
        max_period: float = 10_000.0,
        dtype: DTypeLike | None = None,
        *,
        interleaved: bool = True,
    ) -> None:
        self.embedding_size = as_size("embedding_size", embedding_size)
        self.max_period = float(max_period)
        self.dtype = parameter_dtype(dtype)
        self.interleaved = bool(interleaved)
        if self.embedding_size % 2 != 0:
            found = f"found {embedding_size}: each sine has its cosine"
            raise ValueError(f"{locate('embedding_size')} must be even, {found}.")
        if not self.max_period > 0:
            raise ValueError(f"{locate('max_period')} must be a positive number, found {max_period}.")

    def __call__(self, x: ArrayLike, *, key: Array | None = None) -> Array:
        """Embed one position.

        **Arguments**

        - `x`: an integer or a real number, or an array of shape `()`.
        - `key`: ignored.

        **Returns**

        An array of shape `(embedding_size,)`.

        **Raises**

        - `ValueError`: `x` has another shape. For several positions, use `jax.vmap`.
        - `TypeError`: `x` is not a real number.
        """
        position = as_positions("x", checked(self, "x", x, ()))
        with jax.named_scope("eqx.nn.SinusoidalPositionalEmbedding"):
            turned = angles(position[None], unscaled_frequencies(self.embedding_size, self.max_period))
            waves = jnp.concatenate([jnp.sin(turned), jnp.cos(turned)])
            return (waves.T if self.interleaved else waves).reshape(self.embedding_size).astype(self.dtype)
