"""Training with `jitf`, `value_and_grad_f` and Optax works, and leaves alone what is no parameter."""

import jax
import jax.numpy as jnp
import pytest

from examples import train_mlp


@pytest.fixture(scope="module")
def result() -> train_mlp.Result:
    return train_mlp.main(steps=400)


def test_it_learns_the_sine(result: train_mlp.Result) -> None:
    x = jnp.linspace(-3, 3, 100)[:, None]
    assert jnp.max(jnp.abs(jax.vmap(result.model)(x) - jnp.sin(x))) < 0.1
    assert result.losses[-1] < result.losses[0] / 100


def test_the_activation_function_comes_out_of_each_step_as_it_went_in(result: train_mlp.Result) -> None:
    assert result.model.activation is jax.nn.relu


def test_it_shows_the_loss_and_the_answers(capsys: pytest.CaptureFixture[str]) -> None:
    train_mlp.main(width=4, depth=1, steps=101, batch_size=8)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines if line.startswith("step")] == ["step    0", "step  100"]
    assert lines[-1].startswith("  3.00    0.141")
