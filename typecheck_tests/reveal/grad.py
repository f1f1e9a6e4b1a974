"""A gradient has the type of the argument that is differentiated; the function's parameters stay as they are."""

import functools as ft
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, assert_type

import jax
from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    def loss(self, x: Array) -> Array:
        return x

    @ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
    def by_partial(self, x: Array, scale: float = 1.0) -> Array:
        return x

    @eqx.gradf(filter_fn=eqx.is_inexact_array)
    def by_factory(self, x: Array, scale: float = 1.0) -> Array:
        return x

    @eqx.gradf(filter_fn=eqx.is_inexact_array, argnums=1)
    def of_second(self, x: tuple[Array, str], scale: float = 1.0) -> Array:
        return x[0]

    @eqx.filter_grad
    def bare(self, x: Array, scale: float = 1.0) -> Array:
        return x

    @ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array, has_aux=True)
    def with_aux(self, x: Array) -> tuple[Array, str]:
        return x, ""

    @eqx.filter_value_and_grad(has_aux=True)
    def with_value_and_aux(self, x: Array) -> tuple[Array, str]:
        return x, ""


def loss(model: Model, x: Array, y: list[Array], *, name: str = "") -> Array:
    return x


def loss_with_aux(model: Model, x: Array, y: list[Array]) -> tuple[Array, dict[str, int]]:
    return x, {}


Aux: TypeAlias = dict[str, int]
ValueAuxAndGradient: TypeAlias = tuple[tuple[Array, Aux], Model]


def loss_as_float(model: Model) -> float:
    return 1.0


@ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
def by_partial(model: Model, x: Array, *, name: str = "") -> Array:
    return x


@ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array, argnums=(0, 1), has_aux=True)
def by_partial_with_options(model: Model, x: Array) -> tuple[Array, str]:
    return x, ""


@ft.partial(eqx.value_and_grad_f, filter_tree=True, argnums=1)
def value_by_partial(model: Model, x: list[Array]) -> Array:
    return x[0]


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
@ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array, has_aux=True)
def compiled_by_partial(model: Model, x: Array) -> tuple[Array, str]:
    return x, ""


def gradients(model: Model, x: Array, y: list[Array]) -> None:
    assert_type(eqx.gradf(loss, filter_fn=eqx.is_inexact_array)(model, x, y), Model)
    assert_type(eqx.gradf(loss, filter_tree=True, holomorphic=True, allow_int=True)(model, x, y=y, name="a"), Model)
    assert_type(eqx.gradf(filter_fn=eqx.is_inexact_array)(loss)(model, x, y), Model)
    assert_type(eqx.gradf(loss_with_aux, filter_tree=True, has_aux=True)(model, x, y), tuple[Model, dict[str, int]])
    assert_type(eqx.gradf(filter_tree=True, has_aux=True)(loss_with_aux)(model, x, y), tuple[Model, dict[str, int]])
    assert_type(by_partial(model, x, name="a"), Model)  # gap: zuban(partial)
    assert_type(by_partial_with_options(model, x), tuple[tuple[Model, Array], str])  # gap: pyrefly(widened-literal) zuban(partial)
    assert_type(eqx.filter_grad(loss)(model, x, y, name="a"), Model)
    assert_type(eqx.filter_grad(loss_with_aux, has_aux=True)(model, x, y), tuple[Model, dict[str, int]])
    assert_type(eqx.filter_grad(has_aux=True)(loss_with_aux)(model, x, y), tuple[Model, dict[str, int]])
    assert_type(eqx.filter_grad(holomorphic=True)(loss_as_float)(model), Model)


def values_and_gradients(model: Model, x: Array, y: list[Array]) -> None:
    assert_type(eqx.value_and_grad_f(loss, filter_fn=eqx.is_inexact_array)(model, x, y), tuple[Array, Model])
    assert_type(eqx.value_and_grad_f(filter_tree=True)(loss_as_float)(model), tuple[float, Model])
    assert_type(eqx.value_and_grad_f(loss_with_aux, filter_tree=True, has_aux=True)(model, x, y), ValueAuxAndGradient)
    assert_type(eqx.filter_value_and_grad(loss)(model, x, y), tuple[Array, Model])
    assert_type(eqx.filter_value_and_grad(loss_with_aux, has_aux=True)(model, x, y), ValueAuxAndGradient)
    assert_type(eqx.filter_value_and_grad(has_aux=True)(loss_with_aux)(model, x, y), ValueAuxAndGradient)
    assert_type(value_by_partial(model, y), tuple[Array, list[Array]])  # gap: pyrefly(widened-literal) zuban(partial)
    assert_type(compiled_by_partial(model, x), tuple[tuple[Array, str], Model])  # gap: zuban(partial)


def arguments(model: Model, x: Array, y: list[Array]) -> None:
    gradf = ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
    assert_type(gradf(loss)(model, x, y), Model)  # gap: zuban(partial)
    assert_type(eqx.gradf(loss, filter_tree=True, argnums=0)(model, x, y), Model)  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(loss, filter_tree=True, argnums=1)(model, x, y), Array)  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(loss, filter_tree=True, argnums=2)(model, x, y, name="a"), list[Array])  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(loss, filter_tree=(True,), argnums=(0,))(model, x, y), tuple[Model])  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(loss, filter_tree=(True, True), argnums=(0, 1))(model, x, y), tuple[Model, Array])  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(filter_tree=True, argnums=1)(loss)(model, x, y), Array)  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(filter_tree=True, argnums=(0, 1))(loss)(model, x, y), tuple[Model, Array])  # gap: pyrefly(widened-literal)
    assert_type(eqx.gradf(loss_with_aux, filter_tree=True, argnums=1, has_aux=True)(model, x, y), tuple[Array, Aux])  # gap: pyrefly(widened-literal)
    value_and_grad_f = ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array, has_aux=True)
    assert_type(value_and_grad_f(loss_with_aux, argnums=1)(model, x, y), tuple[tuple[Array, Aux], Array])  # gap: pyrefly(partial-argument) zuban(partial)
    assert_type(eqx.value_and_grad_f(loss, filter_tree=True, argnums=(0,))(model, x, y), tuple[Array, tuple[Model]])  # gap: pyrefly(widened-literal)


def methods(model: Model, x: Array) -> None:
    assert_type(model.by_partial(x, scale=2.0), Model)  # gap: zuban(partial)
    assert_type(model.by_factory(x), Model)
    assert_type(Model.by_factory(model, x), Model)
    assert_type(model.of_second((x, "")), tuple[Array, str])  # gap: pyrefly(widened-literal)
    assert_type(model.bare(x, 2.0), Model)
    assert_type(Model.bare(model, x), Model)
    assert_type(model.with_aux(x), tuple[tuple[Array, str], Model])  # gap: zuban(partial)
    assert_type(model.with_value_and_aux(x), tuple[tuple[Array, str], Model])
    assert_type(eqx.filter_grad(model.loss)(x), Array)


def composition(model: Model, x: Array, y: list[Array]) -> None:
    gradient = eqx.filter_grad(loss)
    assert_type(eqx.filter_jit(gradient)(model, x, y), Model)
    assert_type(eqx.jitf(gradient, filter_fn=eqx.is_array)(model, x, y), Model)
    assert_type(eqx.filter_grad(eqx.filter_jit(loss))(model, x, y), Model)
    assert_type(jax.vmap(gradient)(model, x, y), Model)  # gap: zuban(partial)
    function: Callable[[Model, Array, list[Array]], Model] = gradient
    of_second: Callable[[Model, Array, list[Array]], Array] = eqx.gradf(loss, filter_tree=True, argnums=1)
    del function, of_second


_Model = TypeVar("_Model")


def in_a_generic_function(model: _Model, loss: Callable[[_Model, Array], Array], x: Array) -> None:
    assert_type(eqx.filter_grad(loss)(model, x), _Model)
    assert_type(eqx.filter_value_and_grad(loss)(model, x), tuple[Array, _Model])
    assert_type(eqx.gradf(loss, filter_fn=eqx.is_inexact_array)(model, x), _Model)


def generic_loss(model: _Model, x: Array) -> tuple[Array, _Model]:
    return x, model


def of_a_generic_function(model: Model, x: Array) -> None:
    gradient = eqx.filter_grad(generic_loss, has_aux=True)  # gap: zuban(generic-loss)
    assert_type(gradient(model, x)[0], Model)  # gap: mypy(generic-loss) pyrefly(generic-loss) ty(generic-loss) zuban(generic-loss)


def of_a_lambda(x: Array) -> None:
    assert_type(eqx.filter_grad(lambda x: x**2)(x), Array)  # gap: all(lambda)


def of_an_unknown_argument(model: Model, x: Array, y: list[Array], argnums: int) -> None:
    function = eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=argnums)
    assert_type(function(model, x, y, name="a"), Any)
    assert_type(eqx.gradf(loss, filter_tree=True, argnums=[0, 1])(model, x, y), Any)
