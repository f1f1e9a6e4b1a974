"""A loop with a reverse-mode derivative whose memory does not grow with the number of steps.

Forwards, the states before some of the steps are kept; backwards, the others are computed again from them. Which steps
those are is explained in `_schedule.py`. Of a state that is kept, buffers are no part: what has been written to them
stays there (see `_buffer.py`).

The loop is a primitive, for the sake of its derivative. Not all of a state need be differentiated: only what depends on
something that changes, over any number of steps, has a tangent, and only what something with a cotangent depends on has
one itself (see `_symbolic_zeros.py`). The tangent is a primitive as well, which cannot be computed, only transposed:
into the loop that runs backwards. That is an ordinary program, so that it has a forward-mode derivative again.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, Primitive
from jax.interpreters import ad, batching, mlir

from .._runtime.primitive import FINALISATIONS
from .._runtime.unvmap import unvmap_any
from .._transforms.perturbation import as_arrays
from .._tree.predicates import is_inexact_array
from ._batched_outputs import batched_outputs
from ._jaxprs import as_function, without_writing
from ._loop_program import as_program, as_state
from ._loop_step import Loop, State
from ._schedule import Placement, Stack
from ._symbolic_zeros import cotangent_inputs, fixed_point, perturbed_outputs

# JAX does not type these.
_struct = cast(Any, jax.ShapeDtypeStruct)
_vjp = cast(Any, jax.vjp)
_jit = cast(Any, jax.jit)


def checkpointed_loop(loop: Loop, max_steps: int | None, checkpoints: int) -> State:
    """Run a loop of at most `max_steps` steps, of whose states at most `checkpoints` are kept for reverse mode."""
    program = as_program(loop)
    options = _Options(len(program.constants), program.num_buffers, max_steps, checkpoints, loop.token)
    leaves = checkpointed_loop_p.bind(*program.constants, *program.start, jaxprs=(program.step,), options=options)
    return as_state(program, leaves)


@dataclasses.dataclass(frozen=True, eq=False)
class _Options:
    #: Of the arguments of a step, the first are constants, and the last are buffers.
    num_constants: int
    num_buffers: int
    max_steps: int | None
    checkpoints: int
    #: Stands for the loop.
    token: object

    def split(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Take the arguments of a step apart: constants, `pred` and the other values, buffers."""
        first, last = self.num_constants, len(operands) - self.num_buffers
        return list(operands[:first]), list(operands[first:last]), list(operands[last:])


class _Kept(NamedTuple):
    """What the loop that runs backwards needs to know."""

    constants: list[Any]
    #: With one row for each checkpoint.
    values: list[Any]
    #: The steps that the checkpoints are before.
    steps: jax.Array
    #: The number of steps.
    num_steps: jax.Array
    #: As they are in the end.
    buffers: list[Any]


def _is_running(count: jax.Array, pred: jax.Array, options: _Options) -> jax.Array:
    is_running = unvmap_any(pred)
    return is_running if options.max_steps is None else jnp.logical_and(is_running, count < options.max_steps)


def _run(*operands: Any, jaxprs: tuple[ClosedJaxpr], options: _Options) -> list[Any]:
    """Run the loop, and keep nothing."""
    constants, start = operands[: options.num_constants], list(operands[options.num_constants :])
    step = as_function(jaxprs[0])

    def condition(carry: tuple[jax.Array, list[Any]]) -> jax.Array:
        count, state = carry
        return _is_running(count, state[0], options)

    def body(carry: tuple[jax.Array, list[Any]]) -> tuple[jax.Array, list[Any]]:
        count, state = carry
        return count + 1, step(*constants, *state)

    _, state = jax.lax.while_loop(condition, body, (jnp.zeros((), jnp.int32), start))
    return state


def _run_and_keep(operands: Sequence[Any], program: ClosedJaxpr, options: _Options) -> tuple[list[Any], _Kept]:
    """Run the loop, and keep what is needed to run it backwards."""
    constants, values, buffers = options.split(operands)
    step = as_function(program)
    empty = [jnp.empty((options.checkpoints, *value.shape), value.dtype) for value in values]

    def condition(carry: tuple[jax.Array, Placement, list[Any], list[Any], list[Any]]) -> jax.Array:
        count, _, _, values, _ = carry
        return _is_running(count, values[0], options)

    def body(
        carry: tuple[jax.Array, Placement, list[Any], list[Any], list[Any]],
    ) -> tuple[jax.Array, Placement, list[Any], list[Any], list[Any]]:
        count, placement, kept, values, buffers = carry
        place, placement = placement.next(count, options.max_steps)
        kept = _keep(kept, place, values)
        _, values, buffers = options.split([*constants, *step(*constants, *values, *buffers)])
        return count + 1, placement, kept, values, buffers

    start = jnp.zeros((), jnp.int32), Placement.start(options.checkpoints), empty, values, buffers
    count, placement, kept, values, buffers = jax.lax.while_loop(condition, body, start)
    return [*values, *buffers], _Kept(constants, kept, placement.steps, count, buffers)


def _keep(kept: list[Any], place: jax.Array, values: list[Any]) -> list[Any]:
    return [rows.at[place].set(value, mode="drop") for rows, value in zip(kept, values, strict=True)]


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, jaxprs: tuple[ClosedJaxpr], options: _Options
) -> tuple[list[Any], list[Any]]:
    (program,) = jaxprs
    first = options.num_constants
    primals = as_arrays(primals)
    is_given = [
        type(tangent) is not ad.Zero and is_inexact_array(primal)
        for primal, tangent in zip(primals, tangents, strict=True)
    ]

    def after_a_step(flags: list[bool]) -> list[bool]:
        return [*flags[:first], *perturbed_outputs(program, flags)]

    is_perturbed = fixed_point(after_a_step, is_given)
    if not any(is_perturbed[first:]):
        outputs = checkpointed_loop_p.bind(*primals, jaxprs=jaxprs, options=options)
        return outputs, [ad.Zero(jax.typeof(output).to_tangent_aval()) for output in outputs]
    outputs, kept = _run_and_keep(primals, program, options)
    changes = [tangent for tangent, flag in zip(tangents, is_given, strict=True) if flag]
    leaves = jax.tree.leaves(kept)
    of_perturbed = iter(
        tangent_p.bind(
            *leaves,
            *changes,
            jaxprs=jaxprs,
            options=options,
            num_kept=len(leaves),
            is_given=tuple(is_given),
            is_perturbed=tuple(is_perturbed),
        )
    )
    return outputs, [
        next(of_perturbed) if flag else ad.Zero(jax.typeof(output).to_tangent_aval())
        for output, flag in zip(outputs, is_perturbed[first:], strict=True)
    ]


def _transpose(
    cotangents: Sequence[Any],
    *operands: Any,
    jaxprs: tuple[ClosedJaxpr],
    options: _Options,
    num_kept: int,
    is_given: tuple[bool, ...],
    is_perturbed: tuple[bool, ...],
) -> list[Any]:
    program = without_writing(jaxprs[0], options.token)
    first = options.num_constants
    kept = _kept(operands[:num_kept], options)
    fresh = iter(cotangents)
    given = [next(fresh) if flag else None for flag in is_perturbed[first:]]
    has_given = [cotangent is not None and type(cotangent) is not ad.Zero for cotangent in given]
    has_cotangent = fixed_point(
        lambda flags: cotangent_inputs(program, is_perturbed, flags[first:]), [*([False] * first), *has_given]
    )
    start: list[Any] = [jnp.zeros(aval.shape, aval.dtype) for aval in program.in_avals[:first]]
    for cotangent, is_there, aval in zip(given, has_given, program.out_avals, strict=True):
        start.append(cotangent if is_there else jnp.zeros(aval.shape, aval.dtype))
    results: list[Any] = [None] * len(is_given)
    if any(has_cotangent):
        selected = [cotangent for cotangent, flag in zip(start, has_cotangent, strict=True) if flag]
        found = iter(_run_backwards(kept, program, options, has_cotangent, selected))
        results = [next(found) if flag else None for flag in has_cotangent]
    return [*([None] * num_kept), *(result for result, flag in zip(results, is_given, strict=True) if flag)]


def _run_backwards(
    kept: _Kept, program: ClosedJaxpr, options: _Options, has_cotangent: Sequence[bool], cotangents: list[Any]
) -> list[Any]:
    """Run the loop backwards: from cotangents after it, of what `has_cotangent`, to those before it."""
    step = as_function(program)
    first = options.num_constants
    constants, buffers = kept.constants, kept.buffers
    num_of_constants = sum(has_cotangent[:first])

    def advance(values: list[Any]) -> list[Any]:
        return step(*constants, *values, *buffers)[: len(values)]

    def pull_back(values: list[Any], cotangents: list[Any]) -> list[Any]:
        inputs = [*constants, *values, *buffers]

        def of_selected(*selected: Any) -> list[Any]:
            fresh = iter(selected)
            merged = [next(fresh) if flag else x for x, flag in zip(inputs, has_cotangent, strict=True)]
            return [x for x, flag in zip(step(*merged), has_cotangent[first:], strict=True) if flag]

        _, pull = _vjp(of_selected, *(x for x, flag in zip(inputs, has_cotangent, strict=True) if flag))
        so_far, after = cotangents[:num_of_constants], cotangents[num_of_constants:]
        before = pull(after)
        of_constants = map(jnp.add, so_far, before[:num_of_constants])
        return [*of_constants, *before[num_of_constants:]]

    def retrace(
        target: jax.Array, stack: Stack, rows: list[Any], at: jax.Array, values: list[Any]
    ) -> tuple[Stack, list[Any], list[Any]]:
        """Compute the state before the target, from that before an earlier step, and keep others on the way."""

        def is_before(carry: tuple[jax.Array, jax.Array, Stack, list[Any], list[Any]]) -> jax.Array:
            return carry[0] < target

        def body(
            carry: tuple[jax.Array, jax.Array, Stack, list[Any], list[Any]],
        ) -> tuple[jax.Array, jax.Array, Stack, list[Any], list[Any]]:
            at, following, stack, rows, values = carry
            at, values = at + 1, advance(values)
            is_kept = (at == following) & (at < target)
            place, stack = stack.push(at, is_kept)
            following = jnp.where(is_kept, stack.next(at, target), following)
            return at, following, stack, _keep(rows, place, values), values

        start = at, stack.next(at, target), stack, rows, values
        _, _, stack, rows, values = jax.lax.while_loop(is_before, body, start)
        return stack, rows, values

    def is_left(carry: tuple[jax.Array, Stack, list[Any], list[Any]]) -> jax.Array:
        return carry[0] >= 0

    def body(
        carry: tuple[jax.Array, Stack, list[Any], list[Any]],
    ) -> tuple[jax.Array, Stack, list[Any], list[Any]]:
        target, stack, rows, cotangents = carry
        at, place = stack.newest()
        values = [row[place] for row in rows]
        if options.max_steps is None or options.checkpoints < options.max_steps:
            stack, rows, values = retrace(target, stack, rows, at, values)
        return target - 1, stack.drop(target), rows, pull_back(values, cotangents)

    start = kept.num_steps - 1, Stack.after(kept.steps), kept.values, cotangents
    return jax.lax.while_loop(is_left, body, start)[-1]


def _batch(
    axis: Any, operands: Sequence[Any], axes: Sequence[int | None], *, jaxprs: tuple[ClosedJaxpr], options: _Options
) -> tuple[list[Any], list[int | None]]:
    (program,) = jaxprs
    first = options.num_constants
    operands = [
        x if from_axis is None else jnp.moveaxis(x, from_axis, 0) for x, from_axis in zip(operands, axes, strict=True)
    ]

    def vectorise(function: Any, flags: Sequence[bool], out_axes: Any) -> Any:
        in_axes = tuple(0 if flag else None for flag in flags)
        return jax.vmap(
            function, in_axes, out_axes, axis_name=axis.name, axis_size=axis.size, spmd_axis_name=axis.spmd_name
        )

    def inputs(flags: Sequence[bool]) -> list[Any]:
        return [
            _struct((axis.size, *aval.shape) if flag else aval.shape, aval.dtype, weak_type=aval.weak_type)
            for flag, aval in zip(flags, program.in_avals, strict=True)
        ]

    def after_a_step(flags: list[bool]) -> list[bool]:
        found = batched_outputs(lambda function: vectorise(function, flags, 0), program, inputs(flags))
        return [*flags[:first], *found]

    flags = fixed_point(after_a_step, [from_axis is not None for from_axis in axes])
    operands = [
        jnp.broadcast_to(x, (axis.size, *jnp.shape(x))) if flag and from_axis is None else x
        for x, flag, from_axis in zip(operands, flags, axes, strict=True)
    ]
    out_axes = [0 if flag else None for flag in flags[first:]]
    batched = jax.make_jaxpr(vectorise(as_function(program), flags, out_axes))(*inputs(flags))
    return checkpointed_loop_p.bind(*operands, jaxprs=(batched,), options=options), out_axes


def _kept(leaves: Sequence[Any], options: _Options) -> _Kept:
    """Put together what was kept."""
    constants, (*values, steps, num_steps), buffers = options.split(leaves)
    return _Kept(constants, values, steps, num_steps, buffers)


def _abstract_eval(*avals: Any, jaxprs: tuple[ClosedJaxpr], options: _Options) -> tuple[list[Any], Any]:
    del avals, options
    return list(jaxprs[0].out_avals), jaxprs[0].effects


def _abstract_eval_tangent(
    *avals: Any, jaxprs: tuple[ClosedJaxpr], options: _Options, is_perturbed: tuple[bool, ...], **params: Any
) -> list[ShapedArray]:
    del avals, params
    flags = is_perturbed[options.num_constants :]
    return [ShapedArray(aval.shape, aval.dtype) for aval, flag in zip(jaxprs[0].out_avals, flags, strict=True) if flag]


def _impl(*operands: Any, **params: Any) -> list[Any]:
    results: list[Any] = _jit(functools.partial(_run, **params))(*operands)
    return results


def _no_forward_mode(*args: Any, **params: Any) -> Any:
    del args, params
    raise TypeError(
        "A loop with `kind='checkpointed'` has no forward-mode derivative (`jax.jvp`, `jax.jacfwd`, `jax.linearize` "
        "evaluated, a custom derivative rule that is not transposed). Use `kind='lax'` or `kind='bounded'` for that; "
        "`jax.jacfwd(jax.grad(...))` is fine with any kind but `'lax'`."
    )


checkpointed_loop_p: Final[Any] = Primitive("checkpointed_loop")
checkpointed_loop_p.multiple_results = True
checkpointed_loop_p.def_impl(_impl)
checkpointed_loop_p.def_effectful_abstract_eval(_abstract_eval)
FINALISATIONS[checkpointed_loop_p] = _run
mlir.register_lowering(checkpointed_loop_p, mlir.lower_fun(_run, multiple_results=True))
ad.primitive_jvps[checkpointed_loop_p] = _jvp
# The rules of this table are told the name of the axis, too.
batching.fancy_primitive_batchers[checkpointed_loop_p] = _batch

#: The tangents of the loop.
tangent_p: Final[Any] = Primitive("checkpointed_loop_tangent")
tangent_p.multiple_results = True
tangent_p.def_impl(_no_forward_mode)
tangent_p.def_abstract_eval(_abstract_eval_tangent)
mlir.register_lowering(tangent_p, _no_forward_mode)
batching.primitive_batchers[tangent_p] = _no_forward_mode
ad.primitive_jvps[tangent_p] = _no_forward_mode
ad.primitive_transposes[tangent_p] = _transpose
