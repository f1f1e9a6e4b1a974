from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox.internal as eqxi
from equinox.internal._loop_step import Loop

# Numbers are carried as arrays, which checkers cannot know.
while_loop: Any = eqxi.while_loop

KINDS = ["lax", "bounded", "checkpointed"]


def run(body: Any, init: Any, kind: Any = "checkpointed", condition: Any = lambda carry: True, **options: Any) -> Any:
    return while_loop(condition, body, init, max_steps=2, kind=kind, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_another_carry_is_an_error_that_shows_the_difference_by_lines(kind: Any) -> None:
    start = {"first": jnp.zeros((2, 3)), "second": [jnp.zeros(40), 0.0] * 3, "third": 1}
    with pytest.raises(ValueError, match="`body_fun`") as error:
        run(lambda carry: carry | {"first": carry["first"][0]}, start, kind)
    lines = str(error.value).splitlines()[1:]
    assert [line for line in lines if line.startswith("- ")] == ["-   'first': f32[2,3],"]
    assert [line for line in lines if line.startswith("+ ")] == ["+   'first': f32[3],"]
    assert all(line.startswith(("- ", "+ ", "  ")) for line in lines)


@pytest.mark.parametrize(
    "body",
    [
        lambda carry: (carry[0], carry[1], None),
        lambda carry: carry[:1],
        lambda carry: [*carry],
        lambda carry: (carry[0] * 1.0, carry[1]),
        lambda carry: (carry[0], carry[1].astype(jnp.float16)),
        lambda carry: (carry[0], "text"),
    ],
)
def test_structure_shapes_and_dtypes_must_remain(body: Any) -> None:
    with pytest.raises(ValueError, match="`body_fun`"):
        run(body, (0, jnp.zeros(3)))


def test_an_array_in_the_place_of_a_buffer_is_an_error_that_shows_both() -> None:
    with pytest.raises(ValueError, match=r"(?s)- .*Buffer\(f32\[3\]\).*\+ .*f32\[3\]"):
        run(lambda carry: (carry[0], carry[1][:]), (0, jnp.zeros(3)), buffers=lambda carry: carry[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_leaf_of_the_carry_that_is_no_array_is_an_error(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"argument `init_val`, leaf `\['a'\]`.*'text'.*expected an array"):
        run(lambda carry: carry, {"a": "text"}, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("result", "error"),
    [(None, TypeError), ("text", TypeError), (1, TypeError), (1.0, TypeError), (np.ones(2, bool), ValueError)],
)
def test_a_condition_that_is_no_boolean_scalar_is_an_error(kind: Any, result: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"`cond_fun` returned.*expected a boolean scalar"):
        run(lambda carry: carry, 0, kind, condition=lambda carry: result)


@pytest.mark.parametrize("result", [False, np.bool_(False), np.array(False)])
def test_a_condition_may_be_known(result: Any) -> None:
    assert run(lambda carry: carry + 1, 0, condition=lambda carry: result) == 0


@pytest.mark.parametrize("function", ["cond_fun", "body_fun"])
def test_what_is_not_callable_is_an_error(function: str) -> None:
    functions: Any = {"cond_fun": lambda carry: True, "body_fun": lambda carry: carry} | {function: 3}
    with pytest.raises(TypeError, match="callable"):
        while_loop(functions["cond_fun"], functions["body_fun"], 0, kind="lax")


def test_buffers_that_are_no_part_of_the_carry_are_an_error() -> None:
    for buffers in (lambda carry: 3, lambda carry: (carry[0], "text")):
        with pytest.raises(ValueError, match=r"argument `buffers`.*expected a part of the carry"):
            run(lambda carry: carry, (0, 1), buffers=buffers)


def test_buffers_may_be_nested_several_or_none() -> None:
    seen: list[bool] = []

    def body(carry: Any) -> Any:
        seen.extend(isinstance(leaf, jax.Array) for leaf in (carry[0], *carry[1], carry[2]["a"]))
        return carry

    for buffers in (lambda carry: (carry[1], carry[2]["a"]), lambda carry: [carry[0], None], lambda carry: ()):
        run(body, (0, [1.0, 2.0], {"a": 3.0}), buffers=buffers)
    assert seen == [True, False, False, False] + [False, True, True, True] + [True] * 4


def test_a_finished_element_of_a_batch_keeps_what_it_has() -> None:
    def step(x: jax.Array, n: jax.Array) -> Any:
        loop = Loop(lambda carry: carry[1] < n, lambda carry: (carry[0] / 0, carry[1] + 1), (x, 0), None)
        state = loop.step(loop.start)
        return state.pred, loop.finish(state)

    pred, (x, count) = jax.jit(jax.vmap(step))(jnp.ones(3), jnp.array([0, 1, 2]))
    np.testing.assert_array_equal(pred, [False, False, True])
    np.testing.assert_array_equal(x, [1, np.inf, np.inf])
    np.testing.assert_array_equal(count, [0, 1, 1])
