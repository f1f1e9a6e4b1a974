import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox.internal._schedule import Placement, Stack, default_checkpoints

#: For a number of checkpoints and of steps: which steps run, in order, on the way back.
ORDERS = {
    (1, 2): "0 1 0",
    (1, 4): "0 1 2 3 0 1 2 0 1 0",
    (2, 3): "1 2 1 0",
    (2, 4): "3 0 1 2 1 0",
    (2, 6): "5 0 1 2 3 4 2 3 2 0 1 0",
    (2, 7): "6 0 1 2 3 4 5 3 4 3 0 1 2 1 0",
    (3, 5): "4 1 2 3 2 1 0",
    (3, 6): "5 4 0 1 2 3 2 1 0",
    (3, 8): "7 4 5 6 5 4 0 1 2 3 2 1 0",
    (3, 9): "7 8 7 4 5 6 5 4 0 1 2 3 2 1 0",
    (3, 10): "9 4 5 6 7 8 6 7 6 4 5 4 0 1 2 3 2 1 0",
    (3, 12): "11 10 0 1 2 3 4 5 6 7 8 9 7 8 7 5 6 5 0 1 2 3 4 3 2 0 1 0",
    (5, 6): "4 5 4 3 2 1 0",
    (5, 12): "11 8 9 10 9 8 7 6 0 1 2 3 4 5 4 3 2 1 0",
    (6, 4): "3 2 1 0",
}


@functools.partial(jax.jit, static_argnums=(0, 2))
def kept_steps(checkpoints: int, num_steps: jax.Array, max_steps: int | None) -> jax.Array:
    def body(step: jax.Array, placement: Placement) -> Placement:
        return placement.next(step, max_steps)[1]

    return jax.lax.fori_loop(0, num_steps, body, Placement.start(checkpoints)).steps


def kept(checkpoints: int, num_steps: int, max_steps: int | None = None) -> list[int]:
    steps = kept_steps(checkpoints, jnp.asarray(num_steps), max_steps)
    return sorted(step for step in steps.tolist() if step >= 0)


def order(checkpoints: int, num_steps: int) -> list[int]:
    """Which steps run on the way back, with checkpoints that are kept in a list."""
    stack = kept(checkpoints, num_steps)
    found: list[int] = []
    for target in reversed(range(num_steps)):
        at = stack[-1]
        while at < target:
            following = int(_next(checkpoints, np.asarray(stack), at, target))
            found += range(at, following)
            if following < target:
                stack.append(following)
            at = following
        found.append(target)
        if stack[-1] == target:
            stack.pop()
    return found


def _next(checkpoints: int, steps: np.ndarray, at: int, target: int) -> jax.Array:
    padded = np.full(checkpoints, -1, np.int32)
    padded[: len(steps)] = steps
    return _traced_next(padded, at, target)


@jax.jit
def _traced_next(steps: jax.Array, at: jax.Array, target: jax.Array) -> jax.Array:
    return Stack.after(steps).next(at, target)


@functools.cache
def fewest(num_steps: int, checkpoints: int) -> int:
    """How many steps have to be run, forwards, to go back over some steps of a known number: Griewank's recursion."""
    if num_steps <= 1:
        return 0
    if checkpoints == 1:
        return num_steps * (num_steps - 1) // 2
    return min(
        split + fewest(num_steps - split, checkpoints - 1) + fewest(split, checkpoints) for split in range(1, num_steps)
    )


@pytest.mark.parametrize(("checkpoints", "num_steps"), ORDERS)
def test_the_way_back_runs_the_steps_of_the_table(checkpoints: int, num_steps: int) -> None:
    assert order(checkpoints, num_steps) == [int(step) for step in ORDERS[checkpoints, num_steps].split()]


@pytest.mark.parametrize(
    ("max_steps", "expected"),
    [
        (0, 1),
        (1, 1),
        (2, 1),
        (3, 2),
        (5, 2),
        (6, 3),
        (9, 3),
        (10, 4),
        (16, 5),
        (100, 13),
        (1000, 44),
        (4096, 90),
        (10000, 140),
    ],
)
def test_the_default_is_the_least_number_with_which_all_steps_fit_into_the_segments(
    max_steps: int, expected: int
) -> None:
    assert default_checkpoints(max_steps) == expected


def forward_steps(checkpoints: int, num_steps: int) -> int:
    """How many steps are run forwards, on both ways, but for those run for their derivatives."""
    return num_steps + len(order(checkpoints, num_steps)) - num_steps


@pytest.mark.parametrize("checkpoints", [2, 3, 5])
def test_within_the_segments_one_step_is_run_in_vain_because_the_number_of_steps_is_unknown(checkpoints: int) -> None:
    for num_steps in range(1, (checkpoints + 1) * (checkpoints + 2) // 2):
        # The last step is needed for the result.
        optimum = fewest(num_steps, checkpoints) + 1
        assert forward_steps(checkpoints, num_steps) <= optimum + (num_steps > checkpoints)


@pytest.mark.parametrize("checkpoints", [2, 3, 5])
def test_beyond_the_segments_no_more_than_twice_as_many_steps_are_run_as_must_be(checkpoints: int) -> None:
    for num_steps in (25, 40):
        assert forward_steps(checkpoints, num_steps) <= 2 * fewest(num_steps, checkpoints)


@pytest.mark.parametrize("num_steps", [1, 4, 9, 14])
def test_the_placement_does_not_depend_on_whether_the_greatest_number_of_steps_is_known(num_steps: int) -> None:
    assert kept(4, num_steps, 14) == kept(4, num_steps, None) == kept(4, num_steps, 100)


def test_as_many_checkpoints_as_steps_keep_every_step() -> None:
    assert kept(7, 7, 7) == list(range(7))


def test_the_first_step_is_kept_whatever_comes() -> None:
    for checkpoints in (1, 2, 3):
        assert kept(checkpoints, 200)[0] == 0
        assert len(kept(checkpoints, 200)) == checkpoints


def test_the_stack_takes_places_that_are_free_and_gives_them_back() -> None:
    stack = Stack.after(jnp.array([0, -1, 7, 4]))
    assert [int(x) for x in stack.newest()] == [7, 2]
    place, stack = stack.push(jnp.asarray(9), jnp.asarray(True))
    assert int(place) == 1
    assert [int(x) for x in stack.newest()] == [9, 1]
    place, stack = stack.push(jnp.asarray(11), jnp.asarray(False))
    assert int(place) == 4
    assert [int(x) for x in stack.drop(jnp.asarray(8)).newest()] == [9, 1]
    assert [int(x) for x in stack.drop(jnp.asarray(9)).newest()] == [7, 2]
