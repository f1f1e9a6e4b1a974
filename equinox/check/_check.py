"""`check`: build one target and call it, abstractly."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from .._errors import describe
from .._places import modules_in
from .._transforms.arguments import Arguments
from .._tree.sizes import count_bytes, count_parameters
from ._abstract import FailedError, call_abstractly
from ._locate import failure_of
from ._notation import UsageError, evaluate_arguments
from ._result import CallResult, Phase, PyTree, Result
from ._target import Target, as_target, import_target


def check(
    target: Any,
    *,
    init: str | None = None,
    calls: Sequence[str] = (),
    dims: Mapping[str, int] | None = None,
    strict_dtypes: bool = False,
) -> Result:
    """Find the errors of shape, dtype and annotation that building and calling a model, or calling a function, raises.

    JAX traces everything for arrays of which nothing is known but shape and dtype, as under
    [`filter_jit`][equinox.filter_jit]. So nothing is computed, and the size of a model does not matter.

    Arguments are written as text, as they would stand between the parentheses of a call. In it, `f32[8,4]` is an array,
    in the notation in which this library prints arrays; `key` is a PRNG key and `keys[8]` an array of them. Every other
    name means what it means in the module in which the target is defined.

    **Arguments**

    - `target`: a class, a function or a model; or its address, `"package.module:name"`, to be imported.
    - `init`: the arguments with which to build the model, if the target is a class or a function that makes one.
    - `calls`: the arguments of each call of the model, or of the target itself without `init`.
    - `dims`: sizes by name, for use in the text, as in `f32[batch,4]`.
    - `strict_dtypes`: whether arrays of different dtypes may not be combined, as under
        `jax.numpy_dtype_promotion("strict")`.

    **Returns**

    The output and the failures, with their places in the model.

    **Raises**

    - `UsageError`: there is no such target, or the text of the arguments cannot be understood. Errors in what is
        checked are not raised, but part of the result.

    **Example**
    ```python
    >>> from equinox.check import check
    >>> init = "in_size=4, out_size=2, width_size=4096, depth=3, key=key"
    >>> result = check(eqx.nn.MLP, init=init, calls=["f32[4]", "f32[5]"])
    >>> result.ok, result.parameters
    (False, 33591298)
    >>> result.calls[0].output
    ShapeDtypeStruct(shape=(2,), dtype=float32)
    >>> result.calls[1].failure.message.partition(".")[0]
    'argument `x` of `MLP` must have shape (4,), found shape (5,)'

    ```
    """
    if isinstance(target, str):
        try:
            found = import_target(target)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever it is, it is a finding
            return Result(target, init, failure=failure_of("load", error, ()))
    else:
        found = as_target(target)
    _reject_unclear(found, init, calls)
    name, function, sizes = found.name, found.value, dims or {}
    with jax.numpy_dtype_promotion("strict") if strict_dtypes else contextlib.nullcontext():
        if init is not None:
            try:
                function = _apply("build", function, init, found.names, sizes)
            except FailedError as error:
                return Result(name, init, failure=error.failure)
        results = tuple(_call(function, text, found.names, sizes) for text in calls)
    if init is None and not _is_model(function):
        return Result(name, calls=results)
    model = call_abstractly("build", ("",), _identity, function)
    arrays = [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.ShapeDtypeStruct)]
    return Result(name, init, model, count_parameters(arrays), count_bytes(arrays), results)


def _identity(model: PyTree) -> PyTree:
    return model


def _reject_unclear(target: Target, init: str | None, calls: Sequence[str]) -> None:
    """Raise an error where nothing could be checked, or something else than what was meant."""
    if not callable(target.value) and not _is_model(target.value):
        raise UsageError(f"`{target.name}` is neither a class, a function nor a model, but {describe(target.value)}.")
    if init is None and isinstance(target.value, type):
        raise UsageError(f"`{target.name}` is a class: say how to build it with `init`, for instance 'key=key'.")
    if init is None and not calls and not _is_model(target.value):
        raise UsageError(
            f"`{target.name}` is a function: say how to call it, or, if it makes a model, how with `init`."
        )


def _is_model(value: Any) -> bool:
    return any(True for _ in modules_in(value))


def _call(function: Any, text: str, names: Mapping[str, Any], dims: Mapping[str, int]) -> CallResult:
    try:
        return CallResult(text, _apply("call", function, text, names, dims))
    except FailedError as error:
        return CallResult(text, None, error.failure)


def _apply(phase: Phase, function: Any, text: str, names: Mapping[str, Any], dims: Mapping[str, int]) -> PyTree:
    """Evaluate arguments that are given as text, and call a function with them."""
    args, kwargs = call_abstractly("arguments", (), lambda: evaluate_arguments(text, names, dims))
    positions = Arguments(function).names(len(args))

    def apply(function: Any, *values: PyTree) -> PyTree:
        by_keyword = zip(kwargs, values[len(args) :], strict=True)
        return function(*values[: len(args)], **dict(by_keyword))

    return call_abstractly(phase, ("", *positions, *kwargs), apply, function, *args, *kwargs.values())
