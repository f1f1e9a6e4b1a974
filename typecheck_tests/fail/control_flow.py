"""Mistakes in loops and branches."""

from jax import Array

import equinox as eqx


class Model(eqx.Module):
    weight: Array


def step(model: Model, x: Array) -> tuple[Model, str]:
    return model, ""


def no_pair(model: Model, x: Array) -> Model:
    return model


def other_carry(model: Model, x: Array) -> tuple[str, str]:
    return "", ""


def loops(model: Model, x: Array) -> None:
    eqx.filter_scan(step, "text", x)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_scan(step, model, "text")  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_scan(step, model)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_scan(no_pair, model, x)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_scan(other_carry, model, x)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
    eqx.filter_scan(step, model, x, lenght=3)  # error: mypy[call-overload] pyright[reportCallIssue]
    _scanned: str = eqx.filter_scan(step, model, x)[0]  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.filter_while_loop(lambda model: "text", lambda model: model, model)  # error: mypy[arg-type, return-value] pyright[reportArgumentType]
    eqx.filter_while_loop(lambda model: True, lambda model: model.wieght, model)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownLambdaType]  # gap: ty(lambda-argument)
    _looped: str = eqx.filter_while_loop(lambda model: True, lambda model: model, model)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.filter_fori_loop(0, 3, lambda model: model, model)  # error: mypy[arg-type, misc] pyright[reportArgumentType]


def scale(model: Model, factor: float) -> Model:
    return model


def branches(model: Model, x: Array) -> None:
    eqx.filter_cond(x > 0, scale, scale, model)  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: ty(type-variable-tuple)
    eqx.filter_cond(x > 0, scale, scale, model, "text")  # error: mypy[arg-type] pyright[reportArgumentType]  # gap: ty(type-variable-tuple)
    eqx.filter_cond("text", scale, scale, model, 1.0)  # error: mypy[arg-type] pyright[reportArgumentType]
    _chosen: str = eqx.filter_cond(x > 0, scale, scale, model, 1.0)  # error: mypy[assignment] pyright[reportAssignmentType]
    eqx.filter_switch(x, scale, model, 1.0)  # error: mypy[arg-type] pyright[reportArgumentType]
    eqx.filter_switch(x, [scale], "text", 1.0)  # error: mypy[list-item] pyright[reportArgumentType]  # gap: ty(type-variable-tuple)
