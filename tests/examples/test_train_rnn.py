"""The recurrent network tells clockwise from anticlockwise spirals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from examples import train_rnn


def test_it_recognises_99_percent_of_held_out_spirals(capsys: pytest.CaptureFixture[str]) -> None:
    result = train_rnn.main(hidden_size=8, steps=150, batch_size=32, held_out=500)
    assert result.accuracy >= 0.99
    assert capsys.readouterr().out.splitlines()[-1] == f"{result.accuracy:.1%} of 500 held-out spirals are recognised"


def test_spirals_turn_the_way_their_label_says() -> None:
    points, clockwise = train_rnn.spirals(200, length=100, key=jax.random.key(0))
    assert points.shape == (200, 100, 2)
    angles = np.unwrap(np.arctan2(points[:, 50:, 1], points[:, 50:, 0]))
    assert np.array_equal(angles[:, -1] < angles[:, 0], clockwise == 1)
    assert 60 < jnp.sum(clockwise) < 140


def test_the_loss_is_minus_the_logarithm_of_the_probability_of_the_right_answer() -> None:
    model = train_rnn.Classifier(4, key=jax.random.key(0))
    points, clockwise = train_rnn.spirals(10, key=jax.random.key(1))
    probability = jax.nn.sigmoid(jax.vmap(model)(points))
    expected = -jnp.mean(jnp.log(jnp.where(clockwise == 1, probability, 1 - probability)))
    value, _ = train_rnn.loss(model, points, clockwise)
    assert jnp.allclose(value, expected)
