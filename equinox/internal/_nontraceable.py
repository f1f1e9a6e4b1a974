"""`nontraceable`: an identity that may be compiled, and refuses every other transformation.

It is a primitive, so it also refuses when a program that it is a part of is transformed long after it was traced.
"""

from typing import Any, Final, NoReturn, TypeVar

from .._runtime.arrays import map_arrays
from .._runtime.primitive import define_primitive

_T = TypeVar("_T")


def nontraceable(x: _T, *, name: str = "nontraceable operation") -> _T:
    """Raise an error if anything here is differentiated, transposed or batched.

    **Arguments**

    - `x`: any PyTree. What is not an array passes by.
    - `name`: what cannot be transformed, for the error message.

    **Returns**

    `x`.

    **Raises**

    - `RuntimeError`, while the function is traced: an array in `x` is differentiated, transposed or batched.

    **Example**
    ```python
    >>> jax.jit(nontraceable)(1.0)
    Array(1., dtype=float32, weak_type=True)
    >>> jax.vmap(lambda x: nontraceable(x, name="the last step"))(jnp.arange(3.0))
    Traceback (most recent call last):
        ...
    RuntimeError: There is no batching of the last step.

    ```
    """
    return map_arrays(lambda arrays: [nontraceable_p.bind(array, name=name)[0] for array in arrays], x)


def _identity(array: Any, *, name: str) -> list[Any]:
    del name
    return [array]


def _refuse_batching(arrays: Any, axes: Any, *, name: str) -> NoReturn:
    del arrays, axes
    raise RuntimeError(f"There is no batching of {name}.")


def _refuse_jvp(primals: Any, tangents: Any, *, name: str) -> NoReturn:
    del primals, tangents
    raise RuntimeError(f"There is no differentiation of {name}.")


def _refuse_transposition(cotangents: Any, array: Any, *, name: str) -> NoReturn:
    del cotangents, array
    raise RuntimeError(f"There is no transposition of {name}.")


nontraceable_p: Final = define_primitive(
    "nontraceable",
    impl=_identity,
    abstract_eval=_identity,
    lower=_identity,
    batch=_refuse_batching,
    jvp=_refuse_jvp,
    transpose=_refuse_transposition,
)
