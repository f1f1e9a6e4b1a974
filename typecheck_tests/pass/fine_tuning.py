"""Fine-tuning: the body of a network is frozen, its head trained with weight decay, and one filter says so to all."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

import equinox as eqx


class Classifier(eqx.Module):
    body: eqx.nn.MLP
    head: eqx.nn.Linear

    def __init__(self, *, key: Array) -> None:
        key1, key2 = jax.random.split(key)
        self.body = eqx.nn.MLP(2, 8, width_size=8, depth=1, key=key1)
        self.head = eqx.nn.Linear(8, 1, key=key2)

    def __call__(self, x: Array) -> Array:
        return self.head(self.body(x))


def loss(model: Classifier, x: Array, y: Array) -> Array:
    return jnp.mean((jax.vmap(model)(x)[:, 0] - y) ** 2)


@eqx.filter_jit
def step(model: Classifier, optimizer: eqx.Optimizer, x: Array, y: Array) -> tuple[Classifier, eqx.Optimizer, Array]:
    value, gradient = eqx.filter_value_and_grad(loss)(model, x, y)
    model, optimizer = optimizer.update(gradient, model)
    return model, optimizer, value


before = Classifier(key=jax.random.key(0))
head = eqx.trainable(before, where=lambda m: m.head)
optimizer = eqx.Optimizer(optax.adamw(1e-2, weight_decay=0.1), before, filter=head)
summary = eqx.tree_summary(before, jnp.ones(2), filter=head)
assert summary.trainable == 9

x = jax.random.normal(jax.random.key(1), (16, 2))
model, values = before, list[float]()
for _ in range(3):
    model, optimizer, value = step(model, optimizer, x, jnp.sin(x[:, 0]))
    values.append(float(value))
assert values[-1] < values[0]
assert eqx.tree_equal(model.body, before.body)
assert not eqx.tree_equal(model.head, before.head)
