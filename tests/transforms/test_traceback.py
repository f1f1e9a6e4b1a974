"""Tracebacks show the user's frames."""

import traceback

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx


def test_tracebacks_do_not_show_what_lies_between_jax_and_the_function():
    @eqx.filter_jit
    @eqx.filter_grad
    def loss(x):
        raise RuntimeError("from the user")

    assert jax.config.jax_traceback_filtering in (None, "auto", "tracebackhide", "remove_frames", "quiet_remove_frames")
    with pytest.raises(RuntimeError, match="from the user") as info:
        loss(jnp.array(1.0))
    functions = [frame.name for frame in traceback.extract_tb(info.value.__traceback__)]
    assert functions[-1] == "loss"
    assert "traced" not in functions
    assert "of_selected" not in functions


def test_programs_name_the_users_lines():
    @eqx.filter_jit
    def function(x):
        return x + 1

    text = function.lower(jnp.array(1.0)).as_text(debug_info=True)
    assert "test_traceback.py" in text
    assert "dispatch.py" not in text
