import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox._jax_tree import tree_structure
from equinox.internal import nondifferentiable


@pytest.mark.parametrize(
    "transform",
    [
        jax.grad,
        jax.jacfwd,
        lambda f: jax.grad(jax.jit(f)),
        lambda f: jax.grad(jax.checkpoint(f)),
        lambda f: lambda x: jax.vmap(jax.grad(f))(x[None]),
        lambda f: lambda x: jax.linearize(f, x),
    ],
)
def test_a_tangent_is_an_error_that_names_what_it_reached(transform):
    with pytest.raises(RuntimeError, match="The flow cannot be differentiated"):
        transform(lambda x: nondifferentiable(x, name="The flow"))(jnp.array(1.0))


def test_without_a_name_the_message_has_a_neutral_subject():
    with pytest.raises(RuntimeError, match="This operation cannot be differentiated"):
        jax.grad(nondifferentiable)(1.0)


def test_a_message_replaces_the_whole_text():
    with pytest.raises(RuntimeError) as caught:
        jax.grad(lambda x: nondifferentiable(x, name="unused", msg="not here"))(1.0)
    assert str(caught.value) == "not here"


def test_one_perturbed_array_in_a_tree_is_enough():
    with pytest.raises(RuntimeError):
        jax.grad(lambda x: nondifferentiable({"a": 1.0, "b": (x, jnp.ones(2))})["b"][0])(1.0)


def test_what_has_no_tangent_passes():
    def function(x):
        constant, rounded, integer, stopped = nondifferentiable(
            (jnp.array(2.0), jnp.floor(x), x.astype(int), jax.lax.stop_gradient(x))
        )
        return x * constant * rounded * integer * stopped

    assert jax.grad(function)(jnp.array(3.0)) == 2 * 3 * 3 * 3
    assert jax.jit(jax.grad(function))(3.0) == 2 * 3 * 3 * 3
    assert jax.jvp(function, (3.0,), (1.0,))[1] == 2 * 3 * 3 * 3


def test_it_is_the_identity():
    tree = {"a": jnp.arange(3), "b": ("text", None, 2.5), "c": np.ones(2, np.float32)}
    result = nondifferentiable(tree)
    assert tree_structure(result) == tree_structure(tree)
    assert result["a"] is tree["a"]
    assert result["b"] == tree["b"]
    assert jax.vmap(jax.jit(nondifferentiable))(jnp.arange(3)).tolist() == [0, 1, 2]
