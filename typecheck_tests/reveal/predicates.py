"""Predicates narrow the type of what they are asked about."""

from typing import Any, assert_type

import jax
import numpy as np

import equinox as eqx


def of_anything(x: object) -> None:
    if eqx.is_array(x):
        assert_type(x, jax.Array | np.ndarray[Any, Any] | np.generic)
    if eqx.is_inexact_array(x):
        assert_type(x, jax.Array)
    if eqx.is_array_like(x):
        assert_type(x, jax.Array | np.ndarray[Any, Any] | np.generic | float | complex | int | bool)
    if eqx.is_inexact_array_like(x):
        assert_type(x, jax.Array | np.ndarray[Any, Any] | np.generic | float | complex)


def of_a_field(x: jax.Array | str | None) -> None:
    if eqx.is_array(x):
        assert_type(x, jax.Array)  # gap: ty(intersection)
    else:
        assert_type(x, str | None)  # gap: ty(intersection)
    # It may be an array of integers all the same.
    if not eqx.is_inexact_array(x):
        assert_type(x, jax.Array | str | None)


def as_results(x: object) -> None:
    flags: list[bool] = [eqx.is_array(x), eqx.is_inexact_array(x), eqx.is_array_like(x), eqx.is_inexact_array_like(x)]
    del flags
