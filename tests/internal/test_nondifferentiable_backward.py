import jax
import jax.numpy as jnp
import pytest

from equinox import EquinoxRuntimeError, filter_jit
from equinox._jax_tree import tree_structure
from equinox.internal import nondifferentiable_backward


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_a_cotangent_is_an_error_that_names_what_it_reached(transform):
    with pytest.raises(RuntimeError, match="The flow cannot be differentiated in reverse mode"):
        jax.grad(transform(lambda x: nondifferentiable_backward(x, name="The flow")))(1.0)


def test_a_message_replaces_the_whole_text():
    with pytest.raises(RuntimeError) as caught:
        jax.grad(lambda x: nondifferentiable_backward(x, msg="not here"))(1.0)
    assert str(caught.value) == "not here"


@pytest.mark.parametrize("symbolic", [True, False])
def test_forward_mode_and_batches_pass(symbolic):
    def function(x):
        return nondifferentiable_backward(x, symbolic=symbolic) ** 3

    assert jax.jit(jax.jacfwd(jax.jacfwd(function)))(2.0) == 12
    assert jax.vmap(jax.jacfwd(function))(jnp.arange(2.0)).tolist() == [0, 3]


def test_a_cotangent_that_is_symbolically_zero_passes():
    def function(x):
        checked, y = nondifferentiable_backward((x, jnp.floor(x)))
        return x**2 + jax.lax.stop_gradient(checked) + y

    assert jax.grad(function)(2.0) == 4
    assert jax.vmap(jax.grad(function))(jnp.array([2.0, 3.0])).tolist() == [4, 6]


def test_a_cotangent_that_turns_out_to_be_zero_passes_on_request():
    def function(x, weight):
        return x + weight * nondifferentiable_backward(x, msg="no way back", symbolic=False)

    gradient = filter_jit(jax.grad(function))
    assert gradient(1.0, jnp.array(0.0)) == 1
    with pytest.raises(EquinoxRuntimeError, match="no way back"):
        gradient(1.0, jnp.array(2.0))
    with pytest.raises(RuntimeError, match="no way back"):
        jax.grad(lambda x: function(x, 0.0).sum() + 0 * nondifferentiable_backward(x, msg="no way back"))(1.0)


def test_it_is_the_identity():
    tree = {"a": jnp.arange(3), "b": ("text", None, 2.5)}
    result = nondifferentiable_backward(tree)
    assert tree_structure(result) == tree_structure(tree)
    assert result["a"] is tree["a"]
    assert result["b"] == tree["b"]
