"""The table of what each predicate says of each kind of object."""

from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from jax.core import Tracer

from equinox import is_array, is_array_like, is_inexact_array, is_inexact_array_like
from equinox._tree.predicates import is_differentiable_array, is_none
from tests.strategies import Pair, leaves


class Convertible:
    """An object that JAX converts to an array."""

    def __init__(self, array: jax.Array) -> None:
        self.array = array

    def __jax_array__(self) -> jax.Array:
        return self.array


class NotCallable:
    __jax_array__ = "not a method"


FLOAT0 = np.zeros(2, jax.dtypes.float0)
LITERAL = jax.make_jaxpr(lambda x: x * 2.0)(jnp.ones(2)).eqns[0].invars[1].val

# Each row: is_array, is_array_like, is_inexact_array, is_inexact_array_like, is_differentiable_array.
TABLE = {
    "float JAX array": (jnp.ones(2), "TTTTT"),
    "complex JAX array": (jnp.ones(2, complex), "TTTTT"),
    "bfloat16 JAX array": (jnp.ones(2, jnp.bfloat16), "TTTTT"),
    "float8 JAX array": (jnp.ones(2, jnp.float8_e4m3fn), "TTTTT"),
    "int JAX array": (jnp.arange(2), "TTFFF"),
    "int4 JAX array": (jnp.ones(2, jnp.int4), "TTFFF"),
    "bool JAX array": (jnp.array(True), "TTFFF"),
    "raw PRNG key": (jax.random.PRNGKey(0), "TTFFF"),
    "typed PRNG key": (jax.random.key(0), "TTFFF"),
    "float NumPy array": (np.ones(2), "TTFTT"),
    "complex NumPy array": (np.ones(2, complex), "TTFTT"),
    "float NumPy scalar": (np.float32(1), "TTFTT"),
    "float64 NumPy scalar, which is a Python float too": (np.float64(1), "TTFTT"),
    "bfloat16 NumPy array": (np.ones(2, ml_dtypes.bfloat16), "TTFTT"),
    "bfloat16 NumPy scalar": (ml_dtypes.bfloat16(1), "TTFTT"),
    "float8 NumPy array": (np.ones(2, ml_dtypes.float8_e4m3fn), "TTFTT"),
    "int4 NumPy array": (np.ones(2, ml_dtypes.int4), "TTFFF"),
    "int NumPy array": (np.arange(2), "TTFFF"),
    "int NumPy scalar": (np.int64(1), "TTFFF"),
    "bool NumPy array": (np.array(True), "TTFFF"),
    "string NumPy array": (np.array(["a"]), "TFFFF"),
    "object NumPy array": (np.array([None]), "TFFFF"),
    "structured NumPy array": (np.zeros(2, [("a", float)]), "TFFFF"),
    "datetime NumPy array": (np.array(["2021"], "datetime64[Y]"), "TFFFF"),
    "timedelta NumPy array": (np.array([1], "timedelta64[s]"), "TFFFF"),
    "float0 array": (FLOAT0, "TFFFF"),
    "constant in a jaxpr": (LITERAL, "TTFTT"),
    "float": (1.0, "FTFTF"),
    "complex": (1j, "FTFTF"),
    "int": (1, "FTFFF"),
    "bool": (True, "FTFFF"),
    "object that converts to a float array": (Convertible(jnp.ones(2)), "FTFTF"),
    "object that converts to an int array": (Convertible(jnp.arange(2)), "FTFFF"),
    "object whose hook is not callable": (NotCallable(), "FFFFF"),
    "class that defines the hook": (Convertible, "FFFFF"),
    "struct": (jax.ShapeDtypeStruct((2,), jnp.float32), "FFFFF"),
    "None": (None, "FFFFF"),
    "string": ("a", "FFFFF"),
    "list": ([1.0], "FFFFF"),
    "dict": ({"a": jnp.ones(2)}, "FFFFF"),
    "mapping": (MappingProxyType({}), "FFFFF"),
    "function": (jnp.tanh, "FFFFF"),
    "Module": (Pair(jnp.ones(2), 1.0), "FFFFF"),
    "ref": (jax.new_ref(jnp.ones(2)), "FFFFF"),
}

PREDICATES = (is_array, is_array_like, is_inexact_array, is_inexact_array_like, is_differentiable_array)


@pytest.mark.parametrize("column", range(5), ids=lambda column: PREDICATES[column].__name__)
@pytest.mark.parametrize("row", TABLE)
def test_each_predicate_gives_its_answer_for_each_kind_of_object(row: str, column: int) -> None:
    element, answers = TABLE[row]
    answer = PREDICATES[column](element)
    assert type(answer) is bool
    assert answer == (answers[column] == "T")


@pytest.mark.parametrize("transformation", [jax.jit, jax.vmap, jax.jacfwd, jax.jacrev, jax.checkpoint])
def test_a_tracer_is_like_the_array_it_stands_for(transformation: Any) -> None:
    seen: list[list[bool]] = []

    def function(x: jax.Array) -> jax.Array:
        assert isinstance(x, Tracer)
        seen.append([predicate(x) for predicate in PREDICATES])
        seen.append([predicate(x.astype(int)) for predicate in PREDICATES])
        return x

    transformation(function)(jnp.ones(2))
    assert seen[:2] == [[True, True, True, True, True], [True, True, False, False, False]]


def test_a_traced_key_is_an_array_but_not_an_inexact_one() -> None:
    answers: list[bool] = []
    jax.jit(lambda key: answers.extend(predicate(key) for predicate in PREDICATES))(jax.random.key(0))
    assert answers == [True, True, False, False, False]


def test_a_large_array_is_not_converted() -> None:
    class Watched(np.ndarray[Any, Any]):
        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("converted")

    array = np.ones(3).view(Watched)
    assert is_array(array)
    assert is_array_like(array)
    assert is_inexact_array_like(array)


@given(leaf=leaves())
def test_what_is_an_array_like_is_what_jax_converts(leaf: Any) -> None:
    try:
        jnp.asarray(leaf)
    except (TypeError, ValueError):
        converts = False
    else:
        converts = True
    # `asarray` also converts sequences of numbers, which are not leaves, and `range` among them.
    assert is_array_like(leaf) == (converts and not isinstance(leaf, range))


def test_is_none_is_true_of_none_alone() -> None:
    assert is_none(None)
    assert not any(map(is_none, (0, False, (), "", np.zeros(0))))
