import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox._runtime.unvmap import unvmap_all, unvmap_any, unvmap_max

REDUCTIONS = [(unvmap_all, np.all), (unvmap_any, np.any), (unvmap_max, np.max)]


@pytest.mark.parametrize(("reduce", "expected"), REDUCTIONS)
@pytest.mark.parametrize("x", [True, 0, np.float32(2.5), np.array([0, 2]), jnp.zeros((2, 3)), -jnp.ones(2, jnp.int8)])
def test_any_array_or_number_is_reduced_to_a_scalar(reduce, expected, x):
    assert reduce(x) == expected(x)
    assert reduce(x).shape == ()
    assert jax.jit(reduce)(x) == expected(x)


def test_the_greatest_number_keeps_its_dtype():
    assert unvmap_max(jnp.ones(2, jnp.int8)).dtype == jnp.int8
    assert unvmap_max(jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
    assert unvmap_any(jnp.ones(2)).dtype == bool
    assert unvmap_all(jnp.ones(2)).dtype == bool


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
@pytest.mark.parametrize(("reduce", "expected"), REDUCTIONS)
def test_the_result_is_never_batched(reduce, expected, transform):
    x = jnp.array([[0, 0], [0, 3]])
    nested = jax.vmap(jax.vmap(reduce, in_axes=0, out_axes=None), in_axes=1, out_axes=None)
    assert transform(nested)(x) == expected(x)
    assert transform(nested)(x + 1) == expected(x + 1)
    assert transform(jax.vmap(reduce))(x).tolist() == [expected(x)] * 2


def test_predicates_may_depend_on_what_is_differentiated():
    for reduce in (unvmap_any, unvmap_all):
        assert jax.grad(lambda x, reduce=reduce: jax.lax.cond(reduce(x > 0), lambda: x, lambda: -x))(2.0) == 1


def test_the_greatest_number_has_no_derivative():
    with pytest.raises(NotImplementedError, match="unvmap_max"):
        jax.grad(unvmap_max)(1.0)
    assert jax.grad(lambda x: x * unvmap_max(jax.lax.stop_gradient(x)))(2.0) == 2
