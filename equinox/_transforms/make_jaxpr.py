"""`filter_make_jaxpr`: the program that a function traces to."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax

from .._jax_tree import tree_flatten
from .._module import module_update_wrapper
from .._tree.partition import partition
from .._tree.predicates import is_array
from .conceal import conceal, reveal
from .eval_shape import is_abstract
from .template import Template
from .wrapped import Wrapped, check_callable

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr


class JaxprMaker(Wrapped):
    """A function that returns the program of another one."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> tuple["ClosedJaxpr", Any, Any]:
        leaves, treedef = tree_flatten((args, kwargs))
        mask = [is_abstract(leaf) for leaf in leaves]
        call = Template(treedef, leaves, mask, None)

        def of_arrays(*arrays: Any) -> Any:
            args, kwargs = call.fill(arrays)
            dynamic, static = partition(self._function(*args, **kwargs), is_array)
            return dynamic, conceal(static, is_array)

        arrays = [leaf for leaf, is_dynamic in zip(leaves, mask, strict=True) if is_dynamic]
        jaxpr, (dynamic, static) = jax.make_jaxpr(of_arrays, return_shape=True)(*arrays)
        return jaxpr, dynamic, reveal(static)


def filter_make_jaxpr(fun: Callable[..., Any]) -> Callable[..., tuple["ClosedJaxpr", Any, Any]]:
    """Show the program that a function traces to. Wraps `jax.make_jaxpr`.

    **Arguments**

    - `fun`: a function, or any other callable.

    **Returns**

    A callable with the parameters of `fun`. A `jax.ShapeDtypeStruct` may stand for any array; everything that is no
    array is static. It returns a triple:

    - the program, a `jax.extend.core.ClosedJaxpr`. Its inputs are the arrays of the arguments, in the order of their
      leaves; its constants are those in `fun` itself, or that `fun` refers to.
    - the output of `fun` with a `jax.ShapeDtypeStruct` in place of every array, and `None` in place of all else.
    - the output of `fun` with `None` in place of every array.

    **Raises**

    - `TypeError`: `fun` is not callable.

    **Example**
    ```python
    >>> jaxpr, dynamic, static = eqx.filter_make_jaxpr(lambda x, name: (2 * x, name))(jnp.ones(3), "double")
    >>> jaxpr
    { lambda ; a:f32[3]. let b:f32[3] = mul 2.0:f32[] a in (b,) }
    >>> dynamic, static
    ((ShapeDtypeStruct(shape=(3,), dtype=float32), None), (None, 'double'))

    ```
    """
    check_callable("filter_make_jaxpr", fun)
    return module_update_wrapper(JaxprMaker(fun, "filter_make_jaxpr"))
