"""The convolutional network learns to read handwritten digits, and says in a table and a picture how well."""

import contextlib
import io
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest

import equinox as eqx
from examples import train_digits_cnn


class Run(NamedTuple):
    result: train_digits_cnn.Result
    printed: str
    picture: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small one, trained for seconds and from the command line. At its default size, it reads 99 % of the images."""
    picture = tmp_path_factory.mktemp("demo") / "new" / "digits.png"
    options = ["--width", "6", "--epochs", "3", "--batch-size", "64", "--seed", "7", "--output", str(picture)]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as stdout:
        patch.setattr(sys, "argv", ["train_digits_cnn.py", *options])
        namespace = runpy.run_path(train_digits_cnn.__file__, run_name="__main__")
    return Run(train_digits_cnn.Result(*namespace["result"]), stdout.getvalue(), picture)


def test_a_small_one_reads_most_of_the_test_images_after_three_epochs(demo: Run) -> None:
    assert demo.result.test_score.accuracy >= 0.8
    assert demo.result.training_losses[-1] < 0.5 * demo.result.training_losses[0]


def test_the_last_score_is_that_of_the_model_and_the_state_that_come_out(demo: Run) -> None:
    _, test = train_digits_cnn.split_digits(jax.random.split(jax.random.key(7), 3)[0])
    score = train_digits_cnn.evaluate(demo.result.model, demo.result.state, test)
    assert np.isclose(score.loss, demo.result.test_losses[-1], rtol=1e-4)
    assert len(demo.result.test_losses) == len(demo.result.test_errors) == len(demo.result.training_losses) == 3


def test_the_running_averages_have_learnt_too(demo: Run) -> None:
    _, first = eqx.nn.make_with_state(train_digits_cnn.classifier)(6, 0.3, key=jax.random.key(0))
    old, new = jax.tree.leaves(first), jax.tree.leaves(demo.result.state)
    assert not any(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


def test_the_table_says_how_well_it_does(demo: Run) -> None:
    rows = {line[:14].strip(): line[14:].split() for line in demo.printed.splitlines()}
    assert rows["images"][0] == "1,197"
    assert rows["loss"] == [f"{demo.result.test_losses[-1]:.4f}"]
    assert rows["accuracy"] == [f"{demo.result.test_score.accuracy:.2%}"]
    assert rows["parameters"] == [f"{eqx.nn.count_params(demo.result.model):,}"]
    assert str(demo.picture) in demo.printed


def test_the_picture_is_written_into_a_new_folder(demo: Run) -> None:
    height, width, _ = matplotlib.image.imread(demo.picture).shape
    assert (width, height) == (1800, 720)


@pytest.mark.parametrize("mistakes", [0, 3, 40])
def test_the_hardest_images_are_drawn_and_mistakes_marked(demo: Run, mistakes: int) -> None:
    labels = jnp.arange(80) % 10
    test = train_digits_cnn.Digits(jnp.zeros((80, 1, 8, 8)), labels)
    logits = 9.0 * jax.nn.one_hot(labels.at[:mistakes].add(1) % 10, 10)
    score = train_digits_cnn.Score(jnp.array(0.1), jnp.array(0.9), logits)
    figure = train_digits_cnn.draw(demo.result._replace(test_score=score), test)
    tiles = figure.axes[2:]
    marked = [axes.get_title() for axes in tiles if axes.title.get_color() == "tab:red"]
    assert len(tiles) == 32
    assert len(marked) == min(mistakes, 32)
    assert all("is a" in title for title in marked)
    assert figure.get_suptitle().startswith(f"{80 - mistakes} of 80 test images read correctly")


def test_each_image_is_in_precisely_one_part() -> None:
    parts = train_digits_cnn.split_digits(jax.random.key(0))
    assert [part.images.shape for part in parts] == [(1197, 1, 8, 8), (600, 1, 8, 8)]
    again = train_digits_cnn.split_digits(jax.random.key(1))
    together, together_again = (
        np.sort(np.concatenate([np.c_[part.labels, part.images.reshape(-1, 64)] for part in split]), axis=0)
        for split in (parts, again)
    )
    assert np.array_equal(together, together_again)
    assert 0 == together[:, 1:].min() < together[:, 1:].max() == 1


def test_warping_moves_the_ink_and_adds_none() -> None:
    image = jnp.zeros((1, 8, 8)).at[:, 2:6, 3:5].set(1.0)
    warped = jax.vmap(train_digits_cnn.warp, in_axes=(None, 0))(image, jax.random.split(jax.random.key(0), 30))
    assert warped.shape == (30, 1, 8, 8)
    assert not jnp.allclose(warped[0], warped[1])
    assert jnp.all((warped >= 0) & (warped <= 1 + 1e-6))
    assert jnp.allclose(jnp.mean(warped, axis=0), image, atol=0.5)
