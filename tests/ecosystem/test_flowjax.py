"""FlowJAX: distributions and normalising flows, trained."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import equinox as eqx

flowjax = pytest.importorskip("flowjax")
bijections = pytest.importorskip("flowjax.bijections")
distributions = pytest.importorskip("flowjax.distributions")
flows = pytest.importorskip("flowjax.flows")
train = pytest.importorskip("flowjax.train")

COVARIANCE = np.array([[2.0, 0.6], [0.6, 0.5]])
MEAN = np.array([1.0, -2.0])


def test_an_affine_transformation_makes_a_multivariate_normal_distribution() -> None:
    affine = bijections.TriangularAffine(jnp.asarray(MEAN), jnp.linalg.cholesky(jnp.asarray(COVARIANCE)))
    distribution = distributions.Transformed(distributions.Normal(jnp.zeros(2)), affine)
    points = np.random.default_rng(0).normal(size=(5, 2))
    normal: Any = scipy.stats.multivariate_normal
    expected = normal(MEAN, COVARIANCE).logpdf(points)
    np.testing.assert_allclose(eqx.filter_jit(distribution.log_prob)(jnp.asarray(points)), expected, rtol=1e-10)


@pytest.mark.parametrize("make", ["coupling_flow", pytest.param("masked_autoregressive_flow", marks=pytest.mark.slow)])
def test_a_flow_is_inverted_and_knows_how_it_changes_volumes(make: str) -> None:
    flow = getattr(flows, make)(
        jax.random.key(0), base_dist=distributions.Normal(jnp.zeros(3)), flow_layers=2, nn_width=8
    )
    x = jnp.array([0.3, -1.0, 2.0])

    @eqx.filter_jit
    def everything(flow, x):
        y, log_determinant = flow.bijection.transform_and_log_det(x)
        back, minus = flow.bijection.inverse_and_log_det(y)
        return log_determinant, back, minus, jnp.linalg.slogdet(jax.jacrev(flow.bijection.transform)(x))[1]

    log_determinant, back, minus, expected = everything(flow, x)
    np.testing.assert_allclose(back, x, rtol=1e-6)
    np.testing.assert_allclose([log_determinant, -minus], expected, rtol=1e-6, atol=1e-8)


def test_training_finds_the_distribution_of_the_data() -> None:
    rng = np.random.default_rng(1)
    data = rng.multivariate_normal(MEAN, COVARIANCE, 500)
    start = distributions.Transformed(
        distributions.Normal(jnp.zeros(2)), bijections.TriangularAffine(jnp.zeros(2), jnp.eye(2))
    )
    trained, losses = train.fit_to_data(
        jax.random.key(2),
        start,
        jnp.asarray(data),
        learning_rate=3e-2,
        max_epochs=60,
        max_patience=60,
        show_progress=False,
    )
    assert losses["train"][-1] < losses["train"][0]
    samples = trained.sample(jax.random.key(3), (20_000,))
    np.testing.assert_allclose(np.mean(samples, axis=0), MEAN, atol=0.15)
    np.testing.assert_allclose(np.cov(samples.T), COVARIANCE, atol=0.25)
