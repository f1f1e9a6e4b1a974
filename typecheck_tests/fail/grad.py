"""Mistakes with gradients: in the loss, in the choice of what is differentiated, in calling, in using the result."""

import functools as ft
from collections.abc import Callable

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array

    @ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
    def by_partial(self, x: Array) -> Array:
        return x

    @eqx.gradf(filter_fn=eqx.is_inexact_array, argnums=1)
    def of_second(self, x: Array) -> Array:
        return x

    @eqx.filter_grad
    def bare(self, x: Array) -> Array:
        return x


def loss(model: Model, x: Array, scale: float = 1.0) -> Array:
    return x


def loss_with_aux(model: Model, x: Array) -> tuple[Array, str]:
    return x, ""


def no_loss(model: Model) -> str:
    return ""


@ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)
def by_partial(model: Model, x: Array, scale: float = 1.0) -> Array:
    return x


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
@ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array, has_aux=True)
def step(model: Model, x: Array) -> tuple[Array, str]:
    return x, ""


def calls(model: Model, x: Array) -> None:
    by_partial(model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    by_partial(x, x)  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    by_partial(model)  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    by_partial(model, x, scael=1.0)  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    step(model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    eqx.gradf(loss, filter_fn=eqx.is_inexact_array)(model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.gradf(loss, filter_fn=eqx.is_inexact_array)(model)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.gradf(loss, filter_tree=True, argnums=1)(model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.gradf(filter_fn=eqx.is_inexact_array)(loss)(model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.value_and_grad_f(loss, filter_fn=eqx.is_inexact_array)(x, x)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_grad(loss)(model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_grad(loss)(model, x, scael=1.0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_value_and_grad(loss)(model, x, "text")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.by_partial("text")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    model.by_partial(model, x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    model.of_second("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.bare("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    Model.bare(x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]
    # At run time too: what is differentiated is passed by position.
    eqx.filter_grad(loss)(model=model, x=x)  # error  # gap: all(keyword)
    by_partial(model=model, x=x)  # error  # gap: all(keyword)


def results(model: Model, x: Array) -> None:
    by_partial(model, x).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]  # gap: zuban(partial)
    eqx.filter_grad(loss)(model, x).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _gradient: Array = by_partial(model, x)  # error: mypy[assignment] pyright[reportAssignmentType]  # gap: ty(expected-result) zuban(partial)
    _of_second: Model = eqx.gradf(loss, filter_tree=True, argnums=1)(model, x)  # error: mypy[assignment] pyright[reportAssignmentType]  # gap: pyrefly(widened-literal)
    _aux: int = step(model, x)[0][1]  # error: mypy[assignment] pyright[reportAssignmentType]  # gap: zuban(partial)
    model.bare(x).wieght  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    _function: Callable[[Model, Array], Array] = eqx.filter_grad(loss)  # error: mypy[assignment] pyright[reportAssignmentType]  # gap: pyrefly(expected-result) ty(expected-result)


def losses(model: Model, x: Array) -> None:
    eqx.gradf(no_loss, filter_fn=eqx.is_inexact_array)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.gradf(filter_fn=eqx.is_inexact_array)(no_loss)  # error: mypy[type-var] pyright[reportArgumentType]
    ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array)(no_loss)  # error: mypy[type-var] pyright[reportArgumentType]  # gap: zuban(partial)
    eqx.value_and_grad_f(no_loss, filter_fn=eqx.is_inexact_array)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.filter_grad(no_loss)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_value_and_grad(no_loss)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.filter_grad(3)  # error: mypy[call-overload] pyright[reportArgumentType]


def with_and_without_aux(model: Model, x: Array) -> None:
    eqx.gradf(loss_with_aux, filter_fn=eqx.is_inexact_array)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType]
    eqx.gradf(loss, filter_fn=eqx.is_inexact_array, has_aux=True)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType, reportCallIssue]  # gap: pyrefly(widened-literal)
    eqx.gradf(loss, filter_fn=eqx.is_inexact_array, argnums=1, has_aux=True)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType, reportCallIssue]  # gap: pyrefly(widened-literal)
    eqx.gradf(filter_fn=eqx.is_inexact_array, argnums=1, has_aux=True)(loss)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType]  # gap: pyrefly(widened-literal)
    eqx.value_and_grad_f(loss_with_aux, filter_fn=eqx.is_inexact_array, argnums=(0, 1))(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType, reportCallIssue]  # gap: pyrefly(widened-literal)
    eqx.value_and_grad_f(filter_fn=eqx.is_inexact_array, argnums=(0, 1))(loss_with_aux)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType]  # gap: pyrefly(widened-literal)
    eqx.gradf(filter_fn=eqx.is_inexact_array)(loss_with_aux)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType]
    ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array, has_aux=True)(loss)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType]  # gap: pyrefly(widened-literal) zuban(partial)
    eqx.value_and_grad_f(loss_with_aux, filter_fn=eqx.is_inexact_array)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType]
    eqx.value_and_grad_f(loss, filter_fn=eqx.is_inexact_array, has_aux=True)(model, x)  # error: mypy[call-overload, misc] pyright[reportArgumentType, reportCallIssue]  # gap: pyrefly(widened-literal)
    eqx.filter_grad(loss_with_aux)(model, x)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_grad(loss, has_aux=True)(model, x)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_value_and_grad(loss_with_aux)(model, x)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.filter_value_and_grad(loss, has_aux=True)(model, x)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]


def precisely_one_filter(model: Model, x: Array) -> None:
    eqx.gradf(loss)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.gradf(loss, filter_fn=eqx.is_array, filter_tree=True)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.value_and_grad_f(loss)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.value_and_grad_f(loss, filter_fn=eqx.is_array, filter_tree=True)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.gradf()(loss)  # error  # gap: all(one-filter) pyright(one-filter-without-function) ty(one-filter-without-function)
    eqx.gradf(filter_fn=eqx.is_array, filter_tree=True)(loss)  # error  # gap: all(one-filter) pyright(one-filter-without-function) ty(one-filter-without-function)


def options(model: Model, x: Array) -> None:
    eqx.gradf(loss, filter_fn=lambda: True)  # error: mypy[arg-type, misc] pyright[reportArgumentType]
    eqx.gradf(loss, filter_fn=eqx.is_array, argnums="x")  # error: mypy[type-var] pyright[reportArgumentType, reportCallIssue]
    eqx.gradf(loss, filter_fn=eqx.is_array, holomrphic=True)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.gradf(no_loss, filter_tree=True, argnums=1)  # error: mypy[type-var] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_grad(loss, argnums=1)  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.filter_grad(loss, filter_fn=eqx.is_array)  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.filter_value_and_grad(loss, allow_int="no")  # error: mypy[call-overload] pyright[reportArgumentType]


def not_known_before(model: Model, x: Array, has_aux: bool) -> None:
    eqx.gradf(loss, filter_tree=True, has_aux=has_aux)(model, x)  # gap: pyright(dynamic-has-aux) ty(dynamic-has-aux)
    eqx.filter_grad(loss, has_aux=has_aux)(model, x)  # gap: all(dynamic-has-aux)
