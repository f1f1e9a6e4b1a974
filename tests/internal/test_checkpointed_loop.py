import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.internal import finalise_make_jaxpr, nondifferentiable, nondifferentiable_backward, while_loop

from .test_schedule import ORDERS

checkpointed = functools.partial(while_loop, kind="checkpointed")


@functools.cache
def recorded(checkpoints: int, max_steps: int | None, has_buffer: bool) -> tuple[list[int], Any]:
    """A list that takes note of the steps that are run, and the gradient of a loop that does so."""
    log: list[int] = []

    def f(x: Any, n: Any) -> Any:
        def body(carry: Any) -> Any:
            step, x, history = carry
            jax.debug.callback(lambda step: log.append(int(step)), step)
            return step + 1, x * jnp.sin(x + 1), history.at[step].set(x)

        return checkpointed(
            lambda carry: carry[0] < n,
            body,
            (0, x, jnp.zeros(20)),
            max_steps=max_steps,
            checkpoints=checkpoints,
            buffers=(lambda carry: carry[2]) if has_buffer else None,
        )[1]

    return log, jax.jit(jax.grad(f))


def order(checkpoints: int, num_steps: int, max_steps: int | None = None, has_buffer: bool = False) -> list[int]:
    log, gradient = recorded(checkpoints, max_steps, has_buffer)
    log.clear()
    gradient(1.0, num_steps).block_until_ready()
    jax.effects_barrier()
    assert log[:num_steps] == list(range(num_steps))
    return log[num_steps:]


@pytest.mark.parametrize(("checkpoints", "num_steps"), ORDERS)
def test_steps_are_run_again_in_the_order_of_the_schedule(checkpoints: int, num_steps: int) -> None:
    assert order(checkpoints, num_steps) == [int(step) for step in ORDERS[checkpoints, num_steps].split()]


@pytest.mark.parametrize(("max_steps", "has_buffer"), [(12, False), (None, True), (100, True)])
def test_the_order_depends_neither_on_the_greatest_number_of_steps_nor_on_buffers(
    max_steps: int | None, has_buffer: bool
) -> None:
    assert order(3, 12, max_steps, has_buffer) == [int(step) for step in ORDERS[3, 12].split()]


def test_as_many_checkpoints_as_steps_compute_nothing_again() -> None:
    assert order(4, 4, 4) == [3, 2, 1, 0]
    assert order(9, 3, 4) == [2, 1, 0]


def temporary_memory(max_steps: int, checkpoints: int | None, size: int = 1000) -> int:
    def f(x: jax.Array) -> jax.Array:
        def body(carry: Any) -> Any:
            return carry[0] + 1, jnp.sin(carry[1])

        last = checkpointed(
            lambda carry: carry[0] < max_steps, body, (0, x), max_steps=max_steps, checkpoints=checkpoints
        )
        return jnp.sum(last[1])

    analysis = jax.jit(jax.grad(f)).lower(jnp.ones(size)).compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def test_memory_grows_with_the_number_of_checkpoints_and_not_of_steps() -> None:
    copy = 4 * 1000
    few, many = temporary_memory(100, 10), temporary_memory(10_000, 10)
    assert many < few + copy
    more = temporary_memory(100, 40)
    assert few + 29 * copy <= more <= few + 31 * copy
    assert few <= (10 + 8) * copy


def test_the_body_is_traced_once() -> None:
    traced = 0

    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            nonlocal traced
            traced += 1
            return carry[0] + 1, carry[1] * x

        return checkpointed(lambda carry: carry[0] < 3, body, (0, 1.0), max_steps=4)[1]

    jax.jit(f).lower(2.0)
    assert traced == 1
    jax.jit(jax.grad(f)).lower(2.0)
    assert traced == 2


def test_only_what_depends_on_something_that_changes_has_a_tangent() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            step, x, y, history, flag, nothing = carry
            y = nondifferentiable(y)
            return step + 1, jnp.sin(x * y), 1.5 * y, history.at[step].set(y), ~flag, nothing

        start = 0, x, 2.0, jnp.zeros(4), True, None
        out = checkpointed(lambda carry: carry[0] < 3, body, start, max_steps=4, buffers=lambda carry: carry[3])
        nondifferentiable((out[0], *out[2:]))
        with pytest.raises(RuntimeError):
            nondifferentiable(out[1])
        return out[1] + out[2]

    assert jax.jit(jax.grad(f))(1.0) != 0


def test_a_tangent_spreads_over_several_steps_and_into_buffers() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            step, x, y, z, history = carry
            return step + 1, x, x, y, history.at[step].set(z)

        start = 0, x, 2.0, 2.0, jnp.zeros(4)
        out = checkpointed(lambda carry: carry[0] < 3, body, start, max_steps=4, buffers=lambda carry: carry[4])
        for leaf in out[1:]:
            with pytest.raises(RuntimeError):
                nondifferentiable(leaf)
        return out[4][2] + 10 * out[3]

    assert jax.jit(jax.grad(f))(1.0) == 11


def test_a_perturbed_part_of_the_carry_is_noticed_by_the_body() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, nondifferentiable(carry[1])

        return checkpointed(lambda carry: carry[0] < 3, body, (0, x), max_steps=4)[1]

    with pytest.raises(RuntimeError):
        jax.grad(f)(1.0)


def test_what_nothing_with_a_cotangent_depends_on_has_none() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            step, y, z = carry
            return step + 1, 2 * nondifferentiable_backward(y), z * x

        return checkpointed(lambda carry: carry[0] < 4, body, (0, x, x), max_steps=6)

    assert jax.jit(jax.grad(lambda x: f(x)[2]))(1.5) == 5 * 1.5**4
    with pytest.raises(RuntimeError):
        jax.grad(lambda x: f(x)[1])(1.5)


def test_without_any_cotangent_nothing_is_run_backwards() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, nondifferentiable_backward(carry[1]) * x

        last = checkpointed(lambda carry: carry[0] < 4, body, (0, x), max_steps=6)[1]
        return x + jax.lax.stop_gradient(last)

    assert jax.jit(jax.grad(f))(1.5) == 1


def test_no_gradient_goes_through_the_condition() -> None:
    def f(x: Any) -> Any:
        def condition(carry: Any) -> Any:
            return nondifferentiable(carry[1]) < nondifferentiable(10 * x)

        return checkpointed(condition, lambda carry: (carry[0] + 1, carry[1] * 2), (0, x), max_steps=6)[1]

    assert jax.grad(f)(1.0) == 16


def test_it_can_be_linearised_and_its_cotangents_be_batched() -> None:
    def f(x: jax.Array) -> jax.Array:
        def body(carry: Any) -> Any:
            return carry[0] + 1, jnp.sin(carry[1]) * x

        return checkpointed(lambda carry: carry[0] < 3, body, (0, x), max_steps=4)[1]

    def unrolled(x: jax.Array) -> jax.Array:
        y = x
        for _ in range(3):
            y = jnp.sin(y) * x
        return y

    x = jnp.array([0.5, 1.0])
    np.testing.assert_allclose(jax.jit(jax.jacrev(f))(x), jax.jacrev(unrolled)(x), rtol=1e-5)
    value, linear = jax.linearize(f, x)
    np.testing.assert_allclose(value, unrolled(x), rtol=1e-6)
    (transposed,) = jax.linear_transpose(linear, x)(jnp.ones(2))
    np.testing.assert_allclose(transposed, jax.grad(lambda x: unrolled(x).sum())(x), rtol=1e-5)


def test_it_may_be_a_part_of_other_control_flow() -> None:
    def power(x: Any) -> Any:
        def step(carry: Any, _: None) -> tuple[Any, None]:
            last = checkpointed(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * jnp.sin(x)), (0, carry), max_steps=4)
            return last[1], None

        return jax.lax.cond(x > 0, lambda: jax.lax.scan(step, x, None, length=2)[0], lambda: x)

    def expected(x: Any) -> Any:
        return x * jnp.sin(x) ** 6

    for f in (power, jax.checkpoint(power)):
        np.testing.assert_allclose(jax.jit(jax.grad(f))(1.1), jax.grad(expected)(1.1), rtol=1e-5)
    batch = jnp.array([1.1, 0.4])
    found = jax.jit(jax.grad(lambda x: jnp.sum(jax.vmap(power)(x))))(batch)
    np.testing.assert_allclose(found, jax.vmap(jax.grad(expected))(batch), rtol=1e-5)


def test_elements_of_a_batch_that_have_finished_do_not_spoil_gradients() -> None:
    def f(x: Any, n: Any) -> Any:
        def body(carry: Any) -> Any:
            # Has no derivative, nor even a value, beyond the second step.
            return carry[0] + 1, carry[1] + jnp.sqrt(jnp.where(n > 2, 5, 2.0) - carry[0]) * carry[1] ** 2, carry[2] + 1

        return checkpointed(lambda carry: carry[2] < n, body, (0.0 * x, x, 0), max_steps=4)[1]

    xs, ns = jnp.array([0.3, 0.3]), jnp.array([2, 4])
    together = jax.jit(jax.vmap(jax.grad(f)))(xs, ns)
    alone = [jax.jit(jax.grad(f))(x, n) for x, n in zip(xs, ns, strict=True)]
    assert np.all(np.isfinite(together))
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_elements_of_a_batch_may_communicate() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, jax.lax.psum(carry[1], "batch") * x

        return checkpointed(lambda carry: carry[0] < 3, body, (0, x), max_steps=4)[1]

    x = jnp.array([1.0, 2.0])
    expected = x
    for _ in range(3):
        expected = expected.sum() * x
    np.testing.assert_allclose(jax.jit(jax.vmap(f, axis_name="batch"))(x), expected)


def test_checks_and_callbacks_in_the_body_are_kept() -> None:
    seen: list[int] = []

    @eqx.filter_jit
    def f(x: jax.Array) -> Any:
        def body(carry: Any) -> Any:
            jax.debug.callback(lambda step: seen.append(int(step)), carry[0])
            return carry[0] + 1, eqx.error_if(2 * carry[1], carry[1] > 100, "too large")

        return checkpointed(lambda carry: carry[0] < 3, body, (0, x), max_steps=4)

    assert f(jnp.array(1.0))[1] == 8
    jax.effects_barrier()
    assert seen == [0, 1, 2]
    with pytest.raises(eqx.EquinoxRuntimeError, match="too large"):
        f(jnp.array(60.0))


def test_models_are_differentiated_in_their_own_structure() -> None:
    class Model(eqx.Module):
        weight: jax.Array
        activation: Any

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.activation(self.weight * x)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(model: Model, x: Any) -> Any:
        return checkpointed(lambda c: c[0] < 3, lambda c: (c[0] + 1, model(c[1])), (0, x), max_steps=4)[1]

    @eqx.filter_grad
    def expected(model: Model, x: Any) -> Any:
        return model(model(model(x)))

    model = Model(jnp.array(1.3), jnp.sin)
    np.testing.assert_allclose(gradient(model, 0.7).weight, expected(model, 0.7).weight, rtol=1e-5)


def test_it_is_finalised_to_primitives_of_jax() -> None:
    def f(x: Any) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, carry[1].at[carry[0]].set(x)

        return checkpointed(lambda c: c[0] < 3, body, (0, jnp.zeros(4)), max_steps=4, buffers=lambda carry: carry[1])

    text = str(finalise_make_jaxpr(f)(2.0))
    assert "while" in text
    assert not any(name in text for name in ("checkpointed_loop", "maybe_set", "select_if_vmap", "unvmap"))
