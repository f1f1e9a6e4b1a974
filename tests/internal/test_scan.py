from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox.internal as eqxi
from equinox._jax_tree import tree_structure

# Numbers are carried as arrays, which checkers cannot know.
scan: Any = eqxi.scan

KINDS = ["lax", "checkpointed"]


def step(carry: Any, x: Any) -> Any:
    carry = jnp.sin(carry * x["a"]) + x["b"]
    return carry, {"twice": 2 * carry, "none": None, "row": x["b"]}


INIT = jnp.array([0.3, -0.4])
XS = {"a": jnp.array([1.0, 1.5, -0.5]), "b": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], np.float32)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_that_of_the_scan_of_jax(kind: Any) -> None:
    found = jax.jit(lambda init, xs: scan(step, init, xs, kind=kind))(INIT, XS)
    expected = jax.lax.scan(step, INIT, XS)
    assert tree_structure(found) == tree_structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("checkpoints", [None, 1, "all"])
def test_gradients_are_those_of_the_scan_of_jax(checkpoints: Any) -> None:
    def loss(result: Any) -> Any:
        carry, ys = result
        return jnp.sum(carry) + jnp.sum(ys["twice"] ** 2) + jnp.sum(ys["row"] ** 3)

    def gradient(function: Any) -> Any:
        return jax.jit(jax.grad(lambda init, xs: loss(function(init, xs)), argnums=(0, 1)))(INIT, XS)

    found = gradient(lambda init, xs: scan(step, init, xs, kind="checkpointed", checkpoints=checkpoints))
    expected = gradient(lambda init, xs: jax.lax.scan(step, init, xs))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("checkpoints", "expected"),
    [("all", "5 4 3 2 1 0"), (None, "5 4 0 1 2 3 2 1 0"), (2, "5 0 1 2 3 4 2 3 2 0 1 0")],
)
def test_checkpoints_say_what_is_computed_again(checkpoints: Any, expected: str) -> None:
    log: list[int] = []

    def f(carry: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            jax.debug.callback(lambda i: log.append(int(i)), x)
            return jnp.sin(carry * x), carry

        return scan(step, carry, jnp.arange(6), kind="checkpointed", checkpoints=checkpoints)[0]

    jax.jit(jax.grad(f))(1.0).block_until_ready()
    jax.effects_barrier()
    assert log == [*range(6), *map(int, expected.split())]


def test_parts_of_the_carry_may_be_buffers() -> None:
    def step(carry: Any, x: Any) -> Any:
        i, history = carry
        assert not isinstance(history, jax.Array)
        return (i + 1, history.at[i].set(x)), history[i // 2] if i.shape else x

    def run(xs: jax.Array) -> Any:
        return scan(step, (0, jnp.zeros(3)), xs, kind="checkpointed", buffers=lambda carry: carry[1])

    xs = jnp.array([1.0, 2.0, 3.0])
    (_, history), ys = jax.jit(run)(xs)
    np.testing.assert_array_equal(history, xs)
    np.testing.assert_array_equal(ys, xs)
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda xs: run(xs)[0][1] @ xs))(xs), 2 * xs)


@pytest.mark.parametrize("kind", KINDS)
def test_there_may_be_no_inputs(kind: Any) -> None:
    carry, ys = scan(lambda carry, _: (carry + 1, carry), 0.0, None, 3, kind=kind)
    assert carry == 3
    np.testing.assert_array_equal(ys, [0, 1, 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("checkpoints", [None, "all"])
def test_there_may_be_no_steps(kind: Any, checkpoints: Any) -> None:
    carry, ys = scan(lambda carry, x: (carry + x, x), 1.0, jnp.zeros(0), kind=kind, checkpoints=checkpoints)
    assert carry == 1
    assert ys.shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("xs", "length", "names"),
    [
        ((jnp.zeros(3), {"a": jnp.zeros(2)}), None, ["`xs`", "`[0]`", "`[1]['a']`", "3", "2"]),
        (jnp.zeros(3), 2, ["`xs`", "`length`", "3", "2"]),
        (None, None, ["`xs`", "`length`"]),
        (None, -1, ["`length`", "-1"]),
        ([jnp.zeros(())], None, ["`xs`", "`[0]`", "scalar"]),
    ],
)
def test_the_number_of_steps_must_be_known_and_the_same_everywhere(
    kind: Any, xs: Any, length: int | None, names: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"argument|number") as error:
        scan(lambda carry, x: (carry, x), 0.0, xs, length, kind=kind)
    assert all(name in str(error.value) for name in names)


def test_wrong_kinds_and_numbers_of_checkpoints_are_errors() -> None:
    with pytest.raises(ValueError, match=r"`kind`.*'other'.*'lax'.*'checkpointed'"):
        scan(step, INIT, XS, kind="other")
    for checkpoints in (0, "many"):
        with pytest.raises(ValueError, match="`checkpoints`"):
            scan(step, INIT, XS, kind="checkpointed", checkpoints=checkpoints)


def test_leaves_that_are_no_arrays_are_errors() -> None:
    with pytest.raises(TypeError, match=r"`init`.*'text'"):
        scan(lambda carry, x: (carry, x), "text", jnp.zeros(2), kind="checkpointed")
    with pytest.raises(TypeError, match=r"`xs`.*`\[0\]`.*'text'"):
        scan(lambda carry, x: (carry, x), 0.0, ["text"], kind="lax")
    with pytest.raises(TypeError, match="'text'"):
        scan(lambda carry, x: (carry, "text"), 0.0, jnp.zeros(2), kind="checkpointed")


def test_a_step_that_returns_no_pair_is_an_error() -> None:
    with pytest.raises(TypeError, match="`f` must return a pair"):
        scan(lambda carry, x: carry, 0.0, jnp.zeros(2), kind="checkpointed")
