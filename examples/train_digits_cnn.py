"""Teach a convolutional network to read handwritten digits: the 8 x 8 images that come with scikit-learn.

Batch normalisation keeps running averages. They are no parameters, so they live in a `State` beside the model, which
each step takes and returns. The network is trained on 1197 images, every time warped a little differently, and then
put to the test with 600 others. In the end there is a table, and a picture: the loss and the mistakes over time, and
the test images that were hardest to read.
"""

import argparse
import time
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

OUTPUT: Final = Path(__file__).parent / "output" / "train_digits_cnn.png"


class Digits(NamedTuple):
    """Images of shape `(count, 1, 8, 8)`, from 0 (paper) to 1 (ink), and the digits they show, of shape `(count,)`."""

    images: Array
    labels: Array


def split_digits(key: Array) -> tuple[Digits, Digits]:
    """Deal the images out at random: 1197 to train on, 600 to test."""
    pixels: Array
    labels: Array
    pixels, labels = jax.device_put(load_digits(return_X_y=True))
    images = pixels.reshape(-1, 1, 8, 8).astype(jnp.float32) / 16
    order = jax.random.permutation(key, len(labels))
    training, test = (Digits(images[part], labels[part]) for part in jnp.split(order, [1197]))
    return training, test


def warp(image: Array, key: Array) -> Array:
    """Stretch, shear, turn and move an image a little, as if the digit were written again."""
    matrix_key, shift_key = jax.random.split(key)
    matrix = jnp.eye(2) + 0.1 * jax.random.normal(matrix_key, (2, 2))
    shift = 0.3 * jax.random.normal(shift_key, (2, 1))
    pixels = jnp.indices((8, 8)).reshape(2, -1) - 3.5
    places = matrix @ pixels + shift
    # Bilinear interpolation: a pixel counts at a place as far as it is less than one pixel away in both directions.
    distances = jnp.abs(places[:, :, None] - pixels[:, None, :])
    weights = jnp.prod(jnp.maximum(0, 1 - distances), axis=0)
    return (weights @ image.ravel()).reshape(image.shape)


def block(in_channels: int, out_channels: int, *, key: Array) -> eqx.nn.Sequential:
    """A convolution, whose bias would be undone by the batch normalisation after it, and a rectifier."""
    return eqx.nn.Sequential(
        {
            "conv": eqx.nn.Conv2d(in_channels, out_channels, 3, padding="same", use_bias=False, key=key),
            "norm": eqx.nn.BatchNorm(out_channels, "batch", momentum=0.9, mode="batch"),
            "relu": eqx.nn.Lambda(jax.nn.relu),
        }
    )


def classifier(width: int, dropout: float, *, key: Array) -> eqx.nn.Sequential:
    """A network from an image to the logits of the ten digits: two scales, with residual blocks at each."""
    keys = jax.random.split(key, 5)
    return eqx.nn.Sequential(
        {
            "fine": eqx.nn.Sequential(
                [
                    block(1, width, key=keys[0]),
                    eqx.nn.Residual(block(width, width, key=keys[1])),
                ]
            ),
            "shrink": eqx.nn.MaxPool2d(2, stride=2),
            "coarse": eqx.nn.Sequential(
                [
                    block(width, 2 * width, key=keys[2]),
                    eqx.nn.Residual(block(2 * width, 2 * width, key=keys[3])),
                ]
            ),
            "flatten": eqx.nn.Flatten(),
            "dropout": eqx.nn.Dropout(dropout),
            "readout": eqx.nn.Linear(32 * width, 10, key=keys[4]),
        }
    )


@eqx.filter_value_and_grad(has_aux=True)
def loss(model: eqx.nn.Sequential, state: eqx.nn.State, digits: Digits, key: Array) -> tuple[Array, eqx.nn.State]:
    """The mean cross-entropy, in nats, on warped images and with dropout; and the new running averages."""
    warp_keys, dropout_keys = jax.random.split(key, (2, len(digits.labels)))
    images = jax.vmap(warp)(digits.images, warp_keys)

    def read(image: Array, state: eqx.nn.State, key: Array) -> tuple[Array, eqx.nn.State]:
        return model(image, state, key=key)

    # The state has no batch axis: what it holds was averaged over the axis that is called "batch".
    in_axes, out_axes = (0, None, 0), (0, None)
    logits, state = jax.vmap(read, in_axes, out_axes, axis_name="batch")(images, state, dropout_keys)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, digits.labels)), state


@eqx.filter_jit
def step(
    model: eqx.nn.Sequential, state: eqx.nn.State, optimizer: eqx.Optimizer, digits: Digits, rows: Array, key: Array
) -> tuple[eqx.nn.Sequential, eqx.nn.State, eqx.Optimizer, Array]:
    """One step of training, on a batch."""
    (value, state), gradient = loss(model, state, Digits(digits.images[rows], digits.labels[rows]), key)
    model, optimizer = optimizer.update(gradient, model)
    return model, state, optimizer, value


class Score(NamedTuple):
    """How well a model reads some digits. The logits have the shape `(count, 10)`."""

    loss: Array
    accuracy: Array
    logits: Array


@eqx.filter_jit
def evaluate(model: eqx.nn.Sequential, state: eqx.nn.State, digits: Digits) -> Score:
    """Read each image as it is, with the running averages, and with all neurons at work."""
    reader = eqx.nn.inference_mode(model)

    def read(image: Array) -> Array:
        logits, _ = reader(image, state)
        return logits

    logits = jax.vmap(read)(digits.images)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, digits.labels)
    accuracy = jnp.mean(jnp.argmax(logits, axis=-1) == digits.labels)
    return Score(jnp.mean(cross_entropy), accuracy, logits)


class Result(NamedTuple):
    """What `main` arrives at: the model, its state, and the scores of each epoch and of the last one."""

    model: eqx.nn.Sequential
    state: eqx.nn.State
    training_losses: list[float]
    test_losses: list[float]
    test_errors: list[float]
    test_score: Score


def train(
    model: eqx.nn.Sequential,
    state: eqx.nn.State,
    training: Digits,
    test: Digits,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    key: Array,
) -> Result:
    """Train for some epochs, by ever smaller steps. The test images only show how it goes: nothing depends on them."""
    steps = len(training.labels) // batch_size
    schedule = optax.cosine_decay_schedule(learning_rate, epochs * steps)
    optimizer = eqx.Optimizer(optax.adamw(schedule, weight_decay=1e-3), model)
    training_losses: list[float] = []
    test_losses: list[float] = []
    test_errors: list[float] = []
    score = evaluate(model, state, test)
    with tqdm(total=epochs * steps, desc="training", unit="step", disable=None) as progress:
        for epoch_key in jax.random.split(key, epochs):
            order_key, steps_key = jax.random.split(epoch_key)
            values: list[Array] = []
            # All images in random order, except for the few that do not fill a batch.
            order = jax.random.permutation(order_key, len(training.labels))[: steps * batch_size]
            for rows, step_key in zip(order.reshape(steps, -1), jax.random.split(steps_key, steps), strict=True):
                model, state, optimizer, value = step(model, state, optimizer, training, rows, step_key)
                values.append(value)
                progress.update()
            score = evaluate(model, state, test)
            training_losses.append(float(jnp.mean(jnp.stack(values))))
            test_losses.append(float(score.loss))
            test_errors.append(1 - float(score.accuracy))
            progress.set_postfix_str(f"test accuracy {score.accuracy:.1%}")
    return Result(model, state, training_losses, test_losses, test_errors, score)


def draw(result: Result, test: Digits) -> Figure:
    """Draw the losses and the mistakes over time, and the test images whose digits seemed the least probable."""
    figure = Figure(figsize=(12, 4.8), dpi=150, layout="constrained")
    grid = figure.add_gridspec(4, 14)
    epochs = range(1, len(result.test_losses) + 1)

    axes = figure.add_subplot(grid[:2, :6])
    axes.plot(epochs, result.training_losses, color="tab:gray", label="training (warped images, dropout)")
    axes.plot(epochs, result.test_losses, color="tab:blue", label="test")
    axes.set(title="Loss", ylabel="cross-entropy (nats)", yscale="log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    axes = figure.add_subplot(grid[2:, :6])
    axes.plot(epochs, [100 * error for error in result.test_errors], color="tab:blue")
    axes.set(title="Test images that are misread", xlabel="epoch", ylabel="%", yscale="symlog", ylim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)

    labels = np.asarray(test.labels)
    probabilities = np.asarray(jax.nn.softmax(result.test_score.logits))
    predictions = np.argmax(probabilities, axis=-1)
    of_label = probabilities[np.arange(len(labels)), labels]
    right = np.sum(predictions == labels)
    figure.suptitle(f"{right} of {len(labels)} test images read correctly (right: the hardest ones, mistakes in red)")
    for place, i in enumerate(np.argsort(of_label)[:32]):
        axes = figure.add_subplot(grid[place // 8, 6 + place % 8])
        axes.imshow(test.images[i, 0], cmap="gray_r", vmin=0, vmax=1)
        is_wrong = predictions[i] != labels[i]
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="tab:red" if is_wrong else "lightgray", linewidth=2 if is_wrong else 1)
        title = f"{predictions[i]} (is a {labels[i]})" if is_wrong else f"{labels[i]} ({of_label[i]:.0%})"
        axes.set_title(title, color="tab:red" if is_wrong else "black", fontsize=9)
    return figure


def main(
    *,
    width: int = 24,
    dropout: float = 0.3,
    epochs: int = 40,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
    output: Path = OUTPUT,
) -> Result:
    """Train a convolutional network to read handwritten digits, print how well it does, and draw a picture."""
    output.parent.mkdir(parents=True, exist_ok=True)
    print("Learning to read the handwritten digits of scikit-learn, by convolutions.")
    split_key, model_key, training_key = jax.random.split(jax.random.key(seed), 3)
    training, test = split_digits(split_key)
    model, state = eqx.nn.make_with_state(classifier)(width, dropout, key=model_key)
    start = time.perf_counter()
    result = train(
        model,
        state,
        training,
        test,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        key=training_key,
    )
    seconds = time.perf_counter() - start
    draw(result, test).savefig(output)

    print(f"\n{'parameters':14}{eqx.nn.count_params(result.model):12,}")
    print(f"{'images':14}{len(training.labels):12,} to train on, {len(test.labels)} to test")
    print(f"{'loss':14}{result.test_losses[-1]:12.4f}")
    print(f"{'accuracy':14}{result.test_score.accuracy:12.2%}")
    print(f"{'time':14}{seconds:10.1f} s")
    print(f"\nThe way there, and the images that were hardest to read: {output}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--width", type=int, default=24, help="channels of the first layers; half those of the others")
    parser.add_argument("--epochs", type=int, default=40, help="how many times to go through the training images")
    parser.add_argument("--batch-size", type=int, default=64, help="how many images there are in a step")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is random")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to put the picture (default: %(default)s)")
    arguments = parser.parse_args()
    result = main(  # to look at, with `python -i`
        width=arguments.width,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        output=arguments.output,
    )
