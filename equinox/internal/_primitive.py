"""Primitives of JAX whose arguments and results are any PyTrees.

A primitive takes and returns a flat list of arrays; everything else has to be a parameter of its equation.
`filter_primitive_bind` makes it so: the arrays of the arguments become the operands, the other leaves the parameter
`static`, and the structure the parameter `treedef`. The decorators are the other end: each turns a rule that is written
for trees into one for operands and parameters, as JAX wants it.

What comes back from JAX is a flat list, too. Whichever rule JAX has called knows the tree that it belongs to. So there
is a third parameter, `output`, made anew for every call: the rule leaves the structure and the other leaves of its
result in it, and `filter_primitive_bind` finds them there.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias, cast, overload

import jax
from jax.core import ShapedArray
from jax.interpreters import ad

from .._jax_tree import PyTreeDef, tree_flatten
from .._transforms.arguments import name_of
from .._transforms.split import Remainder, split
from .._tree.predicates import is_array
from .._tree.prefix import flatten_up_to

_PyTree: TypeAlias = Any
_Rule: TypeAlias = Callable[..., Any]
_instantiate = cast(Any, ad.instantiate_zeros)  # JAX does not type it


class Output:
    """What is left of the result of a primitive without its arrays, as soon as one of its rules has run."""

    def __init__(self) -> None:
        self._remainder: Remainder | None = None

    def take(self, tree: _PyTree) -> list[Any]:
        """Note down all of a result but its arrays, and return those."""
        arrays, self._remainder = split(tree, _is_array_or_its_type)
        return arrays

    def known(self) -> Remainder:
        """What has been noted down."""
        if self._remainder is None:
            raise RuntimeError(
                "The structure of the result of a primitive is unknown: none of its rules that were called was made "
                "with `equinox.internal.filter_primitive_def`, `filter_primitive_jvp` or `filter_primitive_batching`."
            )
        return self._remainder


def _is_array_or_its_type(leaf: Any) -> bool:
    return is_array(leaf) or isinstance(leaf, ShapedArray)


class _Operand:
    def __repr__(self) -> str:
        return "*"


#: In the place of an operand, among the other leaves of the arguments.
_OPERAND: Final = _Operand()


def filter_primitive_bind(prim: Any, *args: _PyTree) -> _PyTree:
    """Call a primitive with any PyTrees.

    **Arguments**

    - `prim`: a primitive, with `multiple_results=True`, whose rules were made with the decorators `filter_primitive_*`.
    - `*args`: its arguments. Their arrays are what is traced, differentiated and batched.

    **Returns**

    What the rules return: any PyTree.

    **Example**
    ```python
    >>> import jax.extend as jex
    >>> power_p = jex.core.Primitive("power")
    >>> power_p.multiple_results = True
    >>> @power_p.def_impl
    ... @filter_primitive_def
    ... def power(x, exponent):
    ...     return {"result": x**exponent, "name": f"x**{exponent}"}
    >>> filter_primitive_bind(power_p, jnp.array(3.0), 2)
    {'name': 'x**2', 'result': Array(9., dtype=float32, weak_type=True)}

    ```
    """
    leaves, treedef = tree_flatten(args)
    mask = [is_array(leaf) for leaf in leaves]
    operands = [leaf for leaf, is_operand in zip(leaves, mask, strict=True) if is_operand]
    # JAX looks for jaxprs among the parameters, and among the items of those that are tuples.
    static = tuple(_OPERAND if is_operand else leaf for leaf, is_operand in zip(leaves, mask, strict=True))
    output = Output()
    arrays = prim.bind(*operands, static=static, treedef=treedef, output=output)
    return output.known().join(arrays)


def _join(treedef: PyTreeDef, static: Sequence[Any], operands: Iterable[Any]) -> tuple[_PyTree, ...]:
    """The arguments, with these in place of their arrays."""
    fresh = iter(operands)
    args: tuple[_PyTree, ...] = treedef.unflatten(next(fresh) if leaf is _OPERAND else leaf for leaf in static)
    return args


def _outline(treedef: PyTreeDef, static: Sequence[Any], operands: Iterable[Any]) -> tuple[_PyTree, ...]:
    """The arguments, with these in place of their arrays and `None` in that of everything else."""
    return _join(treedef, [leaf if leaf is _OPERAND else None for leaf in static], operands)


def _none_for_zero(tangent: Any) -> Any:
    return None if type(tangent) is ad.Zero or getattr(tangent, "dtype", None) == jax.dtypes.float0 else tangent


def _spread(returned: _PyTree, like: _PyTree, rule: _Rule, what: str) -> list[Any]:
    """For each leaf of one tree, what a rule returned for it. A `None` may stand for a whole subtree."""
    name = f"the {what} that the rule `{name_of(rule)}` returned"
    found, parts, _ = flatten_up_to(returned, like, argument=name, tree_argument="what it is for", is_leaf=_is_no_value)
    return [value for value, part in zip(found, parts, strict=True) for _ in tree_flatten(part)[0]]


def _is_no_value(node: Any) -> bool:
    # To JAX, the latter two are nodes without children.
    return node is None or type(node) in (ad.Zero, ad.UndefinedPrimal)


def filter_primitive_def(rule: _Rule) -> _Rule:
    """Adapt a rule for trees to what `Primitive.def_impl` and `Primitive.def_abstract_eval` want.

    **Arguments**

    - `rule`: called with the arguments of `filter_primitive_bind`; in an abstract evaluation, there is a
      `jax.core.ShapedArray` in place of each array. It returns any PyTree, of arrays (or `ShapedArray`s) and other
      leaves. Those other leaves must be the same in all the rules of a primitive.

    **Returns**

    The rule for operands and parameters.
    """

    def flat_rule(*operands: Any, static: Any, treedef: PyTreeDef, output: Output) -> list[Any]:
        return output.take(rule(*_join(treedef, static, operands)))

    return flat_rule


def filter_primitive_jvp(rule: _Rule) -> _Rule:
    """Adapt a rule for trees to what `jax.interpreters.ad.primitive_jvps` wants.

    **Arguments**

    - `rule`: called with two tuples: of the arguments of `filter_primitive_bind`, and of their tangents. These have
      the same structure, with `None` for what is no array, and for each tangent that is symbolically zero. It returns
      the result and its tangent, likewise.

    **Returns**

    The rule for operands and parameters.
    """

    def flat_rule(
        primals: Sequence[Any], tangents: Sequence[Any], *, static: Any, treedef: PyTreeDef, output: Output
    ) -> tuple[list[Any], list[Any]]:
        tangents_in = _outline(treedef, static, map(_none_for_zero, tangents))
        out, tangents_out = rule(_join(treedef, static, primals), tangents_in)
        arrays = output.take(out)
        selected, _ = output.known().places.separate(_spread(tangents_out, out, rule, "tangent"))
        return arrays, [_zero_for_none(array, t) for array, t in zip(arrays, selected, strict=True)]

    return flat_rule


def _zero_for_none(array: Any, tangent: Any) -> Any:
    return ad.Zero(jax.typeof(array).to_tangent_aval()) if _none_for_zero(tangent) is None else tangent


@overload
def filter_primitive_transpose(rule: _Rule, *, materialise_zeros: bool = False) -> _Rule: ...
@overload
def filter_primitive_transpose(*, materialise_zeros: bool = False) -> Callable[[_Rule], _Rule]: ...
def filter_primitive_transpose(rule: Any = None, *, materialise_zeros: bool = False) -> Any:
    """Adapt a rule for trees to what `jax.interpreters.ad.primitive_transposes` wants.

    **Arguments**

    - `rule`: called with the tuple of the arguments of `filter_primitive_bind`, where each array with respect to which
      the primitive is to be transposed is a `jax.interpreters.ad.UndefinedPrimal`; and with the cotangent of the
      result, which is `None` for what is no array, or is symbolically zero. It returns a tuple like that of the
      arguments: for each array that was undefined its cotangent, or `None` for zero; `None` everywhere else.
    - `materialise_zeros`: give the rule arrays of zeros in place of cotangents that are symbolically zero.

    **Returns**

    The rule for operands and parameters; without `rule`, a decorator for one.
    """
    if rule is None:
        return functools.partial(filter_primitive_transpose, materialise_zeros=materialise_zeros)

    def flat_rule(
        cotangents: Sequence[Any], *operands: Any, static: Any, treedef: PyTreeDef, output: Output
    ) -> list[Any]:
        inputs = _join(treedef, static, operands)
        given = [_instantiate(ct) if materialise_zeros else _none_for_zero(ct) for ct in cotangents]
        returned = rule(inputs, output.known().places.outline(given))
        outline = treedef.unflatten(range(len(static)))
        pairs = zip(_spread(returned, outline, rule, "cotangent"), static, strict=True)
        return [None if _is_no_value(ct) else ct for ct, leaf in pairs if leaf is _OPERAND]

    return flat_rule


def filter_primitive_batching(rule: _Rule) -> _Rule:
    """Adapt a rule for trees to what `jax.interpreters.batching.primitive_batchers` wants.

    **Arguments**

    - `rule`: called with the tuple of the arguments of `filter_primitive_bind`, and with a tuple of the same structure
      that says which axis of each array is that of the batch: an integer, or `None` for what is not batched or is no
      array. It returns the result and its axes, likewise.

    **Returns**

    The rule for operands and parameters.
    """

    def flat_rule(
        operands: Sequence[Any], axes: Sequence[Any], *, static: Any, treedef: PyTreeDef, output: Output
    ) -> tuple[list[Any], list[Any]]:
        out, axes_out = rule(_join(treedef, static, operands), _outline(treedef, static, axes))
        arrays = output.take(out)
        selected, _ = output.known().places.separate(_spread(axes_out, out, rule, "axis"))
        return arrays, selected

    return flat_rule
