"""Mistakes with derivatives, and with derivative rules of one's own."""

from jax import Array

import equinox as eqx


def single(x: Array, factor: float = 1.0) -> Array:
    return factor * x


class Model(eqx.Module):
    weight: Array

    @eqx.filter_custom_jvp
    def ruled(self, x: Array) -> Array:
        return self.weight * x

    @eqx.filter_checkpoint
    def forget(self, x: Array) -> Array:
        return self.weight * x


def calls(model: Model, x: Array) -> None:
    eqx.filter_jvp(single, x)  # error: mypy[arg-type, call-arg] pyright[reportCallIssue]
    eqx.filter_jvp(single, 3, 4)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_vjp(3, x)  # error: mypy[call-overload] pyright[reportArgumentType]
    eqx.filter_vjp(single, x, has_aux=True)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_vjp(single, x)[1]("cotangent")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_jacfwd(single)("x")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_jacfwd(single)(x, scale=2.0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_jacrev(single, has_aux=True)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_hessian(single, holomorphic=True)  # error: mypy[call-overload] pyright[reportCallIssue]
    eqx.filter_checkpoint(single)("x")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_checkpoint(single, static_argnums=0)  # error: mypy[call-arg] pyright[reportCallIssue]
    eqx.filter_checkpoint(3)  # error: mypy[type-var] pyright[reportArgumentType]
    model.forget("x")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.ruled("x")  # error: mypy[arg-type] pyright[reportArgumentType]
    model.ruled(x, x)  # error: mypy[call-arg] pyright[reportCallIssue]


@eqx.filter_custom_jvp
def ruled(x: Array, factor: float = 1.0) -> Array:
    return factor * x


@ruled.def_jvp  # error: mypy[arg-type] pyright[reportArgumentType]
def no_pair(primals: tuple[Array, float], tangents: tuple[Array | None, None]) -> Array:
    return primals[0]


@ruled.def_jvp  # error: mypy[arg-type] pyright[reportArgumentType]
def other_output(primals: tuple[Array, float], tangents: tuple[Array | None, None]) -> tuple[str, Array | None]:
    return "", tangents[0]


@eqx.filter_custom_vjp
def ruled_backwards(x: Array, factor: float = 1.0) -> Array:
    return factor * x


@ruled_backwards.def_fwd  # error: mypy[arg-type] pyright[reportArgumentType]
def without_perturbed(x: Array, factor: float = 1.0) -> tuple[Array, None]:
    return x, None


@ruled_backwards.def_fwd  # error: mypy[arg-type] pyright[reportArgumentType]
def without_residuals(perturbed: bool, x: Array, factor: float = 1.0) -> Array:
    return x


@ruled_backwards.def_bwd  # error: mypy[arg-type] pyright[reportArgumentType]
def without_arguments(residuals: None, grad_out: Array | None) -> Array | None:
    return grad_out


def calls_of_ruled(x: Array) -> None:
    ruled("x")  # error: mypy[arg-type] pyright[reportArgumentType]
    ruled(x, scale=2.0)  # error: mypy[call-arg] pyright[reportCallIssue]
    ruled_backwards(x=x)  # error: mypy[call-arg] pyright[reportCallIssue]
    ruled_backwards(x, "factor")  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_custom_jvp(3)  # error: mypy[arg-type] pyright[reportArgumentType]
    ruled.def_jvps(ruled)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
