"""One step of a loop, as a function of a flat state: what all kinds of loops are made of.

The state is whether to take another step, the arrays of the carry that are no buffers, and those that are. A step knows
about `vmap`: it leaves the elements of a batch alone that have finished. See `_select_if_vmap.py`.
"""

import difflib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from .._errors import describe, locate
from .._jax_tree import KeyPath, PyTreeDef, tree_flatten
from .._tree.predicates import is_array_like, is_inexact_array
from .._tree.pretty import tree_pformat
from ._buffer import Buffer
from ._jaxprs import as_function
from ._select_if_vmap import select_if_vmap


class State(NamedTuple):
    """The state of a loop."""

    #: Whether to take another step. Of a batch, each element has its own.
    pred: jax.Array
    values: list[jax.Array]
    buffers: list[jax.Array]


class Loop:
    """A loop that has yet to be run: `start`, and then `step` after `step` as long as the state says so.

    **Arguments**

    - `cond_fun`, `body_fun`, `init_val`, `buffers`: as for `while_loop`.
    """

    def __init__(
        self,
        cond_fun: Callable[[Any], Any],
        body_fun: Callable[[Any], Any],
        init_val: Any,
        buffers: Callable[[Any], Any] | None,
    ) -> None:
        self._body_fun = body_fun
        #: Stands for this loop.
        self.token = object()
        leaves, self._treedef = tree_flatten(as_arrays("init_val", init_val), is_buffer)
        #: The leaves that are buffers of a loop further outside.
        self._outside = [leaf if isinstance(leaf, Buffer) else None for leaf in leaves]
        self._is_buffer = _selected(buffers, self._treedef)
        arrays = [_array(leaf) for leaf in leaves]
        self._cond = self._condition(cond_fun, arrays)
        values, buffer_arrays = self._separate(arrays)
        self.start = State(self._cond(arrays), values, buffer_arrays)

    def step(self, state: State) -> State:
        """Take one step."""
        pred = state.pred
        # The elements of a batch that have finished are computed with as well. Nothing of that may get into their
        # gradients, which multiplying by zero would not achieve: what is computed may be infinite.
        given = [select_if_vmap(pred, x, jax.lax.stop_gradient(x)) if is_inexact_array(x) else x for x in state.values]
        is_running = select_if_vmap(pred, jnp.array(True), jnp.array(False))
        carry = self._join(self._interleave(given, state.buffers), is_running)
        new_values, buffers = self._separate(self._take_apart(carry, self._body_fun(carry)))
        values = [
            old if new is old or new is guarded else select_if_vmap(pred, new, old)
            for new, old, guarded in zip(new_values, state.values, given, strict=True)
        ]
        next_pred = self._cond(self._interleave(values, buffers))
        return State(select_if_vmap(pred, next_pred, jnp.array(False)), values, buffers)

    def carry(self, state: State) -> Any:
        """The carry, as the functions of the loop see it."""
        return self._join(self._interleave(state.values, state.buffers), jnp.array(True))

    def finish(self, state: State) -> Any:
        """The carry, as it is after the loop."""
        leaves = self._interleave(state.values, state.buffers)
        return self._treedef.unflatten(map(_as_outside, leaves, self._outside))

    def _separate(self, leaves: Sequence[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
        values = [leaf for leaf, is_buffer in zip(leaves, self._is_buffer, strict=True) if not is_buffer]
        buffers = [leaf for leaf, is_buffer in zip(leaves, self._is_buffer, strict=True) if is_buffer]
        return values, buffers

    def _interleave(self, values: Sequence[jax.Array], buffers: Sequence[jax.Array]) -> list[jax.Array]:
        sources = iter(values), iter(buffers)
        return [next(sources[is_buffer]) for is_buffer in self._is_buffer]

    def _join(self, leaves: Sequence[jax.Array], is_running: jax.Array) -> Any:
        """The carry, as the body of the loop sees it."""
        joined: list[Any] = []
        for leaf, is_buffer, outside in zip(leaves, self._is_buffer, self._outside, strict=True):
            if not is_buffer:
                joined.append(_as_outside(leaf, outside))
            elif outside is None:
                joined.append(Buffer(leaf, is_running, frozenset([self.token])))
            else:
                both = jnp.logical_and(is_running, outside.is_running)
                joined.append(Buffer(leaf, both, outside.loops | {self.token}))
        return self._treedef.unflatten(joined)

    def _take_apart(self, before: Any, after: Any) -> list[jax.Array]:
        """The arrays of what the body returned, after checking that it is like what the body was given."""
        old, new = (tree_flatten(tree, is_buffer) for tree in (before, after))
        if new[1] == old[1] and all(map(_is_like, new[0], old[0])):
            return [_array(leaf) for leaf in new[0]]
        lines = difflib.ndiff(_show(before).splitlines(), _show(after).splitlines())
        raise ValueError(
            "`body_fun` must return a carry like the one that it is given: of the same structure, with arrays of the "
            "same shapes and dtypes, and with a buffer in the place of each buffer. Marked with `-` is what it was "
            "given, with `+` what it returned:\n" + "\n".join(line for line in lines if not line.startswith("?"))
        )

    def _condition(self, cond_fun: Callable[[Any], Any], arrays: list[jax.Array]) -> Callable[[list[Any]], jax.Array]:
        """The condition, as a function of the leaves; no derivative goes through it."""

        def of_arrays(arrays: list[jax.Array]) -> jax.Array:
            return _as_pred(cond_fun(self._join(arrays, jnp.array(True))))

        closed = jax.make_jaxpr(of_arrays)(arrays)
        program = as_function(ClosedJaxpr(closed.jaxpr, [*map(_constant, closed.consts)]))

        def condition(arrays: list[Any]) -> jax.Array:
            (pred,) = program(*map(_constant, arrays))
            return cast(jax.Array, pred)

        return condition


def is_buffer(node: Any) -> bool:
    """Whether something is a buffer of a loop."""
    return isinstance(node, Buffer)


def _as_outside(leaf: jax.Array, outside: Buffer | None) -> Any:
    """The leaf, as what it was before the loop."""
    return leaf if outside is None else Buffer(leaf, outside.is_running, outside.loops)


def _array(leaf: Any) -> jax.Array:
    return leaf.array if isinstance(leaf, Buffer) else jnp.asarray(leaf)


def _constant(array: Any) -> Any:
    return jax.lax.stop_gradient(array) if is_inexact_array(array) else array


def as_arrays(argument: str, tree: Any) -> Any:
    """Make the leaves of an argument, but for buffers, arrays of JAX."""

    def convert(path: KeyPath, leaf: Any) -> Any:
        if is_buffer(leaf):
            return leaf
        if not is_array_like(leaf) and not isinstance(leaf, jax.Array):
            raise TypeError(
                f"{locate(argument, path)}: found {describe(leaf)}, expected an array or a number. What a loop carries "
                "along consists of arrays; let its functions close over everything else."
            )
        return jnp.asarray(leaf)

    return jax.tree_util.tree_map_with_path(convert, tree, is_leaf=is_buffer)


class _Marker:
    """Stands for a leaf of the carry while its buffers are selected."""


def _selected(buffers: Callable[[Any], Any] | None, treedef: PyTreeDef) -> list[bool]:
    """Say of each leaf whether it is a buffer."""
    markers = [_Marker() for _ in range(treedef.num_leaves)]
    if buffers is None:
        return [False] * len(markers)
    chosen, _ = tree_flatten(buffers(treedef.unflatten(markers)))
    for leaf in chosen:
        if not isinstance(leaf, _Marker):
            raise ValueError(
                f"argument `buffers`: returned {describe(leaf)}, expected a part of the carry that it is given, all of "
                "whose leaves are arrays, or several of them."
            )
    indices = {id(leaf) for leaf in chosen}
    return [id(marker) in indices for marker in markers]


def _as_pred(result: Any) -> jax.Array:
    expected = "expected a boolean scalar. Reduce an array with `jnp.any` or `jnp.all`; compare a number with zero."
    if not is_array_like(result) and not isinstance(result, jax.Array):
        raise TypeError(f"`cond_fun` returned {describe(result)}, {expected}")
    pred = jnp.asarray(result)
    if pred.dtype != bool:
        raise TypeError(f"`cond_fun` returned {describe(result)}, {expected}")
    if pred.shape != ():
        raise ValueError(f"`cond_fun` returned {describe(result)}, {expected}")
    return pred


def _is_like(new: Any, old: Any) -> bool:
    if is_buffer(new) != is_buffer(old):
        return False
    if not is_buffer(new) and not is_array_like(new) and not isinstance(new, jax.Array):
        return False
    new, old = _array(new), _array(old)
    return bool(new.shape == old.shape and new.dtype == old.dtype)


class _Shown:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _show(tree: Any) -> str:
    struct: Any = jax.ShapeDtypeStruct  # its `__init__` has no types

    def show(leaf: Any) -> Any:
        if not is_buffer(leaf) and not is_array_like(leaf) and not isinstance(leaf, jax.Array):
            return leaf
        array = _array(leaf)
        kind = struct(array.shape, array.dtype)
        return _Shown(f"Buffer({tree_pformat(kind, struct_as_array=True)})") if is_buffer(leaf) else kind

    return tree_pformat(jax.tree.map(show, tree, is_leaf=is_buffer), struct_as_array=True)
