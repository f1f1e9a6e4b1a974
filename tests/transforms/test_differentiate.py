"""The callable that a gradient transformation returns, as a PyTree and as a value."""

import pickle

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx


def loss(x):
    return x**2


def test_equal_wrappers_have_equal_treedefs():
    structure = jax.tree.structure
    assert structure(eqx.filter_grad(loss)) == structure(eqx.filter_grad(loss))
    assert structure(eqx.filter_grad(loss)) != structure(eqx.filter_grad(loss, has_aux=True))
    assert structure(eqx.filter_grad(loss)) != structure(eqx.filter_value_and_grad(loss))
    assert hash(structure(eqx.filter_grad(loss))) == hash(structure(eqx.filter_grad(loss)))


def test_a_gradient_made_anew_each_time_is_compiled_once():
    traces = []

    def counted(x):
        traces.append(None)
        return x**2

    for i in range(3):
        assert eqx.filter_jit(eqx.filter_grad(counted))(jnp.array(float(i))) == 2 * i
    assert len(traces) == 1


def test_the_repr_says_what_it_is():
    assert repr(eqx.filter_grad(loss)) == "filter_grad(<function loss>)"
    assert repr(eqx.gradf(loss, filter_fn=eqx.is_array)) == "gradf(<function loss>)"


def test_wrappers_can_be_pickled_and_copied():
    gradient = pickle.loads(pickle.dumps(eqx.filter_grad(loss)))
    assert gradient(jnp.array(3.0)) == 6.0
    assert gradient.__name__ == "loss"


def test_an_output_with_has_aux_that_is_no_pair_is_described():
    with pytest.raises(TypeError, match=r"`loss` must return a pair.*JAX array"):
        eqx.filter_grad(loss, has_aux=True)(jnp.array(1.0))


def test_aux_keeps_what_is_no_array_under_vmap():
    def function(x):
        gradient, aux = eqx.filter_grad(lambda x: (x**2, {"x": x, "f": loss}), has_aux=True)(x)
        assert aux["f"] is loss
        return gradient, aux["x"]

    gradients, xs = jax.vmap(function)(jnp.arange(3.0))
    assert gradients.tolist() == [0.0, 2.0, 4.0]
    assert xs.tolist() == [0.0, 1.0, 2.0]
