"""Every way to write every decorator, on functions and on methods; nothing about the function is lost."""

import functools as ft

import jax.numpy as jnp
from jax import Array

import equinox as eqx


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
def by_partial(x: Array, times: int = 2, *, plus: float = 0.0) -> Array:
    """Scale."""
    return times * x + plus


@eqx.jitf(filter_fn=eqx.is_array)
def by_factory(x: Array, times: int = 2, *, plus: float = 0.0) -> Array:
    return times * x + plus


@eqx.filter_jit
def bare(x: Array, times: int = 2, *, plus: float = 0.0) -> Array:
    return times * x + plus


@eqx.filter_jit(donate="none", inline=False)
def with_options(x: Array, times: int = 2, *, plus: float = 0.0) -> Array:
    return times * x + plus


def plain(x: Array, times: int = 2, *, plus: float = 0.0) -> Array:
    return times * x + plus


direct = eqx.jitf(plain, filter_fn=eqx.is_array, static_argnums=1)
by_tree = eqx.jitf(plain, filter_tree=True, static_argnames="times")

for function in (by_partial, by_factory, bare, with_options, direct):
    assert function(jnp.ones(2), times=3, plus=1.0).tolist() == [4.0, 4.0]
assert by_tree(jnp.ones(2), 3).tolist() == [3.0, 3.0]
assert by_partial.__doc__ == "Scale."


class Model(eqx.Module):
    weight: Array

    @ft.partial(eqx.jitf, filter_fn=eqx.is_array)
    def apply(self, x: Array, times: int = 1) -> Array:
        return times * self.weight * x

    @eqx.filter_jit
    def __call__(self, x: Array) -> Array:
        return self.weight * x

    @eqx.gradf(filter_fn=eqx.is_inexact_array)
    def gradient(self, x: Array) -> Array:
        return (self.weight * x) ** 2

    @ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array, argnums=1)
    def force(self, x: Array) -> Array:
        return (self.weight * x) ** 2

    @eqx.filter_value_and_grad(has_aux=True)
    def value_and_gradient(self, x: Array) -> tuple[Array, str]:
        return (self.weight * x) ** 2, "aux"

    @staticmethod
    @eqx.filter_jit
    def double(x: Array) -> Array:
        return 2 * x


model, two = Model(jnp.array(3.0)), jnp.array(2.0)
assert model.apply(two, times=2) == Model.apply(model, two, 2) == 12
assert model(two) == eqx.filter_jit(model)(two) == 6
assert model.gradient(two).weight == Model.gradient(model, two).weight == 24
assert model.force(two) == 36
(value, aux), gradient = model.value_and_gradient(two)
assert value == 36
assert aux == "aux"
assert gradient.weight == 24
assert Model.double(two) == 4
assert eqx.filter_jit(model.apply)(two) == 6


def loss(model: Model, x: Array, scale: float = 1.0) -> Array:
    return scale * model(x) ** 2


def loss_with_aux(model: Model, x: Array) -> tuple[Array, dict[str, Array]]:
    return model(x) ** 2, {"x": x}


assert eqx.gradf(loss, filter_fn=eqx.is_inexact_array)(model, two, scale=2.0).weight == 48
assert eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=1)(model, two) == 36
of_model, of_x = eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=(0, 1))(model, two)
assert of_model.weight == 24
assert of_x == 36
assert eqx.filter_grad(loss)(model, two).weight == 24
assert eqx.filter_grad(eqx.filter_jit(loss))(model, two).weight == 24
assert eqx.filter_jit(eqx.filter_grad(loss))(model, two).weight == 24
(value, inputs), gradient = eqx.filter_jit(eqx.filter_value_and_grad(loss_with_aux, has_aux=True))(model, two)
assert value == 36
assert inputs["x"] == 2
assert gradient.weight == 24
