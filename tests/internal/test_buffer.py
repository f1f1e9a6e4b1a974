import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
import equinox.internal as eqxi
from equinox.internal import buffer_at_set

# Numbers are carried as arrays, which checkers cannot know.
while_loop: Any = eqxi.while_loop
# As a type, it cannot be given to `isinstance`.
MaybeBuffer: Any = eqxi.MaybeBuffer

KINDS = ["lax", "bounded", "checkpointed"]


def in_loop(function: Any, array: jax.Array, kind: Any = "checkpointed", steps: int = 1, **options: Any) -> jax.Array:
    """Apply a function to a buffer and the number of the step, in each step of a loop."""
    last = while_loop(
        lambda carry: carry[0] < steps,
        lambda carry: (carry[0] + 1, function(carry[1], carry[0])),
        (0, array),
        max_steps=steps,
        buffers=lambda carry: carry[1],
        kind=kind,
        **options,
    )
    return last[1]


def test_a_buffer_is_no_array() -> None:
    def body(buffer: Any, step: jax.Array) -> Any:
        assert not eqx.is_array(buffer)
        assert (buffer.shape, buffer.dtype, buffer.size) == ((2, 3), jnp.float32, 6)
        with pytest.raises(TypeError):
            _ = buffer + 1
        with pytest.raises(AttributeError):
            _ = buffer.at[0].add
        return buffer

    in_loop(body, jnp.zeros((2, 3)))


@pytest.mark.parametrize(
    "item",
    [
        lambda i: 1,
        lambda i: i + 1,
        lambda i: -1,
        lambda i: slice(None, 2),
        lambda i: ...,
        lambda i: (1, 2),
        lambda i: (i, slice(1, None)),
        lambda i: (..., i),
        lambda i: jnp.array([0, 2]),
        lambda i: (np.array([0, 2]), i),
        lambda i: np.array([True, False, True]),
        lambda i: None,
    ],
)
def test_any_index_reads_and_writes_as_it_does_in_an_array(item: Any) -> None:
    array = jnp.arange(12.0).reshape(3, 4)

    @jax.jit
    def run(x: jax.Array) -> jax.Array:
        return in_loop(lambda buffer, i: buffer.at[item(i)].set(buffer[item(i)] * 2 + x), array)

    index = item(0)
    np.testing.assert_array_equal(run(jnp.array(1.0)), array.at[index].set(array[index] * 2 + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_masked_is_not_written(kind: Any) -> None:
    run = jax.jit(lambda: in_loop(lambda buffer, i: buffer.at[i].set(1, pred=i != 1), jnp.zeros(3), kind, 3))
    np.testing.assert_array_equal(run(), [1, 0, 1])


def test_options_are_those_of_an_indexed_update() -> None:
    run = jax.jit(lambda: in_loop(lambda buffer, i: buffer.at[i + 5].set(1, mode="clip"), jnp.zeros(3)))
    np.testing.assert_array_equal(run(), [0, 0, 1])


def test_values_are_broadcast_and_converted() -> None:
    run = jax.jit(lambda: in_loop(lambda buffer, i: buffer.at[1:].set(jnp.arange(2)), jnp.zeros((3, 2))))
    np.testing.assert_array_equal(run(), [[0, 0], [0, 1], [0, 1]])


@pytest.mark.parametrize("x", [1.5, jnp.float32(1), 1j, "text"])
def test_a_value_that_the_dtype_cannot_hold_is_an_error(x: Any) -> None:
    with pytest.raises(ValueError, match=r"argument `x`.*int32"):
        in_loop(lambda buffer, i: buffer.at[0].set(x), jnp.zeros(3, jnp.int32))


def filled(x: Any, num_steps: Any, kind: Any, start: Any = 0.0, **options: Any) -> Any:
    """A loop that reads what it has written."""

    def body(carry: Any) -> Any:
        step, buffer = carry
        before = buffer[jnp.maximum(step - 1, 0)]
        return step + 1, buffer.at[step].set(jnp.where(step == 0, x, jnp.sin(before * x)))

    _, history = while_loop(
        lambda carry: carry[0] < num_steps,
        body,
        (0, jnp.zeros(6) + start),
        max_steps=6,
        buffers=lambda carry: carry[1],
        kind=kind,
        **options,
    )
    return history


def filled_by_hand(x: Any, num_steps: int) -> Any:
    history = [jnp.asarray(x)]
    while len(history) < num_steps:
        history.append(jnp.sin(history[-1] * x))
    return jnp.stack(history[:num_steps] + [jnp.zeros(())] * (6 - num_steps))


WEIGHTS = jnp.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0])


@pytest.mark.parametrize(("kind", "options"), [("bounded", {"base": 2}), ("checkpointed", {"checkpoints": 2})])
def test_gradients_go_through_what_is_written_and_read(kind: Any, options: dict[str, Any]) -> None:
    def f(x: Any, n: Any) -> Any:
        return jnp.sum(filled(x, n, kind, **options) * WEIGHTS)

    def expected(x: Any, n: int) -> Any:
        return jnp.sum(filled_by_hand(x, n) * WEIGHTS)

    xs, ns = jnp.array([0.7, 1.2, 0.3]), jnp.array([5, 2, 0])
    numbers = [jax.value_and_grad(expected)(x, n) for x, n in zip(xs, ns.tolist(), strict=True)]
    found = jax.jit(jax.vmap(jax.value_and_grad(f)))(xs, ns)
    np.testing.assert_allclose(found, np.transpose(numbers), rtol=1e-5)
    inside = jax.jit(jax.grad(lambda xs: jnp.sum(jax.vmap(f)(xs, ns))))(xs)
    np.testing.assert_allclose(inside, [gradient for _, gradient in numbers], rtol=1e-5)


@pytest.mark.parametrize("kind", ["lax", "bounded"])
def test_tangents_are_written_and_read(kind: Any) -> None:
    found = jax.jit(lambda x: jax.jvp(lambda x: filled(x, 5, kind), (x,), (1.0,)))(0.7)
    expected = jax.jvp(lambda x: filled_by_hand(x, 5), (0.7,), (1.0,))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradients_have_forward_mode_derivatives() -> None:
    def hessian(f: Any) -> Any:
        return jax.jit(jax.hessian(lambda x: jnp.sum(f(x) * WEIGHTS)))(0.7)

    found = hessian(lambda x: filled(x, 4, "checkpointed", checkpoints=2))
    np.testing.assert_allclose(found, hessian(lambda x: filled_by_hand(x, 4)), rtol=1e-4)


@pytest.mark.parametrize("kind", ["bounded", "checkpointed"])
def test_the_gradient_with_respect_to_the_start_is_that_with_respect_to_the_end(kind: Any) -> None:
    def f(start: jax.Array) -> jax.Array:
        loop = in_loop(lambda buffer, i: buffer.at[i].set(1), start, kind, 3)
        return jnp.sum(loop * WEIGHTS)

    np.testing.assert_array_equal(jax.jit(jax.grad(f))(jnp.zeros(6)), WEIGHTS)


def test_a_buffer_may_be_one_of_an_inner_loop_too() -> None:
    def f(x: Any, n: Any) -> Any:
        def outer_body(carry: Any) -> Any:
            def inner_body(carry: Any) -> Any:
                j, y, history = carry
                history = history.at[i, j].set(jnp.sin(y))
                return j + 1, y * jnp.cos(history[i, j]) + history[i, 0], history

            i, y, history = carry
            _, y, history = while_loop(
                lambda carry: carry[0] < 2, inner_body, (0, y, history), max_steps=3, buffers=third, kind="checkpointed"
            )
            # A buffer of a loop that is a part of the step is written anew each time that the step is run.
            own = in_loop(lambda buffer, k: buffer.at[k].set(y * (k + 1)), jnp.zeros(2), steps=2)
            return i + 1, y + 0.1 * jnp.sum(own**2), history

        def third(carry: Any) -> Any:
            assert len(carry) == 3
            return carry[2]

        _, y, history = while_loop(
            lambda carry: carry[0] < n,
            outer_body,
            (0, x, jnp.zeros((4, 2))),
            max_steps=4,
            buffers=third,
            kind="checkpointed",
        )
        return y + jnp.sum(history**2)

    def expected(x: Any, n: int) -> Any:
        total = jnp.zeros(())
        for _ in range(n):
            first = jnp.sin(x)
            x = x * jnp.cos(first) + first
            second = jnp.sin(x)
            x = x * jnp.cos(second) + first
            total, x = total + first**2 + second**2, x + 0.1 * (x**2 + 4 * x**2)
        return x + total

    xs, ns = jnp.array([0.7, 0.2]), jnp.array([3, 1])
    numbers = [jax.grad(expected)(x, n) for x, n in zip(xs, ns.tolist(), strict=True)]
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(f)))(xs, ns), numbers, rtol=1e-5)


SIZE = 1237


@functools.cache
def program(kind: str, transformation: str) -> str:
    """The compiled program of a loop that fills a buffer, and reads from it."""

    def f(x: jax.Array) -> jax.Array:
        def body(carry: Any) -> Any:
            step, y, buffer = carry
            buffer = buffer.at[step].set(y)
            return step + 1, jnp.sin(y) + buffer[step // 2], buffer

        start = 0, x, jnp.zeros(SIZE)
        options: dict[str, Any] = {"checkpoints": 5} if kind == "checkpointed" else {}
        last = while_loop(
            lambda carry: carry[1] + carry[0] < SIZE,
            body,
            start,
            max_steps=SIZE,
            buffers=lambda carry: carry[2],
            kind=kind,
            **options,
        )
        return jnp.sum(last[2])

    transformed: Any = {
        "plain": f,
        "batch": jax.vmap(f),
        "gradient": jax.grad(f),
        "gradient of batch": jax.vmap(jax.grad(f)),
    }[transformation]
    x = jnp.ones(2) if "batch" in transformation else jnp.ones(())
    text = jax.jit(transformed).lower(x).compile().as_text()
    assert text is not None
    return text


@pytest.mark.parametrize(
    ("kind", "transformation"),
    [
        ("lax", "plain"),
        ("lax", "batch"),
        ("checkpointed", "plain"),
        ("checkpointed", "batch"),
        ("checkpointed", "gradient"),
        ("checkpointed", "gradient of batch"),
    ],
)
def test_no_step_copies_a_buffer_or_goes_through_it(kind: str, transformation: str) -> None:
    name = ""
    for line in program(kind, transformation).splitlines():
        if (start := re.match(r"(?:ENTRY )?%?([\w.-]+) \(", line)) is not None:
            name = start[1]
        found = re.match(rf"\s*(?:ROOT )?%\S+ = \w+\[(?:2,)?{SIZE}(?:,2)?\]\S* ([\w-]+)\(", line)
        in_loop = "region" in name or "while" in name or "body" in name
        if found is not None and in_loop:
            # Apart from handing it on, all that is done is to update it in place.
            assert found[1] in (
                "parameter",
                "get-tuple-element",
                "fusion",
                "bitcast",
                "dynamic-update-slice",
                "scatter",
            )
            assert found[1] != "fusion" or "update" in line or "scatter" in line


@pytest.mark.parametrize("pred", [True, False, jnp.array(True), jnp.array(False)])
def test_arrays_and_buffers_are_written_alike(pred: Any) -> None:
    array = jnp.arange(3.0)
    expected = array.at[1].set(5.0) if pred else array
    np.testing.assert_array_equal(buffer_at_set(array, 1, 5.0, pred=pred), expected)
    in_buffer = jax.jit(lambda: in_loop(lambda buffer, i: buffer_at_set(buffer, 1, 5.0, pred=pred), array))
    np.testing.assert_array_equal(in_buffer(), expected)
    np.testing.assert_array_equal(buffer_at_set(array, 7, 5.0, mode="clip"), array.at[2].set(5.0))


def test_an_annotation_stands_for_an_array_and_for_a_buffer_of_it() -> None:
    def body(buffer: Any, i: jax.Array) -> Any:
        assert isinstance(buffer, MaybeBuffer[jax.Array])
        assert not isinstance(buffer, MaybeBuffer[str])
        return buffer

    in_loop(body, jnp.zeros(2))
    assert isinstance(jnp.zeros(2), MaybeBuffer[jax.Array])
    assert not isinstance("text", MaybeBuffer[jax.Array])
    assert "Array" in repr(MaybeBuffer[jax.Array])
