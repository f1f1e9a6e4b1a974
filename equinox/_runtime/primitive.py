"""Define a primitive of JAX, with its behaviour under every transformation, in one go."""

import enum
import functools
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

_Rule: TypeAlias = Callable[..., Any]

#: For each primitive of this library, what to replace it with in a program that is to consist of JAX's own ones.
FINALISATIONS: Final[dict[Any, Callable[..., Any]]] = {}


class Spread(enum.Enum):
    """How a program is spread over devices."""

    NOT = 1
    #: The compiler splits it: each value is one, wherever its parts are.
    BY_COMPILER = 2
    #: As in `jax.shard_map` and `jax.pmap`: each device has values of its own.
    BY_HAND = 3


def define_primitive(
    name: str,
    *,
    impl: _Rule,
    abstract_eval: _Rule,
    lower: _Rule,
    batch: _Rule,
    lower_by_spread: bool = False,
    jvp: _Rule | None = None,
    transpose: _Rule | None = None,
) -> Any:
    """Define a primitive that takes and returns any number of arrays.

    **Arguments**

    - `name`: what it is called in jaxprs.
    - `impl`: computes the results at once.
    - `abstract_eval`: computes the types of the results from those of the arguments.
    - `lower`: computes the results in terms of other primitives, for compiled programs.
    - `lower_by_spread`: whether `lower` takes a keyword argument `spread`, a `Spread`.
    - `batch`, `jvp`, `transpose`: JAX's rules for `vmap`, and for forward- and reverse-mode derivatives.

    **Returns**

    The primitive, whose type JAX leaves unknown.
    """
    primitive: Any = Primitive(name)
    primitive.multiple_results = True
    primitive.def_impl(impl)
    primitive.def_abstract_eval(abstract_eval)

    def lowering(context: Any, *operands: Any, **params: Any) -> Any:
        if lower_by_spread:
            params["spread"] = _spread(context)
        return cast(Any, mlir.lower_fun(lower, multiple_results=True)(context, *operands, **params))

    mlir.register_lowering(primitive, lowering)
    batching.primitive_batchers[primitive] = batch
    FINALISATIONS[primitive] = functools.partial(lower, spread=Spread.NOT) if lower_by_spread else lower
    if jvp is not None:
        ad.primitive_jvps[primitive] = jvp
    if transpose is not None:
        ad.primitive_transposes[primitive] = transpose
    return primitive


def _spread(context: Any) -> Spread:
    # JAX documents none of this, so it may be gone.
    axes: Any = getattr(context.module_context, "axis_context", None)
    if getattr(axes, "manual_axes", None):
        return Spread.BY_HAND if axes.mesh.size > 1 else Spread.NOT
    return Spread.BY_COMPILER if getattr(axes, "num_devices", 1) > 1 else Spread.NOT
