"""The layer's output solves its equation, and it learns to read handwritten digits."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("optimistix")

from examples import implicit_layer


class Run(NamedTuple):
    result: implicit_layer.Result
    picture: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    picture = tmp_path_factory.mktemp("implicit_layer") / "new" / "rest.png"
    return Run(implicit_layer.main(size=32, epochs=3, learning_rate=2e-2, output=picture), picture)


def test_it_learns_to_read_digits(run: Run) -> None:
    assert run.result.test_accuracy > 0.85
    assert run.result.losses[-1] < run.result.losses[0] / 2


def test_the_implicit_gradient_is_that_through_every_step(run: Run) -> None:
    assert 0 < run.result.gradient_difference < 1e-2


def test_the_picture_shows_something(run: Run) -> None:
    image = matplotlib.image.imread(run.picture)
    assert image.shape[:2] == (600, 1500)
    assert np.std(image[..., :3]) > 0.05


def test_the_output_of_the_layer_solves_its_equation(run: Run) -> None:
    layer = run.result.model.layer
    x = jnp.linspace(0, 1, 64)
    z = layer(x)
    np.testing.assert_allclose(implicit_layer.step(z, (layer.weight(), layer.input(x))), z, atol=1e-4)


def test_every_step_brings_states_closer_together() -> None:
    layer = implicit_layer.Equilibrium(64, 8, 0.5, key=jax.random.key(0))
    assert jnp.max(jnp.sum(jnp.abs(layer.weight()), axis=1)) <= 0.5 + 1e-6
    remaining = implicit_layer.distances(layer, jnp.ones((2, 64)), 10)
    assert remaining.shape == (10, 2)
    assert jnp.all(remaining[1:] <= 0.5 * remaining[:-1] + 1e-5)
