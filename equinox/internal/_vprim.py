"""`create_vprim`: a primitive that `vmap` can be applied to, to any depth, without a batching rule.

A primitive has four rules: to compute it, to compute the types of its results, and two for derivatives. Each of them is
a function of arrays, which `jax.vmap` can be applied to. So the batched primitive has four rules as well, and can be
batched again in the same way.

There is one batched primitive for all depths. Its parameter `levels` says, for each `vmap` from the inside outwards,
which axes of the operands it is over and how long they are. The results of a level have the batch in front.

What JAX knows to be zero, and what is undefined because it is transposed with respect to it, are no arrays. `vmap`
never sees them: they are taken out before, and put back inside, for one element of the batch.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.interpreters import ad

from .._runtime.guard import OPAQUE_PRIMITIVES
from .._runtime.primitive import define_primitive

_Rule: TypeAlias = Callable[..., Any]
_Axis: TypeAlias = int | None


@dataclasses.dataclass(frozen=True)
class _Rules:
    impl: _Rule
    abstract_eval: _Rule
    jvp: _Rule
    transpose: _Rule


@dataclasses.dataclass(frozen=True)
class _Level:
    """One `vmap`."""

    axes: tuple[_Axis, ...]
    size: int


def create_vprim(name: str, impl: _Rule, abstract_eval: _Rule, jvp: _Rule, transpose: _Rule) -> Any:
    """Make a primitive of JAX that can be batched: `vmap` is applied to its rules.

    **Arguments**

    - `name`: what it is called in jaxprs.
    - `impl`, `abstract_eval`, `jvp`, `transpose`: its rules, in the form that JAX wants for a primitive with several
      results; for instance, made by `filter_primitive_def` and its kin. `impl` is used in compiled programs, too.

    **Returns**

    A `jax.extend.core.Primitive` with all these rules. Another one may be registered in place of any of them; it then
    holds for the primitive itself, and not for batches.

    **Example**
    ```python
    >>> scale_p = create_vprim(
    ...     "scale",
    ...     impl=lambda x, *, factor: [x * factor],
    ...     abstract_eval=lambda x, *, factor: [x],
    ...     jvp=lambda xs, dxs, *, factor: (scale_p.bind(*xs, factor=factor), scale_p.bind(*dxs, factor=factor)),
    ...     transpose=lambda cts, x, *, factor: scale_p.bind(*cts, factor=factor),
    ... )
    >>> def scale(x):
    ...     return scale_p.bind(x, factor=10.0)[0]
    >>> jax.vmap(jax.grad(scale))(jnp.arange(2.0))
    Array([10., 10.], dtype=float32)

    ```
    """
    rules = _Rules(impl, abstract_eval, jvp, transpose)

    def batch(
        operands: Sequence[Any], axes: Sequence[_Axis], *, levels: tuple[_Level, ...] = (), **params: Any
    ) -> tuple[Any, Any]:
        pairs = zip(operands, axes, strict=True)
        size = next((operand.shape[axis] for operand, axis in pairs if axis is not None), None)
        if size is not None:
            outputs = batched.bind(*operands, levels=(*levels, _Level(tuple(axes), size)), **params)
            return outputs, [0] * len(outputs)
        outputs = batched.bind(*operands, levels=levels, **params) if levels else single.bind(*operands, **params)
        return outputs, [None] * len(outputs)

    def at_levels(name: str) -> _Rule:
        def rule(*args: Any, levels: tuple[_Level, ...], **params: Any) -> Any:
            return getattr(functools.reduce(_vmap, levels, rules), name)(*args, **params)

        return rule

    single = _define(name, rules, batch)
    every_depth = _Rules(*(at_levels(field.name) for field in dataclasses.fields(_Rules)))
    batched = _define(f"vmap_{name}", every_depth, batch)
    return single


def _define(name: str, rules: _Rules, batch: _Rule) -> Any:
    primitive = define_primitive(
        name,
        impl=rules.impl,
        abstract_eval=rules.abstract_eval,
        lower=rules.impl,
        batch=batch,
        jvp=rules.jvp,
        transpose=rules.transpose,
    )
    OPAQUE_PRIMITIVES.add(primitive)
    return primitive


def _vmap(rules: _Rules, level: _Level) -> _Rules:
    """The rules of a primitive, vectorised."""

    def impl(*operands: Any, **params: Any) -> list[Any]:
        def one(*operands: Any) -> list[Any]:
            return list(rules.impl(*operands, **params))

        return jax.vmap(one, level.axes, axis_size=level.size)(*operands)

    def abstract_eval(*kinds: Any, **params: Any) -> list[Any]:
        outputs = rules.abstract_eval(*map(_without_axis, kinds, level.axes), **params)
        return [ShapedArray((level.size, *out.shape), out.dtype, weak_type=out.weak_type) for out in outputs]

    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[list[Any], list[Any]]:
        places, axes = _places(tangents, level.axes, ad.Zero)

        def one(primals: Sequence[Any], present: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            outputs, tangents_out = rules.jvp(primals, places.fill(present), **params)
            return list(outputs), [None if type(t) is ad.Zero else t for t in tangents_out]

        batched = jax.vmap(one, (list(level.axes), axes), axis_size=level.size)
        outputs, tangents_out = batched(list(primals), places.present)
        zeros = [ad.Zero(jax.typeof(output).to_tangent_aval()) for output in outputs]
        return outputs, [zero if t is None else t for t, zero in zip(tangents_out, zeros, strict=True)]

    def transpose(cotangents: Sequence[Any], *operands: Any, **params: Any) -> list[Any]:
        defined, axes = _places(operands, level.axes, ad.UndefinedPrimal)
        given, given_axes = _places(cotangents, [0] * len(cotangents), ad.Zero)

        def one(present: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
            found = rules.transpose(given.fill(present), *defined.fill(operands), **params)
            return [None if type(cotangent) is ad.Zero else cotangent for cotangent in found]

        axes_out = [axis or 0 for axis in level.axes]
        batched = jax.vmap(one, (given_axes, axes), axes_out, axis_size=level.size)
        found = batched(given.present, defined.present)
        # An operand that is the same for the whole batch gets something from each of its elements.
        return [
            jnp.sum(cotangent, 0) if axis is None and cotangent is not None else cotangent
            for cotangent, axis in zip(found, level.axes, strict=True)
        ]

    return _Rules(impl, abstract_eval, jvp, transpose)


@dataclasses.dataclass
class _Places:
    """A list of arrays and, between them, of what only has the type of one."""

    present: list[Any]
    #: The others, for one element of the batch; `None` where the arrays are.
    absent: list[Any]

    def fill(self, present: Sequence[Any]) -> list[Any]:
        """Put the list together around other arrays."""
        fresh = iter(present)
        return [next(fresh) if value is None else value for value in self.absent]


def _places(values: Sequence[Any], axes: Sequence[_Axis], absent: Any) -> tuple[_Places, list[_Axis]]:
    """Take apart a list of arrays and instances of `absent`. Returns the axes of those arrays, too."""
    pairs = list(zip(values, axes, strict=True))
    present = [(value, axis) for value, axis in pairs if type(value) is not absent]
    others = [absent(_without_axis(value.aval, axis)) if type(value) is absent else None for value, axis in pairs]
    return _Places([value for value, _ in present], others), [axis for _, axis in present]


def _without_axis(kind: Any, axis: _Axis) -> Any:
    if axis is None:
        return kind
    shape = (*kind.shape[:axis], *kind.shape[axis + 1 :])
    return ShapedArray(shape, kind.dtype, weak_type=kind.weak_type)
