import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
import equinox.internal as eqxi

# Numbers are carried as arrays, which checkers cannot know.
while_loop: Any = eqxi.while_loop

KINDS = ["lax", "bounded", "checkpointed"]
#: Those that have a reverse-mode derivative.
REVERSE = [("bounded", {"base": 2}), ("bounded", {}), ("checkpointed", {}), ("checkpointed", {"checkpoints": 2})]


def loop(x: Any, y: Any, n: Any, kind: Any, **options: Any) -> Any:
    """Both `x` and `y` are in the result, the former as a part of the carry, the latter not."""

    def body(carry: Any) -> Any:
        step, x, total = carry
        return step + 1, jnp.sin(x * y), total + x**2

    _, x, total = while_loop(
        lambda carry: carry[0] < n, body, (0, x, 0.0), **({"max_steps": 7, "kind": kind} | options)
    )
    return x + total


def unrolled(x: Any, y: Any, n: int) -> Any:
    total = 0.0
    for _ in range(n):
        total, x = total + x**2, jnp.sin(x * y)
    return x + total


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_taken_until_the_condition_no_longer_holds_or_there_are_too_many(kind: Any) -> None:
    f = jax.jit(lambda n: loop(0.7, 1.1, n, kind))
    for n in (0, 1, 5):
        np.testing.assert_allclose(f(n), unrolled(0.7, 1.1, n), rtol=1e-6)
    np.testing.assert_allclose(f(100), unrolled(0.7, 1.1, 7), rtol=1e-6)


@pytest.mark.parametrize(("kind", "options"), REVERSE)
def test_gradients_are_those_of_the_unrolled_loop(kind: Any, options: dict[str, Any]) -> None:
    f = jax.jit(jax.value_and_grad(lambda x, y, n: loop(x, y, n, kind, **options), argnums=(0, 1)))
    for n in (0, 1, 3, 7):
        expected = jax.value_and_grad(unrolled, argnums=(0, 1))(0.7, 1.1, n)
        np.testing.assert_allclose(jax.tree.leaves(f(0.7, 1.1, n)), jax.tree.leaves(expected), rtol=1e-5)


@pytest.mark.parametrize(("kind", "options"), [REVERSE[0], REVERSE[3]])
def test_gradients_of_batches_are_those_of_their_elements(kind: Any, options: dict[str, Any]) -> None:
    xs, ns = jnp.array([0.7, 1.2, -0.3]), jnp.array([0, 5, 2])
    expected = [jax.grad(unrolled)(x, 1.1, n) for x, n in zip(xs, ns.tolist(), strict=True)]

    def f(x: Any, n: Any) -> Any:
        return loop(x, 1.1, n, kind, **options)

    inside = jax.jit(jax.vmap(jax.grad(f)))(xs, ns)
    outside = jax.jit(jax.grad(lambda xs: jnp.sum(jax.vmap(f)(xs, ns))))(xs)
    np.testing.assert_allclose(inside, expected, rtol=1e-5)
    np.testing.assert_allclose(outside, expected, rtol=1e-5)


@pytest.mark.parametrize(("kind", "options"), REVERSE[1:3])
def test_gradients_have_forward_mode_derivatives(kind: Any, options: dict[str, Any]) -> None:
    found = jax.jit(jax.hessian(lambda x: loop(x, 1.1, 4, kind, **options)))(0.7)
    np.testing.assert_allclose(found, jax.hessian(lambda x: unrolled(x, 1.1, 4))(0.7), rtol=1e-4)


@pytest.mark.parametrize("kind", ["lax", "bounded"])
def test_forward_mode(kind: Any) -> None:
    found = jax.jit(lambda x: jax.jvp(lambda x: loop(x, 1.1, 4, kind), (x,), (1.0,)))(0.7)
    np.testing.assert_allclose(found, jax.jvp(lambda x: unrolled(x, 1.1, 4), (0.7,), (1.0,)), rtol=1e-5)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_checkpointed_loops_have_no_forward_mode(transform: Any) -> None:
    with pytest.raises(TypeError, match=r"checkpointed.*forward-mode"):
        transform(lambda x: jax.jvp(lambda x: loop(x, 1.1, 4, "checkpointed"), (x,), (1.0,)))(0.7)
    with pytest.raises(TypeError, match=r"checkpointed.*forward-mode"):
        transform(jax.jacfwd(lambda x: loop(x, 1.1, 4, "checkpointed")))(0.7)


def test_lax_loops_have_no_reverse_mode() -> None:
    with pytest.raises(ValueError, match="Reverse-mode differentiation"):
        jax.grad(lambda x: loop(x, 1.1, 4, "lax"))(0.7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_condition_may_be_the_same_for_the_whole_batch_or_not(kind: Any) -> None:
    @jax.jit
    def run(xs: jax.Array, ns: jax.Array) -> Any:
        each = jax.vmap(lambda x, n: loop(x, 1.1, n, kind))
        same = jax.vmap(lambda x, n: loop(x, 1.1, n, kind), in_axes=(0, None))
        product = jax.vmap(jax.vmap(lambda x, n: loop(x, 1.1, n, kind), in_axes=(None, 0)), in_axes=(0, None))
        return each(xs, ns), same(xs, ns[1]), product(xs, ns)

    xs, ns = jnp.array([0.7, 1.2]), jnp.array([3, 5])
    table = [[unrolled(x, 1.1, n) for n in (3, 5)] for x in xs]
    each, same, product = run(xs, ns)
    np.testing.assert_allclose(each, [table[0][0], table[1][1]], rtol=1e-6)
    np.testing.assert_allclose(same, [table[0][1], table[1][1]], rtol=1e-6)
    np.testing.assert_allclose(product, table, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_steps_of_a_batch_is_that_of_its_slowest_element(kind: Any) -> None:
    taken: list[int] = []

    def body(carry: Any) -> Any:
        count, step, last = carry
        jax.debug.callback(lambda i: taken.append(int(i)), count)
        return count + 1, step + 1, last

    def run(last: jax.Array) -> Any:
        return while_loop(lambda carry: carry[1] < carry[2], body, (0, 0, last), max_steps=8, kind=kind)

    steps = jax.jit(jax.vmap(run, out_axes=(0, 0, 0)))(jnp.array([1, 4, 0]))[1]
    jax.effects_barrier()
    np.testing.assert_array_equal(steps, [1, 4, 0])
    assert max(taken) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_selected_if_the_condition_is_not_batched(kind: Any) -> None:
    def run(x: jax.Array) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, 2 * carry[1]

        return while_loop(lambda carry: carry[0] < 3, body, (0, x), max_steps=4, kind=kind)[1]

    assert "stablehlo.select" not in jax.jit(jax.vmap(run)).lower(jnp.ones(2)).as_text()


@pytest.mark.parametrize("kind", KINDS)
def test_the_carry_may_hold_numbers_keys_modules_and_nothing(kind: Any) -> None:
    class Pair(eqx.Module):
        first: jax.Array
        second: None = None

    def body(carry: Any) -> Any:
        step, flag, key, pair, nothing = carry
        key, _ = jax.random.split(key)
        return step + 1, ~flag, key, Pair(pair.first + jax.random.normal(key)), nothing

    start = 0, True, jax.random.key(0), Pair(jnp.array(1.0)), None
    step, flag, key, pair, nothing = jax.jit(
        lambda: while_loop(lambda carry: carry[0] < 3, body, start, max_steps=5, kind=kind)
    )()
    expected: Any = start
    for _ in range(3):
        expected = body(tuple(jnp.asarray(x) if isinstance(x, (int, bool)) else x for x in expected))
    assert (int(step), bool(flag), nothing) == (3, False, None)
    assert jnp.all(jax.random.key_data(key) == jax.random.key_data(expected[2]))
    assert type(pair) is Pair
    np.testing.assert_allclose(pair.first, expected[3].first, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_step_at_all_gives_the_carry_as_arrays(kind: Any) -> None:
    result = while_loop(lambda carry: True, lambda carry: carry, (1, 2.0), max_steps=0, kind=kind)
    assert all(isinstance(leaf, jax.Array) for leaf in result)
    assert [leaf.item() for leaf in result] == [1, 2.0]


@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_without_compilation(kind: Any) -> None:
    with jax.disable_jit():
        np.testing.assert_allclose(loop(0.7, 1.1, 2, kind), unrolled(0.7, 1.1, 2), rtol=1e-6)
        if kind != "lax":
            found = jax.grad(lambda x: loop(x, 1.1, 2, kind, max_steps=2))(0.7)
            np.testing.assert_allclose(found, jax.grad(unrolled)(0.7, 1.1, 2), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_given_to_other_transformations_of_functions(kind: Any) -> None:
    def body(carry: jax.Array) -> jax.Array:
        return carry + 1

    for function in (functools.partial(while_loop, kind=kind), eqx.Partial(while_loop, kind=kind)):
        named: Callable[..., Any] = jax.named_call(function, name="loop")
        assert named(lambda carry: carry < 3, body, 0, max_steps=5) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_weak_type_may_get_lost(kind: Any) -> None:
    result = while_loop(lambda carry: carry < 3, lambda carry: carry * jnp.float32(2), 1.0, max_steps=5, kind=kind)
    assert result == 4
    assert jnp.result_type(result) == jnp.float32


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"max_steps": -1}, "max_steps"),
        ({"max_steps": 2.0}, "max_steps"),
        ({"max_steps": jnp.array(2)}, "max_steps"),
    ],
)
def test_a_wrong_number_of_steps_is_an_error(kind: Any, options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"argument `{name}`.*integer of at least 0"):
        loop(0.7, 1.1, 1, kind, **options)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"kind": "bounded", "max_steps": None}, ["max_steps", "bounded"]),
        ({"kind": "bounded", "base": 0}, ["base", "1"]),
        ({"kind": "checkpointed", "max_steps": None}, ["max_steps", "checkpoints"]),
        ({"kind": "checkpointed", "checkpoints": 0}, ["checkpoints", "1"]),
        ({"kind": "other"}, ["kind", "'other'", "'lax'", "'bounded'", "'checkpointed'"]),
    ],
)
def test_what_a_kind_needs_and_does_not_get_is_an_error(options: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(ValueError, match="argument") as error:
        loop(0.7, 1.1, 1, **options)
    assert all(name in str(error.value) for name in names)


def test_the_kind_has_to_be_said() -> None:
    with pytest.raises(TypeError, match="kind"):
        while_loop(lambda carry: False, lambda carry: carry, 0)


def test_options_of_other_kinds_are_ignored() -> None:
    assert loop(0.7, 1.1, 2, "lax", checkpoints=0, base=0) == loop(0.7, 1.1, 2, "lax")
    assert loop(0.7, 1.1, 2, "bounded", checkpoints=0) == loop(0.7, 1.1, 2, "bounded")
    assert loop(0.7, 1.1, 2, "checkpointed", base=0) == loop(0.7, 1.1, 2, "checkpointed")


def test_bounded_loops_may_have_any_base() -> None:
    assert loop(0.7, 1.1, 5, "bounded", base=1) == loop(0.7, 1.1, 5, "bounded", base=7)
