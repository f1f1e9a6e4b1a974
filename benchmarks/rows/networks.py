"""A training step of a transformer, a CNN and an LSTM, against the same arithmetic written by hand for dictionaries.

Where an `equinox` has no layer of that kind as a whole, it is put together from those that it has.
"""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

import equinox as eqx

from .. import nnx_steps
from ..row import Row
from ..timing import Pair
from ..training import Training

_RATE: Final = 1e-3
_CLASSES: Final = 10


def _cross_entropy(logits: Array, labels: Array) -> Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))


class _Network(NamedTuple):
    """A network as a Module, which is called with one example, and as arithmetic on dictionaries of its parameters."""

    model: Any
    apply: Callable[[Any, Array], Array]
    parameters: Any
    xs: Array
    labels: Array


def _subject(network: _Network) -> Training:
    optimiser = optax.adam(_RATE)

    def subject_loss(model: Any, xs: Array, labels: Array) -> Array:
        return _cross_entropy(jax.vmap(model)(xs), labels)

    @eqx.filter_jit
    def subject_step(model: Any, state: Any, xs: Array, labels: Array) -> tuple[Any, Any, Array]:
        loss, gradient = eqx.filter_value_and_grad(subject_loss)(model, xs, labels)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, loss

    state = optimiser.init(eqx.filter(network.model, eqx.is_inexact_array))
    return Training(subject_step, network.model, state, (network.xs, network.labels), view=_view)


def _floor(network: _Network) -> Training:
    optimiser = optax.adam(_RATE)

    def floor_loss(parameters: Any, xs: Array, labels: Array) -> Array:
        def of_example(x: Array) -> Array:
            return network.apply(parameters, x)

        return _cross_entropy(jax.vmap(of_example)(xs), labels)

    @jax.jit
    def floor_step(parameters: Any, state: Any, xs: Array, labels: Array) -> tuple[Any, Any, Array]:
        loss, gradient = jax.value_and_grad(floor_loss)(parameters, xs, labels)
        updates, state = optimiser.update(gradient, state)
        return jax.tree.map(jnp.add, parameters, updates), state, loss

    state = optimiser.init(network.parameters)
    return Training(floor_step, network.parameters, state, (network.xs, network.labels), view=_view)


def _view(result: tuple[Any, Any, Array]) -> Any:
    return {"loss": result[2]}


def _row(name: str, make: Callable[[], _Network]) -> Row:
    def pair() -> Pair:
        network = make()
        return Pair(_subject(network), _floor(network))

    def flax_pair() -> Pair:
        network = make()
        step = nnx_steps.network(network.parameters, network.apply, _cross_entropy, _RATE)
        return Pair(Training(*step, (network.xs, network.labels), view=_view), _floor(network))

    return Row(name, "by hand, dictionaries", 1.05, pair, flax=flax_pair)


def _examples(count: int, *shape: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    xs, labels = rng.normal(size=(count, *shape)), rng.integers(0, _CLASSES, count)
    return jnp.asarray(xs, jnp.float32), jnp.asarray(labels, jnp.int32)


def _weights(layer: Any) -> dict[str, Array]:
    return {"weight": layer.weight, "bias": layer.bias}


def _affine(parameters: dict[str, Array], x: Array) -> Array:
    return x @ parameters["weight"].T + parameters["bias"]


# A transformer.

_SIZE: Final = 64
_HEADS: Final = 4
_LENGTH: Final = 32
_DEPTH: Final = 2
_LOWEST: Final = float(np.finfo(np.float32).min)
_PROJECTIONS: Final = ("query_proj", "key_proj", "value_proj", "output_proj")


class _FeedForward(eqx.Module):
    hidden: eqx.nn.Linear
    output: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        return self.output(jax.nn.relu(self.hidden(x)))


class _Block(eqx.Module):
    """What `TransformerEncoderLayer` is, in other words."""

    self_attention: eqx.nn.MultiheadAttention
    self_attention_norm: eqx.nn.LayerNorm
    feed_forward: _FeedForward
    feed_forward_norm: eqx.nn.LayerNorm

    def __init__(self, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.self_attention = eqx.nn.MultiheadAttention(
            _HEADS,
            _SIZE,
            use_query_bias=True,
            use_key_bias=True,
            use_value_bias=True,
            use_output_bias=True,
            key=keys[0],
        )
        self.self_attention_norm = eqx.nn.LayerNorm(_SIZE)
        self.feed_forward = _FeedForward(
            eqx.nn.Linear(_SIZE, 4 * _SIZE, key=keys[1]), eqx.nn.Linear(4 * _SIZE, _SIZE, key=keys[2])
        )
        self.feed_forward_norm = eqx.nn.LayerNorm(_SIZE)

    def __call__(self, x: Array) -> Array:
        y = jax.vmap(self.self_attention_norm)(x)
        x = x + self.self_attention(y, y, y, jnp.tril(jnp.ones((len(x), len(x)), bool)))
        return x + jax.vmap(self.feed_forward)(jax.vmap(self.feed_forward_norm)(x))


class _Transformer(eqx.Module):
    blocks: list[Any]
    readout: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        for block in self.blocks:
            x = block(x)
        return self.readout(jnp.mean(x, axis=0))


def _normalise(parameters: dict[str, Array], x: Array) -> Array:
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centred**2, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + 1e-5) * parameters["weight"] + parameters["bias"]


def _attend(parameters: dict[str, Any], x: Array) -> Array:
    q, k, v = (_affine(parameters[name], x).reshape(_LENGTH, _HEADS, -1) for name in _PROJECTIONS[:3])
    logits = jnp.einsum("qhd,khd->hqk", q / math.sqrt(_SIZE // _HEADS), k)
    mask = jnp.tril(jnp.ones((_LENGTH, _LENGTH), bool))
    weights = jax.nn.softmax(jnp.where(mask, logits, _LOWEST), axis=-1)
    return _affine(parameters["output_proj"], jnp.einsum("hqk,khd->qhd", weights, v).reshape(_LENGTH, _SIZE))


def _apply_transformer(parameters: Any, x: Array) -> Array:
    for block in parameters["blocks"]:
        x = x + _attend(block["attention"], _normalise(block["attention_norm"], x))
        hidden = jax.nn.relu(_affine(block["hidden"], _normalise(block["feed_forward_norm"], x)))
        x = x + _affine(block["output"], hidden)
    return _affine(parameters["readout"], jnp.mean(x, axis=0))


def _transformer() -> _Network:
    *keys, readout_key = jax.random.split(jax.random.key(0), _DEPTH + 1)
    layer = getattr(eqx.nn, "TransformerEncoderLayer", None)
    blocks = [_Block(key) if layer is None else layer(_SIZE, _HEADS, causal=True, key=key) for key in keys]
    readout = eqx.nn.Linear(_SIZE, _CLASSES, key=readout_key)
    parameters = {
        "blocks": [
            {
                "attention": {name: _weights(getattr(block.self_attention, name)) for name in _PROJECTIONS},
                "attention_norm": _weights(block.self_attention_norm),
                "hidden": _weights(block.feed_forward.hidden),
                "output": _weights(block.feed_forward.output),
                "feed_forward_norm": _weights(block.feed_forward_norm),
            }
            for block in blocks
        ],
        "readout": _weights(readout),
    }
    return _Network(_Transformer(blocks, readout), _apply_transformer, parameters, *_examples(16, _LENGTH, _SIZE))


# A CNN.


class _CNN(eqx.Module):
    convolutions: list[eqx.nn.Conv2d]
    pool: eqx.nn.MaxPool2d
    readout: eqx.nn.Linear

    def __call__(self, x: Array) -> Array:
        for convolution in self.convolutions:
            x = self.pool(jax.nn.relu(convolution(x)))
        return self.readout(x.ravel())


def _apply_cnn(parameters: Any, x: Array) -> Array:
    for convolution in parameters["convolutions"]:
        x = jax.lax.conv_general_dilated(x[None], convolution["weight"], (1, 1), [(1, 1), (1, 1)])[0]
        x = jax.nn.relu(x + convolution["bias"])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2), (1, 2, 2), "VALID")
    return _affine(parameters["readout"], x.ravel())


def _cnn() -> _Network:
    keys = jax.random.split(jax.random.key(0), 3)
    convolutions = [eqx.nn.Conv2d(a, b, 3, padding=1, key=key) for a, b, key in ((1, 16, keys[0]), (16, 32, keys[1]))]
    readout = eqx.nn.Linear(32 * 4 * 4, _CLASSES, key=keys[2])
    parameters = {"convolutions": [_weights(layer) for layer in convolutions], "readout": _weights(readout)}
    model = _CNN(convolutions, eqx.nn.MaxPool2d(2, 2), readout)
    return _Network(model, _apply_cnn, parameters, *_examples(32, 1, 16, 16))


# An LSTM.

_HIDDEN: Final = 64


class _Scan(eqx.Module):
    """What `LSTM` with one layer is, in other words."""

    cell: eqx.nn.LSTMCell

    def __call__(self, xs: Array) -> tuple[Array, tuple[Array, Array]]:
        def step(hidden: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
            h, c = self.cell(x, hidden)
            return (h, c), h

        (h, c), outputs = jax.lax.scan(step, (jnp.zeros(_HIDDEN), jnp.zeros(_HIDDEN)), xs)
        return outputs, (h, c)


class _Classifier(eqx.Module):
    lstm: Any
    readout: eqx.nn.Linear

    def __call__(self, xs: Array) -> Array:
        outputs, _ = self.lstm(xs)
        return self.readout(outputs[-1])


def _apply_lstm(parameters: Any, xs: Array) -> Array:
    def step(hidden: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
        h, c = hidden
        gates = parameters["weight_ih"] @ x + parameters["weight_hh"] @ h + parameters["bias"]
        i, f, g, o = jnp.split(gates, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    _, outputs = jax.lax.scan(step, (jnp.zeros(_HIDDEN), jnp.zeros(_HIDDEN)), xs)
    return _affine(parameters["readout"], outputs[-1])


def _lstm() -> _Network:
    key, readout_key = jax.random.split(jax.random.key(0))
    layers = getattr(eqx.nn, "LSTM", None)
    if layers is None:
        lstm: Any = _Scan(eqx.nn.LSTMCell(16, _HIDDEN, key=key))
        cell = lstm.cell
    else:
        lstm = layers(16, _HIDDEN, key=key)
        cell = lstm.layers[0][0].cell
    readout = eqx.nn.Linear(_HIDDEN, _CLASSES, key=readout_key)
    parameters = {name: getattr(cell, name) for name in ("weight_ih", "weight_hh", "bias")}
    return _Network(
        _Classifier(lstm, readout), _apply_lstm, {**parameters, "readout": _weights(readout)}, *_examples(32, 32, 16)
    )


ROWS = (
    _row("step of a transformer", _transformer),
    _row("step of a CNN", _cnn),
    _row("step of an LSTM", _lstm),
)
