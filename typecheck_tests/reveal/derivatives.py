"""Derivatives, and functions with derivative rules of their own, keep what is known of the function."""

from collections.abc import Callable
from typing import Any, assert_type

import jax
from jax import Array

import equinox as eqx


def scale(x: Array, factor: float = 1.0, *, name: str = "") -> tuple[Array, str]:
    return factor * x, name


def single(x: Array, factor: float = 1.0) -> Array:
    return factor * x


def with_aux(x: Array, factor: float = 1.0) -> tuple[Array, dict[str, int]]:
    return factor * x, {}


class Model(eqx.Module):
    weight: Array

    @eqx.filter_checkpoint
    def forget(self, x: Array, times: int = 2) -> Array:
        return times * self.weight * x

    @eqx.filter_checkpoint(prevent_cse=False)
    def forget_by_factory(self, x: Array) -> Array:
        return self.weight * x

    @eqx.filter_jacfwd
    def jacobian(self, x: Array, times: int = 2) -> Array:
        return times * self.weight * x

    @eqx.filter_jacrev(has_aux=True)
    def jacobian_and_aux(self, x: Array) -> tuple[Array, str]:
        return self.weight * x, ""

    @eqx.filter_custom_jvp
    def ruled(self, x: Array, times: int = 2) -> Array:
        return times * self.weight * x

    @eqx.filter_custom_vjp
    def ruled_backwards(self, x: Array, times: int = 2) -> Array:
        return times * self.weight * x


def products(model: Model, x: Array) -> None:
    assert_type(eqx.filter_jvp(scale, (x, 2.0), (x, None), name="a"), tuple[tuple[Array, str], tuple[Array, str]])
    assert_type(eqx.filter_jvp(single, [x], [x]), tuple[Array, Array])
    assert_type(eqx.filter_jvp(model.forget, (x,), (x,)), tuple[Array, Array])

    out, vjp = eqx.filter_vjp(scale, x, 2.0)
    assert_type(out, tuple[Array, str])
    assert_type(vjp, Callable[[tuple[Array, str]], tuple[Any, ...]])
    assert_type(vjp(out), tuple[Any, ...])
    assert_type(
        eqx.filter_vjp(with_aux, x, has_aux=True),
        tuple[Array, Callable[[Array], tuple[Any, ...]], dict[str, int]],
    )


def jacobians(model: Model, x: Array) -> None:
    for derivative in (eqx.filter_jacfwd(single), eqx.filter_jacrev(single), eqx.filter_hessian(single)):
        assert_type(derivative(x, factor=2.0), Any)
    assert_type(eqx.filter_jacfwd(with_aux, has_aux=True)(x, factor=2.0), tuple[Any, dict[str, int]])
    assert_type(eqx.filter_jacrev(with_aux, True)(x), tuple[Any, dict[str, int]])
    assert_type(eqx.filter_hessian(with_aux, has_aux=True)(x), tuple[Any, dict[str, int]])
    assert_type(eqx.filter_hessian(has_aux=True)(with_aux)(x), tuple[Any, dict[str, int]])
    assert_type(eqx.filter_jacfwd()(single)(x, 2.0), Any)
    assert_type(model.jacobian(x, times=3), Any)
    assert_type(Model.jacobian(model, x, 3), Any)
    assert_type(model.jacobian_and_aux(x), tuple[Any, str])


def checkpoints(model: Model, x: Array) -> None:
    assert_type(eqx.filter_checkpoint(scale)(x, 2.0, name="a"), tuple[Array, str])
    assert_type(eqx.filter_checkpoint(model.forget)(x), Array)
    policy = jax.checkpoint_policies.everything_saveable
    assert_type(eqx.filter_checkpoint(policy=policy)(scale)(x, factor=2.0), tuple[Array, str])
    assert_type(model.forget(x, times=3), Array)
    assert_type(Model.forget(model, x), Array)
    assert_type(model.forget_by_factory(x), Array)


@eqx.filter_custom_jvp
def ruled(x: Array, factor: float = 1.0) -> Array:
    return factor * x


@ruled.def_jvp
def ruled_jvp(primals: tuple[Array, float], tangents: tuple[Array | None, None]) -> tuple[Array, Array | None]:
    return ruled(*primals), tangents[0]


@eqx.filter_custom_vjp
def ruled_backwards(x: Array, factor: float = 1.0) -> tuple[Array, str]:
    return factor * x, ""


@ruled_backwards.def_fwd
def ruled_fwd(perturbed: bool, x: Array, factor: float = 1.0) -> tuple[tuple[Array, str], int]:
    return ruled_backwards(x, factor), 3


@ruled_backwards.def_bwd
def ruled_bwd(
    residuals: int, grad_out: tuple[Array, None], perturbed: bool, x: Array, factor: float = 1.0
) -> Array | None:
    return grad_out[0]


def custom(model: Model, x: Array) -> None:
    assert_type(ruled(x, factor=2.0), Array)
    assert_type(
        ruled_jvp((x, 1.0), (x, None)),
        tuple[Array, Array | None],
    )
    assert_type(ruled_backwards(x, factor=2.0), tuple[Array, str])
    assert_type(ruled_fwd(True, x, 1.0), tuple[tuple[Array, str], int])
    assert_type(ruled_bwd(3, (x, None), True, x, 1.0), Array | None)
    assert_type(model.ruled(x, times=3), Array)
    assert_type(Model.ruled(model, x), Array)
    assert_type(model.ruled_backwards(x, times=3), Array)
    assert_type(Model.ruled_backwards(model, x, 3), Array)
    assert_type(eqx.filter_jit(ruled)(x, factor=2.0), Array)
