"""What is mapped, sharded or traced ahead of time has the types of the function."""

import functools as ft
from collections.abc import Callable
from typing import Any, assert_type

import jax
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.sharding import Sharding

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    def __init__(self, key: Array) -> None:
        self.weight = key

    def __call__(self, x: Array) -> Array:
        return self.weight * x

    @eqx.filter_vmap
    def mapped(self, x: Array, times: int = 2) -> tuple[Array, str]:
        return times * x, ""

    @eqx.filter_vmap(in_axes=(None, 0))
    def shared(self, x: Array) -> Array:
        return x

    @eqx.filter_pmap(axis_name="i")
    def on_devices(self, x: Array) -> Array:
        return x

    @eqx.filter_shard_map(in_specs=None, out_specs=None)
    def sharded(self, x: Array) -> Array:
        return x

    @eqx.filter_make_jaxpr
    def program(self, x: Array) -> Array:
        return x


def plain(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


@ft.partial(eqx.filter_vmap, in_axes={"x": 1}, out_axes=eqx.if_array(1))
def by_partial(x: Array, times: int = 2) -> tuple[Array, str]:
    return times * x, ""


@ft.partial(eqx.filter_pmap, donate="all", devices=jax.devices())
def on_devices(x: Array, times: int = 2) -> tuple[Array, str]:
    return times * x, ""


@ft.partial(eqx.filter_shard_map, in_specs=None, out_specs=None)
def sharded(x: Array, times: int = 2) -> tuple[Array, str]:
    return times * x, ""


def functions(model: Model, x: Array) -> None:
    for function in (by_partial, on_devices, sharded):
        assert_type(function(x), tuple[Array, str])  # gap: zuban(partial)
        assert_type(function(x, 3), tuple[Array, str])  # gap: zuban(partial)
    assert_type(eqx.filter_vmap(plain)(x), tuple[Array, str])
    assert_type(eqx.filter_vmap(plain, in_axes=(0, None), axis_size=3, spmd_axis_name="i")(x), tuple[Array, str])
    assert_type(eqx.filter_vmap(in_axes=eqx.if_array(0))(plain)(x), tuple[Array, str])
    assert_type(eqx.filter_vmap(lambda: str(x))(), str)
    assert_type(eqx.filter_vmap(Model)(x), Model)
    assert_type(eqx.filter_vmap(model)(x), Array)
    assert_type(eqx.filter_vmap(eqx.filter_jit(plain))(x), tuple[Array, str])
    assert_type(eqx.filter_jit(eqx.filter_vmap(plain))(x), tuple[Array, str])
    assert_type(eqx.filter_pmap(plain, in_axes=0, out_axes=None)(x), tuple[Array, str])
    assert_type(eqx.filter_pmap(donate="warn", backend="cpu")(plain)(x), tuple[Array, str])
    assert_type(eqx.filter_shard_map(plain, in_specs=None, out_specs=None, check_vma=False)(x), tuple[Array, str])
    assert_type(eqx.filter_shard_map(in_specs=None, out_specs=None, axis_names={"i"})(plain)(x), tuple[Array, str])
    assert_type(eqx.filter_jit(plain, in_shardings=None, out_shardings=None)(x), tuple[Array, str])
    assert_type(eqx.if_array(0)(x), int | None)
    assert_type(eqx.if_array(0).axis, int)


def methods(model: Model, x: Array) -> None:
    assert_type(model.mapped(x), tuple[Array, str])
    assert_type(model.mapped(x, 3), tuple[Array, str])
    assert_type(Model.mapped(model, x), tuple[Array, str])
    assert_type(model.shared(x), Array)
    assert_type(model.on_devices(x), Array)
    assert_type(model.sharded(x), Array)
    assert_type(model.program(x), tuple[ClosedJaxpr, Any, Any])


def ahead_of_time(model: Model, x: Array, struct: jax.ShapeDtypeStruct) -> None:
    assert_type(eqx.filter_eval_shape(plain, struct, times=3), tuple[Array, str])
    assert_type(eqx.filter_eval_shape(Model, key=struct), Model)
    assert_type(eqx.filter_eval_shape(model, struct), Array)
    assert_type(eqx.filter_make_jaxpr(plain)(struct), tuple[ClosedJaxpr, Any, Any])
    converted = eqx.filter_closure_convert(plain, struct, times=3)
    assert_type(converted(x, times=3, name="a"), tuple[Array, str])
    assert_type(converted.jaxpr, Jaxpr)
    assert_type(converted.consts, list[Any])
    assert_type(converted.in_struct, tuple[Any, Any])
    assert_type(converted.out_struct, Any)
    function: Callable[[Array, int], tuple[Array, str]] = converted
    del function


def values(model: Model, x: Array, sharding: Sharding) -> None:
    assert_type(eqx.filter_shard(model, sharding), Model)
    assert_type(eqx.filter_shard((x, 1.0 * len(x)), jax.devices()[0]), tuple[Array, float])
    assert_type(eqx.filter_pure_callback(plain, x, result_shape_dtypes=(x, "")), Any)
