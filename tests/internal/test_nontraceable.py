import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import jaxpr_as_fun

from equinox._jax_tree import tree_structure
from equinox.internal import nontraceable

X = jnp.ones(2)


def transpose(f):
    return lambda x: jax.linear_transpose(f, x)(x)


TRANSFORMS = [(jax.jacfwd, "differentiation of"), (jax.vmap, "batching of"), (transpose, "transposition of")]


@pytest.mark.parametrize("inner", [lambda f: f, jax.jit])
@pytest.mark.parametrize(("transform", "fragment"), TRANSFORMS)
def test_transforming_it_is_an_error_that_says_how_and_what(transform, fragment, inner):
    with pytest.raises(RuntimeError, match=f"{fragment} nontraceable operation"):
        transform(inner(nontraceable))(X)
    with pytest.raises(RuntimeError, match=f"{fragment} the last step"):
        transform(inner(lambda x: nontraceable(x, name="the last step")))(X)


@pytest.mark.parametrize(("transform", "fragment"), TRANSFORMS)
def test_so_is_transforming_a_program_that_contains_it(transform, fragment):
    program = jaxpr_as_fun(jax.make_jaxpr(nontraceable)(X))
    if transform is jax.vmap:
        program = jaxpr_as_fun(jax.make_jaxpr(nontraceable)(X[0]))
    with pytest.raises(RuntimeError, match=fragment):
        transform(lambda x: program(x)[0])(X)


def test_it_may_be_compiled_and_is_the_identity():
    tree = {"a": jnp.arange(3), "b": ("text", None, 2.5)}
    result = nontraceable(tree)
    assert tree_structure(result) == tree_structure(tree)
    assert result["a"] is tree["a"]
    assert result["b"] == tree["b"]
    assert jax.jit(nontraceable)(2.5) == 2.5
