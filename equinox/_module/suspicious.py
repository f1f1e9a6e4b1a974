"""Warnings about values that are legal in a Module and almost certainly a mistake."""

import types
import warnings
from collections.abc import Iterable
from typing import Any, Final

import jax
import numpy as np
from jax.tree_util import tree_leaves

from .._errors import first_user_frame
from .._tree.predicates import is_array, is_array_like, is_inexact_array_like

_SCALAR_TYPES: Final = frozenset({type(None), bool, int, float, complex, str, bytes})
#: Values of these types, by far the most common ones, are never worth a closer look.
PLAIN_TYPES: Final = frozenset({*_SCALAR_TYPES, np.ndarray, *jax.Array.__subclasses__()})
#: `jax.grad`, `jax.vmap`, … return functions; `jax.jit` and the custom derivatives return objects of their own.
_TRANSFORMED_TYPES: Final = frozenset({types.FunctionType, type(jax.jit(lambda: None)), jax.custom_jvp, jax.custom_vjp})


def items_of(container: Any) -> Iterable[object]:
    """What is in a tuple, list or dictionary; of anything else, nothing."""
    if issubclass(type(container), dict):
        return container.values()  # type: ignore[no-any-return] # a dictionary's
    return container if issubclass(type(container), (tuple, list)) else ()


def warn_of_transformed_callables(values: Iterable[object]) -> None:
    """Warn where one of the values is, say, `jax.jit(model)`: the model inside it is no part of the PyTree.

    Looks into tuples, lists and dictionaries; what is inside other Modules was seen when those were made.
    """
    for value in values:
        kind: type = type(value)
        if kind in PLAIN_TYPES:
            continue
        if kind in _TRANSFORMED_TYPES:
            if _wraps_arrays(value):
                warnings.warn(
                    "Possibly assigning a JAX-transformed callable as an attribute of a Module. The arrays inside "
                    f"{value!r} are not part of the Module's PyTree: they will not be trained, and are compiled in as "
                    "constants. Store the callable itself and transform it where it is called, or use `filter_jit`, "
                    "`filter_grad`, ….",
                    UserWarning,
                    stacklevel=first_user_frame(),
                )
        else:
            warn_of_transformed_callables(items_of(value))


def _wraps_arrays(function: Any) -> bool:
    while (function := getattr(function, "__wrapped__", None)) is not None:
        if isinstance(function, types.MethodType):
            function = function.__self__
        if any(map(is_array_like, tree_leaves(function))):
            return True
    return False


def warn_of_static_array(class_name: str, field_name: str, value: Any) -> None:
    """Warn where a static field holds an array, which can be neither hashed nor compared."""
    if type(value) in _SCALAR_TYPES:
        return
    try:
        leaves = tree_leaves(value)
    except (TypeError, ValueError):
        # It is no PyTree, and need not be one: a dictionary with keys that have no order, say.
        return
    if any(map(is_array, leaves)):
        warnings.warn(
            f"A JAX array is being set as static! Field `{field_name}` of `{class_name}` is `field(static=True)` and "
            "holds an array. Static fields are compared and hashed by JAX, which arrays do not allow. Make the field "
            "an ordinary one, or store a tuple of numbers.",
            UserWarning,
            stacklevel=first_user_frame(),
        )


def warn_of_uninitialisable_array(class_name: str, field_name: str, value: Any) -> None:
    """Warn where a `field(init=False)` holds something trainable, which the name suggests it does not."""
    if any(map(is_inexact_array_like, tree_leaves(value))):
        warnings.warn(
            f"Field `{field_name}` of `{class_name}` is `field(init=False)` and holds a floating-point number or "
            "array. It is part of the PyTree, so it may be trained, although it looks like a constant computed from "
            "the other fields. Compute such a constant where it is used (and stop its gradient), or give it a class of "
            "its own.",
            UserWarning,
            stacklevel=first_user_frame(),
        )
