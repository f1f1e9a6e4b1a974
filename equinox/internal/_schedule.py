"""When to keep a checkpoint: the schedule of a loop that is run backwards with few of them.

In reverse mode the steps of a loop are needed from the last to the first. With room for `c` checkpoints, the others are
computed again, from the nearest checkpoint before; which steps are worth keeping is the question.

**On the way forwards** the number of steps is not known. For the first `(c + 1) (c + 2) / 2 - 1` steps, that costs no
more than computing one step in vain (the first algorithm of Stumm and Walther): the steps fall into segments of lengths
`c + 1`, `c`, ..., `2`. The first step of each segment is kept for good. The others, but for the last, are kept until
their places are needed for the next segment. From there on (dynamic placement, by Wang, Moin and Iaccarino) every
checkpoint has a level, and all that were there are at level zero. A checkpoint is dispensable if a later one is two
levels above it. The latest of these gives its place to the step, at level zero. If there is none, the newest checkpoint
moves on to the step, one level up. So the checkpoints remain spread over all of the steps, however many there are.

**On the way back** the checkpoints are a stack. From the newest, steps are computed again up to the one that is needed,
and on the way the places that have become free are filled (Griewank's treeverse): halfway, and halfway from there on,
until there is a place for every step.

Philipp Stumm and Andrea Walther, "New algorithms for optimal online checkpointing", SIAM Journal on Scientific
Computing 32 (2010). Qiqi Wang, Parviz Moin and Gianluca Iaccarino, "Minimal repetition dynamic checkpointing algorithm
for unsteady adjoint calculation", SIAM Journal on Scientific Computing 31 (2009). Andreas Griewank, "Achieving
logarithmic growth of temporal and spatial complexity in reverse automatic differentiation", Optimization Methods and
Software 1 (1992).
"""

import functools
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

#: JAX does not type it.
_map = cast(Any, jax.tree.map)


def default_checkpoints(max_steps: int) -> int:
    """The least number of checkpoints with which `max_steps` steps fit into the segments."""
    checkpoints = 1
    while _length_of_segments(checkpoints) < max_steps:
        checkpoints += 1
    return checkpoints


def _length_of_segments(checkpoints: int) -> int:
    return (checkpoints + 1) * (checkpoints + 2) // 2 - 1


class Placement(NamedTuple):
    """Which steps are kept, and where, while a loop runs forwards. A place is one of `range(checkpoints)`."""

    #: For each place, the step that the state in it is before; -1 if there is none.
    steps: jax.Array
    #: The segment that the next step is in, and its number in the segment.
    segment: jax.Array
    offset: jax.Array
    #: For each place, the level of the checkpoint.
    levels: jax.Array
    #: The place of the newest checkpoint.
    newest: jax.Array
    #: The step and the level of the checkpoint that was moved last: some of those before it may be dispensable.
    moved_step: jax.Array
    moved_level: jax.Array

    @classmethod
    def start(cls, checkpoints: int) -> "Placement":
        """Before the first step."""
        zero = jnp.zeros((), jnp.int32)
        places = jnp.zeros(checkpoints, jnp.int32)
        # The last segment begins in the place after the first.
        return cls(places - 1, zero, zero, places, zero + 1, zero, zero)

    def next(self, step: jax.Array, max_steps: int | None) -> "tuple[jax.Array, Placement]":
        """Say in which place to keep the state before a step; `checkpoints` if in none. Steps are given in order.

        `max_steps` is the greatest possible number of steps, if it is known.
        """
        checkpoints = self.steps.size
        place, after = self._next_in_segments()
        if max_steps is None or max_steps > _length_of_segments(checkpoints):
            is_beyond = step >= _length_of_segments(checkpoints)
            beyond = self._next_beyond(step)
            choose = functools.partial(jnp.where, is_beyond)
            place, after = _map(choose, beyond, (place, after))
        return place, after._replace(steps=after.steps.at[place].set(step, mode="drop"))

    def _next_in_segments(self) -> "tuple[jax.Array, Placement]":
        checkpoints = self.steps.size
        # The checkpoints that begin a segment take the places from the last one backwards.
        place = jnp.where(self.offset == 0, (checkpoints - self.segment) % checkpoints, self.offset)
        is_last = self.offset == checkpoints - self.segment
        offset = jnp.where(is_last, 0, self.offset + 1)
        after = self._replace(segment=self.segment + is_last, offset=offset)
        return jnp.where(is_last, checkpoints, place), after

    def _next_beyond(self, step: jax.Array) -> "tuple[jax.Array, Placement]":
        checkpoints = self.steps.size
        if checkpoints == 1:  # which is for the first step
            return jnp.asarray(1, jnp.int32), self
        is_dispensable = (self.steps < self.moved_step) & (self.levels + 2 <= self.moved_level)
        is_dispensable = is_dispensable.at[0].set(False)
        is_any = jnp.any(is_dispensable)
        latest = jnp.argmax(jnp.where(is_dispensable, self.steps, -1)).astype(jnp.int32)
        place = jnp.where(is_any, latest, self.newest)
        level = jnp.where(is_any, 0, self.levels[self.newest] + 1)
        return place, self._replace(
            levels=self.levels.at[place].set(level),
            newest=place,
            moved_step=jnp.where(is_any, self.moved_step, step),
            moved_level=jnp.where(is_any, self.moved_level, level),
        )


class Stack(NamedTuple):
    """The checkpoints while a loop runs backwards, the newest on top."""

    #: The steps that the checkpoints are before, and the places that they are in. Those above the top are free.
    steps: jax.Array
    places: jax.Array
    height: jax.Array

    @classmethod
    def after(cls, steps: jax.Array) -> "Stack":
        """What the loop has kept on the way forwards: `Placement.steps`."""
        never = np.iinfo(np.int32).max
        places = jnp.argsort(jnp.where(steps < 0, never, steps)).astype(jnp.int32)
        return cls(steps[places], places, jnp.sum(steps >= 0, dtype=jnp.int32))

    def newest(self) -> tuple[jax.Array, jax.Array]:
        """The step and the place of the newest checkpoint."""
        return self.steps[self.height - 1], self.places[self.height - 1]

    def push(self, step: jax.Array, pred: jax.Array) -> "tuple[jax.Array, Stack]":
        """Keep the state before a step if `pred`; return the place for it, too, which is `checkpoints` otherwise."""
        checkpoints = self.steps.size
        index = jnp.where(pred, self.height, checkpoints)
        place = jnp.where(pred, self.places[self.height], checkpoints)
        return place, self._replace(steps=self.steps.at[index].set(step, mode="drop"), height=self.height + pred)

    def drop(self, step: jax.Array) -> "Stack":
        """Free the place of the newest checkpoint if it is the one before this step."""
        return self._replace(height=self.height - (self.newest()[0] == step))

    def next(self, step: jax.Array, target: jax.Array) -> jax.Array:
        """The next step to keep a checkpoint before, on the way from `step`, the newest one, to `target`.

        It is `target` if there is none to keep before that.
        """
        gap = target + 1 - step
        free = self.steps.size - self.height
        distance = jnp.where(gap <= free + 2, 1, gap // 2)
        return jnp.where((free == 0) | (gap <= 2), target, step + distance)
