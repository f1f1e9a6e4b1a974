"""Fine-tune a network that reads handwritten digits, by LoRA, for digits that are turned and in white on black.

A network is trained on the 1797 images of 8 x 8 pixels that come with scikit-learn. Then it is given other images: a
quarter turn to the left, and light where they were dark. They are as good as unreadable for it. A matrix of low rank is
added to each of its weights, and only these are trained. In the end they are merged into the weights. A table shows how
well the network reads at each stage, and a picture what it has learnt.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tqdm import tqdm

import equinox as eqx

OUTPUT: Final = Path(__file__).parent / "output" / "fine_tune_lora.png"


class Digits(NamedTuple):
    """Images of shape `(count, 8, 8)`, from 0 (black) to 1 (white), and the digits they show, of shape `(count,)`."""

    images: Array
    labels: Array


def split_digits(key: Array) -> tuple[Digits, Digits]:
    """Deal the images out at random: 1197 to train on, 600 to test."""
    pixels: Array
    labels: Array
    pixels, labels = jax.device_put(load_digits(return_X_y=True))
    images = 1 - pixels.reshape(-1, 8, 8) / 16
    order = jax.random.permutation(key, len(labels))
    training, test = (Digits(images[part], labels[part]) for part in jnp.split(order, [1197]))
    return training, test


def turned(digits: Digits) -> Digits:
    """Turn the images to the left, and exchange black and white."""
    return Digits(1 - jnp.rot90(digits.images, axes=(1, 2)), digits.labels)


def read(model: eqx.nn.MLP, images: Array) -> Array:
    """The logits of the ten digits for each image, of shape `(count, 10)`."""
    return jax.vmap(model)(images.reshape(len(images), -1))


def loss(model: eqx.nn.MLP, digits: Digits) -> Array:
    """The mean cross-entropy, in nats."""
    logits = read(model, digits.images)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, digits.labels))


@eqx.filter_jit
def accuracy(model: eqx.nn.MLP, digits: Digits) -> Array:
    """The fraction of images that are read correctly."""
    return jnp.mean(jnp.argmax(read(model, digits.images), axis=-1) == digits.labels)


@eqx.filter_jit
def step(
    model: eqx.nn.MLP, optimizer: eqx.Optimizer, trained: eqx.nn.MLP, digits: Digits, rows: Array
) -> tuple[eqx.nn.MLP, eqx.Optimizer]:
    """One step of training, on a batch, of the parameters where `trained` is `True`."""
    gradient = eqx.gradf(loss, filter_tree=trained)(model, Digits(digits.images[rows], digits.labels[rows]))
    return optimizer.update(gradient, model)


def train(
    model: eqx.nn.MLP,
    trained: eqx.nn.MLP,
    digits: Digits,
    measure: Callable[[eqx.nn.MLP], float],
    *,
    name: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    key: Array,
) -> tuple[eqx.nn.MLP, list[float]]:
    """Train the parameters where `trained` is `True`, and measure the model before and after each epoch."""
    steps = len(digits.labels) // batch_size
    schedule = optax.cosine_decay_schedule(learning_rate, max(1, epochs * steps))
    optimizer = eqx.Optimizer(optax.adam(schedule), model, filter=trained)
    measured = [measure(model)]
    with tqdm(total=epochs, desc=name, unit="epoch", disable=None) as progress:
        for epoch_key in jax.random.split(key, epochs):
            # All images in random order, except for the few that do not fill a batch.
            order = jax.random.permutation(epoch_key, len(digits.labels))[: steps * batch_size]
            for rows in order.reshape(steps, -1):
                model, optimizer = step(model, optimizer, trained, digits, rows)
            measured.append(measure(model))
            progress.set_postfix_str(f"accuracy {measured[-1]:.1%}")
            progress.update()
    return model, measured


def arrays_outside(model: eqx.nn.MLP, trained: eqx.nn.MLP) -> list[Array]:
    """The parameters where `trained` is `False`, in order."""
    return jax.tree.leaves(eqx.filter(eqx.filter(model, trained, inverse=True), eqx.is_inexact_array))


def is_unchanged(before: list[Array], after: list[Array]) -> bool:
    """Whether all bits are the same."""
    pairs = zip(before, after, strict=True)
    return all(np.asarray(old).tobytes() == np.asarray(new).tobytes() for old, new in pairs)


class Result(NamedTuple):
    """What `main` arrives at."""

    pretrained: eqx.nn.MLP
    tuned: eqx.nn.MLP
    merged: eqx.nn.MLP
    trained_parameters: int
    is_base_unchanged: bool
    largest_difference: float
    #: On the turned test images, before and after each epoch of fine-tuning.
    accuracies: list[float]


def draw(result: Result, test: Digits) -> Figure:
    """Draw the accuracy over time, and some test images with what was read before and after."""
    figure = Figure(figsize=(12, 4.8), dpi=150, layout="constrained")
    grid = figure.add_gridspec(4, 14)
    axes = figure.add_subplot(grid[:, :6])
    axes.plot(range(len(result.accuracies)), result.accuracies, color="tab:blue", marker=".")
    axes.axhline(0.1, color="tab:gray", linestyle=":")
    axes.set(title="Accuracy on turned images", xlabel="epoch of fine-tuning", ylim=(0, 1.02))
    axes.text(len(result.accuracies) - 1, 0.11, "by chance", color="tab:gray", ha="right")
    axes.spines[["top", "right"]].set_visible(False)

    labels = np.asarray(test.labels)
    before = np.asarray(jnp.argmax(read(result.pretrained, test.images), axis=-1))
    after = np.asarray(jnp.argmax(read(result.merged, test.images), axis=-1))
    figure.suptitle(
        f"{np.sum(before == labels)} of {len(labels)} turned test images are read correctly before, "
        f"{np.sum(after == labels)} after (above each: before → after)"
    )
    for place in range(min(32, len(labels))):
        is_wrong = after[place] != labels[place]
        axes = figure.add_subplot(grid[place // 8, 6 + place % 8])
        axes.imshow(test.images[place], cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{before[place]} → {after[place]}", fontsize=9, color="tab:red" if is_wrong else "black")
    return figure


def main(
    *,
    width: int = 256,
    rank: int = 4,
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
    output: Path = OUTPUT,
) -> Result:
    """Train a network on digits, fine-tune it on turned ones by LoRA, print how well it does, and draw a picture."""
    output.parent.mkdir(parents=True, exist_ok=True)
    split_key, model_key, training_key, lora_key, tuning_key = jax.random.split(jax.random.key(seed), 5)
    upright = split_digits(split_key)
    sideways = turned(upright[0]), turned(upright[1])

    base = eqx.nn.MLP(64, 10, width, depth=2, key=model_key)
    pretrained, _ = train(
        base,
        eqx.trainable(base),
        upright[0],
        lambda model: float(accuracy(model, upright[1])),
        name="training",
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        key=training_key,
    )

    # This is all that LoRA takes: wrap the layers, and say what is trained.
    wrapped = eqx.nn.add_lora(pretrained, rank, key=lora_key)
    trained = eqx.nn.lora_filter(wrapped)
    tuned, accuracies = train(
        wrapped,
        trained,
        sideways[0],
        lambda model: float(accuracy(model, sideways[1])),
        name="fine-tuning",
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=4 * learning_rate,
        key=tuning_key,
    )
    merged = eqx.nn.merge_lora(tuned)

    parameters = jax.tree.leaves(eqx.filter(pretrained, eqx.is_inexact_array))
    result = Result(
        pretrained,
        tuned,
        merged,
        sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(tuned, trained))),
        is_unchanged(parameters, arrays_outside(tuned, trained)),
        float(jnp.max(jnp.abs(read(merged, sideways[1].images) - read(tuned, sideways[1].images)))),
        accuracies,
    )
    draw(result, sideways[1]).savefig(output)

    total = sum(leaf.size for leaf in parameters)
    print(f"\n{'':14}{'trained':>12}{'upright':>12}{'turned':>12}")
    for name, count, model in (
        ("pre-trained", total, pretrained),
        ("fine-tuned", result.trained_parameters, tuned),
        ("merged", 0, merged),
    ):
        scores = "".join(f"{accuracy(model, part):12.2%}" for part in (upright[1], sideways[1]))
        print(f"{name:14}{count:12,}{scores}")
    print(
        f"\nFine-tuning trained {result.trained_parameters / total:.1%} as many parameters as there are in the network."
    )
    print(
        f"The weights that were there before are {'unchanged to the bit' if result.is_base_unchanged else 'CHANGED'}."
    )
    print(f"Merging changes the logits by {result.largest_difference:.1e} at most.")
    print(f"\nThe accuracy over time, and how the network reads some turned images: {output}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--width", type=int, default=256, help="neurons in each of the two hidden layers")
    parser.add_argument("--rank", type=int, default=4, help="the rank of what is added to each weight")
    parser.add_argument("--epochs", type=int, default=30, help="how many times to go through the images, in each stage")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is random")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to put the picture (default: %(default)s)")
    arguments = parser.parse_args()
    main(
        width=arguments.width,
        rank=arguments.rank,
        epochs=arguments.epochs,
        seed=arguments.seed,
        output=arguments.output,
    )
