"""How PyTorch lays out the parameters of a layer, where it does so otherwise than this library.

Nearly all layers hold the same arrays under the same names in both, and need no entry here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._attention import MultiheadAttention
from ._batch_norm import BatchNorm, without_start
from ._conv import Conv
from ._conv_transpose import ConvTranspose
from ._gru import GRUCell
from ._lstm import LSTMCell
from ._normalise import promoting
from ._prelu import PReLU
from ._recurrent_layers import RecurrentLayers
from ._spectral_norm import SpectralNorm
from ._weight_norm import WeightNorm

NumPyArray: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, NumPyArray]

# A count of training steps after which nothing is left in running averages of what they started from. PyTorch never
# subtracts that part, and so it is not to be subtracted from what PyTorch has averaged.
_LONG_AGO = 2**30


class Layout(NamedTuple):
    """How to get from the arrays of a layer to those that PyTorch's layer has, and back.

    All arrays are NumPy's, and instead of a `StateIndex` a layer holds the value that it refers to.
    """

    #: From a layer to PyTorch's arrays, by their names.
    to_torch: Callable[[Any], Arrays]
    #: From a layer, whose numbers do not matter, and PyTorch's arrays to its new attributes.
    from_torch: Callable[[Any, Arrays], dict[str, Any]]


def layout_of(layer: object) -> Layout | None:
    """The entry for the class of a layer, or for the class that it inherits from."""
    return next((_LAYOUTS[cls] for cls in type(layer).__mro__ if cls in _LAYOUTS), None)


def _present(**arrays: NumPyArray | None) -> Arrays:
    return {name: array for name, array in arrays.items() if array is not None}


def _conv_to_torch(conv: Any) -> Arrays:
    return _present(weight=conv.weight, bias=None if conv.bias is None else conv.bias.reshape(-1))


def _conv_from_torch(conv: Any, arrays: Arrays) -> Arrays:
    return {name: array.reshape(getattr(conv, name).shape) for name, array in arrays.items()}


def _transposed_to_torch(conv: Any) -> Arrays:
    out_channels, in_group, *size = conv.weight.shape
    grouped = conv.weight.reshape(conv.groups, out_channels // conv.groups, in_group, *size)
    weight = grouped.swapaxes(1, 2).reshape(conv.groups * in_group, out_channels // conv.groups, *size)
    return _conv_to_torch(conv) | {"weight": _flipped(weight)}


def _transposed_from_torch(conv: Any, arrays: Arrays) -> Arrays:
    in_channels, out_group, *size = arrays["weight"].shape
    grouped = _flipped(arrays["weight"]).reshape(conv.groups, in_channels // conv.groups, out_group, *size)
    return _conv_from_torch(conv, arrays | {"weight": grouped.swapaxes(1, 2)})


def _flipped(weight: NumPyArray) -> NumPyArray:
    """A kernel as it is seen from the other side."""
    return np.flip(weight, tuple(range(2, weight.ndim)))


def _gru_to_torch(cell: Any) -> Arrays:
    arrays = _present(weight_ih=cell.weight_ih, weight_hh=cell.weight_hh, bias_ih=cell.bias)
    if cell.bias_n is not None:
        arrays["bias_hh"] = np.concatenate([np.zeros(2 * cell.hidden_size, cell.bias_n.dtype), cell.bias_n])
    return arrays


def _gru_from_torch(cell: Any, arrays: Arrays) -> Arrays:
    attributes = {name: arrays[name] for name in ("weight_ih", "weight_hh")}
    if "bias_ih" in arrays:
        # Two biases that are added are one; that of the candidate is multiplied in between.
        gates, candidate = np.split(arrays["bias_hh"], [2 * cell.hidden_size])
        attributes["bias"] = arrays["bias_ih"] + np.concatenate([gates, np.zeros_like(candidate)])
        attributes["bias_n"] = candidate
    return attributes


def _lstm_to_torch(cell: Any) -> Arrays:
    arrays = _present(weight_ih=cell.weight_ih, weight_hh=cell.weight_hh, bias_ih=cell.bias)
    return arrays if cell.bias is None else arrays | {"bias_hh": np.zeros_like(cell.bias)}


def _lstm_from_torch(_: Any, arrays: Arrays) -> Arrays:
    attributes = {name: arrays[name] for name in ("weight_ih", "weight_hh")}
    return attributes | ({"bias": arrays["bias_ih"] + arrays["bias_hh"]} if "bias_ih" in arrays else {})


def _recurrent_to_torch(stack: Any) -> Arrays:
    layout = _inside(stack.layers[0][0].cell)
    return {
        f"{name}_{suffix}": array
        for suffix, (i, j) in _suffixes(stack).items()
        for name, array in layout.to_torch(stack.layers[i][j].cell).items()
    }


def _recurrent_from_torch(stack: Any, arrays: Arrays) -> dict[str, Any]:
    layout = _inside(stack.layers[0][0].cell)
    attributes: dict[str, Any] = {}
    for suffix, (i, j) in _suffixes(stack).items():
        of_cell = {name.removesuffix(f"_{suffix}"): arrays[name] for name in arrays if name.endswith(f"_{suffix}")}
        new = layout.from_torch(stack.layers[i][j].cell, of_cell)
        attributes |= {f"layers.{i}.{j}.cell.{name}": value for name, value in new.items()}
    return attributes


def _suffixes(stack: Any) -> dict[str, tuple[int, int]]:
    """What PyTorch appends to the names of a cell's parameters, and the layer and the direction of that cell."""
    return {f"l{i}{'_reverse' * j}": (i, j) for i, layer in enumerate(stack.layers) for j in range(len(layer))}


def _prelu_to_torch(prelu: Any) -> Arrays:
    return {"weight": prelu.negative_slope.reshape(-1)}


def _prelu_from_torch(prelu: Any, arrays: Arrays) -> Arrays:
    return {"negative_slope": arrays["weight"].reshape(prelu.negative_slope.shape)}


_IN_PROJECTIONS = ("query_proj", "key_proj", "value_proj")
_TORCH_PROJECTIONS = ("q_proj", "k_proj", "v_proj")


def _attention_to_torch(attention: Any) -> Arrays:
    projections = [getattr(attention, name) for name in _IN_PROJECTIONS]
    weights = [projection.weight for projection in projections]
    biases = [projection.bias for projection in projections if projection.bias is not None]
    size = attention.query_size
    if any(len(weight) != size for weight in weights) or attention.output_size != size or len(biases) not in {0, 3}:
        raise ValueError(
            "PyTorch's attention has projections to vectors of the size of the query, and a bias for all of query, key "
            f"and value or for none. Found {', '.join(str(len(weight)) for weight in weights)} as the sizes of these "
            f"projections and {attention.output_size} as that of the output, for queries of the size {size}, and "
            f"{len(biases)} biases."
        )
    arrays: Arrays = {}
    if attention.key_size == attention.value_size == size:
        arrays["in_proj_weight"] = np.concatenate(weights)
    else:
        arrays |= {f"{name}_weight": weight for name, weight in zip(_TORCH_PROJECTIONS, weights, strict=True)}
    if biases:
        arrays["in_proj_bias"] = np.concatenate(biases)
    arrays["out_proj.weight"] = attention.output_proj.weight
    if attention.output_proj.bias is not None:
        arrays["out_proj.bias"] = attention.output_proj.bias
    return arrays


def _attention_from_torch(_: Any, arrays: Arrays) -> Arrays:
    if "in_proj_weight" in arrays:
        weights = np.split(arrays["in_proj_weight"], 3)
    else:
        weights = [arrays[f"{name}_weight"] for name in _TORCH_PROJECTIONS]
    attributes = {f"{name}.weight": weight for name, weight in zip(_IN_PROJECTIONS, weights, strict=True)}
    if "in_proj_bias" in arrays:
        biases = np.split(arrays["in_proj_bias"], 3)
        attributes |= {f"{name}.bias": bias for name, bias in zip(_IN_PROJECTIONS, biases, strict=True)}
    output = {name.replace("out_proj", "output_proj"): array for name, array in arrays.items() if "out_proj" in name}
    return attributes | output


def _batch_norm_to_torch(norm: Any) -> Arrays:
    if norm.batch_state_index is None:
        mean, variance = norm.ema_state_index
        steps = 1 - norm.ema_first_time_index
    else:
        steps = norm.batch_counter
        with promoting():
            mean, variance = norm.batch_state_index
            averages = without_start(mean, variance, steps, norm.momentum)
        mean, variance = (np.asarray(array).astype(mean.dtype) for array in averages)
        steps = steps % _LONG_AGO
    arrays = _present(weight=norm.weight, bias=norm.bias, running_mean=mean, running_var=variance)
    return arrays | {"num_batches_tracked": np.asarray(steps, np.int64)}


def _batch_norm_from_torch(norm: Any, arrays: Arrays) -> dict[str, Any]:
    attributes: dict[str, Any] = {name: arrays[name] for name in ("weight", "bias") if name in arrays}
    averages = arrays["running_mean"], arrays["running_var"]
    steps = arrays.get("num_batches_tracked", np.zeros((), np.int64))  # PyTorch itself used to have none
    if norm.batch_state_index is None:
        return attributes | {"ema_state_index": averages, "ema_first_time_index": steps == 0}
    return attributes | {"batch_state_index": averages, "batch_counter": _LONG_AGO + steps % _LONG_AGO}


def _weight_norm_to_torch(norm: Any) -> Arrays:
    arrays = _reparametrised(norm, "original1")
    shape = () if norm.axis is None else norm.g.shape
    return arrays | {f"parametrizations.{norm.weight_name}.original0": norm.g.reshape(shape)}


def _weight_norm_from_torch(norm: Any, arrays: Arrays) -> Arrays:
    lengths = arrays[f"parametrizations.{norm.weight_name}.original0"]
    return _of_layer(norm, "original1", arrays) | {"g": lengths.reshape(norm.g.shape)}


def _spectral_norm_to_torch(norm: Any) -> Arrays:
    arrays = _reparametrised(norm, "original")
    return arrays | {
        f"parametrizations.{norm.weight_name}.0._{name}": x for name, x in zip("uv", norm.uv_index, strict=True)
    }


def _spectral_norm_from_torch(norm: Any, arrays: Arrays) -> dict[str, Any]:
    vectors = tuple(arrays[f"parametrizations.{norm.weight_name}.0._{name}"] for name in "uv")
    return {**_of_layer(norm, "original", arrays), "uv_index": vectors}


def _reparametrised(norm: Any, original: str) -> Arrays:
    """The arrays of the layer inside, its weight under the name that it has among PyTorch's parametrisations."""
    if isinstance(norm.layer, ConvTranspose):
        raise ValueError("the axes of the weight of a transposed convolution are in another order in PyTorch.")
    arrays = _inside(norm.layer).to_torch(norm.layer)
    weight = arrays.pop(norm.weight_name)
    return arrays | {f"parametrizations.{norm.weight_name}.{original}": weight}


def _of_layer(norm: Any, original: str, arrays: Arrays) -> dict[str, Any]:
    """The reverse of `_reparametrised`."""
    names = {f"parametrizations.{norm.weight_name}.{original}": norm.weight_name}
    inner = {names.get(name, name): array for name, array in arrays.items()}
    inner = {name: array for name, array in inner.items() if not name.startswith("parametrizations.")}
    return {f"layer.{name}": value for name, value in _inside(norm.layer).from_torch(norm.layer, inner).items()}


def _inside(layer: object) -> Layout:
    return layout_of(layer) or _SAME


def _same_to_torch(layer: object) -> Arrays:
    attributes: dict[str, Any] = vars(layer)
    return {name: value for name, value in attributes.items() if isinstance(value, np.ndarray)}


def _same_from_torch(_: object, arrays: Arrays) -> dict[str, Any]:
    return {**arrays}


_SAME = Layout(_same_to_torch, _same_from_torch)

_LAYOUTS: dict[type, Layout] = {
    Conv: Layout(_conv_to_torch, _conv_from_torch),
    ConvTranspose: Layout(_transposed_to_torch, _transposed_from_torch),
    GRUCell: Layout(_gru_to_torch, _gru_from_torch),
    LSTMCell: Layout(_lstm_to_torch, _lstm_from_torch),
    RecurrentLayers: Layout(_recurrent_to_torch, _recurrent_from_torch),
    PReLU: Layout(_prelu_to_torch, _prelu_from_torch),
    MultiheadAttention: Layout(_attention_to_torch, _attention_from_torch),
    BatchNorm: Layout(_batch_norm_to_torch, _batch_norm_from_torch),
    WeightNorm: Layout(_weight_norm_to_torch, _weight_norm_from_torch),
    SpectralNorm: Layout(_spectral_norm_to_torch, _spectral_norm_from_torch),
}
