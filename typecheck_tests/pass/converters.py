"""A converter widens what `__init__` accepts: the parameter has the type of the converter's argument."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

import equinox as eqx


def to_array(x: ArrayLike) -> Array:
    return jnp.asarray(x)


class Gaussian(eqx.Module):
    mean: Array = eqx.field(converter=to_array)
    deviation: Array = eqx.field(converter=to_array, default=1.0)

    def density(self, x: Array) -> Array:
        return jnp.exp(-(((x - self.mean) / self.deviation) ** 2) / 2)


gaussian = Gaussian(0.0)  # gap: mypy(converter)
assert gaussian.mean.shape == ()
assert gaussian.density(gaussian.mean) == 1
assert Gaussian(mean=2, deviation=jnp.ones(())).deviation == 1  # gap: mypy(converter)
