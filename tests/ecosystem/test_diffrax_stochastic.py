"""Diffrax: Brownian motion, and equations that it drives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import equinox as eqx

dfx = pytest.importorskip("diffrax")

slow = pytest.mark.slow


@pytest.mark.parametrize(
    "levy_area",
    ["BrownianIncrement", *(pytest.param(name, marks=slow) for name in ("SpaceTimeLevyArea", "SpaceTimeTimeLevyArea"))],
)
def test_a_virtual_brownian_tree_is_one_path_with_the_right_moments(levy_area: str) -> None:
    area = getattr(dfx, levy_area)

    @eqx.filter_jit
    def increments(keys):
        def sample(key):
            path = dfx.VirtualBrownianTree(0.0, 2.0, 1e-3, (), key, levy_area=area)
            parts = [path.evaluate(0.0, 0.5), path.evaluate(0.5, 1.7), path.evaluate(0.0, 1.7)]
            if levy_area == "BrownianIncrement":
                return jnp.stack(parts), jnp.zeros(3)
            whole = [path.evaluate(s, t, use_levy=True) for s, t in ((0.0, 0.5), (0.5, 1.7), (0.0, 1.7))]
            return jnp.stack(parts), jnp.stack([increment.H for increment in whole])

        return jax.vmap(sample)(keys)

    keys = jax.random.split(jax.random.key(0), 4000)
    w, h = increments(keys)
    np.testing.assert_allclose(w[:, 0] + w[:, 1], w[:, 2], atol=1e-10)
    np.testing.assert_allclose(np.mean(w, axis=0), 0, atol=0.07)
    np.testing.assert_allclose(np.var(w, axis=0), [0.5, 1.2, 1.7], rtol=0.1)
    assert abs(np.corrcoef(w[:, 0], w[:, 1])[0, 1]) < 0.06
    if levy_area != "BrownianIncrement":
        np.testing.assert_allclose(np.var(h, axis=0), np.array([0.5, 1.2, 1.7]) / 12, rtol=0.1)
        # The areas of two parts and of the whole belong together.
        combined = (0.5 * (h[:, 0] - w[:, 1] / 2) + 1.2 * (h[:, 1] + w[:, 0] / 2)) / 1.7
        np.testing.assert_allclose(h[:, 2], combined, atol=1e-8)


MU, SIGMA = 0.3, 0.5


def geometric(path, *, ito: bool):
    """Geometric Brownian motion: whichever the calculus, that of Stratonovich."""
    drift = MU + SIGMA**2 / 2 if ito else MU
    return dfx.MultiTerm(dfx.ODETerm(lambda t, y, args: drift * y), dfx.ControlTerm(lambda t, y, args: SIGMA * y, path))


SOLVERS = {
    # The solver, whether its calculus is that of Ito, the order of its strong convergence.
    "ItoMilstein": (True, 1.0),
    "StratonovichMilstein": (False, 1.0),
    "EulerHeun": (False, 1.0),
    "Euler": (True, 0.5),
    "Heun": (False, 1.0),
    "Midpoint": (False, 1.0),
    "ReversibleHeun": (False, 1.0),
    "SPaRK": (False, 1.0),
    "GeneralShARK": (False, 1.0),
    "SlowRK": (False, 1.0),
}


@pytest.mark.parametrize(
    "name",
    [name if name == "ItoMilstein" else pytest.param(name, marks=slow) for name in SOLVERS],
)
def test_solutions_converge_to_geometric_brownian_motion(name: str) -> None:
    ito, order = SOLVERS[name]
    area = dfx.SpaceTimeLevyArea if name in {"SPaRK", "GeneralShARK", "SlowRK"} else dfx.BrownianIncrement

    @eqx.filter_jit
    def error(keys, dt):
        def sample(key):
            path = dfx.VirtualBrownianTree(0.0, 1.0, 1e-3, (), key, levy_area=area)
            solution = dfx.diffeqsolve(
                geometric(path, ito=ito), getattr(dfx, name)(), 0.0, 1.0, dt, 1.0, max_steps=None
            )
            return solution.ys[0] - jnp.exp(MU + SIGMA * path.evaluate(0.0, 1.0))

        return jnp.sqrt(jnp.mean(jax.vmap(sample)(keys) ** 2))

    keys = jax.random.split(jax.random.key(1), 100)
    coarse, fine = error(keys, 1 / 16), error(keys, 1 / 128)
    assert fine < 0.1
    # Eight times as many steps.
    assert np.log(coarse / fine) / np.log(8) > order - 0.25


def test_a_solution_may_be_differentiated() -> None:
    # y(1) = exp(mu + sigma w(1)), for each path.
    @jax.jit
    @jax.value_and_grad
    def final(sigma):
        path = dfx.VirtualBrownianTree(0.0, 1.0, 1e-3, (), jax.random.key(3))
        terms = dfx.MultiTerm(
            dfx.ODETerm(lambda t, y, args: MU * y), dfx.ControlTerm(lambda t, y, args: sigma * y, path)
        )
        return dfx.diffeqsolve(terms, dfx.Heun(), 0.0, 1.0, 1 / 256, 1.0, max_steps=256).ys[0]

    w = dfx.VirtualBrownianTree(0.0, 1.0, 1e-3, (), jax.random.key(3)).evaluate(0.0, 1.0)
    value, slope = final(SIGMA)
    np.testing.assert_allclose(value, np.exp(MU + SIGMA * w), rtol=5e-2)
    np.testing.assert_allclose(slope, w * np.exp(MU + SIGMA * w), rtol=1e-1)


@pytest.mark.parametrize("name", ["SRA1", *(pytest.param(name, marks=slow) for name in ("ShARK", "SEA"))])
def test_solvers_for_additive_noise(name: str) -> None:
    # An Ornstein-Uhlenbeck process has the stationary variance sigma^2 / (2 theta).
    @eqx.filter_jit
    def finals(keys):
        def sample(key):
            path = dfx.VirtualBrownianTree(0.0, 4.0, 1e-3, (), key, levy_area=dfx.SpaceTimeLevyArea)
            terms = dfx.MultiTerm(
                dfx.ODETerm(lambda t, y, args: -1.5 * y), dfx.ControlTerm(lambda t, y, args: jnp.array(0.8), path)
            )
            return dfx.diffeqsolve(terms, getattr(dfx, name)(), 0.0, 4.0, 0.05, 0.0).ys[0]

        return jax.vmap(sample)(keys)

    samples = finals(jax.random.split(jax.random.key(4), 3000))
    np.testing.assert_allclose(np.mean(samples), 0, atol=0.04)
    np.testing.assert_allclose(np.var(samples), 0.8**2 / 3, rtol=0.12)


@slow
@pytest.mark.parametrize("name", ["ALIGN", "ShOULD", "QUICSORT"])
def test_langevin_dynamics_sample_the_gibbs_distribution(name: str) -> None:
    solver = getattr(dfx, name)(0.01)
    area = dfx.SpaceTimeLevyArea if name == "ALIGN" else dfx.SpaceTimeTimeLevyArea

    @eqx.filter_jit
    def finals(keys):
        def sample(key):
            path = dfx.VirtualBrownianTree(0.0, 8.0, 1e-3, (1,), key, levy_area=area)
            # In the potential 2 x^2, with friction 2 and inverse mass 1.
            drift = dfx.UnderdampedLangevinDriftTerm(2.0, 1.0, lambda x, args: 4 * x)
            diffusion = dfx.UnderdampedLangevinDiffusionTerm(2.0, 1.0, path)
            start = (jnp.zeros(1), jnp.zeros(1))
            return dfx.diffeqsolve(dfx.MultiTerm(drift, diffusion), solver, 0.0, 8.0, 0.05, start, max_steps=200).ys

        return jax.vmap(sample)(keys)

    x, v = finals(jax.random.split(jax.random.key(5), 2000))
    np.testing.assert_allclose([np.var(x), np.var(v)], [0.25, 1.0], rtol=0.12)


def test_an_unsafe_path_draws_what_it_needs() -> None:
    @eqx.filter_jit
    def finals(keys):
        def sample(key):
            path = dfx.UnsafeBrownianPath((), key)
            terms = dfx.MultiTerm(dfx.ODETerm(lambda t, y, args: 0.0), dfx.ControlTerm(lambda t, y, args: 1.0, path))
            return dfx.diffeqsolve(terms, dfx.Euler(), 0.0, 2.0, 0.1, 0.0, adjoint=dfx.DirectAdjoint()).ys[0]

        return jax.vmap(sample)(keys)

    samples = finals(jax.random.split(jax.random.key(6), 4000))
    np.testing.assert_allclose([np.mean(samples), np.var(samples)], [0, 2], atol=0.15)


class Diffusion(eqx.Module):
    """A neural network for the noise of two states that three Brownian motions drive."""

    network: eqx.nn.MLP

    def __call__(self, t: Array, y: Array, args: None) -> Array:
        return self.network(y).reshape(2, 3)


@pytest.mark.slow
def test_the_gradient_of_a_neural_sde_is_that_of_finite_differences() -> None:
    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(field: Diffusion, key):
        path = dfx.VirtualBrownianTree(0.0, 1.0, 1e-3, (3,), key)
        terms = dfx.MultiTerm(dfx.ODETerm(lambda t, y, args: -y), dfx.ControlTerm(field, path))
        return jnp.sum(dfx.diffeqsolve(terms, dfx.EulerHeun(), 0.0, 1.0, 0.05, jnp.ones(2)).ys ** 2)

    field = Diffusion(eqx.nn.MLP(2, 6, 5, 1, activation=jnp.tanh, key=jax.random.key(0)))
    key = jax.random.key(7)
    _, gradient = loss(field, key)
    bias = field.network.layers[-1].bias
    assert bias is not None
    h = 1e-5
    above, below = (
        loss(eqx.tree_at(lambda f: f.network.layers[-1].bias, field, bias.at[2].add(step)), key)[0] for step in (h, -h)
    )
    slopes: Any = gradient.network.layers[-1].bias
    np.testing.assert_allclose(slopes[2], (above - below) / (2 * h), rtol=1e-6)
