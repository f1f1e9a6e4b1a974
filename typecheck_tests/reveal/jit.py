"""What is compiled has the type of the function: its parameters, overloads, type variables, binding."""

import functools as ft
from collections.abc import Callable
from typing import TypeVar, assert_type, overload

from jax import Array

import equinox as eqx

_T = TypeVar("_T")


def plain(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


def identity(x: _T) -> _T:
    return x


@ft.partial(eqx.jitf, filter_fn=eqx.is_array)
def by_partial(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


@ft.partial(eqx.jitf, filter_tree=True, static_argnums=1, donate_argnums=(0,))
def by_partial_with_options(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


@eqx.jitf(filter_fn=eqx.is_array, static_argnames="times", keep_unused=True)
def by_factory(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


@eqx.filter_jit
def bare(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


@ft.partial(eqx.filter_jit, donate="all")
def bare_by_partial(x: Array, times: int = 2, *, name: str = "") -> tuple[Array, str]:
    return times * x, name


@overload
def overloaded(x: int) -> int: ...
@overload
def overloaded(x: str) -> str: ...
@eqx.filter_jit
def overloaded(x: int | str) -> int | str:
    return x


class Model(eqx.Module):
    weight: Array

    @ft.partial(eqx.jitf, filter_fn=eqx.is_array)
    def by_partial(self, x: Array, times: int = 1) -> Array:
        return self.weight

    @eqx.filter_jit
    def bare(self, x: Array, times: int = 1) -> Array:
        return self.weight

    @eqx.filter_jit
    def __call__(self, x: Array) -> Array:
        return self.weight

    @classmethod
    @eqx.filter_jit
    def make(cls, x: Array) -> "Model":
        return cls(x)

    @staticmethod
    @eqx.filter_jit(donate="none")
    def static(x: Array) -> Array:
        return x


def functions(x: Array) -> None:
    for function in (by_partial, by_partial_with_options, by_factory, bare, bare_by_partial):
        assert_type(function(x), tuple[Array, str])  # gap: zuban(partial)
        assert_type(function(x, times=3, name="a"), tuple[Array, str])  # gap: zuban(partial)
    assert_type(by_partial(x, 3), tuple[Array, str])  # gap: zuban(partial)
    assert_type(by_partial_with_options(x, 3), tuple[Array, str])  # gap: zuban(partial)
    assert_type(bare_by_partial(x, 3), tuple[Array, str])  # gap: zuban(partial)
    assert_type(eqx.jitf(plain, filter_fn=eqx.is_array)(x, name="a"), tuple[Array, str])
    assert_type(eqx.jitf(plain, filter_tree=True, compiler_options={})(x), tuple[Array, str])
    assert_type(eqx.jitf(filter_tree=True)(plain)(x), tuple[Array, str])
    assert_type(eqx.filter_jit(plain, inline=True, keep_unused=True, backend="cpu")(x), tuple[Array, str])
    assert_type(eqx.filter_jit(donate="warn-except-first")(plain)(x), tuple[Array, str])


def nothing_is_lost(x: Array, text: str) -> None:
    assert_type(eqx.filter_jit(identity)(x), Array)
    assert_type(eqx.filter_jit(identity)(text), str)
    assert_type(eqx.jitf(identity, filter_fn=eqx.is_array)((x, x)), tuple[Array, Array])
    assert_type(overloaded(1), int)
    assert_type(overloaded("text"), str)
    assert_type(eqx.filter_jit(eqx.filter_jit(plain))(x), tuple[Array, str])
    assert_type(eqx.filter_jit(lambda: str(x))(), str)
    function: Callable[[Array, int], tuple[Array, str]] = by_factory
    del function


def methods(model: Model, x: Array) -> None:
    assert_type(model.by_partial(x, times=2), Array)  # gap: zuban(partial)
    assert_type(Model.by_partial(model, x), Array)  # gap: zuban(partial)
    assert_type(model.bare(x, 2), Array)
    assert_type(Model.bare(model, x, times=2), Array)
    assert_type(model(x), Array)
    assert_type(Model.make(x), Model)
    assert_type(Model.static(x), Array)
    assert_type(eqx.filter_jit(model), Model)
    assert_type(eqx.filter_jit(model)(x), Array)
    assert_type(eqx.filter_jit(model.bare)(x), Array)
    function: Callable[[Array], Array] = model
    method: Callable[[Array, int], Array] = model.bare
    del function, method
