"""The layers of `equinox.nn`, alone, in a row, and in models of one's own."""

import jax
import jax.numpy as jnp
from jax import Array

import equinox as eqx

keys = jax.random.split(jax.random.key(0), 8)


class Classifier(eqx.Module):
    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear
    dropout: eqx.nn.Dropout

    def __init__(self, size: int, *, key: Array) -> None:
        cell_key, head_key = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(1, size, key=cell_key)
        self.head = eqx.nn.Linear(size, "scalar", key=head_key)
        self.dropout = eqx.nn.Dropout(0.5)

    def __call__(self, xs: Array, *, key: Array | None = None) -> Array:
        def step(hidden: Array, x: Array) -> tuple[Array, None]:
            return self.cell(x, hidden), None

        hidden, _ = jax.lax.scan(step, jnp.zeros(self.cell.hidden_size), xs)
        return jax.nn.sigmoid(self.head(self.dropout(hidden, key=key, deterministic=key is None)))


classifier = Classifier(4, key=keys[0])
assert 0 < classifier(jnp.ones((5, 1))) < 1
assert classifier(jnp.ones((5, 1)), key=keys[1]).shape == ()

mlp = eqx.nn.MLP(2, 3, width_size=8, depth=2, activation=jax.nn.tanh, key=keys[2])
assert jax.vmap(mlp)(jnp.ones((10, 2))).shape == (10, 3)
assert [layer.out_features for layer in mlp.layers] == [8, 8, 3]
halved = eqx.tree_at(lambda mlp: mlp.layers[-1].weight, mlp, replace_fn=lambda weight: weight / 2)
assert jnp.allclose(2 * halved.layers[-1].weight, mlp.layers[-1].weight)

network = eqx.nn.Sequential(
    [eqx.nn.Linear(2, 4, key=keys[3]), eqx.nn.Lambda(jax.nn.relu), eqx.nn.Dropout(0.1), eqx.nn.Identity()]
)
assert network(jnp.ones(2), key=keys[4]).shape == (4,)

row = eqx.nn.Sequential([eqx.nn.Linear(2, 2, use_bias=False, key=key) for key in keys[5:]])
assert row[0].weight.shape == (2, 2)
assert len(row[1:]) == 2

hidden, cell = eqx.nn.LSTMCell(2, 3, key=keys[6])(jnp.ones(2), (jnp.zeros(3), jnp.zeros(3)))
assert hidden.shape == cell.shape == (3,)
