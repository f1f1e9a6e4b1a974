from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.debug import backward_nan

X = jnp.arange(2.0)


@pytest.mark.parametrize("transform", [lambda f: f, eqx.filter_jit])
def test_primals_and_cotangents_are_printed_on_the_way_back(transform: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gradient = transform(jax.grad(lambda x: jnp.sum(backward_nan(x, name="x") ** 2)))(X)
    jax.effects_barrier()
    assert gradient.tolist() == [0, 2]
    assert capsys.readouterr().out == (
        "x:\n   primals=Array([0., 1.], dtype=float32)\ncotangents=Array([0., 2.], dtype=float32)\n"
    )


def test_what_is_printed_is_in_the_order_of_the_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    def loss(x):
        return backward_nan(backward_nan(x, name="first") ** 2, name="second").sum()

    jaxpr = jax.make_jaxpr(jax.grad(loss))(X)
    assert [str(effect) for effect in jaxpr.effects] == ["OrderedDebug"]
    eqx.filter_jit(jax.grad(loss))(X)
    jax.effects_barrier()
    out = capsys.readouterr().out
    assert 0 <= out.index("second:") < out.index("first:")


def test_without_a_name_there_is_no_line_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    jax.grad(lambda x: backward_nan(x) ** 2)(jnp.float32(2.0))
    assert capsys.readouterr().out == ("   primals=Array(2., dtype=float32)\ncotangents=Array(4., dtype=float32)\n")


def test_nothing_is_printed_on_the_way_forward(capsys: pytest.CaptureFixture[str]) -> None:
    assert jax.jit(backward_nan)(2.0) == 2
    assert jax.jvp(backward_nan, (2.0,), (1.0,)) == (2, 1)
    assert jax.vmap(backward_nan)(X).tolist() == [0, 1]
    assert capsys.readouterr().out == ""


def test_nothing_is_printed_for_cotangents_that_are_symbolically_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert jax.grad(lambda x: x + jax.lax.stop_gradient(backward_nan(x)))(1.0) == 1
    assert capsys.readouterr().out == ""


def test_what_is_not_differentiated_has_no_cotangent(capsys: pytest.CaptureFixture[str]) -> None:
    def loss(tree):
        return backward_nan(tree)["a"] ** 2

    tree = {"a": jnp.float32(3.0), "b": jnp.float32(1.0), "c": jnp.array(1), "d": "text"}
    gradient = eqx.filter_grad(loss)(tree)
    assert (gradient["a"], gradient["d"]) == (6, None)
    primals, cotangents = capsys.readouterr().out.splitlines()
    assert primals == (
        "   primals={'a': Array(3., dtype=float32), 'b': Array(1., dtype=float32), "
        "'c': Array(1, dtype=int32, weak_type=True), 'd': 'text'}"
    )
    assert cotangents == "cotangents={'a': Array(6., dtype=float32), 'b': None, 'c': None, 'd': None}"


def test_each_element_of_a_batch_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    jax.vmap(jax.grad(lambda x: backward_nan(x) ** 2))(X)
    out = capsys.readouterr().out
    assert out.index("cotangents=Array(0., dtype=float32)") < out.index("cotangents=Array(2., dtype=float32)")


@pytest.mark.parametrize("transform", [lambda f: f, eqx.filter_jit])
def test_a_nan_is_an_error_after_it_was_printed(transform: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gradient = transform(jax.grad(lambda x: jnp.sqrt(backward_nan(x) * 0.0) * 0.0))
    with pytest.raises(eqx.EquinoxRuntimeError, match="`backward_nan` found a NaN"):
        gradient(jnp.float32(1.0))
    assert "cotangents=Array(nan, dtype=float32)" in capsys.readouterr().out


def test_the_error_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert jnp.isnan(jax.grad(lambda x: jnp.sqrt(backward_nan(x, terminate=False) * 0.0) * 0.0)(1.0))
    assert "nan" in capsys.readouterr().out


def test_higher_derivatives_are_right() -> None:
    def function(x):
        return backward_nan(x) ** 3

    assert jax.grad(jax.grad(function))(2.0) == 12
    assert jax.jit(jax.hessian(function))(2.0) == 12
    assert jax.grad(lambda x: jax.vmap(function)(x).sum())(X).tolist() == [0, 3]
