"""`SpectralNorm`: divides a weight by its largest singular value."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import field
from ._normalise import constant, promoting, smallest_normal, squared_modulus
from ._reparameterise import call_with_weight, weight_of
from ._shapes import as_size
from ._spelling import spelled
from ._state import State
from ._state_index import StateIndex
from ._stateful import StatefulLayer

_Layer = TypeVar("_Layer", bound=Callable[..., Any])

#: How many power iterations are made before the first call.
_FIRST_ITERATIONS: Final = 15


class SpectralNorm(StatefulLayer, Generic[_Layer]):
    r"""Calls a layer with one of its weights divided by an estimate of the weight's largest singular value.

    $$\sigma = u^H W v, \quad u \leftarrow \frac{W v}{\|W v\|}, \quad v \leftarrow \frac{W^H u}{\|W^H u\|}$$

    where $W$ is the weight as a matrix, with one row for each index of the first axis. In training, the vectors $u$ and
    $v$, which are kept in a [`State`][equinox.nn.State], come closer to singular vectors with each call. Gradients flow
    through $W$ in $\sigma$, and not through $u$ and $v$.

    Miyato et al., *Spectral Normalization for Generative Adversarial Networks*, ICLR 2018.

    **Arguments**

    - `layer`: any callable PyTree.
    - `weight_name`: the name of the attribute of `layer` that is the weight.
    - `num_power_iterations`: how often $u$ and $v$ are improved in each call.
    - `eps`: norms and singular values smaller than this count as this.
    - `inference`, or `deterministic`: whether to leave $u$ and $v$ as they are. It is a leaf named `inference`, which
        [`inference_mode`][equinox.nn.inference_mode] changes. `norm.deterministic` is the same leaf.
    - `key`: a PRNG key, for the vectors to start from. They are improved 15 times at once.

    **Raises**

    - `AttributeError`: `layer` has no attribute of this name.
    - `ValueError`: it is not an array, or one with fewer than two axes; `num_power_iterations` is not a non-negative
        integer.

    **Example**
    ```python
    >>> @eqx.nn.make_with_state
    ... def make(key):
    ...     linear_key, norm_key = jax.random.split(key)
    ...     linear = eqx.nn.Linear(3, 3, use_bias=False, key=linear_key)
    ...     return eqx.nn.SpectralNorm(linear, "weight", key=norm_key)
    >>> norm, state = make(jax.random.key(0))
    >>> y, state = norm(jnp.ones(3), state)
    >>> y.shape
    (3,)

    ```
    """

    layer: Final[_Layer]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    weight_name: Final[str]
    uv_index: Final[StateIndex[tuple[Array, Array]]]
    num_power_iterations: Final[int]
    eps: Final[float]
    inference: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        weight_name = field(static=True)
        num_power_iterations = field(static=True)
        eps = field(static=True)

    def __init__(
        self,
        layer: _Layer,
        weight_name: str,
        num_power_iterations: int = 1,
        eps: float = 1e-12,
        inference: bool = False,
        *,
        key: Array,
        deterministic: bool | None = None,
    ) -> None:
        weight = weight_of(layer, weight_name)
        if weight.ndim < 2:
            raise ValueError(
                f"{locate('weight_name')}: the attribute `{weight_name}` of `{type(layer).__name__}` must have at "
                f"least two axes to be seen as a matrix, found shape {weight.shape}."
            )
        self.layer = layer
        self.weight_name = weight_name
        self.num_power_iterations = as_size("num_power_iterations", num_power_iterations)
        self.eps = float(eps)
        self.inference = spelled(inference, deterministic=deterministic)
        u_key, v_key = jax.random.split(key)
        matrix = _as_matrix(weight)
        rows, columns = matrix.shape
        u = jax.random.normal(u_key, (rows,), matrix.dtype)
        v = jax.random.normal(v_key, (columns,), matrix.dtype)
        self.uv_index = StateIndex(self._improved(matrix, u, v, _FIRST_ITERATIONS))

    @property
    def deterministic(self) -> bool:
        """The leaf `inference` by its other name."""
        return self.inference

    def __call__(
        self,
        x: Array,
        state: State,
        *,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, State]:
        """Call the layer with its normalised weight.

        **Arguments**

        - `x`: the input of the layer.
        - `state`: the state that was made together with the model.
        - `key`: ignored.
        - `inference`, or `deterministic`: if given, decides instead of the layer's own flag.

        **Returns**

        A pair: the output of the layer, and the new state. At inference time that is `state` itself.

        **Raises**

        - `ValueError`: `inference` and `deterministic` are both given and differ.
        """
        is_inference = spelled(self.inference, inference=inference, deterministic=deterministic)
        with jax.named_scope("eqx.nn.SpectralNorm"):
            weight = weight_of(self.layer, self.weight_name)
            matrix = _as_matrix(weight)
            u, v = state.get(self.uv_index)
            u, v = constant(u), constant(v)
            if not is_inference:
                u, v = self._improved(constant(matrix), u, v, self.num_power_iterations)
                state = state.set(self.uv_index, (u, v))
            sigma = jnp.vdot(u, matrix @ v)
            least = self._least(matrix)
            sigma = jnp.where(jnp.abs(sigma) < least, jnp.asarray(least, sigma.dtype), sigma)
            return call_with_weight(self.layer, self.weight_name, weight / sigma, x), state

    def _improved(self, matrix: Array, u: Array, v: Array, iterations: int) -> tuple[Array, Array]:
        """The vectors after some power iterations."""
        for _ in range(iterations):
            u = self._unit(matrix @ v)
            v = self._unit(matrix.conj().T @ u)
        return u, v

    def _unit(self, vector: Array) -> Array:
        """The vector of length 1 in the direction of another one."""
        with promoting():  # the vector may be complex, and its length is real
            length = jnp.sqrt(jnp.sum(squared_modulus(vector)))
            return vector / jnp.maximum(length, self._least(vector))

    def _least(self, x: Array) -> float:
        """The smallest divisor for an array: `eps`, or a number that is not 0 in the array's dtype."""
        return max(self.eps, smallest_normal(x.dtype))


def _as_matrix(weight: Array) -> Array:
    return weight.reshape(weight.shape[0], math.prod(weight.shape[1:]))
