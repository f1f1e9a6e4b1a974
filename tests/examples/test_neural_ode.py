"""The network foretells years that it has not seen, and there is a table and a picture of that."""

import contextlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest

pytest.importorskip("diffrax")

from examples import neural_ode


class Run(NamedTuple):
    result: neural_ode.Result
    printed: list[str]
    picture: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    picture = tmp_path_factory.mktemp("neural_ode") / "new" / "furs.png"
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        result = neural_ode.main(steps=250, learning_rate=2e-2, output=picture)
    return Run(result, stdout.getvalue().splitlines(), picture)


def test_it_learns_from_the_first_years_and_foretells_the_last_ones(run: Run) -> None:
    assert run.result.losses[-1] < run.result.losses[0] / 10
    assert run.result.training_factor < 1.4
    assert run.result.test_factor < run.result.unchanged_factor


def test_the_picture_shows_something(run: Run) -> None:
    image = matplotlib.image.imread(run.picture)
    assert image.shape[:2] == (630, 1800)
    assert np.std(image[..., :3]) > 0.05


def test_the_table_says_how_wrong_it_is(run: Run) -> None:
    result, printed = run.result, run.printed
    assert [line.split()[-1] for line in printed[3:6]] == [
        f"{factor:.2f}" for factor in (result.training_factor, result.test_factor, result.unchanged_factor)
    ]
    assert printed[3].startswith("1900 to 1915")
    assert str(run.picture) in printed[-1]


def test_populations_that_grow_at_a_constant_rate_are_foretold_to_grow_exponentially() -> None:
    growth: Any = lambda t, log_furs, args: jnp.array([0.1, -0.2])  # noqa: E731
    years = jnp.array([1.0, 5.0])
    foretold = jax.jit(lambda start: neural_ode.foretell(growth, start, years))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(foretold, [[1.1, 1.8], [1.5, 1.0]], rtol=1e-5)
