"""What libraries build on: guards and helpers return what they are given; functions keep their types."""

from collections.abc import Callable
from typing import Any, assert_type

import jax
from jax import Array
from jax.extend.core import ClosedJaxpr

import equinox as eqx
from equinox import internal


class Model(eqx.Module):
    weight: Array

    def __call__(self, x: Array) -> Array:
        return self.weight * x


def guarding(model: Model, x: Array, pair: tuple[Array, str]) -> None:
    assert_type(internal.nondifferentiable(model, name="model"), Model)
    assert_type(internal.nondifferentiable_backward(pair, symbolic=False), tuple[Array, str])
    assert_type(internal.nonbatchable(x, allow_constant_across_batch=True), Array)
    assert_type(internal.nontraceable(model, name="this"), Model)
    assert_type(internal.assert_dce(pair, "it is used"), tuple[Array, str])


def reducing(x: Array) -> None:
    assert_type(internal.unvmap_all(x > 0), Array)
    assert_type(internal.unvmap_any(True), Array)
    assert_type(internal.unvmap_max(2.5), Array)


def double(x: Array) -> Array:
    return 2 * x


def computing(x: Array) -> None:
    assert_type(internal.nextafter(x), Array)
    assert_type(internal.prevbefore(1.0), Array)
    assert_type(internal.left_broadcast_to(x, (2, 3)), Array)
    assert_type(internal.GetKey(0)(), Array)
    assert_type(internal.scan_trick(double, [double], x), Array)


def loss(model: Model, x: Array, scale: float = 1.0) -> tuple[Array, str]:
    return scale * model(x), "name"


def evaluating(model: Model, x: Array) -> None:
    assert_type(internal.cached_filter_eval_shape(loss, model, x), tuple[Array, str])
    assert_type(internal.eval_zero(model, x), Array)
    assert_type(internal.eval_empty(lambda: model), Model)


@internal.noinline
def slow(model: Model, x: Array, scale: float = 1.0) -> tuple[Array, str]:
    return loss(model, x, scale)


def calling(model: Model, x: Array) -> None:
    assert_type(slow(model, x), tuple[Array, str])
    assert_type(slow(model, x, scale=2.0), tuple[Array, str])
    assert_type(internal.finalise_fn(loss)(model, x), tuple[Array, str])


def packing(model: Model, x: Array, pair: tuple[int, str]) -> None:
    assert_type(internal.Static(pair).value, tuple[int, str])
    assert_type(internal.Static(model).value, Model)
    assert_type(internal.closure_to_pytree(loss)(model, x, scale=2.0), tuple[Array, str])
    assert_type(internal.closure_to_pytree(model), Model)
    assert_type(internal.str2jax("text"), eqx.Module)


def programs(closed: ClosedJaxpr, x: Array) -> None:
    assert_type(internal.finalise_jaxpr(closed), ClosedJaxpr)
    assert_type(internal.finalise_jaxpr_as_fn(closed)(x), list[Any])
    assert_type(internal.finalise_eval_jaxpr(closed.jaxpr, closed.consts, x), list[Any])


def arithmetic(model: Model, tree: dict[str, Array]) -> None:
    omega = internal.ω(tree)
    assert_type((omega + 2 * omega - 1).ω, dict[str, Array])
    assert_type((1 - omega / 2).ω, dict[str, Array])
    assert_type((-omega).call(jax.numpy.sin).ω, dict[str, Array])
    assert_type(omega[0].at[1:].set(omega).ω, dict[str, Array])
    assert_type(abs(internal.ω(model)).ω, Model)
    assert_type((model**internal.ω).ω, Model)


def metering(meter: internal.AbstractProgressMeter[Array], x: Array) -> None:
    assert_type(meter.step(meter.init(), x), Array)
    assert_type(meter.step(meter.init(), 0.5), Array)
    text = internal.TextProgressMeter(minimum_increase=0.1)
    assert_type(text.step(text.init(), x), tuple[Array, Array])
    internal.TqdmProgressMeter(refresh_steps=10)


@internal.doc_remove_args("scale")
def documented(x: Array, scale: float = 1.0) -> Array:
    return scale * x


def documenting(x: Array, number: int) -> None:
    assert_type(documented(x, scale=2.0), Array)
    assert_type(internal.doc_repr(number, "three"), int)


@internal.filter_primitive_transpose(materialise_zeros=True)
def rule(inputs: tuple[Any, ...], cotangents: Any) -> Any:
    return cotangents


def primitives(x: Array) -> None:
    _rule: Callable[..., Any] = rule
    primitive = internal.create_vprim("name", rule, rule, rule, rule)
    assert_type(internal.filter_primitive_bind(primitive, x), Any)
    assert_type(internal.materialise_zeros(x, None), Any)
