import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox._runtime.unvmap import unvmap_any


@pytest.mark.parametrize(("x", "expected"), [(True, True), (np.array([0, 2]), True), (jnp.zeros((2, 3)), False)])
def test_anything_that_is_true_or_false_can_be_asked(x, expected):
    assert unvmap_any(x) == expected
    assert unvmap_any(x).shape == ()
    assert jax.jit(unvmap_any)(x) == expected


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_the_result_is_never_batched(transform):
    x = jnp.array([[False, False], [False, True]])
    nested = jax.vmap(jax.vmap(unvmap_any, in_axes=0, out_axes=None), in_axes=1, out_axes=None)
    assert transform(nested)(x)
    assert not transform(nested)(~x & False)


def test_it_may_depend_on_what_is_differentiated():
    assert jax.grad(lambda x: jax.lax.cond(unvmap_any(x > 0), lambda: x, lambda: -x))(2.0) == 1
