"""Arguments written as text, in which `f32[8,4]` is an array: `in_size=4, key=key` or `f32[batch,4], training=True`.

The text is what stands between the parentheses of a call in Python. It may use the names of the target's module and,
before those, the dtypes as this library prints them. It is evaluated while JAX traces, so that nothing is computed even
if the text builds a whole model.
"""

import operator
import re
import traceback
from collections.abc import Mapping
from typing import Any, Final, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from wadler_lindig import array_summary

import equinox as eqx

from .._errors import describe


class UsageError(ValueError):
    """What to check was not said, or not in a way that can be understood; no fault of what is to be checked."""


class ArrayNotation:
    """`f32`, as in `f32[8,4]`, or `keys`, as in `keys[8]`: indexing it with a shape makes an array."""

    def __init__(self, name: str, dtype: np.dtype[Any] | None) -> None:
        self._name = name
        #: None for PRNG keys.
        self._dtype = dtype

    def __repr__(self) -> str:
        return self._name

    def __getitem__(self, shape: SupportsIndex | tuple[SupportsIndex, ...]) -> jax.Array:
        given = shape if isinstance(shape, tuple) else (shape,)
        try:
            sizes = tuple(map(operator.index, given))
        except TypeError:
            raise UsageError(f"`{self._name}[...]` must be given integers, found {describe(shape)}.") from None
        if any(size < 0 for size in sizes):
            raise UsageError(f"`{self._name}[...]` cannot have the shape {sizes}: a size is negative.")
        if self._dtype is None:
            return jax.random.split(jax.random.key(0), sizes)
        if jax.dtypes.canonicalize_dtype(self._dtype) != self._dtype:
            raise UsageError(
                f"`{self._name}` has 64 bits, which JAX has not unless the environment has JAX_ENABLE_X64=1."
            )
        return jnp.zeros(sizes, self._dtype)


def _notations() -> dict[str, ArrayNotation]:
    dtypes = {scalar.dtype for scalar in vars(jnp).values() if isinstance(scalar, type(jnp.float32))}
    of_arrays = [ArrayNotation(array_summary((), str(dtype), kind=None).text[:-2], dtype) for dtype in dtypes]
    return {repr(notation): notation for notation in [*of_arrays, ArrayNotation("keys", None)]}


_NOTATIONS: Final = _notations()
#: What tracebacks call the text.
_FILE: Final = "<arguments>"
#: Python has no empty index.
_EMPTY_SHAPE: Final = re.compile(rf"\b({'|'.join(_NOTATIONS)})\[\s*\]")


def _as_they_are(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def evaluate_arguments(
    text: str, names: Mapping[str, Any], dims: Mapping[str, int]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Evaluate the arguments of a call, for which JAX should be tracing.

    **Arguments**

    - `text`: what stands between the parentheses.
    - `names`: what it may refer to, besides `jax`, `jnp`, `np`, `eqx`, `key` (a PRNG key), `keys` and the dtypes.
    - `dims`: the sizes that have names.

    **Returns**

    The positional arguments, and those by keyword.

    **Raises**

    - `UsageError`: the text is not a list of arguments, or uses a name that there is not.
    """
    namespace = {"jax": jax, "jnp": jnp, "np": np, "eqx": eqx, **names, **_NOTATIONS, **dims, "key": jax.random.key(0)}
    namespace["__arguments__"] = _as_they_are
    expression = _EMPTY_SHAPE.sub(r"\1[()]", text)
    try:
        code = compile(f"__arguments__(\n{expression}\n)", _FILE, "eval")
    except SyntaxError as error:
        raise UsageError(f"`{text}` cannot be the arguments of a call: {error.msg}.") from None
    try:
        args, kwargs = eval(code, namespace)
    except NameError as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename != _FILE:  # something that the text calls is at fault
            raise
        raise UsageError(
            f"`{text}` uses the name `{error.name}`, which is not in the module of the target; nor is it the name of a "
            f"size, as `--dim {error.name}=32` would make it."
        ) from None
    for leaf in jax.tree.leaves((args, kwargs)):
        if isinstance(leaf, ArrayNotation):
            raise UsageError(f"`{leaf}` in `{text}` needs a shape: `{leaf}[]` is a scalar, `{leaf}[8,4]` a matrix.")
    return args, kwargs
