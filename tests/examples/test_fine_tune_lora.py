"""A network is fine-tuned by weights of low rank alone, and reads what it could not read before."""

import runpy
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest

import equinox as eqx
from examples import fine_tune_lora


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "new" / "lora.png"


@pytest.fixture(scope="module")
def result(picture: Path) -> fine_tune_lora.Result:
    return fine_tune_lora.main(width=64, epochs=6, batch_size=32, output=picture)


def test_fine_tuning_teaches_it_to_read_turned_digits(result: fine_tune_lora.Result) -> None:
    assert len(result.accuracies) == 7
    assert result.accuracies[0] < 0.3
    assert result.accuracies[-1] > 0.6


def test_only_weights_of_low_rank_are_trained(result: fine_tune_lora.Result) -> None:
    assert result.trained_parameters == 4 * ((64 + 64) + (64 + 64) + (64 + 10))
    assert result.is_base_unchanged
    for before, after in zip(result.pretrained.layers, result.tuned.layers, strict=True):
        assert isinstance(after, eqx.nn.LoRA)
        assert eqx.tree_equal(after.layer, before)
        assert after.b.any()


def test_merging_changes_no_bit_of_the_output(result: fine_tune_lora.Result) -> None:
    assert result.largest_difference == 0
    assert [type(layer) for layer in result.merged.layers] == [eqx.nn.Linear] * 3
    image = jnp.linspace(0, 1, 64)
    assert jnp.array_equal(result.merged(image), result.tuned(image))
    assert not jnp.array_equal(result.merged(image), result.pretrained(image))


def test_the_picture_is_written_into_a_new_folder(result: fine_tune_lora.Result, picture: Path) -> None:
    height, width, _ = matplotlib.image.imread(picture).shape
    assert (width, height) == (1800, 720)


def test_a_changed_bit_is_noticed() -> None:
    model = eqx.nn.MLP(64, 10, 4, depth=1, key=jax.random.key(0))
    tuned = eqx.nn.add_lora(model, 1, key=jax.random.key(1))
    trained = eqx.nn.lora_filter(tuned)
    before: list[jax.Array] = jax.tree.leaves(eqx.filter(model, eqx.is_array))
    assert fine_tune_lora.is_unchanged(before, fine_tune_lora.arrays_outside(tuned, trained))
    with_other_zeros = [jnp.where(array == array[0], -array, array) for array in before]
    assert not fine_tune_lora.is_unchanged(before, with_other_zeros)
    assert not fine_tune_lora.is_unchanged([jnp.array(0.0)], [jnp.array(-0.0)])


def test_turned_images_are_turned_and_inverted() -> None:
    images = jnp.arange(128.0).reshape(2, 8, 8) / 128
    expected = 1 - np.rot90(images, axes=(1, 2))
    np.testing.assert_array_equal(fine_tune_lora.turned(fine_tune_lora.Digits(images, jnp.arange(2))).images, expected)


def test_it_runs_from_the_command_line_and_shows_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "lora.png"
    options = ["--width", "8", "--rank", "1", "--epochs", "1", "--seed", "7", "--output", str(picture)]
    monkeypatch.setattr(sys, "argv", ["fine_tune_lora.py", *options])
    runpy.run_path(fine_tune_lora.__file__, run_name="__main__")
    assert picture.exists()
    printed = capsys.readouterr().out
    rows = {line[:14].strip(): line[14:].split() for line in printed.splitlines()}
    assert rows["pre-trained"][0] == str((64 + 1) * 8 + (8 + 1) * 8 + (8 + 1) * 10)
    assert rows["fine-tuned"][0] == str((64 + 8) + (8 + 8) + (8 + 10))
    assert rows["merged"][1:] == rows["fine-tuned"][1:]
    assert "unchanged to the bit" in printed
    assert str(picture) in printed
