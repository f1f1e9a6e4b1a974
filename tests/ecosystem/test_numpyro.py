"""NumPyro: networks of this library inside probabilistic programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

numpyro = pytest.importorskip("numpyro")
module = pytest.importorskip("numpyro.contrib.module")
dist = pytest.importorskip("numpyro.distributions")
infer = pytest.importorskip("numpyro.infer")
optim = pytest.importorskip("numpyro.optim")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 2))
Y = X @ [1.5, -0.7] + 0.3 + 0.1 * RNG.normal(size=40)
DESIGN = np.concatenate([X, np.ones((40, 1))], axis=1)


def test_a_layer_is_a_parameter_of_a_program() -> None:
    linear = eqx.nn.Linear(2, 1, key=jax.random.key(0))

    def model(x, y):
        layer = module.eqx_module("layer", linear)
        numpyro.sample("y", dist.Normal(jax.vmap(layer)(x)[:, 0], 0.1), obs=y)

    svi = infer.SVI(model, lambda x, y: None, optim.Adam(0.05), infer.Trace_ELBO())
    result = svi.run(jax.random.key(1), 600, jnp.asarray(X), jnp.asarray(Y), progress_bar=False)
    (parameters,) = result.params.values()
    found = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(parameters)])
    expected = np.linalg.lstsq(DESIGN, Y, rcond=None)[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.slow
def test_the_weights_of_a_layer_are_random_variables() -> None:
    linear = eqx.nn.Linear(2, 1, key=jax.random.key(0))

    def model(x, y):
        prior = {name: dist.Normal(0.0, 1.0) for name in ("weight", "bias")}
        layer = module.random_eqx_module("layer", linear, prior=prior)
        numpyro.sample("y", dist.Normal(jax.vmap(layer)(x)[:, 0], 0.1), obs=y)

    mcmc = infer.MCMC(infer.NUTS(model), num_warmup=300, num_samples=600, progress_bar=False)
    mcmc.run(jax.random.key(1), jnp.asarray(X), jnp.asarray(Y))
    samples = mcmc.get_samples()
    precision = DESIGN.T @ DESIGN / 0.1**2 + np.eye(3)
    expected = np.linalg.solve(precision, DESIGN.T @ Y / 0.1**2)
    means = np.concatenate([np.ravel(np.mean(samples[f"layer/{name}"], axis=0)) for name in ("weight", "bias")])
    deviations = np.concatenate([np.ravel(np.std(samples[f"layer/{name}"], axis=0)) for name in ("weight", "bias")])
    np.testing.assert_allclose(means, expected, atol=5e-3)
    np.testing.assert_allclose(deviations, np.sqrt(np.diagonal(np.linalg.inv(precision))), rtol=0.2)
