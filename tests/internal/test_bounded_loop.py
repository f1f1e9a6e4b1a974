from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox.internal as eqxi

# Numbers are carried as arrays, which checkers cannot know.
while_loop: Any = eqxi.while_loop


def counted(num_steps: Any, max_steps: int, base: int, x: Any = 1.0, log: list[int] | None = None) -> Any:
    def body(carry: Any) -> Any:
        if log is not None:
            jax.debug.callback(lambda i, log=log: log.append(int(i)), carry[0])
        return carry[0] + 1, jnp.sin(carry[1])

    condition = lambda carry: carry[0] < num_steps  # noqa: E731
    return while_loop(condition, body, (0, x), max_steps=max_steps, kind="bounded", base=base)


@pytest.mark.parametrize(("max_steps", "base"), [(1, 2), (2, 2), (3, 2), (9, 3), (10, 3), (5, 16)])
def test_it_ends_with_the_condition_or_with_the_greatest_number_of_steps(max_steps: int, base: int) -> None:
    run = jax.jit(lambda n: counted(n, max_steps, base)[0])
    for num_steps in range(max_steps + 2):
        assert run(num_steps) == min(num_steps, max_steps)


def test_steps_beyond_the_end_are_not_run() -> None:
    log: list[int] = []
    jax.jit(lambda: counted(4, 1000, 2, log=log))()
    jax.effects_barrier()
    assert log == [0, 1, 2, 3]


def scans(jaxpr: Any) -> list[int]:
    """The lengths of nested scans."""
    for equation in jaxpr.eqns:
        inner = [x for value in equation.params.values() for x in (value if isinstance(value, tuple) else (value,))]
        found = [scans(getattr(x, "jaxpr", x)) for x in inner if hasattr(getattr(x, "jaxpr", x), "eqns")]
        deepest = max(found, key=len, default=[])
        if equation.primitive.name == "scan":
            return [equation.params["length"], *deepest]
        if deepest:
            return deepest
    return []


@pytest.mark.parametrize(("max_steps", "expected"), [(16, [16]), (17, [16, 16]), (256, [16, 16]), (257, [16] * 3)])
def test_it_consists_of_as_few_nested_scans_as_are_needed(max_steps: int, expected: list[int]) -> None:
    assert scans(jax.make_jaxpr(lambda: counted(3, max_steps, 16))().jaxpr) == expected


def test_in_reverse_mode_memory_is_that_of_a_few_scans() -> None:
    def memory(max_steps: int) -> int:
        f = jax.grad(lambda x: jnp.sum(counted(max_steps, max_steps, 8, x)[1]))
        analysis = jax.jit(f).lower(jnp.ones(1000)).compile().memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    # Eight times as many steps need the memory of one scan of eight more.
    assert memory(64) < 3 * 8 * 4000 + 8 * 4000
    assert memory(512) < memory(64) + 4 * 8 * 4000


def test_the_gradient_of_a_long_loop() -> None:
    found = jax.jit(jax.grad(lambda x: counted(30, 40, 3, x)[1]))(1.0)
    x = 1.0
    expected = 1.0
    for _ in range(30):
        x, expected = np.sin(x), expected * np.cos(x)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
