"""The primitive behind runtime checks."""

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


@pytest.mark.parametrize("name", check_on_devices.names)
def test_on_four_devices(name: str) -> None:
    check_on_devices.assert_passed(name)


if __name__ == "__main__":
    check_on_devices.main()
