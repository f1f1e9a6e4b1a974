from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.core import Tracer

from equinox import is_array, tree_equal
from tests.naming import show
from tests.strategies import Bare, Pair, Point, Record, arrays, leaves, non_arrays, pytrees

NAN = float("nan")


def is_dynamic(answer: Any) -> bool:
    return isinstance(answer, jax.Array) and answer.shape == () and answer.dtype == jnp.bool_


# What kind of answer


@given(tree=pytrees(non_arrays()))
def test_without_jax_arrays_the_answer_is_a_bool(tree: Any) -> None:
    assert tree_equal(tree, jax.tree.map(lambda x: x, tree)) is True


@given(tree=pytrees())
def test_a_tree_equals_its_copy(tree: Any) -> None:
    answer = tree_equal(tree, jax.tree.map(lambda x: x, tree))
    has_jax_arrays = any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tree))
    assert is_dynamic(answer) if has_jax_arrays else answer is True
    assert bool(answer)


@given(first=leaves(), second=leaves(), typematch=st.booleans())
def test_equality_is_symmetric(first: Any, second: Any, typematch: bool) -> None:
    assert bool(tree_equal(first, second, typematch=typematch)) == bool(tree_equal(second, first, typematch=typematch))


def test_one_tree_is_equal() -> None:
    assert tree_equal(jnp.array(NAN)) is True


def test_no_tree_is_an_error() -> None:
    with pytest.raises(TypeError):
        tree_equal()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # what is tested


def test_every_tree_is_compared_with_the_first() -> None:
    assert tree_equal([1], [1], [1]) is True
    assert tree_equal([1], [1], [2]) is False
    assert tree_equal([1], [2], [1]) is False
    assert bool(tree_equal(jnp.ones(2), jnp.ones(2), jnp.zeros(2))) is False


# Structure


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1], (1,)),
        ([1], [1, 1]),
        ({"a": 1}, {"b": 1}),
        (None, ()),
        ([None], [1]),
        (Point(1, 2), (1, 2)),
        (Record(1, "a"), Record(1, "b")),
        (Pair(jnp.ones(2), 1, "a"), Pair(jnp.ones(2), 1, "b")),
        (Bare(), None),
    ],
)
def test_another_structure_is_a_static_difference(first: Any, second: Any) -> None:
    assert tree_equal(first, second) is False


# Pairs of leaves


@given(first=arrays(), second=arrays())
def test_arrays_are_equal_if_kind_shape_dtype_and_values_are(first: Any, second: Any) -> None:
    answer = tree_equal(first, second)
    both_jax = isinstance(first, jax.Array) and isinstance(second, jax.Array)
    neither_jax = not isinstance(first, jax.Array) and not isinstance(second, jax.Array)
    if (both_jax or neither_jax) and first.shape == second.shape and first.dtype == second.dtype:
        assert is_dynamic(answer) if both_jax else type(answer) is bool
        assert bool(answer) == bool((first == second).all())
    else:
        assert answer is False


@pytest.mark.parametrize("value", [1.0, 1, True, [1.0, 2.0]])
def test_a_jax_array_never_equals_a_numpy_array(value: Any) -> None:
    array = jnp.asarray(value)
    assert tree_equal(array, np.asarray(array)) is False
    assert tree_equal(np.asarray(array), array) is False
    assert jax.jit(lambda x: tree_equal(x, np.asarray(array)) is False)(array)


def test_weak_types_do_not_count() -> None:
    assert bool(tree_equal(jnp.asarray(1.0), jnp.float32(1)))


def test_a_numpy_scalar_may_equal_a_numpy_array() -> None:
    assert tree_equal(np.float32(1), np.ones((), np.float32)) is True
    assert tree_equal(np.float32(1), np.ones(1, np.float32)) is False
    assert tree_equal(np.float32(1), np.ones(())) is False


@given(array=arrays(), other=non_arrays())
def test_an_array_never_equals_anything_else(array: Any, other: Any) -> None:
    assert tree_equal([array], [other]) is False
    assert tree_equal([other], [array]) is False


@given(first=non_arrays(), second=non_arrays())
def test_other_leaves_are_compared_by_their_own_equality(first: Any, second: Any) -> None:
    assert tree_equal(first, second) is (first == second)
    assert tree_equal(first, second, typematch=True) is (type(first) is type(second) and first == second)


@pytest.mark.parametrize("nan", [NAN, np.float32(NAN), np.array([1.0, NAN]), jnp.array([1.0, NAN])], ids=show)
def test_nan_equals_nothing(nan: Any) -> None:
    assert bool(tree_equal(nan, nan)) is False
    assert bool(tree_equal(nan, nan, atol=1.0)) is False


def test_prng_keys_are_compared_by_value() -> None:
    key = jax.random.key(0)
    for tolerance in (0.0, 1.0):
        assert is_dynamic(tree_equal(key, jax.random.key(0), atol=tolerance))
        assert bool(tree_equal(key, jax.random.key(0), atol=tolerance))
        assert not bool(tree_equal(key, jax.random.key(1), atol=tolerance))
    assert tree_equal(key, jax.random.key(0, impl="rbg")) is False
    assert tree_equal(key, jax.random.key_data(key)) is False


@pytest.mark.parametrize(
    "array", [np.array(["a", "b"]), np.zeros(2, jax.dtypes.float0), np.array([None, "x"])], ids=show
)
def test_numpy_arrays_that_jax_cannot_hold_are_compared_too(array: Any) -> None:
    assert tree_equal(array, array.copy()) is True
    assert tree_equal(array, array[:1]) is False


# Types


@pytest.mark.parametrize(
    ("first", "second"),
    [(1, True), (1, 1.0), (1.0, 1 + 0j), (np.float32(1), np.ones((), np.float32))],
)
def test_typematch_tells_equal_leaves_of_different_types_apart(first: Any, second: Any) -> None:
    assert tree_equal(first, second) is True
    assert tree_equal(first, second, typematch=True) is False


def test_typematch_lets_tracers_equal_arrays() -> None:
    array = jnp.ones(2)
    assert bool(jax.jit(lambda x: tree_equal(x, array, typematch=True))(array))


# Tolerances


@pytest.mark.parametrize("module", [np, jnp])
@pytest.mark.parametrize(
    ("first", "other", "rtol", "atol", "expected"),
    [
        (1.0, 1.5, 0.0, 0.6, True),
        (1.0, 1.5, 0.0, 0.4, False),
        (1.0, 2.0, 0.6, 0.0, True),  # 1 <= 0.6 * 2
        (2.0, 1.0, 0.6, 0.0, False),  # 1 > 0.6 * 1
        (1.0, 1.5, np.array(0.0), np.array([0.6]), True),
        (float("inf"), float("inf"), 0.1, 0.1, True),
        (float("inf"), 1.0, 0.1, 0.1, False),
        (1 + 1j, 1.1 + 1j, 0.0, 0.2, True),
    ],
)
def test_inexact_arrays_are_compared_within_tolerances(
    module: Any, first: Any, other: Any, rtol: Any, atol: Any, expected: bool
) -> None:
    answer = tree_equal([module.array([first])], [module.array([other])], rtol=rtol, atol=atol)
    assert is_dynamic(answer) if module is jnp else type(answer) is bool
    assert bool(answer) is expected


def test_tolerances_may_be_arrays_of_jax_and_traced() -> None:
    for array in (np.array([1.0, 2.0]), jnp.array([1.0, 2.0])):
        assert bool(tree_equal(array, array + 0.5, atol=jnp.array(0.6)))
        assert bool(jax.jit(lambda atol, array=array: tree_equal(array, array + 0.5, atol=atol))(0.6))
        assert not bool(jax.jit(lambda atol, array=array: tree_equal(array, array + 0.5, atol=atol))(0.4))


@pytest.mark.parametrize("array", [np.ones(2, ml_dtypes.bfloat16), jnp.ones(2, jnp.bfloat16)], ids=show)
def test_extension_floats_are_compared_within_tolerances(array: Any) -> None:
    assert bool(tree_equal(array, array * 2, atol=1.0))
    assert not bool(tree_equal(array, array * 2, atol=0.5))


@pytest.mark.parametrize("leaf", [1, 1.0, np.arange(2), jnp.arange(2)], ids=show)
def test_tolerances_do_not_apply_to_python_numbers_and_integer_arrays(leaf: Any) -> None:
    assert bool(tree_equal(leaf, leaf + 1, rtol=10.0, atol=10.0)) is False


@pytest.mark.parametrize("module", [np, jnp])
@pytest.mark.parametrize("atol", [0.0, 1.0])
def test_huge_values_are_compared_without_a_warning(module: Any, atol: float) -> None:
    huge = module.asarray([3e38], module.float32)
    assert bool(tree_equal(huge, -huge, atol=atol)) is False
    assert bool(tree_equal(huge, huge, atol=atol)) is True


def test_shapes_are_not_broadcast() -> None:
    assert tree_equal(jnp.ones(2), jnp.ones((1, 2)), atol=1.0) is False
    assert tree_equal(np.ones(2), np.ones(()), atol=1.0) is False


# Tracers


def test_values_of_tracers_give_a_tracer() -> None:
    def equal(x: jax.Array, y: jax.Array) -> Any:
        answer = tree_equal([x, "a"], [y, "a"])
        assert isinstance(answer, Tracer)
        return answer

    assert bool(jax.jit(equal)(jnp.ones(2), jnp.ones(2)))
    assert not bool(jax.jit(equal)(jnp.ones(2), jnp.zeros(2)))


@pytest.mark.parametrize(
    "other",
    [lambda x: [x, 2], lambda x: [x, 1, 1], lambda x: [x[:1], 1], lambda x: [x.astype(int), 1], lambda _: [1, 1]],
)
def test_a_static_difference_gives_false_beside_tracers(other: Any) -> None:
    assert jax.jit(lambda x: tree_equal([x, 1], other(x)) is False)(jnp.ones(2))


def test_a_static_difference_is_found_before_any_value_is_looked_at() -> None:
    jaxpr = jax.make_jaxpr(lambda x, y: tree_equal([x, 1], [y, 2]))(jnp.ones(2), jnp.ones(2))
    assert not jaxpr.eqns


# Leaves without a truth value


class Vague:
    def __eq__(self, other: object) -> Any:
        return np.array([True, False])

    def __hash__(self) -> int:
        return 0


def test_an_equality_without_truth_value_is_refused_with_the_place() -> None:
    with pytest.raises(TypeError, match=r"`pytree`.*`\['a'\]\[1\]`.*Vague"):
        tree_equal({"a": [1, Vague()]}, {"a": [1, Vague()]})


def test_an_equality_that_gives_one_array_element_is_fine() -> None:
    class Precise:
        def __init__(self, value: int) -> None:
            self.value = value

        def __eq__(self, other: object) -> Any:
            return np.array([isinstance(other, Precise) and self.value == other.value])

        def __hash__(self) -> int:
            return self.value

    assert not is_array(Precise(1))
    assert tree_equal(Precise(1), Precise(1)) is True
    assert tree_equal(Precise(1), Precise(2)) is False
