"""Teach a small transformer to write like the documentation of Python's standard library, character by character.

The text comes with Python: the docstrings of all modules of the standard library. The network is a stack of causal
transformer layers with rotary embeddings, which is compiled as a single layer. It learns to predict each character from
those before it. When it writes, it remembers their keys and values in a cache, and so reads each character only once.

How well it predicts is compared with what could be done by knowing only how frequent each character is: the loss would
be the entropy of these frequencies then. In the end there is a table, and a picture: the loss over time, and what the
network writes.
"""

import argparse
import ast
import sysconfig
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.figure import Figure
from tqdm import tqdm

import equinox as eqx

OUTPUT: Final = Path(__file__).parent / "output" / "language_model.png"

#: Stands between two docstrings.
END: Final = "\f"

#: What the network can read and write; the number of a character is its place in here.
CHARACTERS: Final = END + "\n" + "".join(map(chr, range(32, 127)))


#: The number of each character, by its code, and -1 for those that are not among them.
NUMBERS: Final = np.array([CHARACTERS.find(chr(code)) for code in range(128)], np.int32)


def docstrings(node: ast.AST) -> Iterator[str]:
    """The docstrings in the tree of a module, as far as they consist of characters that can be read."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        docstring = ast.get_docstring(node)
        if docstring and set(docstring) <= set(CHARACTERS):
            yield docstring
        for statement in node.body:
            yield from docstrings(statement)


def read_documentation() -> list[str]:
    """All docstrings of the public modules of Python's standard library, in the order of the names of the modules."""
    folder = Path(sysconfig.get_path("stdlib"))
    modules = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    return [docstring for path in modules for docstring in docstrings(ast.parse(path.read_bytes()))]


def encode(texts: list[str]) -> Array:
    """The numbers of all characters of some texts, of shape `(length,)`."""
    codes = np.frombuffer("".join(END + text for text in texts).encode("ascii"), np.uint8)
    return jnp.asarray(NUMBERS[codes])


def decode(numbers: Array) -> str:
    """The text that some numbers stand for, up to the first `END`."""
    text = "".join(CHARACTERS[number] for number in np.asarray(numbers).tolist())
    return text.split(END)[0]


class Documentation(NamedTuple):
    """Numbers of characters, of shape `(length,)`: to train on, and to test."""

    training: Array
    test: Array


def split_documentation(texts: list[str], key: Array) -> Documentation:
    """Deal the docstrings out at random: one in ten is for the test."""
    order = np.asarray(jax.random.permutation(key, len(texts))).tolist()
    count = len(texts) // 10
    return Documentation(encode([texts[i] for i in order[count:]]), encode([texts[i] for i in order[:count]]))


class LanguageModel(eqx.Module):
    """A transformer, from characters to the logits of the character after each of them."""

    embedding: eqx.nn.Embedding
    layers: eqx.nn.StackedLayers[eqx.nn.TransformerEncoderLayer]
    norm: eqx.nn.RMSNorm
    readout: eqx.nn.Linear

    def __init__(self, size: int, num_heads: int, num_layers: int, *, key: Array) -> None:
        embedding_key, layers_key, readout_key = jax.random.split(key, 3)

        def make_layer(key: Array) -> eqx.nn.TransformerEncoderLayer:
            return eqx.nn.TransformerEncoderLayer(
                size,
                num_heads,
                norm="rms",
                causal=True,
                rope=True,
                gated=True,
                activation=jax.nn.silu,
                use_bias=False,
                key=key,
            )

        self.embedding = eqx.nn.Embedding(len(CHARACTERS), size, key=embedding_key)
        self.layers = eqx.nn.StackedLayers(make_layer, num_layers, key=layers_key)
        self.norm = eqx.nn.RMSNorm(size, use_bias=False)
        self.readout = eqx.nn.Linear(size, len(CHARACTERS), use_bias=False, key=readout_key)

    def __call__(self, numbers: Array) -> Array:
        """From characters, of shape `(length,)`, to logits, of shape `(length, len(CHARACTERS))`."""
        return self.logits(self.layers(jax.vmap(self.embedding)(numbers)))

    def go_on(self, numbers: Array, caches: eqx.nn.KVCache) -> tuple[Array, eqx.nn.KVCache]:
        """The same for characters that follow others, which the caches of the layers remember."""
        x, caches = self.layers.scan(read_on, jax.vmap(self.embedding)(numbers), caches)
        return self.logits(x), caches

    def init_caches(self, length: int) -> eqx.nn.KVCache:
        """A cache for each layer, with an additional leading axis, for a text of at most that length."""

        @eqx.filter_vmap
        def init(layer: eqx.nn.TransformerEncoderLayer) -> eqx.nn.KVCache:
            return layer.init_cache(length)

        return init(self.layers.layers)

    def logits(self, x: Array) -> Array:
        """What the network makes of the output of the last layer."""
        return jax.vmap(self.readout)(jax.vmap(self.norm)(x))


def read_on(layer: eqx.nn.TransformerEncoderLayer, x: Array, cache: eqx.nn.KVCache) -> tuple[Array, eqx.nn.KVCache]:
    """Call one layer with its cache."""
    return layer(x, cache=cache)


def loss(model: LanguageModel, windows: Array) -> Array:
    """The mean cross-entropy, in nats per character, of texts of shape `(count, length + 1)`."""
    logits = jax.vmap(model)(windows[:, :-1])
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, windows[:, 1:]))


@eqx.filter_jit
def step(
    model: LanguageModel,
    optimiser: optax.GradientTransformation,
    state: optax.OptState,
    text: Array,
    starts: Array,
    context: int,
) -> tuple[LanguageModel, optax.OptState, Array]:
    """One step of training, on the pieces of the text that begin at `starts`."""
    windows = text[starts[:, None] + jnp.arange(context + 1)]
    value, gradient = eqx.filter_value_and_grad(loss)(model, windows)
    updates, state = optimiser.update(gradient, state, model)
    return eqx.apply_updates(model, updates), state, value


@eqx.filter_jit
def evaluate(model: LanguageModel, text: Array, context: int) -> Array:
    """The loss on a whole text, cut into pieces."""
    count = (len(text) - 1) // context
    starts = context * jnp.arange(count)
    pieces = text[starts[:, None] + jnp.arange(context + 1)]

    def add(total: Array, piece: Array) -> tuple[Array, None]:
        return total + loss(model, piece[None]), None

    total, _ = eqx.filter_scan(add, jnp.zeros(()), pieces)
    return total / count


def unigram_entropy(documentation: Documentation) -> float:
    """The loss on the test text, in nats per character, of always predicting the frequencies of the training text."""
    counts = jnp.bincount(documentation.training, length=len(CHARACTERS)) + 1
    return float(-jnp.mean(jnp.log(counts / jnp.sum(counts))[documentation.test]))


@eqx.filter_jit
def write(model: LanguageModel, length: int, temperature: float, key: Array) -> Array:
    """Write a text, of shape `(length,)`. The lower the temperature, the more likely characters are preferred."""

    def write_one(state: tuple[Array, eqx.nn.KVCache], key: Array) -> tuple[tuple[Array, eqx.nn.KVCache], Array]:
        number, caches = state
        logits, caches = model.go_on(number[None], caches)
        number = jax.random.categorical(key, logits[0] / temperature)
        return (number, caches), number

    start = jnp.array(CHARACTERS.index(END), jnp.int32)
    _, numbers = jax.lax.scan(write_one, (start, model.init_caches(length)), jax.random.split(key, length))
    return numbers


class Training(NamedTuple):
    """What came of the training."""

    model: LanguageModel
    losses: list[float]
    seconds_per_step: float


def train(
    model: LanguageModel,
    text: Array,
    *,
    steps: int,
    batch_size: int,
    context: int,
    learning_rate: float,
    key: Array,
) -> Training:
    """Train on random pieces of a text, with larger and larger steps at first, and smaller and smaller ones then."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, steps // 10, steps)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.98))
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
    starts = jax.random.randint(key, (steps, batch_size), 0, len(text) - context)

    losses: list[float] = []
    seconds: list[float] = []
    with tqdm(total=steps, desc="training", unit="step", disable=None) as progress:
        for i in range(steps):
            start = time.perf_counter()
            model, state, value = step(model, optimiser, state, text, starts[i], context)
            losses.append(float(value))
            seconds.append(time.perf_counter() - start)
            progress.set_postfix_str(f"loss {losses[-1]:.3f}")
            progress.update()
    return Training(model, losses, float(np.median(seconds)))


def draw(losses: list[float], entropy: float, test_loss: float, sample: str) -> Figure:
    """Draw the loss over time, and beside it what the network writes."""
    figure = Figure(figsize=(12, 4.8), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(range(1, len(losses) + 1), losses, color="tab:blue", linewidth=1, label="training")
    left.axhline(entropy, color="tab:gray", linestyle="--", label="knowing only how frequent each character is")
    left.plot(len(losses), test_loss, "o", color="tab:red", label="test")
    left.set(title="Loss", xlabel="step", ylabel="cross-entropy (nats per character)", ylim=(0, None))
    left.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    right.set_axis_off()
    right.set_title("What the network writes")
    lines = [part for line in sample.splitlines() for part in textwrap.wrap(line, 76) or [""]]
    # A dollar sign would begin a formula.
    text = "\n".join(lines[:24]).replace("$", r"\$")
    right.text(0, 1, text, family="monospace", fontsize=8, verticalalignment="top", transform=right.transAxes)
    return figure


class Result(NamedTuple):
    """What `main` arrives at."""

    training: Training
    test_loss: float
    unigram_entropy: float
    samples: list[str]


def main(
    *,
    size: int = 96,
    num_heads: int = 4,
    num_layers: int = 4,
    context: int = 128,
    steps: int = 500,
    batch_size: int = 24,
    learning_rate: float = 4e-3,
    temperature: float = 0.7,
    num_samples: int = 3,
    seed: int = 0,
    output: Path = OUTPUT,
) -> Result:
    """Train a transformer to write like Python's documentation, print how well it does, and draw a picture."""
    output.parent.mkdir(parents=True, exist_ok=True)
    print("Learning to write like the documentation of Python's standard library.")
    split_key, model_key, training_key, samples_key = jax.random.split(jax.random.key(seed), 4)
    texts = read_documentation()
    documentation = split_documentation(texts, split_key)
    training = train(
        LanguageModel(size, num_heads, num_layers, key=model_key),
        documentation.training,
        steps=steps,
        batch_size=batch_size,
        context=context,
        learning_rate=learning_rate,
        key=training_key,
    )
    test_loss = float(evaluate(training.model, documentation.test, context))
    entropy = unigram_entropy(documentation)

    def write_sample(key: Array) -> Array:
        return write(training.model, 2 * context, temperature, key)

    written = jax.vmap(write_sample)(jax.random.split(samples_key, num_samples))
    samples = [decode(numbers) for numbers in np.asarray(written)]
    draw(training.losses, entropy, test_loss, "\n\n".join(samples)).savefig(output)

    parameters = jax.tree.leaves(eqx.filter(training.model, eqx.is_inexact_array))
    print(f"\n{'':24}{'training':>12}{'test':>12}")
    print(f"{'characters':24}{len(documentation.training):12,}{len(documentation.test):12,}")
    print(f"{'loss (nats/character)':24}{np.mean(training.losses[-20:]):12.4f}{test_loss:12.4f}")
    print(f"{'unigram entropy':24}{'':12}{entropy:12.4f}")
    print(f"\n{'parameters':24}{sum(leaf.size for leaf in parameters):12,}")
    print(f"{'time per step':24}{training.seconds_per_step * 1000:12.2f} ms")
    for sample in samples:
        print("\n" + "\n".join(f"    | {line}" for line in sample.splitlines()))
    print(f"\nThe loss over time, and what the network writes: {output}")
    return Result(training, test_loss, entropy, samples)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", type=int, default=96, help="the size of the vector that stands for a character")
    parser.add_argument("--layers", type=int, default=4, help="the number of layers")
    parser.add_argument("--context", type=int, default=128, help="how many characters it sees at once")
    parser.add_argument("--steps", type=int, default=500, help="for how many steps to train")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is random")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to put the picture (default: %(default)s)")
    arguments = parser.parse_args()
    main(
        size=arguments.size,
        num_layers=arguments.layers,
        context=arguments.context,
        steps=arguments.steps,
        seed=arguments.seed,
        output=arguments.output,
    )
