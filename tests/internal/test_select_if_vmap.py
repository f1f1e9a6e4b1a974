from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from equinox.internal import select_if_vmap_p
from equinox.internal._select_if_vmap import select_if_vmap

X, Y = jnp.array([1.0, 2.0, 3.0]), jnp.array([10.0, 20.0, 30.0])
PREDS = jnp.array([True, False, True])


def test_without_a_batch_it_is_the_first_value_whatever_the_condition() -> None:
    for pred in (True, False):
        np.testing.assert_array_equal(select_if_vmap(pred, X, Y), X)
        np.testing.assert_array_equal(jax.jit(select_if_vmap)(pred, X, Y), X)


def test_a_batched_condition_selects() -> None:
    np.testing.assert_array_equal(jax.vmap(select_if_vmap)(PREDS, X, Y), [1, 20, 3])
    rows = jax.vmap(select_if_vmap, in_axes=(0, None, 1), out_axes=1)(PREDS, X, jnp.outer(Y, Y))
    np.testing.assert_array_equal(rows, jnp.where(PREDS[None, :], X[:, None], jnp.outer(Y, Y)))


def test_it_waits_until_the_condition_is_batched() -> None:
    def inner(pred: Any) -> Any:
        return jax.vmap(lambda x, y: select_if_vmap(pred, x, y), in_axes=(0, None))(X, 5.0)

    np.testing.assert_array_equal(inner(False), X)
    assert select_if_vmap_p in {equation.primitive for equation in jax.make_jaxpr(inner)(False).eqns}
    np.testing.assert_array_equal(jax.vmap(inner)(jnp.array([False, True])), [[5, 5, 5], X])


def test_derivatives_are_selected_in_the_same_way() -> None:
    def f(pred: Any, x: Any, y: Any) -> Any:
        return select_if_vmap(pred, 2 * x, 3 * y)

    def gradient(pred: Any, x: Any, y: Any) -> Any:
        return jnp.stack(jax.grad(f, argnums=(1, 2))(pred, x, y))

    np.testing.assert_array_equal(gradient(False, 1.0, 1.0), [2, 0])
    np.testing.assert_array_equal(jax.vmap(gradient)(PREDS, X, Y), [[2, 0], [0, 3], [2, 0]])
    # Batched only after it was transposed.
    np.testing.assert_array_equal(jax.vmap(jax.jit(gradient))(PREDS, X, Y), [[2, 0], [0, 3], [2, 0]])
    tangents = jax.vmap(lambda pred, x, y: jax.jvp(lambda x: f(pred, x, y), (x,), (1.0,))[1])(PREDS, X, Y)
    np.testing.assert_array_equal(tangents, [2, 0, 2])


def test_constants_may_be_selected_in_a_batch() -> None:
    # JAX hands small constants to rules as Python numbers.
    def f(pred: Any, x: Any) -> Any:
        return select_if_vmap(pred, jnp.array(True), jnp.array(False)), select_if_vmap(x > 1, x, jnp.array(0.0))

    selected = jax.jit(jax.vmap(jax.jit(f)))(PREDS, X)
    np.testing.assert_array_equal(selected[0], PREDS)
    np.testing.assert_array_equal(selected[1], [0, 2, 3])
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.jit(f), in_axes=(None, 0)))(False, X)[0], [True] * 3)
