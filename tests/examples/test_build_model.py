"""The network built from scratch is a PyTree, and learns XOR."""

import jax
import jax.numpy as jnp
import pytest

from examples import build_model


def test_it_learns_xor() -> None:
    result = build_model.main()
    assert result.loss_after < 0.01 < result.loss_before
    answers = jax.vmap(result.model)(jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
    assert jnp.round(answers).tolist() == [[0], [1], [1], [0]]


def test_it_shows_the_model_and_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    build_model.main(width=5)
    printed = capsys.readouterr().out
    assert "Linear(weight=f32[5,2], bias=f32[5])" in printed
    assert "0 xor 1 = " in printed


def test_the_gradient_with_respect_to_a_model_is_a_model() -> None:
    model = build_model.MLP(2, 3, 1, key=jax.random.key(0))
    x, y = jnp.ones((4, 2)), jnp.zeros((4, 1))
    gradient = jax.jit(jax.grad(build_model.loss))(model, x, y)
    assert isinstance(gradient, build_model.MLP)
    assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, model)
    errors = 2 * (jax.vmap(model)(x) - y) / 4  # by the chain rule, what reaches the last bias
    assert jnp.allclose(gradient.layers[-1].bias, jnp.sum(errors))
