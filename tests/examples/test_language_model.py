"""The network learns to write like Python's documentation, and says in a table and a picture how well."""

import ast
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
from examples import language_model

MODEL = language_model.LanguageModel(16, 2, 3, key=jax.random.key(0))


class Run(NamedTuple):
    printed: str
    picture: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a user sees who runs the example with a tiny network."""
    picture = tmp_path_factory.mktemp("demo") / "new" / "model.png"
    options = {"size": 32, "layers": 1, "context": 32, "steps": 200, "seed": 7, "output": picture}
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as stdout:
        patch.setattr(sys, "argv", ["language_model.py", *arguments])
        runpy.run_path(language_model.__file__, run_name="__main__")
    return Run(stdout.getvalue(), picture)


def test_a_tiny_network_already_predicts_better_than_frequencies_do(run: Run) -> None:
    rows = {line[:24].strip(): line[24:].split() for line in run.printed.splitlines()}
    _, test_loss = map(float, rows["loss (nats/character)"])
    (entropy,) = map(float, rows["unigram entropy"])
    assert 2.5 < entropy < 4
    assert 1 < test_loss < 0.9 * entropy
    training, test = (int(count.replace(",", "")) for count in rows["characters"])
    assert training > 8 * test > 100_000


def test_it_shows_what_the_network_writes_and_says_where_the_picture_is(run: Run) -> None:
    written = [line for line in run.printed.splitlines() if line.startswith("    | ")]
    assert len("".join(written)) > 30
    assert str(run.picture) in run.printed


def test_the_picture_is_written_into_a_new_folder(run: Run) -> None:
    height, width, _ = matplotlib.image.imread(run.picture).shape
    assert (width, height) == (1800, 720)


def test_docstrings_are_those_of_modules_classes_and_functions_with_plain_characters(tmp_path: Path) -> None:
    source = '''"""Module."""
def f():
    """Function,
    in two lines."""
    "no docstring"
class C:
    """Class."""
    def method(self):
        """Method."""
def g():
    """Ümlaut."""
def h(): ...
'''
    found = list(language_model.docstrings(ast.parse(source)))
    assert found == ["Module.", "Function,\nin two lines.", "Class.", "Method."]


def test_texts_come_back_from_numbers() -> None:
    texts = ["One.\n\nTwo", "~{}"]
    numbers = language_model.encode(texts)
    assert numbers[0] == language_model.CHARACTERS.index(language_model.END)
    assert language_model.decode(numbers[1:]) == texts[0]
    assert language_model.decode(numbers[len(texts[0]) + 2 :]) == texts[1]


def test_each_docstring_is_in_precisely_one_part() -> None:
    texts = [chr(code) for code in range(60, 80)]
    training, test = language_model.split_documentation(texts, jax.random.key(0))
    assert len(test) == 2 * len(texts) // 10
    assert sorted(np.concatenate([training, test])[1::2].tolist()) == language_model.encode(texts)[1::2].tolist()


def test_with_caches_the_network_computes_the_same() -> None:
    numbers = jax.random.randint(jax.random.key(1), (6,), 0, len(language_model.CHARACTERS))

    @eqx.filter_jit
    def read(model: language_model.LanguageModel) -> tuple[jax.Array, jax.Array, eqx.nn.KVCache]:
        first, caches = model.go_on(numbers[:4], model.init_caches(6))
        second, caches = model.go_on(numbers[4:], caches)
        return jnp.concatenate([first, second]), model(numbers), caches

    in_parts, as_a_whole, caches = read(MODEL)
    np.testing.assert_allclose(in_parts, as_a_whole, rtol=1e-4, atol=1e-5)
    assert caches.length.tolist() == [6, 6, 6]


def test_the_network_does_not_see_what_it_has_to_predict() -> None:
    numbers = jnp.arange(6)
    changed = numbers.at[4].set(90)
    logits, changed_logits = (eqx.filter_jit(MODEL)(x) for x in (numbers, changed))
    np.testing.assert_allclose(logits[:4], changed_logits[:4], rtol=1e-4, atol=1e-5)
    assert not jnp.allclose(logits[4], changed_logits[4], atol=1e-3)


def test_the_likeliest_characters_are_written_at_low_temperature() -> None:
    written = language_model.write(MODEL, 5, 1e-4, jax.random.key(0))
    start = language_model.CHARACTERS.index(language_model.END)
    read = jnp.array([start, *written[:-1].tolist()])
    expected = jnp.argmax(eqx.filter_jit(MODEL)(read), axis=-1)
    assert jnp.array_equal(written, expected)


def test_the_loss_on_a_text_is_that_of_all_its_pieces() -> None:
    text = jax.random.randint(jax.random.key(1), (14,), 0, len(language_model.CHARACTERS))
    pieces = jnp.stack([text[:5], text[4:9], text[8:13]])
    expected = eqx.filter_jit(language_model.loss)(MODEL, pieces)
    np.testing.assert_allclose(language_model.evaluate(MODEL, text, 4), expected, rtol=1e-5)


def test_the_unigram_entropy_is_the_loss_of_predicting_frequencies() -> None:
    documentation = language_model.Documentation(jnp.array([3, 3, 3, 5]), jnp.array([3, 5, 3]))
    total = 4 + len(language_model.CHARACTERS)
    expected = -(2 * np.log(4 / total) + np.log(2 / total)) / 3
    assert np.isclose(language_model.unigram_entropy(documentation), expected)


def test_all_layers_are_one_that_is_compiled_once() -> None:
    assert len(MODEL.layers) == 3
    assert type(MODEL.layers) is eqx.nn.StackedLayers
