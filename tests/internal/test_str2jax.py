import jax
import jax.numpy as jnp

import equinox as eqx
from equinox.internal import str2jax

TEXT = str2jax("<unknown>")


def test_it_prints_as_the_text():
    assert str(TEXT) == repr(TEXT) == "<unknown>"
    assert eqx.tree_pformat({"a": TEXT}) == "{'a': <unknown>}"
    assert str([TEXT]) == "[<unknown>]"


def test_it_has_no_leaves_and_a_hash():
    assert jax.tree.leaves(TEXT) == []
    assert {TEXT: 1}[TEXT] == 1


def test_two_texts_are_never_equal():
    other = str2jax("<unknown>")
    assert type(other) is not type(TEXT)
    assert other != TEXT
    assert jax.tree.map(jnp.sin, TEXT) == TEXT
    assert jax.tree.structure(other) != jax.tree.structure(TEXT)


def test_it_survives_compiled_functions_and_loops():
    def step(carry, x):
        text, total = carry
        return (text, total + x), text

    (text, total), stacked = jax.jit(lambda text: jax.lax.scan(step, (text, 0.0), jnp.arange(3.0)))(TEXT)
    assert text == stacked == TEXT
    assert total == 3
