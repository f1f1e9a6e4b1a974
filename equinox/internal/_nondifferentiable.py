"""`nondifferentiable`: an identity that refuses to be differentiated.

A function that is not written to be differentiated says so where it starts, and the user reads that instead of a
gradient that is wrong. Each array goes through a primitive of its own, whose derivative rule JAX only calls if there is
a tangent; raising an error is all that it does.
"""

from typing import Any, Final, NoReturn, TypeVar

from .._runtime.arrays import map_arrays
from .._runtime.primitive import define_primitive

_T = TypeVar("_T")


def nondifferentiable(x: _T, *, name: str | None = None, msg: str | None = None) -> _T:
    """Raise an error if anything here is differentiated, in forward or reverse mode.

    **Arguments**

    - `x`: any PyTree. What is not an array passes by.
    - `name`: what cannot be differentiated, for the error message.
    - `msg`: the whole error message, instead.

    **Returns**

    `x`.

    **Raises**

    - `RuntimeError`, while the function is traced: an array in `x` has a tangent. (Integers have none, and neither has
      what does not depend on the arguments that are differentiated.)

    **Example**
    ```python
    >>> def function(x):
    ...     return x**2 + nondifferentiable(x, name="This term")
    >>> function(1.5)
    3.75
    >>> jax.grad(function)(1.5)
    Traceback (most recent call last):
        ...
    RuntimeError: This term cannot be differentiated...

    ```
    """
    if msg is None:
        msg = (
            f"{name or 'This operation'} cannot be differentiated, but there is a tangent. Use `jax.lax.stop_gradient` "
            "on the arguments that are not meant to be differentiated."
        )
    return map_arrays(lambda arrays: [nondifferentiable_p.bind(array, msg=msg)[0] for array in arrays], x)


def _identity(array: Any, *, msg: str) -> list[Any]:
    del msg
    return [array]


def _batch(arrays: Any, axes: Any, *, msg: str) -> tuple[Any, Any]:
    return nondifferentiable_p.bind(*arrays, msg=msg), axes


def _refuse(primals: Any, tangents: Any, *, msg: str) -> NoReturn:
    del primals, tangents
    raise RuntimeError(msg)


nondifferentiable_p: Final = define_primitive(
    "nondifferentiable", impl=_identity, abstract_eval=_identity, lower=_identity, batch=_batch, jvp=_refuse
)
