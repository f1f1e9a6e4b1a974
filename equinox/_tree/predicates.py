"""Yes-or-no questions about one leaf: is it an array, could it become one, can it be differentiated?

These are what a filtered transformation asks of every leaf, so each one takes constant time, never converts or copies
its argument, and tests the common exact types before it falls back to `isinstance`.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeGuard, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from typing_extensions import TypeIs

AnyArray: TypeAlias = jax.Array | np.ndarray[Any, Any] | np.generic
"""What `is_array` accepts."""

IsLeaf: TypeAlias = Callable[[Any], bool] | None
"""The `is_leaf` argument of a function on PyTrees: which nodes it shall treat as leaves, or `None`."""

is_none: Final[Callable[[Any], bool]] = functools.partial(operator.is_, None)
"""The usual `is_leaf`, which makes `None` a leaf. It is called on every node, and this form needs no Python frame."""

# Under some JAX versions `isinstance(x, jax.Array)` runs Python code. Concrete arrays are recognised by exact type
# instead; tracers are not in this set, and for them `isinstance` is right: a tracer may stand for something else.
JAX_ARRAY_TYPES = frozenset(jax.Array.__subclasses__())

# Besides `jax.Array`, JAX 0.8 names here the class of the array constants in a jaxpr, which has no public name and is
# not a NumPy array there.
_ARRAY_TYPES = (
    np.ndarray,
    np.generic,
    *(kind for kind in get_args(ArrayLike) if not issubclass(kind, (np.ndarray, np.generic, int, float, complex))),
)


@functools.lru_cache
def _is_inexact_dtype(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.inexact))


@functools.lru_cache
def _is_jax_dtype(dtype: Any) -> bool:
    kind = getattr(dtype, "kind", None)  # JAX's own dtypes, those of PRNG keys, have none
    if kind == "V":  # bfloat16 and its kin, but also structured dtypes
        return bool(jnp.issubdtype(dtype, jnp.number))
    return kind is None or kind in "biufc"


def is_array(element: object) -> TypeIs[AnyArray]:
    """Say whether a leaf is an array: of JAX (a tracer counts) or of NumPy (a NumPy scalar counts).

    **Arguments**

    - `element`: any object.

    **Returns**

    `True` for arrays of every dtype, typed PRNG keys included; `False` for everything else, Python numbers included.

    **Example**
    ```python
    >>> eqx.is_array(jnp.ones(3)), eqx.is_array(np.float32(1.0)), eqx.is_array(1.0)
    (True, True, False)

    ```
    """
    return type(element) in JAX_ARRAY_TYPES or isinstance(element, _ARRAY_TYPES)


def is_inexact_array(element: object) -> TypeGuard[jax.Array]:
    """Say whether a leaf is a JAX array of floating-point or complex dtype, the kind that has a gradient.

    **Arguments**

    - `element`: any object.

    **Returns**

    `True` for JAX arrays and tracers whose dtype is a float (`bfloat16`, `float8_*` and the like included) or complex;
    `False` for everything else: integer arrays, PRNG keys, NumPy arrays, Python numbers.

    **Example**
    ```python
    >>> eqx.is_inexact_array(jnp.ones(3)), eqx.is_inexact_array(jnp.arange(3)), eqx.is_inexact_array(np.ones(3))
    (True, False, False)

    ```
    """
    is_jax_array = type(element) in JAX_ARRAY_TYPES or isinstance(element, jax.Array)
    return is_jax_array and _is_inexact_dtype(cast(jax.Array, element).dtype)


def is_array_like(element: object) -> TypeGuard[AnyArray | float | complex | int | bool]:
    """Say whether a leaf could be the argument of `jax.numpy.asarray` (a list, which is a PyTree node, could not).

    **Arguments**

    - `element`: any object.

    **Returns**

    `True` for JAX arrays, for NumPy arrays and scalars of numeric or boolean dtype, for Python `bool`, `int`, `float`
    and `complex`, and for objects that have a `__jax_array__` method; `False` for everything else: strings, `None`,
    containers, NumPy arrays of strings or objects.

    **Example**
    ```python
    >>> eqx.is_array_like(1.0), eqx.is_array_like(np.ones(3)), eqx.is_array_like("text")
    (True, True, False)

    ```
    """
    if is_array(element):
        return _is_jax_dtype(element.dtype)
    return isinstance(element, (int, float, complex)) or _jax_array_method(element) is not None


def is_inexact_array_like(element: object) -> TypeGuard[AnyArray | float | complex]:
    """Say whether a leaf could be the argument of `jax.numpy.asarray` and would give a float or complex array.

    **Arguments**

    - `element`: any object.

    **Returns**

    `True` for JAX and NumPy arrays and scalars of floating-point or complex dtype and for Python `float` and
    `complex`. For an object with a `__jax_array__` method the answer is that for the array which the method returns.
    `False` for everything else.

    **Example**
    ```python
    >>> eqx.is_inexact_array_like(1.0), eqx.is_inexact_array_like(np.ones(3)), eqx.is_inexact_array_like(1)
    (True, True, False)

    ```
    """
    if is_array(element):
        return _is_inexact_dtype(element.dtype)
    if isinstance(element, (float, complex)):
        return True
    method = _jax_array_method(element)
    return method is not None and is_inexact_array_like(method())


def is_differentiable_array(element: object) -> TypeGuard[AnyArray]:
    """Say whether a leaf is a JAX *or NumPy* array (or NumPy scalar) of floating-point or complex dtype.

    This is what `filter_grad` differentiates unless told otherwise; `is_inexact_array` is for JAX arrays alone.

    **Arguments**

    - `element`: any object.

    **Returns**

    `True` for arrays whose dtype is a float (`bfloat16`, `float8_*` and the like included) or complex; `False` for
    everything else.

    **Example**
    ```python
    >>> from equinox._tree.predicates import is_differentiable_array
    >>> is_differentiable_array(np.ones(3)), is_differentiable_array(np.arange(3)), is_differentiable_array(1.0)
    (True, False, False)

    ```
    """
    return is_array(element) and _is_inexact_dtype(element.dtype)


def _jax_array_method(element: object) -> Callable[[], object] | None:
    # A class that defines `__jax_array__` has the attribute too, but only its instances convert to arrays.
    if isinstance(element, type):
        return None
    method = getattr(element, "__jax_array__", None)
    return method if callable(method) else None
