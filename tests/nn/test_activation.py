"""How activations are applied: to vectors or to neurons."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import Tracer

import equinox as eqx
from equinox.nn._activation import activate, copy_at, is_copied, with_copies

x = jnp.array([-1.0, 0.5, 2.0])


class Scale(eqx.Module):
    factor: jax.Array
    offset: Any = 1.0
    name: str = "scale"

    def __call__(self, x):
        assert x.shape == ()
        return self.factor * x + self.offset


def test_arrays_are_copied_and_other_leaves_are_not():
    copied = with_copies(Scale(jnp.array(2.0)), (3, 4))
    assert isinstance(copied, Scale)
    assert jnp.array_equal(copied.factor, jnp.full((3, 4), 2.0))
    assert (copied.offset, copied.name) == (1.0, "scale")
    assert with_copies(jnp.tanh, (3, 4)) is jnp.tanh


def test_copies_keep_dtype_weak_type_and_own_axes():
    copied = with_copies(Scale(jnp.zeros((2, 5), "bfloat16")), (3,))
    assert isinstance(copied, Scale)
    assert (copied.factor.shape, copied.factor.dtype) == ((3, 2, 5), jnp.bfloat16)
    weak = with_copies(eqx.nn.PReLU(), (3,))
    assert isinstance(weak, eqx.nn.PReLU)
    assert weak.negative_slope.weak_type


def test_numpy_arrays_and_prng_keys_are_copied_too():
    copied = with_copies(jax.tree_util.Partial(jnp.add, np.float32(1)), (3,))
    assert isinstance(jax.tree.leaves(copied)[0], jax.Array)
    keys = with_copies(jax.tree_util.Partial(jax.random.normal, jax.random.key(0)), (3,))
    assert jax.tree.leaves(keys)[0].shape == (3,)


def test_copies_are_selected_along_the_first_axis():
    copied = Scale(jnp.arange(6.0).reshape(2, 3))
    selected = copy_at(copied, 1)
    assert isinstance(selected, Scale)
    assert jnp.array_equal(selected.factor, jnp.array([3.0, 4.0, 5.0]))
    assert copy_at(jnp.tanh, 0) is jnp.tanh


def test_each_neuron_is_activated_with_its_own_copy():
    assert jnp.array_equal(activate(Scale(jnp.array([1.0, 2.0, 3.0])), x), jnp.array([0.0, 2.0, 7.0]))


def test_a_number_that_became_an_array_is_shared_by_all_neurons():
    numbers = Scale(jnp.array([1.0, 2.0, 3.0]), offset=jnp.array(1.0))
    assert not is_copied(numbers.offset)
    assert jnp.array_equal(activate(numbers, x), jnp.array([0.0, 2.0, 7.0]))
    selected = copy_at(numbers, 0)
    assert isinstance(selected, Scale)
    assert selected.offset is numbers.offset


def test_a_vector_goes_to_a_function_as_a_whole_if_that_works():
    shapes = []

    def function(x):
        shapes.append(x.shape)
        return jax.nn.softmax(x)

    assert jnp.array_equal(activate(function, x), jax.nn.softmax(x))
    assert set(shapes) == {(3,)}


def to_zero(x):
    return jax.lax.cond(x > 0, lambda: x, lambda: jnp.zeros_like(x))


def scalars_only(x):
    if x.shape != ():
        raise RuntimeError("one at a time")
    return jnp.sin(x)


def total(x):
    return jnp.sum(x)


def in_a_tuple(x):
    return jnp.sin(x) if x.ndim == 0 else (x,)


@pytest.mark.parametrize(
    ("function", "expected"),
    [(to_zero, jax.nn.relu), (scalars_only, jnp.sin), (total, lambda x: x), (in_a_tuple, jnp.sin)],
)
def test_otherwise_each_neuron_goes_by_itself(function, expected):
    np.testing.assert_allclose(activate(function, x), expected(x), rtol=1e-6)


def test_a_function_that_works_for_neither_shows_its_own_error():
    def broken(x):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken") as info:
        activate(broken, x)
    assert info.value.__context__ is None


def test_finding_out_computes_nothing():
    values = []

    def function(x):
        values.append(x)
        return x

    activate(function, x)
    assert [isinstance(value, Tracer) for value in values] == [True, False]


def test_an_array_without_axes_is_one_neuron():
    assert activate(jnp.sin, jnp.float32(1)) == jnp.sin(1.0)
    assert activate(Scale(jnp.array(3.0)), jnp.float32(2)) == 7


class Unhashable(eqx.Module):
    weights: list

    def __call__(self, x):
        return x * self.weights[0]


def test_modules_without_arrays_are_functions_like_any_other():
    assert jnp.array_equal(activate(Unhashable([2.0]), x), 2 * x)


@pytest.mark.parametrize("activation", [jnp.tanh, scalars_only, Scale(jnp.array([1.0, 2.0, 3.0]))])
def test_it_can_be_compiled_and_differentiated(activation):
    np.testing.assert_allclose(jax.jit(lambda x: activate(activation, x))(x), activate(activation, x), rtol=1e-6)
    assert jax.jacobian(lambda x: activate(activation, x))(x).shape == (3, 3)
