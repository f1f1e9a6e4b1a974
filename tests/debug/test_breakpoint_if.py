import io
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from equinox.debug import breakpoint_if


def debugger() -> tuple[io.StringIO, dict[str, Any]]:
    """Options for JAX's debugger that continue at once, and what it prints."""
    out = io.StringIO()
    return out, {"backend": "cli", "stdin": io.StringIO("c\n" * 9), "stdout": out}


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_the_debugger_is_opened_only_if_anything_is_true(transform: Any) -> None:
    out, options = debugger()
    function = transform(lambda x: breakpoint_if(x > 1, **options))
    function(jnp.array([0.0, 1.0]))
    jax.effects_barrier()
    assert out.getvalue() == ""
    function(jnp.array([0.0, 2.0]))
    jax.effects_barrier()
    assert "Entering jdb" in out.getvalue()


def test_a_condition_that_is_known_may_be_a_python_boolean() -> None:
    out, options = debugger()
    breakpoint_if(False, **options)
    assert out.getvalue() == ""
    breakpoint_if(True, **options)
    assert "Entering jdb" in out.getvalue()


def test_a_batch_counts_as_a_whole() -> None:
    out, options = debugger()

    def function(x):
        breakpoint_if(x > 1, **options)
        return x

    jax.jit(jax.vmap(function))(jnp.array([0.0, 1.0]))
    jax.effects_barrier()
    assert out.getvalue() == ""
    jax.jit(jax.vmap(function))(jnp.array([0.0, 2.0]))
    jax.effects_barrier()
    assert "Entering jdb" in out.getvalue()


def test_the_token_is_returned() -> None:
    out, options = debugger()
    token = jnp.arange(3)
    assert breakpoint_if(False, token=token, **options).tolist() == [0, 1, 2]
    assert out.getvalue() == ""
    assert jax.jit(lambda token: breakpoint_if(True, token=token, **options))(token).tolist() == [0, 1, 2]
    assert "Entering jdb" in out.getvalue()
    assert breakpoint_if(False) is None
