"""Parameters from PyTorch, and for it."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("whole_model")


class WholeModel(eqx.Module):
    """The model that is recorded, with the same names."""

    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    blocks: eqx.nn.Sequential
    cells: list[Any]
    embedding: eqx.nn.Embedding
    attention: eqx.nn.MultiheadAttention
    encoder: eqx.nn.TransformerEncoderLayer
    decoder: eqx.nn.TransformerDecoderLayer
    gru: eqx.nn.GRU
    lstm: eqx.nn.LSTM
    heads: dict[str, Any]

    def __init__(self, mode: Any):
        self.conv = eqx.nn.Conv2d(2, 4, 3, key=key)
        self.norm = eqx.nn.BatchNorm(4, "batch", mode=mode, inference=True)
        upsampling = eqx.nn.ConvTranspose2d(4, 6, (2, 3), 2, groups=2, key=key)
        relu = eqx.nn.Lambda(jax.nn.relu)
        self.blocks = eqx.nn.Sequential([upsampling, eqx.nn.PReLU(jnp.zeros((6, 1, 1))), relu])
        self.cells = [eqx.nn.GRUCell(6, 5, key=key), eqx.nn.LSTMCell(5, 5, key=key)]
        self.embedding = eqx.nn.Embedding(7, 4, key=key)
        biases: Any = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
        self.attention = eqx.nn.MultiheadAttention(2, 4, **biases, key=key)
        self.encoder = eqx.nn.TransformerEncoderLayer(4, 2, 3, norm_first=False, key=key)
        self.decoder = eqx.nn.TransformerDecoderLayer(4, 2, 3, norm_first=False, causal=False, key=key)
        self.gru = eqx.nn.GRU(4, 3, 2, key=key)
        self.lstm = eqx.nn.LSTM(3, 2, bidirectional=True, key=key)
        spectral = eqx.nn.SpectralNorm(eqx.nn.Linear(5, 3, key=key), "weight", inference=True, key=key)
        self.heads = {"weight": eqx.nn.WeightNorm(eqx.nn.Linear(4, 5, key=key)), "spectral": spectral}

    def __call__(self, image, tokens, state):
        x, state = self.norm(self.conv(image), state)
        features = self.blocks(jax.nn.relu(x)).mean((1, 2))
        h = self.cells[0](features, jnp.zeros_like(features[:5]))
        h, c = self.cells[1](h, (h, h))
        words = jax.vmap(self.embedding)(tokens)
        encoded = self.encoder(words)
        words, _ = self.lstm(self.gru(self.decoder(words, encoded))[0])
        attended = self.attention(words, encoded, encoded)
        return self.heads["spectral"](h * c + self.heads["weight"](attended.mean(0)), state)


def state_dict_of(case) -> dict[str, Any]:
    prefix = "state_dict/"
    return {name.removeprefix(prefix): array for name, array in RECORDED[case].items() if name.startswith(prefix)}


def shapes_of(make: Callable[..., Any], *args: Any) -> Any:
    """A model and its state without numbers."""
    return eqx.filter_eval_shape(eqx.nn.make_with_state(make), *args)


@pytest.mark.parametrize(("case", "mode"), [*((case, "batch") for case in RECORDED), ("float32", "ema")])
def test_a_whole_model_computes_what_pytorch_does(case, mode):
    torch = RECORDED[case]
    with jax.enable_x64(case == "float64"):
        model, state = shapes_of(WholeModel, mode)
        model, state = eqx.nn.load_torch(model, state_dict_of(case), state)
        y, _ = eqx.filter_jit(eqx.filter_vmap(model, in_axes=(0, 0, None)))(torch["image"], torch["tokens"], state)
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize("case", RECORDED)
def test_what_comes_from_pytorch_goes_back_to_it_unchanged(case):
    state_dict = state_dict_of(case)
    with jax.enable_x64(case == "float64"):
        model, state = shapes_of(WholeModel, "batch")
        model, state = eqx.nn.load_torch(model, state_dict, state)
        found = eqx.nn.to_torch_state_dict(model, state)
    assert found.keys() == state_dict.keys()
    for name, array in found.items():
        assert (array.dtype, array.shape) == (state_dict[name].dtype, state_dict[name].shape), name
        if name.startswith(("cells", "gru", "lstm")) and "bias" in name:
            continue
        assert np.array_equal(array, state_dict[name]), name
    # Biases that are only ever added to each other are one here.
    for cell, both in {"cells.0": 10, "cells.1": 20}.items():
        totals = [arrays[f"{cell}.bias_ih"] + arrays[f"{cell}.bias_hh"] for arrays in (found, state_dict)]
        assert np.array_equal(*(total[:both] for total in totals))
    for name in ("bias_ih", "bias_hh"):
        assert np.array_equal(found[f"cells.0.{name}"][10:], state_dict[f"cells.0.{name}"][10:])


def linear(**options: Any) -> Any:
    return eqx.nn.Linear(3, 2, key=key, **options)


LAYERS: dict[str, Callable[[Any], Any]] = {
    "Linear": lambda dtype: linear(dtype=dtype),
    "Linear without bias": lambda dtype: linear(use_bias=False, dtype=dtype),
    "Conv1d": lambda dtype: eqx.nn.Conv1d(4, 6, 3, groups=2, dtype=dtype, key=key),
    "Conv without axes": lambda dtype: eqx.nn.Conv(0, 4, 6, (), dtype=dtype, key=key),
    "ConvTranspose1d": lambda dtype: eqx.nn.ConvTranspose1d(4, 6, 3, groups=2, dtype=dtype, key=key),
    "ConvTranspose3d": lambda dtype: eqx.nn.ConvTranspose3d(1, 2, (1, 2, 3), use_bias=False, dtype=dtype, key=key),
    "GRUCell": lambda dtype: eqx.nn.GRUCell(2, 3, dtype=dtype, key=key),
    "GRUCell without bias": lambda dtype: eqx.nn.GRUCell(2, 3, use_bias=False, dtype=dtype, key=key),
    "LSTMCell": lambda dtype: eqx.nn.LSTMCell(2, 3, dtype=dtype, key=key),
    "LSTMCell without bias": lambda dtype: eqx.nn.LSTMCell(2, 3, use_bias=False, dtype=dtype, key=key),
    "LayerNorm": lambda dtype: eqx.nn.LayerNorm((2, 3), dtype=dtype),
    "GroupNorm": lambda dtype: eqx.nn.GroupNorm(2, 4, dtype=dtype),
    "PReLU": lambda dtype: eqx.nn.PReLU(jnp.ones((3, 1), dtype)),
    "PReLU with one slope": lambda dtype: eqx.nn.PReLU(jnp.asarray(0.25, dtype)),
    "BatchNorm": lambda dtype: eqx.nn.BatchNorm(3, "batch", dtype=dtype, mode="batch"),
    "BatchNorm with ema": lambda dtype: eqx.nn.BatchNorm(3, "batch", channelwise_affine=False, dtype=dtype, mode="ema"),
    "WeightNorm": lambda dtype: eqx.nn.WeightNorm(linear(dtype=dtype), axis=1),
    "WeightNorm with one length": lambda dtype: eqx.nn.WeightNorm(
        eqx.nn.Conv1d(3, 2, 2, dtype=dtype, key=key), axis=None
    ),
    "SpectralNorm": lambda dtype: eqx.nn.SpectralNorm(linear(dtype=dtype), "weight", key=key),
    "MultiheadAttention": lambda dtype: eqx.nn.MultiheadAttention(2, 4, dtype=dtype, key=key),
    "cross attention": lambda dtype: eqx.nn.MultiheadAttention(2, 4, 5, 2, dtype=dtype, key=key),
    "GRU": lambda dtype: eqx.nn.GRU(2, 1, 2, bidirectional=True, use_bias=False, dtype=dtype, key=key),
    "LSTM": lambda dtype: eqx.nn.LSTM(2, 1, 2, dtype=dtype, key=key),
    "gated transformer": lambda dtype: eqx.nn.TransformerEncoderLayer(2, 1, 1, gated=True, dtype=dtype, key=key),
    "Shared": lambda dtype: eqx.nn.Shared(
        (eqx.nn.Embedding(3, 2, dtype=dtype, key=key), eqx.nn.Linear(2, 3, dtype=dtype, key=key)),
        lambda pair: pair[1].weight,
        lambda pair: pair[0].weight,
    ),
}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, dtype) for name in LAYERS for dtype in ("float32", "bfloat16")),
        *((name, "complex64") for name in ("Linear", "GRUCell", "BatchNorm", "WeightNorm", "SpectralNorm")),
    ],
)
def test_what_goes_to_pytorch_comes_back_unchanged(name, dtype):
    shapes = shapes_of(LAYERS[name], dtype)
    random = np.random.default_rng(0)

    def draw(leaf):
        is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
        return jnp.asarray(random.normal(size=leaf.shape), leaf.dtype) if is_shape else leaf

    model, state = jax.tree.map(draw, shapes)
    state_dict = eqx.nn.to_torch_state_dict(model, state)
    assert {str(array.dtype) for array in state_dict.values()} <= {
        dtype.replace("bfloat16", "float32"),
        "float32",
        "int64",
    }
    loaded, loaded_state = eqx.nn.load_torch(shapes[0], state_dict, shapes[1])
    assert eqx.tree_equal(loaded, model)
    again = eqx.nn.to_torch_state_dict(loaded, loaded_state)
    assert again.keys() == state_dict.keys()
    assert all(np.array_equal(array, state_dict[name]) for name, array in again.items())


def test_attributes_entries_of_containers_and_layers_of_a_sequential_have_pytorchs_names():
    class Model(eqx.Module):
        scale: Any
        blocks: Any
        rate: float = 0.5

    sequential = eqx.nn.Sequential([linear(), eqx.nn.Lambda(jax.nn.relu), eqx.nn.Sequential([linear(use_bias=False)])])
    model = Model(np.ones(2, "float32"), {"b": [sequential], "a": (None, linear())})
    state_dict = eqx.nn.to_torch_state_dict(model)
    names = [
        "blocks.a.1.weight",
        "blocks.a.1.bias",
        "blocks.b.0.0.weight",
        "blocks.b.0.0.bias",
        "blocks.b.0.2.0.weight",
    ]
    assert [*state_dict] == ["scale", *names]
    loaded = eqx.nn.load_torch(model, {name: 2 * array for name, array in state_dict.items()})
    assert eqx.tree_equal(loaded.blocks["b"][0][2][0].weight, 2 * linear().weight)
    assert isinstance(loaded.scale, np.ndarray)
    assert loaded.rate == 0.5


def test_layers_that_have_names_go_by_them():
    model = eqx.nn.Sequential({"hidden": linear(use_bias=False), "head": eqx.nn.Linear(2, 1, key=key)})
    state_dict = eqx.nn.to_torch_state_dict(model)
    assert [*state_dict] == ["hidden.weight", "head.weight", "head.bias"]
    assert eqx.tree_equal(eqx.nn.load_torch(model, state_dict), model)


def test_an_array_is_a_model_too():
    loaded: Any = eqx.nn.load_torch({"a": jnp.zeros(2), "ab": jnp.zeros(1)}, {"a": np.ones(2), "ab": np.ones(1)})
    assert loaded["a"].dtype == jnp.float32
    assert loaded["a"].sum() == 2


def test_the_state_dict_is_a_copy_that_can_be_written_to():
    model = linear()
    state_dict = eqx.nn.to_torch_state_dict(model)
    before = np.array(model.weight)
    state_dict["weight"][...] = 0
    assert np.array_equal(model.weight, before)


@pytest.mark.parametrize("kind", [jnp.zeros, np.zeros])
def test_the_model_has_a_copy_of_the_numbers(kind):
    state_dict = {"weight": np.ones(64, "float32")}
    loaded = eqx.nn.load_torch({"weight": kind(64, "float32")}, state_dict)
    state_dict["weight"][...] = 7
    assert np.array_equal(loaded["weight"], np.ones(64))


class Tensor:
    """What is used of a PyTorch tensor."""

    def __init__(self, array: Any, dtype: str, is_detached: bool = False):
        self.array, self.dtype, self.is_detached = array, dtype, is_detached

    def detach(self):
        return Tensor(self.array, self.dtype, True)

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.array, "torch.float32", self.is_detached)

    def __array__(self, *args: Any, **kwargs: Any):
        assert self.is_detached
        assert self.dtype != "torch.bfloat16"
        return self.array


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16"])
def test_tensors_may_need_a_gradient_and_have_a_dtype_that_numpy_has_not(dtype):
    arrays = {"weight": np.ones((2, 3), "float32"), "bias": np.ones(2, "float32")}
    loaded = eqx.nn.load_torch(linear(), {name: Tensor(array, dtype) for name, array in arrays.items()})
    assert np.array_equal(loaded.weight, arrays["weight"])


def test_every_name_that_does_not_fit_is_reported_with_what_was_found_and_expected():
    model = {"head": eqx.nn.Sequential([linear(), eqx.nn.Conv1d(1, 2, 1, key=key)])}
    state_dict = eqx.nn.to_torch_state_dict(model)
    state_dict["head.0.weight"] = state_dict["head.0.weight"].T
    state_dict["head.1.bias"] = state_dict["head.1.bias"].astype("complex64")
    state_dict["tail.weight"] = state_dict.pop("head.0.bias")
    with pytest.raises(ValueError, match="`state_dict`") as info:
        eqx.nn.load_torch(model, state_dict)
    _, *lines = str(info.value).splitlines()
    expected = [
        ("`head.0.weight`", "['head'].layers[0].weight", "expected float32[2,3], found float32[3,2]"),
        ("`head.0.bias`", "['head'].layers[0].bias", "expected float32[2], found nothing"),
        ("`head.1.bias`", "['head'].layers[1]", "expected float32[2], found complex64[2]"),
        ("`tail.weight`", "", "expected nothing, found float32[2]"),
    ]
    assert len(lines) == len(expected)
    for line, parts in zip(lines, expected, strict=True):
        assert all(part in line for part in parts), line


def test_of_very_many_names_only_some_are_listed():
    with pytest.raises(ValueError, match=r"and 10 more$"):
        eqx.nn.load_torch([linear()] * 15, {})


def test_a_model_with_a_state_needs_it():
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(3, "batch", mode="batch")
    state_dict = eqx.nn.to_torch_state_dict([norm], state)
    for attempt in (lambda: eqx.nn.load_torch([norm], state_dict), lambda: eqx.nn.to_torch_state_dict([norm])):
        with pytest.raises(ValueError, match=re.escape("`state`")) as info:
            attempt()
        assert "[0].batch_counter" in str(info.value)


def test_a_state_dict_that_does_not_fit_leaves_the_state_usable():
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(3, "batch", mode="batch")
    with pytest.raises(ValueError, match="running_mean"):
        eqx.nn.load_torch(norm, {}, state)
    assert state.get(norm.batch_counter) == 0


def test_the_count_of_batches_may_be_missing():
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(2, "batch", mode="batch")
    state_dict = eqx.nn.to_torch_state_dict(norm, state)
    del state_dict["num_batches_tracked"]
    norm, state = eqx.nn.load_torch(norm, state_dict, state)
    assert eqx.nn.to_torch_state_dict(norm, state)["num_batches_tracked"] == 0


def test_training_goes_on_from_pytorchs_running_averages():
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", momentum=0.5, mode="batch")
    state_dict: Any = {"weight": [1.0], "bias": [0.0], "running_mean": [4.0], "running_var": [9.0]}
    norm, state = eqx.nn.load_torch(norm, {**state_dict, "num_batches_tracked": 3}, state)
    batch = jnp.array([[0.0], [2.0]])
    _, state = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(batch, state)
    found = eqx.nn.to_torch_state_dict(norm, state)
    assert (found["running_mean"], found["running_var"], found["num_batches_tracked"]) == ([2.5], [5.0], 4)


def test_running_averages_arrive_without_what_they_started_from():
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(1, "batch", mode="batch")
    batch = jnp.array([[1.0], [5.0]])
    _, state = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(batch, state)
    found = eqx.nn.to_torch_state_dict(norm, state)
    np.testing.assert_allclose([found["running_mean"], found["running_var"]], [[3.0], [4.0]], rtol=1e-4)
    assert found["num_batches_tracked"] == 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: eqx.nn.MultiheadAttention(2, 4, qk_size=3, key=key), "6, 6, 4"),
        (lambda: eqx.nn.MultiheadAttention(2, 4, output_size=3, key=key), "that of the output"),
        (lambda: eqx.nn.MultiheadAttention(2, 4, use_key_bias=True, key=key), "1 biases"),
        (lambda: eqx.nn.WeightNorm(eqx.nn.ConvTranspose1d(2, 3, 1, key=key)), "transposed"),
    ],
)
def test_a_layer_that_pytorch_has_not_is_an_error_that_says_where_it_is(make, reason):
    model = {"layer": make()}
    for attempt in (lambda: eqx.nn.to_torch_state_dict(model), lambda: eqx.nn.load_torch(model, {})):
        with pytest.raises(ValueError, match=re.escape("leaf `['layer']`")) as info:
            attempt()
        assert reason in str(info.value)


def test_numbers_of_tied_leaves_must_agree():
    shared = LAYERS["Shared"]("float32")
    state_dict = eqx.nn.to_torch_state_dict({"model": shared})
    assert [*state_dict] == ["model.0.weight", "model.1.weight", "model.1.bias"]
    state_dict["model.1.weight"] += 1
    with pytest.raises(ValueError, match="tied") as info:
        eqx.nn.load_torch({"model": shared}, state_dict)
    assert "['model'].pytree[1].weight" in str(info.value)


def test_shapes_alone_cannot_be_exported():
    shapes = eqx.filter_eval_shape(linear)
    with pytest.raises(ValueError, match=r"leaf `\.weight`"):
        eqx.nn.to_torch_state_dict(shapes)


def test_keys_are_no_parameters():
    model = {"key": key, "weight": jnp.ones(1)}
    assert [*eqx.nn.to_torch_state_dict(model)] == ["weight"]
    assert eqx.nn.load_torch(model, {"weight": np.zeros(1)})["key"] is key
