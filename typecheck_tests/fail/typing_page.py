"""The mistakes that the page of the documentation about types lists, in its program."""

import functools as ft

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    embed: eqx.nn.Linear
    mlp: eqx.nn.MLP

    def __init__(self, width: int, *, key: Array) -> None:
        embed_key, mlp_key = jax.random.split(key)
        self.embed = eqx.nn.Linear("scalar", width, key=embed_key)
        self.mlp = eqx.nn.MLP(width, "scalar", width, depth=2, key=mlp_key)

    def __call__(self, x: Array) -> Array:
        return self.mlp(jnp.sin(self.embed(x)))


@eqx.filter_value_and_grad
def loss(model: Model, x: Array, y: Array) -> Array:
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


optimiser = optax.adam(1e-3)


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
def step(model: Model, state: optax.OptState, x: Array, y: Array) -> tuple[Model, optax.OptState]:
    _, gradient = loss(model, x, y)
    updates, state = optimiser.update(gradient, state)
    return eqx.apply_updates(model, updates), state


def mistakes(model: Model, state: optax.OptState, x: Array, y: Array, key: Array) -> None:
    model.embd  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.nn.Linear(2, 3)  # error: mypy[call-arg] pyright[reportCallIssue]
    Model("wide", key=key)  # error: mypy[arg-type] pyright[reportArgumentType]
    step(model, state, x)  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    model = step(model, state, x, y)  # error: mypy[assignment] pyright[reportAssignmentType]  # gap: zuban(partial)
    loss(model, x, y).mlp  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    loss(model, x, y)[1].embd  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    eqx.tree_at(lambda m: m.mpl, model, x)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownLambdaType]
    model.mlp.depth = 3  # error: mypy[misc] pyright[reportAttributeAccessIssue]
    model.embed.bias + 1  # error: mypy[operator] pyright[reportOptionalOperand, reportUnusedExpression]
