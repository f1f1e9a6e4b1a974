"""A training loop that is one scan, an iteration until convergence, and a choice, all over models."""

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array
    name: str

    def __call__(self, x: Array) -> Array:
        return self.weight * x


def loss(model: Model, x: Array, y: Array) -> Array:
    return jnp.mean((model(x) - y) ** 2)


def descend(slope: Array) -> Array:
    return -0.1 * slope


@eqx.filter_jit
def train(model: Model, xs: Array, ys: Array) -> tuple[Model, Array]:
    def step(model: Model, batch: tuple[Array, Array]) -> tuple[Model, Array]:
        value, gradient = eqx.filter_value_and_grad(loss)(model, *batch)
        updates: Model = jax.tree.map(descend, gradient)
        return eqx.apply_updates(model, updates), value

    return eqx.filter_scan(step, model, (xs, ys))


model = Model(jnp.array(0.0), "linear")
xs = jnp.ones((50, 3))
with eqx.debug.log_recompiles():
    model, losses = train(model, xs, 2 * xs)
assert model.name == "linear"
assert abs(model.weight - 2) < 0.1
assert losses.shape == (50,)
assert eqx.aot(train).explain(model, xs, xs).hit
print(eqx.aot(train).explain(model, xs[:, :2], xs))


def is_large(model: Model) -> Array:
    return model.weight > 0.5


def halve(model: Model) -> Model:
    return Model(model.weight / 2, model.name)


model = eqx.filter_while_loop(is_large, halve, model)
assert model.weight <= 0.5
model = eqx.filter_fori_loop(0, 2, lambda _, model: halve(model), model)
model = eqx.filter_cond(model.weight > 1, halve, lambda model: model, model)
model = eqx.filter_switch(0, [halve, halve], model)
assert model.name == "linear"
