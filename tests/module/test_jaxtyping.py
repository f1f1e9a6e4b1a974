import dataclasses
import inspect

import jax
import jax.numpy as jnp
import pytest
from beartype import beartype
from jaxtyping import Array, Float, jaxtyped

from equinox import Module, field


@jaxtyped(typechecker=beartype)
class Checked(Module):
    weight: Float[Array, "out in"]  # noqa: F722
    bias: Float[Array, " out"]  # noqa: F722
    scale: float = field(static=True, default=1.0)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:  # noqa: F722
        return self.weight @ x + self.bias


def test_a_class_can_be_checked_by_jaxtyping_and_beartype() -> None:
    checked = Checked(jnp.ones((3, 2)), jnp.zeros(3))
    assert jnp.array_equal(checked(jnp.ones(2)), jnp.full(3, 2.0))
    assert str(inspect.signature(Checked)).startswith("(weight: ")
    with pytest.raises(TypeError):
        Checked(jnp.ones((3, 2)), jnp.zeros(4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        checked.bias = jnp.zeros(3)
    # What JAX puts into the fields is nobody's business.
    assert jax.tree.map(lambda x: None, checked).bias is None


def test_a_class_that_is_checked_has_subclasses_with_a_generated_init() -> None:
    class Child(Checked):
        extra: int = 0

    assert Child(jnp.ones((3, 2)), jnp.zeros(3), extra=1).extra == 1
