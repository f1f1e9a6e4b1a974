"""A step of each of the first four examples, against the same written by hand for nested dictionaries and `jax.jit`."""

import itertools
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

import equinox as eqx

from .. import nnx_steps
from ..row import Row
from ..timing import Pair
from ..training import Step, Training

_FLOOR: Final = "by hand, dictionaries"
_RATE: Final = 0.1


def _arrays(*shapes: tuple[int, ...]) -> list[Array]:
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(scale=0.3, size=shape), jnp.float32) for shape in shapes]


def _loss_of(result: tuple[Any, Any, Array]) -> Any:
    return {"loss": result[2]}


def _training(step: Step, model: Any, state: Any, batch: tuple[Any, ...]) -> Training:
    return Training(step, model, state, batch, view=_loss_of)


def _jit(function: Step) -> Step:
    """`jax.jit`, for a step."""
    compiled: Step = jax.jit(function)
    return compiled


# An MLP: what `build_model.py`, `train_mlp.py` and `frozen_layer.py` train.


class _Linear(eqx.Module):
    weight: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        return self.weight @ x + self.bias


class _MLP(eqx.Module):
    layers: list[_Linear]
    activation: Callable[[Array], Array]

    def __call__(self, x: Array) -> Array:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


def _sizes_to_arrays(sizes: tuple[int, ...]) -> list[Array]:
    return _arrays(*[shape for m, n in itertools.pairwise(sizes) for shape in ((n, m), (n,))])


def _mlp(sizes: tuple[int, ...], activation: Callable[[Array], Array]) -> _MLP:
    arrays = _sizes_to_arrays(sizes)
    return _MLP([_Linear(w, b) for w, b in zip(arrays[::2], arrays[1::2], strict=True)], activation)


def _mlp_dictionaries(sizes: tuple[int, ...]) -> list[dict[str, Array]]:
    arrays = _sizes_to_arrays(sizes)
    return [{"weight": w, "bias": b} for w, b in zip(arrays[::2], arrays[1::2], strict=True)]


def _apply_mlp(layers: list[dict[str, Array]], activation: Callable[[Array], Array], x: Array) -> Array:
    for layer in layers[:-1]:
        x = activation(layer["weight"] @ x + layer["bias"])
    return layers[-1]["weight"] @ x + layers[-1]["bias"]


def _squared_error(apply: Callable[[Array], Array], x: Array, y: Array) -> Array:
    return jnp.mean((jax.vmap(apply)(x) - y) ** 2)


def _model_loss(model: Any, x: Array, y: Array) -> Array:
    return _squared_error(model, x, y)


def _points(count: int) -> tuple[Array, Array]:
    x = jnp.linspace(-jnp.pi, jnp.pi, count)[:, None]
    return x, jnp.sin(x)


_XOR_SIZES = (2, 8, 8, 1)
_SINE_SIZES = (1, 32, 32, 1)
_FROZEN_SIZES = (1, 64, 64, 1)


def _xor() -> tuple[Array, Array]:
    return jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), jnp.array([[0.0], [1.0], [1.0], [0.0]])


def _descend(leaf: Array, slope: Array) -> Array:
    return leaf - _RATE * slope


def _build_floor() -> Training:
    def loss(layers: Any, x: Array, y: Array) -> Array:
        return _squared_error(lambda x: _apply_mlp(layers, jnp.tanh, x), x, y)

    gradient: Any = jax.jit(jax.value_and_grad(loss))

    def step(layers: Any, state: None, x: Array, y: Array) -> tuple[Any, None, Array]:
        value, slopes = gradient(layers, x, y)
        return jax.tree.map(_descend, layers, slopes), state, value

    return _training(step, _mlp_dictionaries(_XOR_SIZES), None, _xor())


def _no(leaf: object) -> bool:
    return False


class _TanhMLP(eqx.Module):
    """As in the example, all leaves are arrays: JAX's own transformations take it."""

    layers: list[_Linear]

    def __call__(self, x: Array) -> Array:
        for layer in self.layers[:-1]:
            x = jnp.tanh(layer(x))
        return self.layers[-1](x)


def _build() -> Pair:
    gradient: Any = jax.jit(jax.value_and_grad(_model_loss))

    def step(model: Any, state: None, x: Array, y: Array) -> tuple[Any, None, Array]:
        value, slopes = gradient(model, x, y)
        return jax.tree.map(_descend, model, slopes), state, value

    model = _TanhMLP(_mlp(_XOR_SIZES, jnp.tanh).layers)
    return Pair(_training(step, model, None, _xor()), _build_floor())


def _build_flax() -> Pair:
    arrays = _sizes_to_arrays(_XOR_SIZES)
    return Pair(_training(*nnx_steps.build_model(arrays, _RATE), _xor()), _build_floor())


def _train_floor() -> Training:
    optimiser = optax.adam(3e-3)

    def loss(layers: Any, x: Array, y: Array) -> Array:
        return _squared_error(lambda x: _apply_mlp(layers, jax.nn.relu, x), x, y)

    @_jit
    def step(layers: Any, state: Any, x: Array, y: Array) -> tuple[Any, Any, Array]:
        value, gradient = jax.value_and_grad(loss)(layers, x, y)
        updates, state = optimiser.update(gradient, state)
        return jax.tree.map(jnp.add, layers, updates), state, value

    layers = _mlp_dictionaries(_SINE_SIZES)
    return _training(step, layers, optimiser.init(layers), _points(64))


def _train() -> Pair:
    optimiser = optax.adam(3e-3)

    @eqx.filter_jit
    def step(model: Any, state: Any, x: Array, y: Array) -> tuple[Any, Any, Array]:
        value, gradient = eqx.filter_value_and_grad(_model_loss)(model, x, y)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, value

    model = _mlp(_SINE_SIZES, jax.nn.relu)
    return Pair(
        _training(step, model, optimiser.init(eqx.filter(model, eqx.is_inexact_array)), _points(64)), _train_floor()
    )


def _train_flax() -> Pair:
    return Pair(_training(*nnx_steps.train_mlp(_sizes_to_arrays(_SINE_SIZES)), _points(64)), _train_floor())


def _frozen_floor() -> Training:
    optimiser = optax.adam(1e-2)

    def loss(last: Any, frozen: Any, x: Array, y: Array) -> Array:
        return _squared_error(lambda x: _apply_mlp([*frozen, last], jnp.tanh, x), x, y)

    @_jit
    def step(layers: Any, state: Any, x: Array, y: Array) -> tuple[Any, Any, Array]:
        *frozen, last = layers
        value, gradient = jax.value_and_grad(loss)(last, frozen, x, y)
        updates, state = optimiser.update(gradient, state)
        return [*frozen, jax.tree.map(jnp.add, last, updates)], state, value

    layers = _mlp_dictionaries(_FROZEN_SIZES)
    return _training(step, layers, optimiser.init(layers[-1]), _points(100))


def _partial_loss(trained: Any, frozen: Any, x: Array, y: Array) -> Array:
    return _model_loss(eqx.combine(trained, frozen), x, y)


def _frozen() -> Pair:
    optimiser = optax.adam(1e-2)
    model = _mlp(_FROZEN_SIZES, jnp.tanh)
    nothing: Any = jax.tree.map(_no, model)
    trainable = eqx.tree_at(lambda mlp: (mlp.layers[-1].weight, mlp.layers[-1].bias), nothing, (True, True))

    @eqx.filter_jit
    def step(model: Any, state: Any, x: Array, y: Array) -> tuple[Any, Any, Array]:
        trained, frozen = eqx.partition(model, trainable)
        value, gradient = eqx.filter_value_and_grad(_partial_loss)(trained, frozen, x, y)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, value

    return Pair(_training(step, model, optimiser.init(eqx.filter(model, trainable)), _points(100)), _frozen_floor())


def _frozen_flax() -> Pair:
    return Pair(_training(*nnx_steps.frozen_layer(_sizes_to_arrays(_FROZEN_SIZES)), _points(100)), _frozen_floor())


# A recurrent network: what `train_rnn.py` trains.

_HIDDEN: Final = 16
_GRU_SHAPES: Final = ((3 * _HIDDEN, 2), (3 * _HIDDEN, _HIDDEN), (3 * _HIDDEN,), (_HIDDEN,), (_HIDDEN,), ())
_NAMES: Final[tuple[str, ...]] = ("weight_ih", "weight_hh", "bias", "bias_n", "readout", "readout_bias")


def _sequences() -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return jnp.asarray(rng.normal(size=(64, 32, 2)), jnp.float32), jnp.asarray(rng.integers(0, 2, 64), jnp.float32)


def cross_entropy(logits: Array, answers: Array) -> Array:
    """Binary cross-entropy."""
    return -jnp.mean(answers * jax.nn.log_sigmoid(logits) + (1 - answers) * jax.nn.log_sigmoid(-logits))


def gru_logit(parameters: Callable[[str], Array], points: Array) -> Array:
    """Read a sequence with a GRU; return one number."""

    def advance(hidden: Array, point: Array) -> tuple[Array, None]:
        from_input = parameters("weight_ih") @ point + parameters("bias")
        input_reset, input_update, input_new = jnp.split(from_input, 3)
        hidden_reset, hidden_update, hidden_new = jnp.split(parameters("weight_hh") @ hidden, 3)
        reset, update = jax.nn.sigmoid(input_reset + hidden_reset), jax.nn.sigmoid(input_update + hidden_update)
        new = jnp.tanh(input_new + reset * (hidden_new + parameters("bias_n")))
        return new + update * (hidden - new), None

    hidden, _ = jax.lax.scan(advance, jnp.zeros(_HIDDEN), points)
    return parameters("readout") @ hidden + parameters("readout_bias")


class _Classifier(eqx.Module):
    weight_ih: Array
    weight_hh: Array
    bias: Array
    bias_n: Array
    readout: Array
    readout_bias: Array

    def __call__(self, points: Array) -> Array:
        return gru_logit(lambda name: getattr(self, name), points)


def _rnn_floor() -> Training:
    optimiser = optax.adam(1e-2)

    def loss(parameters: dict[str, Array], points: Array, answers: Array) -> Array:
        def logit(points: Array) -> Array:
            return gru_logit(parameters.__getitem__, points)

        return cross_entropy(jax.vmap(logit)(points), answers)

    @_jit
    def step(parameters: Any, state: Any, points: Array, answers: Array) -> tuple[Any, Any, Array]:
        value, gradient = jax.value_and_grad(loss)(parameters, points, answers)
        updates, state = optimiser.update(gradient, state)
        return jax.tree.map(jnp.add, parameters, updates), state, value

    parameters: dict[str, Array] = dict(zip(_NAMES, _arrays(*_GRU_SHAPES), strict=True))
    return _training(step, parameters, optimiser.init(parameters), _sequences())


def _rnn() -> Pair:
    optimiser = optax.adam(1e-2)

    def loss(model: _Classifier, points: Array, answers: Array) -> Array:
        return cross_entropy(jax.vmap(model)(points), answers)

    @eqx.filter_jit
    def step(model: Any, state: Any, points: Array, answers: Array) -> tuple[Any, Any, Array]:
        value, gradient = eqx.filter_value_and_grad(loss)(model, points, answers)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, value

    model = _Classifier(*_arrays(*_GRU_SHAPES))
    return Pair(
        _training(step, model, optimiser.init(eqx.filter(model, eqx.is_inexact_array)), _sequences()), _rnn_floor()
    )


def _rnn_flax() -> Pair:
    parameters: dict[str, Array] = dict(zip(_NAMES, _arrays(*_GRU_SHAPES), strict=True))
    step = nnx_steps.train_rnn(parameters, gru_logit, cross_entropy)
    return Pair(_training(*step, _sequences()), _rnn_floor())


ROWS = (
    Row("step of build_model.py", _FLOOR, 1.3, _build, flax=_build_flax),
    Row("step of train_mlp.py", _FLOOR, 1.3, _train, flax=_train_flax),
    Row("step of frozen_layer.py", _FLOOR, 1.3, _frozen, flax=_frozen_flax),
    Row("step of train_rnn.py", _FLOOR, 1.3, _rnn, flax=_rnn_flax),
)
