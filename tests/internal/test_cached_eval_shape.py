import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.internal import cached_filter_eval_shape


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x, *rest, **options):
        self.calls += 1
        return {"x": 2 * x, "rest": rest, **options}


def test_the_result_is_that_of_filter_eval_shape():
    args = jnp.ones((2, 3)), "text", 3
    expected = eqx.filter_eval_shape(Counted(), *args, flag=True)
    assert cached_filter_eval_shape(Counted(), *args, flag=True) == expected


@pytest.mark.parametrize(
    "other",
    [jnp.ones(3), np.ones(3, np.float32), jax.ShapeDtypeStruct((3,), jnp.float32), jnp.asarray(2.0) * jnp.zeros(3)],
)
def test_arrays_of_the_same_shape_and_dtype_are_the_same(other):
    function = Counted()
    assert cached_filter_eval_shape(function, jnp.zeros(3)) == cached_filter_eval_shape(function, other)
    assert function.calls == 1


def test_weak_types_do_not_matter():
    function = Counted()
    strong = cached_filter_eval_shape(function, jnp.asarray(1.0, jnp.float32))
    weak = cached_filter_eval_shape(function, jnp.asarray(1.0))
    assert strong == weak
    assert not weak["x"].weak_type
    assert function.calls == 1


@pytest.mark.parametrize("other", [(jnp.ones(4), 1), (jnp.arange(3), 1), (jnp.ones(3), 2), (jnp.ones(3), True)])
def test_anything_else_is_found_out_anew(other):
    function = Counted()
    first = cached_filter_eval_shape(function, jnp.ones(3), 1)
    assert cached_filter_eval_shape(function, *other) == eqx.filter_eval_shape(Counted(), *other)
    assert cached_filter_eval_shape(function, jnp.ones(3), 1) == first
    assert function.calls == 2


def test_another_function_has_results_of_its_own():
    functions = [Counted(), Counted()]
    for function in functions:
        cached_filter_eval_shape(function, 1.0)
    assert [function.calls for function in functions] == [1, 1]


def test_modules_with_the_same_static_part_are_the_same_function():
    class Scale(eqx.Module):
        factor: jax.Array
        log: list[int] = eqx.field(static=True)

        def __call__(self, x):
            self.log.append(1)
            return self.factor * x

    log: list[int] = []
    for factor in (1.0, 2.0):
        assert cached_filter_eval_shape(Scale(jnp.array(factor), log), jnp.ones(2)).shape == (2,)
    assert len(log) == 1


def test_what_is_not_hashable_is_an_error():
    with pytest.raises(TypeError, match="unhashable type: 'set'"):
        cached_filter_eval_shape(Counted(), {1, 2})


def test_clearing_the_caches_forgets():
    function = Counted()
    cached_filter_eval_shape(function, jnp.ones(3))
    eqx.clear_caches()
    cached_filter_eval_shape(function, jnp.ones(3))
    assert function.calls == 2


def test_a_function_is_not_kept_alive():
    function = Counted()
    reference = weakref.ref(function)
    cached_filter_eval_shape(function, jnp.ones(3))
    del function
    gc.collect()
    assert reference() is None
