import gc
import types
import weakref

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

import equinox as eqx
from tests.untyped import untyped


class Adder:
    """Makes functions that count how often they are traced."""

    def __init__(self):
        self.traces = 0

    def step(self, carry, x):
        self.traces += 1
        return carry + x, carry

    def body(self, carry):
        self.traces += 1
        return carry + 1

    def numbered(self, i, carry):
        self.traces += 1
        return carry + i


def is_small(carry):
    return carry < 5


LOOPS = {
    "filter_scan": lambda adder, x: eqx.filter_scan(adder.step, x, jnp.arange(3)),
    "filter_while_loop": lambda adder, x: eqx.filter_while_loop(is_small, adder.body, x),
    "filter_fori_loop": lambda adder, x: eqx.filter_fori_loop(0, 3, adder.numbered, x),
    "filter_cond": lambda adder, x: eqx.filter_cond(x > 1, adder.body, jnp.negative, x),
    "filter_switch": lambda adder, x: eqx.filter_switch(x, [jnp.negative, adder.body], x),
    "filter_checkpoint": lambda adder, x: eqx.filter_checkpoint(adder.body)(x),
    "filter_shard_map": lambda adder, x: on_one_device(adder.body)(x),
}


def on_one_device(function):
    mesh = jax.make_mesh((1,), ("device",), axis_types=(jax.sharding.AxisType.Auto,))
    return eqx.filter_shard_map(function, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec())


@pytest.mark.parametrize("name", LOOPS)
def test_the_same_functions_are_traced_once_for_many_calls(name):
    adder = Adder()
    expected = LOOPS[name](adder, jnp.array(1))
    traces = adder.traces
    assert traces >= 1
    for _ in range(3):
        assert eqx.tree_equal(LOOPS[name](adder, jnp.array(1)), expected)
    assert adder.traces == traces


@pytest.mark.parametrize("name", LOOPS)
def test_in_a_compiled_function_and_without_compiling_the_results_are_the_same(name):
    expected = LOOPS[name](Adder(), jnp.array(1))
    assert eqx.tree_equal(jax.jit(lambda x: LOOPS[name](Adder(), x))(jnp.array(1)), expected)
    with jax.disable_jit():
        assert eqx.tree_equal(LOOPS[name](Adder(), jnp.array(1)), expected)


def test_values_of_an_outer_transformation_may_be_captured():
    def power(w):
        return eqx.filter_scan(lambda carry, x: (carry * w, None), jnp.array(1.0), None, 3)[0]

    with jax.checking_leaks():
        assert jax.grad(power)(2.0) == 12
        assert jax.vmap(power)(jnp.arange(3.0)).tolist() == [0, 1, 8]


def test_what_cannot_be_hashed_may_be_carried():
    unhashable = types.SimpleNamespace()
    (x, kept), _ = eqx.filter_scan(
        lambda carry, _: ((carry[0] + 1, carry[1]), None), (jnp.array(0), unhashable), None, 3
    )
    assert x == 3
    assert kept is unhashable


def test_what_a_function_captures_is_freed_with_it():
    array = jnp.ones(3)
    reference = weakref.ref(array)

    def step(carry, _, array=array):
        return carry + array.sum(), None

    assert eqx.filter_scan(step, jnp.array(0.0), None, 2)[0] == 6
    del step, array
    gc.collect()
    assert reference() is None


def test_a_callback_is_handed_to_jax_once_for_many_calls(monkeypatch):
    handed: list[object] = []
    pure_callback = jax.pure_callback

    def note(callback, *args, **kwargs):
        handed.append(callback)
        return pure_callback(callback, *args, **kwargs)

    monkeypatch.setattr(jax, "pure_callback", note)
    for i in range(3):
        y = eqx.filter_pure_callback(jax.device_get, jnp.array(i), result_shape_dtypes=jnp.array(0))
        assert y == i
    assert len(handed) == 1


@pytest.mark.parametrize("wrap", [lambda f: f, eqx.filter_jit])
def test_a_runtime_check_that_fails_is_reported_as_in_a_compiled_function(wrap, caplog):
    check = wrap(lambda x: eqx.error_if(x, x > 1, "too large"))
    x = jnp.array(2.0)
    for call in (
        lambda: eqx.filter_scan(lambda carry, x: (check(carry + x), None), x, jnp.arange(3.0)),
        lambda: eqx.filter_while_loop(lambda _: True, check, x),
        lambda: eqx.filter_cond(x > 1, check, jnp.negative, x),
        lambda: eqx.filter_checkpoint(check)(x),
        lambda: eqx.filter_grad(eqx.filter_checkpoint(check))(x),
        lambda: on_one_device(check)(x),
    ):
        with pytest.raises(eqx.EquinoxRuntimeError, match="too large") as info:
            call()
        assert info.value.__cause__ is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("filter_scan", lambda: untyped(eqx.filter_scan)(3, jnp.array(0), jnp.arange(3))),
        ("filter_while_loop", lambda: untyped(eqx.filter_while_loop)(True, jnp.negative, jnp.array(0))),
        ("filter_while_loop", lambda: untyped(eqx.filter_while_loop)(is_small, 3, jnp.array(0))),
        ("filter_fori_loop", lambda: untyped(eqx.filter_fori_loop)(0, 3, None, jnp.array(0))),
        ("filter_cond", lambda: untyped(eqx.filter_cond)(True, jnp.negative, 3, jnp.array(0))),
        ("filter_switch", lambda: untyped(eqx.filter_switch)(0, [jnp.negative, 3], jnp.array(0))),
    ],
)
def test_what_is_no_function_is_an_error_that_names_the_transformation(name, call):
    with pytest.raises(TypeError, match=f"`{name}` needs a callable"):
        call()


def test_a_switch_without_branches_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        eqx.filter_switch(0, [], jnp.array(0))
