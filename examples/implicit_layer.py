"""A layer that is defined by an equation: its output is the equilibrium of a recurrent network, found by Optimistix.

The layer solves `z = tanh(W z + U x + b)` for `z`, as an infinitely deep network with equal layers would (Bai, Kolter
and Koltun, "Deep equilibrium models", 2019). Its gradient comes from the implicit function theorem: one linear equation
at the equilibrium, whatever the way there was, none of which has to be remembered. The layer learns to read handwritten
digits. In the end there is a table, and a picture: the loss over time, and how images come to rest.
"""

import argparse
import time
from pathlib import Path
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix as optx
from jax import Array
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tqdm import tqdm

import equinox as eqx

OUTPUT: Final = Path(__file__).parent / "output" / "implicit_layer.png"

#: How the gradient is found: from the equilibrium alone, or by going back all the way.
IMPLICIT: Final = optx.ImplicitAdjoint()
UNROLLED: Final = optx.RecursiveCheckpointAdjoint()


class Equilibrium(eqx.Module):
    """The layer `x -> z`, where `z = tanh(W z + U x + b)`."""

    recurrent: Array
    input: eqx.nn.Linear
    #: By how much, at most, a step brings any two states closer together.
    contraction: float

    def __init__(self, in_size: int, size: int, contraction: float, *, key: Array) -> None:
        recurrent_key, input_key = jax.random.split(key)
        self.recurrent = jax.random.normal(recurrent_key, (size, size)) / size
        self.input = eqx.nn.Linear(in_size, size, key=input_key)
        self.contraction = contraction

    def weight(self) -> Array:
        """`W`: no row's absolute values add up to more than the contraction, so that there is just one equilibrium."""
        sums = jnp.sum(jnp.abs(self.recurrent), axis=1, keepdims=True)
        return self.recurrent * jnp.minimum(1, self.contraction / sums)

    def __call__(self, x: Array, adjoint: optx.AbstractAdjoint = IMPLICIT) -> Array:
        """The equilibrium, for an input of shape `(in_size,)`."""
        drive = self.input(x)
        return optx.fixed_point(
            step,
            optx.FixedPointIteration(rtol=1e-5, atol=1e-5),
            jnp.zeros_like(drive),
            (self.weight(), drive),
            adjoint=adjoint,
        ).value


def step(z: Array, arguments: tuple[Array, Array]) -> Array:
    """One step of the recurrent network."""
    weight, drive = arguments
    return jnp.tanh(weight @ z + drive)


class Classifier(eqx.Module):
    """From an image to the logits of the ten digits, by way of an equilibrium."""

    layer: Equilibrium
    readout: eqx.nn.Linear

    def __init__(self, size: int, contraction: float, *, key: Array) -> None:
        layer_key, readout_key = jax.random.split(key)
        self.layer = Equilibrium(64, size, contraction, key=layer_key)
        self.readout = eqx.nn.Linear(size, 10, key=readout_key)

    def __call__(self, image: Array, adjoint: optx.AbstractAdjoint = IMPLICIT) -> Array:
        """The logits for one image of shape `(64,)`."""
        return self.readout(self.layer(image, adjoint))


@eqx.filter_value_and_grad
def loss(model: Classifier, images: Array, labels: Array, adjoint: optx.AbstractAdjoint = IMPLICIT) -> Array:
    """The mean cross-entropy, in nats."""

    def logits_of(image: Array) -> Array:
        return model(image, adjoint)

    logits = jax.vmap(logits_of)(images)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


@eqx.filter_jit
def train_step(
    model: Classifier, optimiser: optax.GradientTransformation, state: optax.OptState, images: Array, labels: Array
) -> tuple[Classifier, optax.OptState, Array]:
    """One step of training, on a batch."""
    value, gradient = loss(model, images, labels)
    updates, state = optimiser.update(gradient, state)
    return eqx.apply_updates(model, updates), state, value


@eqx.filter_jit
def accuracy(model: Classifier, images: Array, labels: Array) -> Array:
    """The share of the images that are read correctly."""
    return jnp.mean(jnp.argmax(jax.vmap(model)(images), axis=1) == labels)


@eqx.filter_jit
def distances(layer: Equilibrium, images: Array, steps: int) -> Array:
    """How far each image's state is from its equilibrium after 0, 1, 2, ... steps: shape `(steps, count)`."""

    def of_one(image: Array) -> Array:
        arguments = layer.weight(), layer.input(image)
        _, states = jax.lax.scan(lambda z, _: (step(z, arguments), z), jnp.zeros_like(arguments[1]), length=steps)
        return jnp.max(jnp.abs(states - layer(image)), axis=1)

    return jax.vmap(of_one, out_axes=1)(images)


@eqx.filter_jit
def difference(model: Classifier, images: Array, labels: Array) -> Array:
    """How far the implicit gradient is from the one through every step, relative to that."""
    (_, implicit), (_, unrolled) = (loss(model, images, labels, adjoint) for adjoint in (IMPLICIT, UNROLLED))
    distance: Array = optax.tree.norm(optax.tree.sub(implicit, unrolled))
    length: Array = optax.tree.norm(unrolled)
    return distance / length


def draw(losses: list[float], remaining: Array, share: float) -> Figure:
    """Draw the loss over time, and how the test images come to rest."""
    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(losses, color="tab:blue")
    left.set(title="Loss on each batch", xlabel="step of training", ylabel="cross-entropy (nats)", yscale="log")
    right.plot(np.asarray(remaining), color="tab:gray", alpha=0.15)
    right.plot(np.median(remaining, axis=1), color="tab:blue", label="median")
    right.set(
        title=f"Images coming to rest ({share:.1%} are read correctly)",
        xlabel="step of the layer",
        ylabel="largest distance from the equilibrium",
        yscale="log",
    )
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


class Result(NamedTuple):
    """What `main` arrives at."""

    model: Classifier
    losses: list[float]
    test_accuracy: float
    gradient_difference: float


def main(
    *,
    size: int = 64,
    contraction: float = 0.9,
    epochs: int = 12,
    batch_size: int = 64,
    learning_rate: float = 5e-3,
    seed: int = 0,
    output: Path = OUTPUT,
) -> Result:
    """Train a layer that is defined by an equation, print how well it does, and draw a picture."""
    output.parent.mkdir(parents=True, exist_ok=True)
    print("Learning to read handwritten digits with a layer that solves an equation.")
    split_key, model_key, training_key = jax.random.split(jax.random.key(seed), 3)
    pixels: Array
    labels: Array
    pixels, labels = jax.device_put(load_digits(return_X_y=True))
    training, test = jnp.split(jax.random.permutation(split_key, len(labels)), [1197])
    images = pixels / 16

    model = Classifier(size, contraction, key=model_key)
    steps = len(training) // batch_size
    optimiser = optax.adam(optax.cosine_decay_schedule(learning_rate, epochs * steps))
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
    losses: list[float] = []
    start = time.perf_counter()
    with tqdm(total=epochs * steps, desc="training", unit="step", disable=None) as progress:
        for key in jax.random.split(training_key, epochs):
            order = jax.random.permutation(key, training)[: steps * batch_size]
            for rows in order.reshape(steps, batch_size):
                model, state, value = train_step(model, optimiser, state, images[rows], labels[rows])
                losses.append(float(value))
                progress.set_postfix_str(f"loss {losses[-1]:.3f}", refresh=False)
                progress.update()
    seconds = time.perf_counter() - start

    test_accuracy = float(accuracy(model, images[test], labels[test]))
    gradient_difference = float(difference(model, images[:batch_size], labels[:batch_size]))
    draw(losses, distances(model.layer, images[test][:100], 40), test_accuracy).savefig(output)

    print(f"\n{'test images read correctly':46}{test_accuracy:10.1%}")
    print(f"{'loss on the last batch':46}{losses[-1]:10.4f}")
    print(f"{'implicit gradient, from that through all steps':46}{gradient_difference:10.1e}")
    print(f"{'time for training':46}{seconds:10.1f} s")
    print(f"\nThe loss, and how images come to rest: {output}")
    return Result(model, losses, test_accuracy, gradient_difference)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", type=int, default=64, help="how many numbers the layer's output has")
    parser.add_argument("--epochs", type=int, default=12, help="how many times to go through the training images")
    parser.add_argument("--seed", type=int, default=0, help="decides all that is random")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where to put the picture (default: %(default)s)")
    arguments = parser.parse_args()
    main(size=arguments.size, epochs=arguments.epochs, seed=arguments.seed, output=arguments.output)
