"""Mistakes with functions that are compiled, and with the options of `jitf` and `filter_jit`."""

import functools as ft
from collections.abc import Callable

from jax import Array

import equinox as eqx


def plain(x: Array, times: int = 2, *, name: str = "") -> Array:
    return x


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
def by_partial(x: Array, times: int = 2, *, name: str = "") -> Array:
    return x


@eqx.jitf(filter_fn=eqx.is_array)
def by_factory(x: Array, times: int = 2, *, name: str = "") -> Array:
    return x


@eqx.filter_jit
def bare(x: Array, times: int = 2, *, name: str = "") -> Array:
    return x


class Model(eqx.Module):
    weight: Array

    @eqx.filter_jit
    def method(self, x: Array) -> Array:
        return x

    @ft.partial(eqx.jitf, filter_fn=eqx.is_array)
    def by_partial(self, x: Array) -> Array:
        return x

    @eqx.filter_jit
    def __call__(self, x: Array) -> Array:
        return x


def calls(model: Model, x: Array) -> None:
    by_partial("text")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    by_partial()  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    by_partial(x, "two")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    by_partial(x, 2, "name")  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    by_partial(x, nmae="a")  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    by_factory("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    by_factory(x, nmae="a")  # error: mypy[call-arg] pyright[reportCallIssue]
    bare("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    bare(x, nmae="a")  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.jitf(plain, filter_fn=eqx.is_array)("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_jit(plain)("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.method("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.method(model, x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]
    Model.method(x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]
    model.by_partial("text")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: zuban(partial)
    model("text")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_jit(model)("text")  # error: mypy[arg-type] pyright[reportArgumentType]


def results(x: Array) -> None:
    _of_partial: str = by_partial(x)  # error: mypy[assignment] pyright[reportAssignmentType]  # gap: zuban(partial)
    _of_factory: str = by_factory(x)  # error: mypy[assignment] pyright[reportAssignmentType]
    _of_bare: str = bare(x)  # error: mypy[assignment] pyright[reportAssignmentType]
    _function: Callable[[str], Array] = bare  # error: mypy[assignment] pyright[reportAssignmentType]


def precisely_one_filter(x: Array) -> None:
    eqx.jitf(plain)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.jitf(plain, filter_fn=eqx.is_array, filter_tree=True)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.jitf()  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    eqx.jitf(filter_fn=eqx.is_array, filter_tree=True)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)
    ft.partial(eqx.jitf)(plain)  # error: pyright[reportCallIssue]  # gap: mypy(one-filter) pyrefly(one-filter) zuban(one-filter)


def options(x: Array) -> None:
    eqx.jitf(plain, filter_fn=3)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.jitf(plain, filter_fn=lambda: True)  # error: mypy[arg-type, misc] pyright[reportArgumentType]
    eqx.jitf(plain, filter_fn=eqx.is_array, static_argnums="x")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.jitf(plain, filter_fn=eqx.is_array, keep_unusd=True)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.jitf(filter_fn=eqx.is_array, inline="yes")  # error: mypy[arg-type] pyright[reportArgumentType]
    ft.partial(eqx.jitf, filter_fn=eqx.is_array, keep_unusd=True)(plain)  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: zuban(partial)
    eqx.jitf(plain, eqx.is_array)  # error: mypy[call-arg] pyright[reportCallIssue]  # gap: pyrefly(starred-function)
    eqx.jitf(3, filter_fn=eqx.is_array)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.filter_jit(3)  # error: mypy[type-var] pyright[reportArgumentType]
    eqx.filter_jit(plain, donate="everything")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_jit(plain, static_argnums=1)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_jit(donate="some")  # error: mypy[arg-type] pyright[reportArgumentType]


def unknown_attributes(model: Model, x: Array) -> None:
    bare.lower(x)  # error: mypy[attr-defined] pyright[reportFunctionMemberAccess]
    model.method.lower(x)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
