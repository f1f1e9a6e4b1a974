import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import Tracer

import equinox as eqx
from equinox.check import UsageError
from equinox.check._abstract import FailedError, call_abstractly

STRUCT = jax.ShapeDtypeStruct((3,), jnp.float32)


def test_arrays_are_abstract_whether_they_are_given_as_arrays_or_as_structs():
    def function(*arrays):
        assert all(isinstance(array, Tracer) for array in arrays)
        return sum(arrays)

    names = ("a", "b", "c")
    assert call_abstractly("call", names, function, jnp.ones(3), np.ones(3, np.float32), STRUCT) == STRUCT


def test_all_other_leaves_go_in_and_come_out_as_the_objects_they_are():
    strings, unhashable = np.array(["a", "b"]), {1, 2}
    given = {"unhashable": unhashable, "function": jnp.tanh, "number": 1.5, "strings": strings, "array": STRUCT}
    found = call_abstractly("call", ("",), lambda tree: tree, given)
    assert found["unhashable"] is unhashable
    assert found["function"] is jnp.tanh
    assert found["number"] == 1.5
    assert found["strings"] is strings
    assert found["array"] == STRUCT


def test_weak_types_and_keys_survive():
    weak, key = call_abstractly("call", (), lambda: (jnp.asarray(1.0), jax.random.key(0)))
    assert weak.weak_type
    assert call_abstractly("call", ("x",), lambda x: x + jnp.ones(3, jnp.bfloat16), weak).dtype == jnp.bfloat16
    assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)


def test_models_come_out_as_models_of_structs():
    linear = call_abstractly("build", (), lambda: eqx.nn.Linear(3, 2, key=jax.random.key(0)))
    assert linear.weight == jax.ShapeDtypeStruct((2, 3), jnp.float32)
    assert call_abstractly("call", ("", "x"), lambda model, x: model(x), linear, STRUCT).shape == (2,)


def fail():
    raise KeyError("reason")


def leave():
    raise SystemExit(0)


@pytest.mark.parametrize(("function", "error"), [(fail, "KeyError"), (leave, "SystemExit")])
def test_what_the_function_raises_becomes_a_failure(function, error):
    with pytest.raises(FailedError) as caught:
        call_abstractly("build", (), function)
    assert (caught.value.failure.phase, caught.value.failure.error) == ("build", error)


def test_an_error_of_usage_stays_one():
    def function():
        raise UsageError("message")

    with pytest.raises(UsageError, match="message"):
        call_abstractly("arguments", (), function)
