"""Only the last layer is trained; the others are traced, and do not change by a single bit."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import Array
from jax.core import Tracer

import equinox as eqx
from examples import frozen_layer


@pytest.fixture(scope="module")
def result() -> frozen_layer.Result:
    return frozen_layer.main(width=32, steps=300)


def test_the_frozen_layers_are_unchanged_to_the_bit(result: frozen_layer.Result) -> None:
    before, after = (jax.tree.leaves(model.layers[:-1]) for model in (result.before, result.after))
    assert len(before) == 4
    assert [np.asarray(leaf).tobytes() for leaf in before] == [np.asarray(leaf).tobytes() for leaf in after]


def test_the_last_layer_learns(result: frozen_layer.Result) -> None:
    assert not eqx.tree_equal(result.before.layers[-1].weight, result.after.layers[-1].weight)
    assert not eqx.tree_equal(result.before.layers[-1].bias, result.after.layers[-1].bias)
    assert result.losses[-1] < result.losses[0] / 10


def test_it_shows_what_has_become_of_each_layer(capsys: pytest.CaptureFixture[str]) -> None:
    frozen_layer.main(width=4, steps=2)
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "layer 0: unchanged to the bit",
        "layer 1: unchanged to the bit",
        "layer 2: trained",
    ]


def test_frozen_layers_are_traced_so_that_others_need_no_new_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    traces: list[eqx.nn.MLP] = []

    def loss(model: eqx.nn.MLP, x: Array, y: Array) -> Array:
        traces.append(model)
        return frozen_loss(model, x, y)

    frozen_loss = frozen_layer.loss
    monkeypatch.setattr(frozen_layer, "loss", loss)
    x = jnp.ones((5, 1))
    optimiser = optax.sgd(0.1)
    losses: list[float] = []
    for seed in range(3):
        model = eqx.nn.MLP(1, 1, 7, depth=1, key=jax.random.key(seed))
        trainable = eqx.tree_at(lambda mlp: mlp.layers[-1].bias, jax.tree.map(frozen_layer.frozen, model), True)
        state = optimiser.init(eqx.filter(model, trainable))
        _, _, value = frozen_layer.step(model, trainable, optimiser, state, x, x)
        losses.append(float(value))
    assert len(traces) == 1
    assert all(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(traces[0].layers))
    assert len(set(losses)) == 3
