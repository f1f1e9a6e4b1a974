import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest

from equinox.debug import inspect_dce, store_dce

_counter = itertools.count()


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"test {next(_counter)}"


@pytest.fixture
def inspected(name: str, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    def inspected() -> str:
        inspect_dce(name)
        return capsys.readouterr().out

    return inspected


def test_what_was_removed_is_shown_in_its_place(name: str, inspected: Callable[[], str]) -> None:
    @jax.jit
    def function(x):
        used, _, _ = store_dce((x, x + 1, "foo"), name=name)
        return used

    assert function(1.0) == 1
    assert inspected() == "Found 1 call to `equinox.debug.store_dce`.\nEntry 0:\n(f32[], <DCE'd>, 'foo')\n"


def test_every_tracing_is_an_entry_but_not_every_call(name: str, inspected: Callable[[], str]) -> None:
    assert inspected() == "Found 0 calls to `equinox.debug.store_dce`.\n"

    @jax.jit
    def function(x):
        return store_dce({"a": x, "b": jnp.sin(x)}, name)["b"]

    for x in (jnp.ones(2), jnp.zeros(2), jnp.ones(3)):
        function(x)
    assert inspected() == (
        "Found 2 calls to `equinox.debug.store_dce`.\n"
        "Entry 0:\n{'a': <DCE'd>, 'b': f32[2]}\n"
        "Entry 1:\n{'a': <DCE'd>, 'b': f32[3]}\n"
    )


def test_what_only_the_compiler_sees_to_be_unused_is_found(name: str, inspected: Callable[[], str]) -> None:
    @jax.jit
    def function(x):
        x, y = store_dce((x, jnp.sin(x)), name)
        return jnp.where(jnp.array(False), y, x)

    function(1.0)
    assert inspected().endswith("\n(f32[], <DCE'd>)\n")


def test_nothing_is_removed_if_everything_is_used(name: str, inspected: Callable[[], str]) -> None:
    constant = jnp.zeros(3)
    jax.jit(lambda x: store_dce((x, constant, jax.random.key(0)), name))(1.0)
    assert inspected().endswith("\n(f32[], f32[3], key<fry>[])\n")


def test_it_is_the_identity_under_transformations(name: str, inspected: Callable[[], str]) -> None:
    def function(x):
        return store_dce(x, name) ** 2

    assert jax.jit(jax.vmap(jax.grad(function)))(jnp.arange(3.0)).tolist() == [0, 2, 4]
    assert "<DCE'd>" not in inspected()


def test_it_must_be_stored_inside_of_jit_and_inspected_outside(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"`equinox.debug.store_dce` must be used inside of `jax.jit`"):
        store_dce(jnp.ones(2), name)
    with pytest.raises(RuntimeError, match=r"inside of `jax.jit`"):
        jax.vmap(lambda x: store_dce(x, name))(jnp.ones(2))
    with pytest.raises(RuntimeError, match=r"`equinox.debug.inspect_dce` must be used outside of `jax.jit`"):
        jax.jit(lambda x: inspect_dce(name))(1.0)
