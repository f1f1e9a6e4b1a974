"""The primitive behind runtime checks."""

import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import equinox as eqx
from equinox._runtime.check import check_p, meaningless
from tests.four_devices import Checks

check_on_devices = Checks(__file__)

DTYPES = [
    *(jnp.bool_, jnp.int8, jnp.int32, jnp.uint32, jnp.float16, jnp.bfloat16, jnp.float32, jnp.complex64),
    *(jnp.int4, jnp.float8_e4m3fn),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype_go_through_unchanged(dtype: Any) -> None:
    check = eqx.filter_jit(lambda x, pred: eqx.error_if(x, pred, "message"))
    x = jnp.array([0, 1]).astype(dtype)
    result = check(x, jnp.array(False))
    assert result.dtype == dtype
    assert (result == x).all()
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        check(x, jnp.array(True))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_meaningless_is_the_extreme_of_the_dtype(dtype: Any) -> None:
    x = meaningless(jnp.zeros(2, dtype))
    assert x.dtype == dtype
    if jnp.issubdtype(dtype, jnp.inexact):
        assert jnp.isnan(x).all()
    elif dtype == jnp.bool_:
        assert x.all()
    else:
        assert (np.asarray(x) == ml_dtypes.iinfo(dtype).max).all()


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_arrays_of_every_shape_go_through(shape: tuple[int, ...]) -> None:
    x = (jnp.zeros(shape), jnp.array(1.0))
    check = eqx.filter_jit(lambda x, pred: eqx.error_if(x, pred, "message"))
    assert eqx.tree_equal(check(x, jnp.array(False)), x)
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        check(x, jnp.array(True))


def test_it_is_a_single_equation_without_the_effects_that_keep_dead_code_alive() -> None:
    jaxpr = jax.make_jaxpr(jax.vmap(lambda x: eqx.error_if((x, x + 1), x > 1, "message")))(jnp.arange(3.0))
    assert [equation.primitive for equation in jaxpr.eqns].count(check_p) == 1
    assert not jaxpr.effects


def test_jaxprs_show_the_message_but_not_the_stack() -> None:
    text = str(eqx.aot(eqx.filter_jit(lambda x: eqx.error_if(x, x > 1, "the message"))).trace(jnp.array(1.0)).jaxpr)
    assert "the message" in text
    assert "test_check.py" not in text


@check_on_devices
def arrays_that_are_split_explicitly_go_through_unchanged() -> None:
    mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(AxisType.Explicit,) * 2)
    check = eqx.filter_jit(lambda x: eqx.error_if(x, jnp.any(x > 100), "message"))
    for spec in (P("a"), P(None, "b"), P("b", "a"), P(("a", "b"))):
        x = jax.device_put(jnp.ones((8, 4)), NamedSharding(mesh, spec))
        result = check(x)
        assert result.sharding.is_equivalent_to(x.sharding, 2)
        assert (np.asarray(result) == 1).all()
        with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
            eqx.error_if(x, jnp.any(x > 0), "message")


@check_on_devices
def the_parts_that_each_device_has_go_through_unchanged() -> None:
    mesh = jax.make_mesh((4,), ("a",), axis_types=(AxisType.Auto,))
    check = eqx.filter_shard_map(
        lambda x: eqx.error_if(x, x > 100, "message"), mesh=mesh, in_specs=(P("a"),), out_specs=P("a")
    )
    np.testing.assert_array_equal(eqx.filter_jit(check)(jnp.arange(8)), np.arange(8))


def split() -> jax.Array:
    return jax.device_put(jnp.arange(8.0), NamedSharding(one_axis(), P("a")))


def one_axis() -> jax.sharding.Mesh:
    return jax.make_mesh((4,), ("a",), axis_types=(AxisType.Auto,))


def limit(x: Any) -> Any:
    return 2 * eqx.error_if(x, x.sum() > 30, "too large")


@check_on_devices
def a_failure_in_a_program_that_the_compiler_splits_is_an_error_and_the_next_call_works() -> None:
    def in_a_loop(x: Any) -> Any:
        return jax.lax.scan(lambda x, _: (limit(x) / 2, None), x, None, length=3)[0]

    def of_a_batch(x: Any) -> Any:
        return jax.vmap(lambda x: eqx.error_if(x, x > 16, "too large"))(x)

    functions = [eqx.filter_jit(function) for function in (limit, in_a_loop, of_a_batch)]
    compiled: Any = eqx.aot(functions[0]).lower(split()).compile()
    for function in (*functions, compiled):
        for _ in range(2):
            assert np.isfinite(np.asarray(function(split()))).all()
            with pytest.raises(eqx.EquinoxRuntimeError, match="too large") as info:
                function(split() + 10)
            assert ("in limit\n" if function is not functions[2] else "Batch index (7,) had error") in str(info.value)
            assert info.value.__cause__ is None


@check_on_devices
def a_failure_on_one_device_while_others_wait_for_it_is_an_error() -> None:
    def summed(x: Any) -> Any:
        x = eqx.error_if(x, x > 6, "too large")
        return x + jax.lax.psum(x.sum(), "a")

    mapped = jax.shard_map(summed, mesh=one_axis(), in_specs=P("a"), out_specs=P("a"))
    for function in (eqx.filter_jit(mapped), eqx.filter_pmap(summed, axis_name="a")):
        with pytest.raises(eqx.EquinoxRuntimeError, match="too large"):
            function(jnp.arange(4.0) * 3)
        assert function(jnp.arange(4.0)).tolist() == [6, 7, 8, 9]


@check_on_devices
def of_two_failures_the_first_is_reported() -> None:
    @eqx.filter_jit
    def twice(x: Any) -> Any:
        x = eqx.error_if(x, x.sum() > 3, "first")
        return eqx.error_if(x, ~(x.sum() < 3), "second")

    with pytest.raises(eqx.EquinoxRuntimeError, match=r"\nfirst\n"):
        twice(split())


@check_on_devices
def a_failure_is_not_told_to_those_who_wait_for_other_programs() -> None:
    def from_the_host(x: Any) -> Any:
        with pytest.raises(eqx.EquinoxRuntimeError, match="too large"):
            eqx.filter_jit(limit)(split() + 10)
        return x

    @eqx.filter_jit
    def waits(x: Any) -> Any:
        x = eqx.error_if(x, x < 0, "negative")
        return jax.pure_callback(from_the_host, x, x)

    assert waits(jnp.array(1.0)) == 1


@check_on_devices
def without_filter_jit_it_is_logged_and_the_program_goes_on_with_nans() -> None:
    records: list[logging.LogRecord] = []
    keep: Callable[[logging.LogRecord], Any] = records.append
    check = jax.jit(lambda x: eqx.error_if(x, x.sum() > 30, "too large"))
    logging.getLogger("equinox").addFilter(keep)
    numbers, integers = jax.block_until_ready((check(split() + 10), check(split().astype(int) + 10)))
    logging.getLogger("equinox").removeFilter(keep)
    assert np.isnan(np.asarray(numbers)).all()
    assert (np.asarray(integers) == np.iinfo(np.int32).max).all()
    for record in records:
        assert record.levelno == logging.ERROR
        assert "too large" in record.getMessage()
        assert "equinox.filter_jit" in record.getMessage()
    assert len(records) == 2


@check_on_devices
def without_filter_jit_a_failure_on_one_device_is_an_error_of_jax() -> None:
    check = lambda x: eqx.error_if(x, x > 6, "too large")  # noqa: E731
    mapped = jax.shard_map(check, mesh=one_axis(), in_specs=P("a"), out_specs=P("a"))
    with pytest.raises((RuntimeError, ValueError), match="too large"):
        jax.block_until_ready(jax.jit(mapped)(split()))


@pytest.mark.parametrize("name", check_on_devices.names)
def test_on_four_devices(name: str) -> None:
    check_on_devices.assert_passed(name)


if __name__ == "__main__":
    check_on_devices.main()
