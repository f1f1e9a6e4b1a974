"""Define a primitive of JAX, with its behaviour under every transformation, in one go."""

from collections.abc import Callable
from typing import Any, TypeAlias

from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

_Rule: TypeAlias = Callable[..., Any]


def define_primitive(
    name: str,
    *,
    impl: _Rule,
    abstract_eval: _Rule,
    lower: _Rule,
    batch: _Rule,
    jvp: _Rule | None = None,
    transpose: _Rule | None = None,
) -> Any:
    """Define a primitive that takes and returns any number of arrays.

    **Arguments**

    - `name`: what it is called in jaxprs.
    - `impl`: computes the results at once.
    - `abstract_eval`: computes the types of the results from those of the arguments.
    - `lower`: computes the results in terms of other primitives, for compiled programs.
    - `batch`, `jvp`, `transpose`: JAX's rules for `vmap`, and for forward- and reverse-mode derivatives.

    **Returns**

    The primitive, whose type JAX leaves unknown.
    """
    primitive: Any = Primitive(name)
    primitive.multiple_results = True
    primitive.def_impl(impl)
    primitive.def_abstract_eval(abstract_eval)
    mlir.register_lowering(primitive, mlir.lower_fun(lower, multiple_results=True))
    batching.primitive_batchers[primitive] = batch
    if jvp is not None:
        ad.primitive_jvps[primitive] = jvp
    if transpose is not None:
        ad.primitive_transposes[primitive] = transpose
    return primitive
