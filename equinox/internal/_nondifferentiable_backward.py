"""`nondifferentiable_backward`: an identity that may be differentiated in forward mode, but not in reverse mode.

It is a linear primitive. Forward mode applies it to tangents as well; reverse mode transposes that, and the rule for
this gets to see the cotangent.
"""

from typing import Any, Final, TypeVar

import jax.numpy as jnp
from jax.interpreters import ad

from .._runtime.arrays import map_arrays
from .._runtime.error_if import error_if
from .._runtime.primitive import define_primitive

_T = TypeVar("_T")


def nondifferentiable_backward(x: _T, name: str | None = None, msg: str | None = None, symbolic: bool = True) -> _T:
    """Raise an error if a derivative is propagated backwards through here.

    **Arguments**

    - `x`: any PyTree. What is not an array passes by.
    - `name`: what cannot be differentiated, for the error message.
    - `msg`: the whole error message, instead.
    - `symbolic`: whether every cotangent is an error that JAX does not know to be zero while tracing. If not, only one
      whose value is not zero when the program runs.

    **Returns**

    `x`.

    **Raises**

    - `RuntimeError`, while the function is traced, if `symbolic`: there is a cotangent.
    - `EquinoxRuntimeError`, as [`error_if`][equinox.error_if], if not `symbolic`: a cotangent is not zero.

    **Example**
    ```python
    >>> def function(x):
    ...     return nondifferentiable_backward(x) ** 2
    >>> jax.jvp(function, (3.0,), (1.0,))[1]
    Array(6., dtype=float32, weak_type=True)
    >>> jax.grad(function)(3.0)
    Traceback (most recent call last):
        ...
    RuntimeError: This operation cannot be differentiated in reverse mode...

    ```
    """
    if msg is None:
        msg = (
            f"{name or 'This operation'} cannot be differentiated in reverse mode, but there is a cotangent. Use "
            "forward mode (`jax.jvp`, `jax.jacfwd`), or `jax.lax.stop_gradient`."
        )

    def bind(arrays: list[Any]) -> list[Any]:
        return [nondifferentiable_backward_p.bind(array, msg=msg, symbolic=symbolic)[0] for array in arrays]

    return map_arrays(bind, x)


def _identity(array: Any, *, msg: str, symbolic: bool) -> list[Any]:
    del msg, symbolic
    return [array]


def _batch(arrays: Any, axes: Any, *, msg: str, symbolic: bool) -> tuple[Any, Any]:
    return nondifferentiable_backward_p.bind(*arrays, msg=msg, symbolic=symbolic), axes


def _jvp(primals: Any, tangents: Any, *, msg: str, symbolic: bool) -> tuple[Any, Any]:
    def bind(arrays: Any) -> Any:
        return nondifferentiable_backward_p.bind(*arrays, msg=msg, symbolic=symbolic)

    return bind(primals), tangents if type(tangents[0]) is ad.Zero else bind(tangents)


def _transpose(cotangents: Any, array: Any, *, msg: str, symbolic: bool) -> list[Any]:
    del array
    (cotangent,) = cotangents
    if type(cotangent) is ad.Zero:
        return [cotangent]
    if symbolic:
        raise RuntimeError(msg)
    return [error_if(cotangent, jnp.any(cotangent != 0), msg)]


nondifferentiable_backward_p: Final = define_primitive(
    "nondifferentiable_backward",
    impl=_identity,
    abstract_eval=_identity,
    lower=_identity,
    batch=_batch,
    jvp=_jvp,
    transpose=_transpose,
)
