"""The network learns to read handwritten digits, and says in a table and a picture how well."""

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
from examples import train_digits


class Run(NamedTuple):
    result: train_digits.Result
    printed: str
    picture: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a user sees who runs the example as it is."""
    picture = tmp_path_factory.mktemp("demo") / "new" / "digits.png"
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        result = train_digits.main(output=picture)
    return Run(result, stdout.getvalue(), picture)


def test_it_reads_97_5_percent_of_the_test_images(demo: Run) -> None:
    assert demo.result.test_score.accuracy >= 0.975


def test_the_model_of_the_best_epoch_is_kept(demo: Run) -> None:
    training = demo.result.training
    assert len(training.training_losses) == len(training.validation_losses) == 100
    assert training.best_epoch == np.argmin(training.validation_losses)
    _, validation, _ = train_digits.split_digits(jax.random.split(jax.random.key(0), 3)[0])
    kept = train_digits.evaluate(training.model, validation)
    assert np.isclose(kept.loss, min(training.validation_losses), rtol=1e-5)


def test_the_table_says_how_well_it_does(demo: Run) -> None:
    rows = {line[:14].strip(): line[14:].split() for line in demo.printed.splitlines()}
    score = demo.result.test_score
    assert rows["images"] == ["997", "200", "600"]
    assert rows["loss"][-1] == f"{score.loss:.4f}"
    assert rows["accuracy"][-1] == f"{score.accuracy:.2%}"
    assert rows["parameters"] == [f"{(64 + 1) * 512 + (512 + 1) * 512 + (512 + 1) * 10:,}"]
    assert rows["best epoch"] == [str(demo.result.training.best_epoch + 1), "of", "100"]
    assert float(rows["time per step"][0]) > 0
    assert str(demo.picture) in demo.printed


def test_the_picture_is_written_into_a_new_folder(demo: Run) -> None:
    height, width, _ = matplotlib.image.imread(demo.picture).shape
    assert (width, height) == (1800, 720)


@pytest.mark.parametrize("mistakes", [0, 3, 25])
def test_misread_images_are_marked(mistakes: int) -> None:
    images, labels = jnp.zeros((80, 8, 8)), jnp.arange(80) % 10
    predictions = labels.at[-mistakes:].add(1) % 10 if mistakes else labels
    score = train_digits.Score(jnp.array(0.1), jnp.array(0.9), predictions)
    model = train_digits.Classifier(4, 0.0, key=jax.random.key(0))
    training = train_digits.Training(model, 1, [2.0, 1.0, 1.0], [2.0, 1.0, 1.5], 0.001)
    figure = train_digits.draw(training, train_digits.Digits(images, labels), score)

    tiles = figure.axes[1:]
    marked = [axes.get_title() for axes in tiles if axes.title.get_color() == "tab:red"]
    assert len(tiles) == 32
    assert len(marked) == min(mistakes, 16)
    assert all("is a" in title for title in marked)
    assert figure.get_suptitle().startswith(f"{80 - mistakes} of 80 test images read correctly")


def test_each_image_is_in_precisely_one_part() -> None:
    parts = train_digits.split_digits(jax.random.key(0))
    assert [len(part.labels) for part in parts] == [997, 200, 600]
    again = train_digits.split_digits(jax.random.key(1))
    together, together_again = (
        np.sort(np.concatenate([np.c_[part.labels, part.images.reshape(-1, 64)] for part in split]), axis=0)
        for split in (parts, again)
    )
    assert np.array_equal(together, together_again)
    assert 0 == together[:, 1:].min() < together[:, 1:].max() == 1


def test_warping_moves_the_ink_and_adds_none() -> None:
    image = jnp.zeros((8, 8)).at[2:6, 3:5].set(1.0)
    warped = jax.vmap(train_digits.warp, in_axes=(None, 0))(image, jax.random.split(jax.random.key(0), 100))
    assert not jnp.allclose(warped[0], warped[1])
    assert jnp.all((warped >= 0) & (warped <= 1 + 1e-6))
    assert jnp.allclose(jnp.mean(warped, axis=0), image, atol=0.5)


def test_dropout_is_at_work_in_training_and_not_in_evaluation() -> None:
    model = train_digits.Classifier(16, 0.5, key=jax.random.key(0))
    digits, _, _ = train_digits.split_digits(jax.random.key(1))
    image = digits.images[0]
    assert not jnp.allclose(model(image, key=jax.random.key(2)), model(image, key=jax.random.key(3)))
    without_dropout = eqx.tree_at(lambda m: m.dropout, model, eqx.nn.Dropout(0.0))
    expected = jnp.argmax(jax.vmap(without_dropout)(digits.images), axis=-1)
    assert jnp.array_equal(train_digits.evaluate(model, digits).predictions, expected)


def test_it_runs_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "digits.png"
    monkeypatch.setattr(sys, "argv", ["train_digits.py", "--epochs", "1", "--seed", "7", "--output", str(picture)])
    runpy.run_path(train_digits.__file__, run_name="__main__")
    assert picture.exists()
    assert "1 of 1" in capsys.readouterr().out
