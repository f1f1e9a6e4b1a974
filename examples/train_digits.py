"""Teach a network to read handwritten digits: the 1797 images of 8 x 8 pixels that come with scikit-learn.

The network is an MLP with dropout. In each epoch it sees all training images, every time warped a little differently.
The network as it was after its best epoch, judged by the validation images, is then put to the test with images that
have played no part so far. In the end there is a table, and a picture: the loss over time, and how test images were
read.
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

OUTPUT: Final = Path(__file__).parent / "output" / "train_digits.png"


class Digits(NamedTuple):
    """Images of shape `(count, 8, 8)`, from 0 (paper) to 1 (ink), and the digits they show, of shape `(count,)`."""

    images: Array
    labels: Array


def split_digits(key: Array) -> tuple[Digits, Digits, Digits]:
    """Deal the images out at random: 997 to train on, 200 to choose the best epoch by, 600 to test."""
    pixels: Array
    labels: Array
    pixels, labels = jax.device_put(load_digits(return_X_y=True))
    images = pixels.reshape(-1, 8, 8) / 16
    order = jax.random.permutation(key, len(labels))
    training, validation, test = (Digits(images[part], labels[part]) for part in jnp.split(order, [997, 1197]))
    return training, validation, test


def warp(image: Array, key: Array) -> Array:
    """Stretch, shear, turn and move an image a little, as if the digit were written again."""
    matrix_key, shift_key = jax.random.split(key)
    matrix = jnp.eye(2) + 0.1 * jax.random.normal(matrix_key, (2, 2))
    shift = 0.3 * jax.random.normal(shift_key, (2, 1))
    pixels = jnp.indices(image.shape).reshape(2, -1) - 3.5
    places = matrix @ pixels + shift
    # Bilinear interpolation: a pixel counts at a place as far as it is less than one pixel away in both directions.
    distances = jnp.abs(places[:, :, None] - pixels[:, None, :])
    weights = jnp.prod(jnp.maximum(0, 1 - distances), axis=0)
    return (weights @ image.ravel()).reshape(image.shape)


class Classifier(eqx.Module):
    """A multilayer perceptron with dropout, from an image to the logits of the ten digits."""

    hidden: tuple[eqx.nn.Linear, eqx.nn.Linear]
    readout: eqx.nn.Linear
    dropout: eqx.nn.Dropout

    def __init__(self, width: int, dropout: float, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.hidden = (eqx.nn.Linear(64, width, key=keys[0]), eqx.nn.Linear(width, width, key=keys[1]))
        self.readout = eqx.nn.Linear(width, 10, key=keys[2])
        self.dropout = eqx.nn.Dropout(dropout)

    def __call__(self, image: Array, *, key: Array | None = None) -> Array:
        """The logits for one image. The key says which neurons drop out; nothing does in a model for inference."""
        keys = (None, None) if key is None else jax.random.split(key)
        x = image.ravel()
        for layer, layer_key in zip(self.hidden, keys, strict=True):
            x = self.dropout(jax.nn.relu(layer(x)), key=layer_key)
        return self.readout(x)


@eqx.value_and_grad_f(filter_fn=eqx.is_inexact_array)
def loss(model: Classifier, digits: Digits, key: Array) -> Array:
    """The mean cross-entropy, in nats, on warped images and with dropout."""
    warp_keys, dropout_keys = jax.random.split(key, (2, len(digits.labels)))
    images = jax.vmap(warp)(digits.images, warp_keys)
    logits = jax.vmap(model)(images, key=dropout_keys)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, digits.labels))


@eqx.jitf(filter_fn=eqx.is_array)
def step(
    model: Classifier,
    optimiser: optax.GradientTransformation,
    state: optax.OptState,
    digits: Digits,
    rows: Array,
    key: Array,
) -> tuple[optax.Updates, optax.OptState, Array]:
    """One step of training, on a batch. It returns the model's update, with `None` for all that is no parameter."""
    batch = Digits(digits.images[rows], digits.labels[rows])
    value, gradient = loss(model, batch, key)
    updates, state = optimiser.update(gradient, state)
    return updates, state, value


class Score(NamedTuple):
    """How well a model reads some digits."""

    loss: Array
    accuracy: Array
    predictions: Array


@eqx.jitf(filter_fn=eqx.is_array)
def evaluate(model: Classifier, digits: Digits) -> Score:
    """Read each image as it is, with all neurons at work."""
    model = eqx.tree_at(lambda m: m.dropout.deterministic, model, replace=True)
    logits = jax.vmap(model)(digits.images)
    predictions = jnp.argmax(logits, axis=-1)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, digits.labels)
    return Score(jnp.mean(cross_entropy), jnp.mean(predictions == digits.labels), predictions)


class Training(NamedTuple):
    """The best model that was met, and what happened on the way."""

    model: Classifier
    best_epoch: int
    training_losses: list[float]
    validation_losses: list[float]
    seconds_per_step: float


def train(
    model: Classifier,
    training: Digits,
    validation: Digits,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    key: Array,
) -> Training:
    """Train for some epochs, by ever smaller steps."""
    steps = len(training.labels) // batch_size
    optimiser = optax.adam(optax.cosine_decay_schedule(learning_rate, epochs * steps))
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))

    best_model, best_epoch = model, 0
    training_losses: list[float] = []
    validation_losses: list[float] = []
    seconds: list[float] = []
    with tqdm(total=epochs, desc="training", unit="epoch", disable=None) as progress:
        for epoch, epoch_key in enumerate(jax.random.split(key, epochs)):
            order_key, steps_key = jax.random.split(epoch_key)
            start = time.perf_counter()
            values: list[Array] = []
            # All images in random order, except for the few that do not fill a batch.
            order = jax.random.permutation(order_key, len(training.labels))[: steps * batch_size]
            for rows, step_key in zip(order.reshape(steps, -1), jax.random.split(steps_key, steps), strict=True):
                updates, state, value = step(model, optimiser, state, training, rows, step_key)
                model = eqx.apply_updates(model, updates)
                values.append(value)
            training_losses.append(float(jnp.mean(jnp.stack(values))))
            seconds.append((time.perf_counter() - start) / steps)

            score = evaluate(model, validation)
            if score.loss < min(validation_losses, default=jnp.inf):
                best_model, best_epoch = model, epoch
            validation_losses.append(float(score.loss))
            progress.set_postfix_str(f"validation accuracy {score.accuracy:.1%}")
            progress.update()
    return Training(best_model, best_epoch, training_losses, validation_losses, float(np.median(seconds)))


def draw(training: Training, test: Digits, score: Score) -> Figure:
    """Draw the losses, and some test images: first those that were misread, then others."""
    figure = Figure(figsize=(12, 4.8), dpi=150, layout="constrained")
    grid = figure.add_gridspec(4, 14)

    axes = figure.add_subplot(grid[:, :6])
    epochs = range(1, len(training.training_losses) + 1)
    best_loss = training.validation_losses[training.best_epoch]
    axes.plot(epochs, training.training_losses, color="tab:gray", label="training (warped images, dropout)")
    axes.plot(epochs, training.validation_losses, color="tab:blue", label="validation")
    axes.plot(epochs[training.best_epoch], best_loss, "o", color="tab:blue", label="best epoch")
    axes.set(title="Loss", xlabel="epoch", ylabel="cross-entropy (nats)", yscale="log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)

    labels, predictions = np.asarray(test.labels), np.asarray(score.predictions)
    is_wrong = predictions != labels
    wrong, right = np.flatnonzero(is_wrong), np.flatnonzero(~is_wrong)
    figure.suptitle(
        f"{len(right)} of {len(labels)} test images read correctly (above each what was read, mistakes in red)"
    )
    for place, i in enumerate([*wrong[:16], *right][:32]):
        axes = figure.add_subplot(grid[place // 8, 6 + place % 8])
        axes.imshow(test.images[i], cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="tab:red" if is_wrong[i] else "lightgray", linewidth=2 if is_wrong[i] else 1)
        if is_wrong[i]:
            axes.set_title(f"{predictions[i]} (is a {labels[i]})", color="tab:red", fontsize=9)
        else:
            axes.set_title(str(predictions[i]), fontsize=9)
    return figure


class Result(NamedTuple):
    """What `main` arrives at."""

    training: Training
    test_score: Score


def main(
    *,
    width: int = 512,
    dropout: float = 0.3,
    epochs: int = 100,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
    output: Path = OUTPUT,
) -> Result:
    """Train a network to read handwritten digits, print how well it does, and draw a picture."""
    output.parent.mkdir(parents=True, exist_ok=True)
    print("Learning to read the handwritten digits of scikit-learn.")
    split_key, model_key, training_key = jax.random.split(jax.random.key(seed), 3)
    digits = training_set, validation_set, test_set = split_digits(split_key)
    training = train(
        Classifier(width, dropout, key=model_key),
        training_set,
        validation_set,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        key=training_key,
    )
    scores = [evaluate(training.model, part) for part in digits]
    draw(training, test_set, scores[-1]).savefig(output)

    parameters = jax.tree.leaves(eqx.filter(training.model, eqx.is_inexact_array))
    print(f"\n{'':14}{'training':>12}{'validation':>12}{'test':>12}")
    print(f"{'images':14}" + "".join(f"{len(part.labels):12}" for part in digits))
    print(f"{'loss':14}" + "".join(f"{score.loss:12.4f}" for score in scores))
    print(f"{'accuracy':14}" + "".join(f"{score.accuracy:12.2%}" for score in scores))
    print(f"\n{'parameters':14}{sum(leaf.size for leaf in parameters):12,}")
    print(f"{'best epoch':14}{training.best_epoch + 1:12} of {epochs}")
    print(f"{'time per step':14}{training.seconds_per_step * 1000:12.2f} ms")
    print(f"\nThe losses, and how the network reads some test images: {output}")
    return Result(training, scores[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--epochs", type=int, default=100, help="how many times to go through the training images")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is random")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to put the picture (default: %(default)s)")
    arguments = parser.parse_args()
    main(epochs=arguments.epochs, seed=arguments.seed, output=arguments.output)
