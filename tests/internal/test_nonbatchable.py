import jax
import jax.numpy as jnp
import pytest

from equinox import EquinoxRuntimeError
from equinox._jax_tree import tree_structure
from equinox.internal import nonbatchable

SAME, DIFFERENT = jnp.full((2, 3), 7), jnp.arange(6).reshape(2, 3)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_a_batch_is_an_error_that_names_what_it_reached(transform):
    with pytest.raises(ValueError, match="The step cannot be batched"):
        jax.vmap(transform(lambda x: nonbatchable(x, name="The step")))(SAME)


def test_a_message_replaces_the_whole_text():
    with pytest.raises(ValueError, match="not here") as caught:
        jax.vmap(lambda x: nonbatchable((1, x), name="unused", msg="not here"))(SAME)
    assert str(caught.value) == "not here"


def test_what_is_not_batched_passes():
    result = jax.vmap(lambda x: x + nonbatchable(jnp.array(1)))(jnp.arange(2))
    assert result.tolist() == [1, 2]


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_constant_batch_is_undone_on_request(transform, depth):
    def function(x):
        return nonbatchable(x, msg="not constant", allow_constant_across_batch=True)

    for _ in range(depth):
        function = jax.vmap(function, in_axes=-1, out_axes=None)
    assert jnp.array_equal(transform(function)(SAME), jnp.full((2, 3)[: 2 - depth], 7))
    with pytest.raises((EquinoxRuntimeError, RuntimeError, ValueError), match="not constant"):
        jax.block_until_ready(transform(function)(DIFFERENT))


@pytest.mark.parametrize("x", [jnp.full(2, jnp.nan), jnp.zeros((2, 0)), jax.vmap(jax.random.key)(jnp.ones(2, int))])
def test_a_constant_batch_may_be_of_any_dtype(x):
    result = jax.vmap(lambda x: nonbatchable(x, allow_constant_across_batch=True), out_axes=None)(x)
    assert result.dtype == x.dtype
    assert result.shape == x.shape[1:]


@pytest.mark.parametrize("x", [jnp.array([jnp.nan, 1.0]), jax.random.split(jax.random.key(0))])
def test_a_batch_that_differs_in_one_element_is_not_constant(x):
    with pytest.raises(EquinoxRuntimeError):
        jax.vmap(lambda x: nonbatchable(x, allow_constant_across_batch=True))(x)


def test_there_is_no_derivative():
    with pytest.raises(NotImplementedError, match="nonbatchable"):
        jax.grad(nonbatchable)(1.0)


def test_it_is_the_identity():
    tree = {"a": jnp.arange(3), "b": ("text", None, 2.5)}
    result = nonbatchable(tree)
    assert tree_structure(result) == tree_structure(tree)
    assert result["a"] is tree["a"]
    assert result["b"] == tree["b"]
    assert jax.jit(nonbatchable)(2.5) == 2.5
