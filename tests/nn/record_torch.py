"""Record what PyTorch computes, for the tests to compare with. The tests themselves do not need PyTorch.

In an environment with `torch==2.13.0` and `numpy`: `python tests/nn/record_torch.py`.

Each file in `tests/nn/data` holds a number of cases, and each case a number of arrays, named `case/array`.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found] # pyright: ignore[reportMissingImports] # see above

DTYPES = {"float32": torch.float32, "float64": torch.float64}
STEPS = 6

Cases = Iterator[tuple[str, dict[str, Any]]]


def parameters(module: Any) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in module.state_dict().items()}


def linear() -> Cases:
    for (rows, columns), bias, dtype in itertools.product([(1, 1), (4, 3), (1, 5), (2, 1)], [True, False], DTYPES):
        module = torch.nn.Linear(columns, rows, bias=bias, dtype=DTYPES[dtype])
        x = torch.randn(columns, dtype=DTYPES[dtype])
        yield f"{columns}-{rows}-{bias}-{dtype}", {**parameters(module), "x": x, "y": module(x)}


def gru_cell() -> Cases:
    for (inputs, size), bias, dtype in itertools.product([(1, 1), (3, 4), (5, 2)], [True, False], DTYPES):
        cell = torch.nn.GRUCell(inputs, size, bias=bias, dtype=DTYPES[dtype])
        xs = torch.randn(STEPS, inputs, dtype=DTYPES[dtype])
        h = h0 = torch.randn(size, dtype=DTYPES[dtype])
        hs = torch.stack([h := cell(x, h) for x in xs])
        yield f"{inputs}-{size}-{bias}-{dtype}", {**parameters(cell), "xs": xs, "h0": h0, "hs": hs}


def lstm_cell() -> Cases:
    for (inputs, size), bias, dtype in itertools.product([(1, 1), (3, 4), (5, 2)], [True, False], DTYPES):
        cell = torch.nn.LSTMCell(inputs, size, bias=bias, dtype=DTYPES[dtype])
        xs = torch.randn(STEPS, inputs, dtype=DTYPES[dtype])
        h0, c0 = torch.randn(2, size, dtype=DTYPES[dtype])
        states = [(h0, c0)]
        for x in xs:
            states.append(cell(x, states[-1]))
        hs, cs = (torch.stack(items) for items in zip(*states[1:], strict=True))
        yield f"{inputs}-{size}-{bias}-{dtype}", {**parameters(cell), "xs": xs, "h0": h0, "c0": c0, "hs": hs, "cs": cs}


def recurrent_layers(torch_layer: Any) -> Cases:
    # The number of layers, whether there are two directions, and whether there are biases.
    grid = [(1, False, True), (2, False, False), (1, True, True), (3, True, True), (2, True, False)]
    for i, (layers, both, bias) in enumerate(grid):
        dtype = [*DTYPES][i % 2]
        options = {"bias": bias, "bidirectional": both, "batch_first": True, "dtype": DTYPES[dtype]}
        module = torch_layer(3, 2, layers, **options)
        lengths = torch.tensor([STEPS, 4, 1])
        arrays = {"xs": torch.randn(len(lengths), STEPS, 3, dtype=DTYPES[dtype])}
        for name in ["h0", "c0"] if torch_layer is torch.nn.LSTM else ["h0"]:
            arrays[name] = torch.randn(layers * (2 if both else 1), len(lengths), 2, dtype=DTYPES[dtype])
        hidden = (arrays["h0"], arrays["c0"]) if "c0" in arrays else arrays["h0"]
        packed = torch.nn.utils.rnn.pack_padded_sequence(arrays["xs"], lengths, batch_first=True)
        for name, inputs in {"whole": arrays["xs"], "packed": packed}.items():
            ys, last = module(inputs, hidden)
            if name == "packed":
                ys, _ = torch.nn.utils.rnn.pad_packed_sequence(ys, batch_first=True)
            arrays[f"{name}_ys"] = ys
            for state, value in zip("hc", last if isinstance(last, tuple) else (last,), strict=False):
                arrays[f"{name}_{state}"] = value
        yield f"{layers}-{both}-{bias}-{dtype}", {**parameters(module), "lengths": lengths, **arrays}


def gru() -> Cases:
    return recurrent_layers(torch.nn.GRU)


def lstm() -> Cases:
    return recurrent_layers(torch.nn.LSTM)


def mlp() -> Cases:
    activations = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
    final_activations = {"identity": torch.nn.Identity, "softmax": lambda: torch.nn.Softmax(dim=0)}
    for depth, activation, final, dtype in itertools.product([0, 1, 3], activations, final_activations, DTYPES):
        sizes = [3, *[5] * depth, 2]
        layers = [torch.nn.Linear(a, b, dtype=DTYPES[dtype]) for a, b in itertools.pairwise(sizes)]
        modules = [layers[0]]
        for layer in layers[1:]:
            modules += [activations[activation](), layer]
        x = torch.randn(sizes[0], dtype=DTYPES[dtype])
        y = torch.nn.Sequential(*modules, final_activations[final]())(x)
        arrays = {f"weight{i}": layer.weight for i, layer in enumerate(layers)}
        arrays |= {f"bias{i}": layer.bias for i, layer in enumerate(layers)}
        yield f"{depth}-{activation}-{final}-{dtype}", {**arrays, "x": x, "y": y}


def bilinear() -> Cases:
    for (first, second, size), bias, dtype in itertools.product([(1, 1, 1), (3, 4, 2)], [True, False], DTYPES):
        module = torch.nn.Bilinear(first, second, size, bias=bias, dtype=DTYPES[dtype])
        x1, x2 = torch.randn(first, dtype=DTYPES[dtype]), torch.randn(second, dtype=DTYPES[dtype])
        yield f"{first}:{bias}:{dtype}", {**parameters(module), "x1": x1, "x2": x2, "y": module(x1, x2)}


def einsum() -> Cases:
    # The equation, and the shapes of the input, the weight and the bias as it is added.
    grid: list[Any] = [
        ("ti,hoi->hto", (5, 3), (2, 4, 3), (2, 1, 4)),
        ("...i,io->...o", (2, 5, 3), (3, 4), (1, 1, 4)),
        ("hi,hio->ho", (2, 3), (2, 3, 4), (2, 4)),
        ("ij,jk->k", (2, 3), (3, 4), (4,)),
    ]
    for i, (equation, shape, weight_shape, bias_shape) in enumerate(grid):
        dtype = DTYPES[[*DTYPES][i % 2]]
        shapes = {"x": shape, "weight": weight_shape, "bias": bias_shape}
        arrays = {name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}
        yield equation, {**arrays, "y": torch.einsum(equation, arrays["x"], arrays["weight"]) + arrays["bias"]}


def prelu() -> Cases:
    for channels, dtype in itertools.product([1, 3], DTYPES):
        module = torch.nn.PReLU(channels, dtype=DTYPES[dtype])
        torch.nn.init.normal_(module.weight)
        x = torch.randn(1, channels, 2, 4, dtype=DTYPES[dtype])
        yield f"{channels}-{dtype}", {**parameters(module), "x": x[0], "y": module(x)[0]}


def embedding() -> Cases:
    for sizes, dtype in itertools.product([(1, 1), (7, 3)], DTYPES):
        module = torch.nn.Embedding(*sizes, dtype=DTYPES[dtype])
        x = torch.randint(sizes[0], [5])
        yield f"{sizes[0]}-{sizes[1]}-{dtype}", {**parameters(module), "x": x, "y": module(x)}


def padded_embedding() -> Cases:
    for padding, dtype in itertools.product([0, 2, -1], DTYPES):
        module = torch.nn.Embedding(4, 3, padding_idx=padding, dtype=DTYPES[dtype])
        start = module.weight.clone()
        torch.nn.init.normal_(module.weight)
        x, factors = torch.tensor([1, 0, 2, 3, 2]), torch.randn(5, 3, dtype=DTYPES[dtype])
        with torch.enable_grad():
            y = module(x)
            (y * factors).sum().backward()
        arrays = {"start": start, "x": x, "factors": factors, "y": y.detach(), "gradient": module.weight.grad}
        yield f"{padding}:{dtype}", {**parameters(module), **arrays}


def embedding_bag() -> Cases:
    for mode, padding, dtype in itertools.product(["sum", "mean", "max"], [None, 0, 2], DTYPES):
        module = torch.nn.EmbeddingBag(5, 3, mode=mode, padding_idx=padding, dtype=DTYPES[dtype])
        xs = torch.tensor([[1, 4, 4, 3], [2, 0, 3, 2], [0, 0, 0, 0], [2, 2, 2, 2]])
        yield f"{mode}:{padding}:{dtype}", {**parameters(module), "xs": xs, "ys": module(xs)}


def multihead_attention() -> Cases:
    # The numbers of heads, and the sizes of queries, keys and values.
    sizes = [(1, 3, 3, 3), (2, 4, 4, 4), (3, 6, 5, 2)]
    for (heads, query, key, value), bias, mask, dtype in itertools.product(
        sizes, [True, False], ["none", "shared", "heads"], DTYPES
    ):
        options = {"bias": bias, "kdim": key, "vdim": value, "batch_first": True, "dtype": DTYPES[dtype]}
        module = torch.nn.MultiheadAttention(query, heads, **options)
        for name, parameter in module.named_parameters():
            if "bias" in name:  # they start at zero
                torch.nn.init.normal_(parameter)
        arrays = {"query": (4, query), "key": (5, key), "value": (5, value)}
        inputs = {name: torch.randn(shape, dtype=DTYPES[dtype]) for name, shape in arrays.items()}
        masked = {}
        if mask != "none":
            masked["attn_mask"] = torch.rand((4, 5) if mask == "shared" else (heads, 4, 5)) < 0.5
            masked["attn_mask"][..., 2] = False  # a row that is masked as a whole would be nan
        y, weights = module(*(x[None] for x in inputs.values()), **masked)
        case = f"{heads}-{query}-{key}-{value}-{bias}-{mask}-{dtype}"
        yield case, {**parameters(module), **inputs, **masked, "y": y[0], "weights": weights[0]}


def dot_product_attention() -> Cases:
    # The numbers of heads of queries and of keys; and what is asked for.
    heads = [(1, 1), (4, 4), (4, 2), (3, 1)]
    options = ["plain", "causal", "end", "mask", "bias", "scale"]
    for i, ((num_heads, num_kv_heads), option) in enumerate(itertools.product(heads, options)):
        dtype = [*DTYPES][i % 2]
        queries, keys = (5, 5) if option == "causal" else (4, 6)
        q = torch.randn(num_heads, queries, 3, dtype=DTYPES[dtype])
        k, v = torch.randn(2, num_kv_heads, keys, 3, dtype=DTYPES[dtype])
        arrays = {}
        if option == "mask":
            arrays["mask"] = torch.rand(num_heads, queries, keys) < 0.5
            arrays["mask"][..., 2] = True  # a row that is masked as a whole would be nan
        elif option == "bias":
            arrays["bias"] = torch.randn(num_heads, queries, keys, dtype=DTYPES[dtype])
        elif option == "scale":
            arrays["scale"] = torch.tensor(1.7, dtype=torch.float64)
        added = arrays.get("mask", arrays.get("bias"))
        if option == "end":  # PyTorch's own causal masks are aligned to the start
            added = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
        y = torch.nn.functional.scaled_dot_product_attention(
            q,
            k,
            v,
            added,
            is_causal=option == "causal",
            scale=float(arrays["scale"]) if option == "scale" else None,
            enable_gqa=True,
        )
        axes = {name: array.swapaxes(0, 1) for name, array in {"query": q, "key": k, "value": v, "y": y}.items()}
        yield f"{num_heads}-{num_kv_heads}-{option}-{dtype}", {**arrays, **axes}


def transformer_layers(torch_layer: Any) -> Cases:
    activations = {"relu": torch.nn.functional.relu, "gelu": torch.nn.functional.gelu}
    is_decoder = torch_layer is torch.nn.TransformerDecoderLayer
    grid = [(True, "relu", True), (False, "relu", False), (True, "gelu", False), (False, "gelu", True)]
    for (norm_first, activation, bias), dtype in zip(grid, [*DTYPES, *reversed(DTYPES)], strict=True):
        options = {"norm_first": norm_first, "bias": bias, "batch_first": True, "dtype": DTYPES[dtype]}
        module = torch_layer(4, 2, 6, dropout=0.0, activation=activations[activation], **options)
        for name, parameter in module.named_parameters():
            if "bias" in name or "norm" in name:  # they start at zeros and ones
                torch.nn.init.normal_(parameter)
        lengths = {"x": 5, "memory": 3} if is_decoder else {"x": 5}
        sequences = {name: torch.randn(1, length, 4, dtype=DTYPES[dtype]) for name, length in lengths.items()}
        masks = {f"{name}_mask": torch.rand(5, length) < 0.5 for name, length in lengths.items()}
        masks["x_mask"].fill_diagonal_(False)  # a row that is masked as a whole would be nan
        for mask in masks.values():
            mask[:, 0] = False
        before = torch.ones(5, 5, dtype=torch.bool).triu(1)
        named = ["tgt_mask", "memory_mask"] if is_decoder else ["src_mask"]
        arrays = {
            "y": module(*sequences.values()),
            "y_causal": module(*sequences.values(), **{named[0]: before}),
            "y_masked": module(*sequences.values(), **dict(zip(named, masks.values(), strict=True))),
        }
        arrays = {name: array[0] for name, array in {**sequences, **arrays}.items()}
        yield f"{norm_first}-{activation}-{bias}-{dtype}", {**parameters(module), **masks, **arrays}


def transformer_encoder_layer() -> Cases:
    return transformer_layers(torch.nn.TransformerEncoderLayer)


def transformer_decoder_layer() -> Cases:
    return transformer_layers(torch.nn.TransformerDecoderLayer)


def dropout() -> Cases:
    # Two random streams: only the law can be compared.
    for p in [0.0, 0.1, 0.5, 0.9, 1.0]:
        x = torch.ones(100_000)
        y = torch.nn.Dropout(p)(x)
        yield f"{p}", {"p": torch.tensor(p, dtype=torch.float64), "kept": (y != 0).sum(), "values": y.unique()}


def window(**options: Any) -> dict[str, Any]:
    """The options of a layer that has windows, as arrays."""
    return {name: torch.tensor(value) for name, value in options.items()}


# Of each convolution: the lengths of the input, and kernel size, stride, padding, dilation and number of groups.
CONVOLUTIONS = [
    *itertools.product([(11,)], [(1,), (4,)], [(1,), (3,)], [(0,), (2,)], [(1,), (2,)], [1, 2]),
    ((7, 6), (3, 2), (1, 1), (0, 0), (1, 1), 1),
    ((7, 6), (3, 2), (2, 3), (1, 2), (2, 1), 1),
    ((8, 9), (2, 4), (3, 1), (0, 2), (1, 2), 2),
    ((9, 9), (5, 5), (2, 2), (2, 2), (1, 1), 4),
    ((5, 6, 4), (2, 3, 1), (1, 2, 3), (1, 0, 2), (2, 1, 1), 1),
    ((5, 5, 5), (3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1), 2),
]


def conv() -> Cases:
    modes = ["zeros", "reflect", "replicate", "circular"]
    grid: list[Any] = [(*geometry, "zeros") for geometry in CONVOLUTIONS]
    grid += [((7, 6), (3, 2), (2, 1), padding, (1, 2), 1, mode) for padding in [(1, 1), (2, 3)] for mode in modes[1:]]
    grid += [((7, 6), (4, 3), (1, 1), "same", (2, 1), 2, mode) for mode in modes]
    for i, (lengths, size, stride, padding, dilation, groups, mode) in enumerate(grid):
        dtype = [*DTYPES][i % 2]
        options = {"stride": stride, "dilation": dilation, "groups": groups, "bias": i % 3 > 0, "dtype": DTYPES[dtype]}
        torch_layer = [torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d][len(size) - 1]
        module = torch_layer(4, 8, size, padding=padding, padding_mode=mode, **options)
        x = torch.randn(4, *lengths, dtype=DTYPES[dtype])
        numbers = window(stride=stride, dilation=dilation, groups=groups)
        if padding != "same":
            numbers |= window(padding=padding)
        yield f"{i}-{mode}-{dtype}", {**parameters(module), **numbers, "x": x, "y": module(x)}


def causal_conv() -> Cases:
    grid = itertools.product([1, 3], [1, 2], [1, 2], [1, 2])
    for i, (size, stride, dilation, groups) in enumerate(grid):
        dtype = [*DTYPES][i % 2]
        module = torch.nn.Conv1d(2, 4, size, stride, 0, dilation, groups, dtype=DTYPES[dtype])
        x = torch.randn(2, 7, dtype=DTYPES[dtype])
        y = module(torch.nn.functional.pad(x, (dilation * (size - 1), 0)))
        numbers = window(stride=stride, dilation=dilation, groups=groups)
        yield f"{i}:{dtype}", {**parameters(module), **numbers, "x": x, "y": y}


def separable_conv() -> Cases:
    for i, (axes, multiplier, bias) in enumerate(itertools.product([1, 2], [1, 3], [True, False])):
        dtype = [*DTYPES][i % 2]
        torch_layer = [torch.nn.Conv1d, torch.nn.Conv2d][axes - 1]
        hidden = 2 * multiplier
        options = {"padding": 1, "stride": 2, "groups": 2, "bias": False, "dtype": DTYPES[dtype]}
        depthwise = torch_layer(2, hidden, 3, **options)
        pointwise = torch_layer(hidden, 5, 1, bias=bias, dtype=DTYPES[dtype])
        module = torch.nn.ModuleDict({"depthwise": depthwise, "pointwise": pointwise})
        x = torch.randn(2, *[6, 5][:axes], dtype=DTYPES[dtype])
        yield f"{axes}:{multiplier}:{dtype}:{bias}", {**parameters(module), "x": x, "y": pointwise(depthwise(x))}


def conv_transpose() -> Cases:
    grid: list[Any] = []
    for i, (lengths, size, stride, padding, dilation, groups) in enumerate(CONVOLUTIONS):
        output_padding = tuple((s - 1) if i % 4 > 1 else 0 for s in stride)
        # PyTorch has no output without entries.
        geometry = zip(lengths, stride, dilation, size, padding, strict=True)
        if all((n // 2 - 1) * s + d * (k - 1) + 1 > 2 * p for n, s, d, k, p in geometry):
            grid.append((lengths, size, stride, padding, output_padding, dilation, groups))
    for i, (lengths, size, stride, padding, output_padding, dilation, groups) in enumerate(grid):
        dtype = [*DTYPES][i % 2]
        options = {"stride": stride, "dilation": dilation, "groups": groups, "bias": i % 3 > 0, "dtype": DTYPES[dtype]}
        torch_layer = [torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d][len(size) - 1]
        module = torch_layer(8, 4, size, padding=padding, output_padding=output_padding, **options)
        x = torch.randn(8, *(n // 2 for n in lengths), dtype=DTYPES[dtype])
        numbers = window(
            stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, groups=groups
        )
        yield f"{i}-{dtype}", {**parameters(module), **numbers, "x": x, "y": module(x)}


# Of each pooling layer: the lengths of the input, and kernel size, stride and padding.
POOLS = [
    *(((length,), (3,), (stride,), (padding,)) for length in [6, 7] for stride in [1, 2, 4] for padding in [0, 1]),
    *(((6,), (2,), (3,), (padding,)) for padding in [0, 1]),
    ((7, 6), (3, 2), (2, 2), (1, 0)),
    ((8, 5), (2, 4), (3, 1), (1, 2)),
    ((6, 5, 4), (2, 3, 2), (2, 2, 3), (1, 1, 0)),
]


def pool() -> Cases:
    for i, ((lengths, size, stride, padding), use_ceil) in enumerate(itertools.product(POOLS, [False, True])):
        dtype = [*DTYPES][i % 3 % 2]
        x = torch.randn(2, *lengths, dtype=DTYPES[dtype])
        axes = len(size)
        max_layer = [torch.nn.MaxPool1d, torch.nn.MaxPool2d, torch.nn.MaxPool3d][axes - 1]
        average_layer = [torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d][axes - 1]
        options = (size, stride, padding)
        arrays = {
            "x": x,
            "max": max_layer(*options, ceil_mode=use_ceil)(x),
            "mean_without_padding": average_layer(*options, ceil_mode=use_ceil, count_include_pad=False)(x),
        }
        if not use_ceil:
            arrays["mean"] = average_layer(*options)(x)
        numbers = window(kernel_size=size, stride=stride, padding=padding, use_ceil=use_ceil)
        yield f"{i}-{dtype}", {**numbers, **arrays}


def adaptive_pool() -> Cases:
    shapes: list[Any] = [((length,), (target,)) for length in [5, 6] for target in range(1, 9)]
    shapes += [((6, 5), (4, 5)), ((6, 4), (3, 2)), ((5, 4, 6), (3, 2, 7)), ((4, 4, 6), (2, 1, 3))]
    for i, (lengths, target) in enumerate(shapes):
        dtype = [*DTYPES][i % 2]
        x = torch.randn(2, *lengths, dtype=DTYPES[dtype])
        axes = len(target)
        max_layer = [torch.nn.AdaptiveMaxPool1d, torch.nn.AdaptiveMaxPool2d, torch.nn.AdaptiveMaxPool3d][axes - 1]
        average_layer = [torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d][axes - 1]
        arrays = {"x": x, "max": max_layer(target)(x), "mean": average_layer(target)(x)}
        yield f"{i}-{dtype}", {**window(target_shape=target), **arrays}


def layer_norm() -> Cases:
    for shape, bias, dtype in itertools.product([(1,), (5,), (3, 4)], [True, False], DTYPES):
        module = torch.nn.LayerNorm(shape, bias=bias, dtype=DTYPES[dtype])
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        x = 3 + 2 * torch.randn(shape, dtype=DTYPES[dtype])
        yield f"{len(shape)}-{shape[0]}-{bias}-{dtype}", {**parameters(module), "x": x, "y": module(x)}


def rms_norm() -> Cases:
    for shape, eps, dtype in itertools.product([(1,), (5,), (3, 4)], [1e-5, 0.1], DTYPES):
        module = torch.nn.RMSNorm(shape, eps=eps, dtype=DTYPES[dtype])
        torch.nn.init.normal_(module.weight)
        x = 3 + 2 * torch.randn(shape, dtype=DTYPES[dtype])
        arrays = {"eps": torch.tensor(eps, dtype=torch.float64), "x": x, "y": module(x)}
        yield f"{len(shape)}-{shape[0]}-{eps}-{dtype}", {**parameters(module), **arrays}


def group_norm() -> Cases:
    for groups, lengths, affine, dtype in itertools.product([1, 2, 6], [(2,), (4,), (3, 2)], [True, False], DTYPES):
        module = torch.nn.GroupNorm(groups, 6, affine=affine, dtype=DTYPES[dtype])
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        x = 3 + 2 * torch.randn(6, *lengths, dtype=DTYPES[dtype])
        arrays = {"groups": torch.tensor(groups), "x": x, "y": module(x[None])[0]}
        yield f"{groups}-{lengths}-{affine}-{dtype}", {**parameters(module), **arrays}


def instance_norm() -> Cases:
    torch_layers = [torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d]
    for lengths, affine, dtype in itertools.product([(4,), (3, 2), (2, 3, 2)], [True, False], DTYPES):
        module = torch_layers[len(lengths) - 1](3, eps=1e-3, affine=affine, dtype=DTYPES[dtype])
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        x = 3 + 2 * torch.randn(3, *lengths, dtype=DTYPES[dtype])
        yield f"{len(lengths)}-{affine}-{dtype}", {**parameters(module), "x": x, "y": module(x)}


def batch_norm() -> Cases:
    torch_layers = [torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d]
    for lengths, momentum, affine, dtype in itertools.product([(), (4,), (3, 2)], [0.9, 0.5], [True, False], DTYPES):
        module = torch_layers[len(lengths)](3, momentum=1 - momentum, affine=affine, dtype=DTYPES[dtype])
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        arrays = {"momentum": torch.tensor(momentum, dtype=torch.float64), **dict(module.named_parameters())}
        arrays["xs"] = 3 + 2 * torch.randn(STEPS, 5, 3, *lengths, dtype=DTYPES[dtype])
        arrays["ys"] = torch.stack([module(x) for x in arrays["xs"]])
        arrays |= {"running_mean": module.running_mean.clone(), "running_var": module.running_var.clone()}
        arrays["y_eval"] = module.eval()(arrays["xs"][0])
        yield f"{len(lengths)}-{momentum}-{affine}-{dtype}", arrays


def weight_norm() -> Cases:
    for axis, dtype in itertools.product([0, 1, None], DTYPES):
        module = torch.nn.Linear(3, 4, dtype=DTYPES[dtype])
        torch.nn.utils.parametrizations.weight_norm(module, dim=axis)
        torch.nn.init.normal_(module.parametrizations.weight.original0)
        x = torch.randn(3, dtype=DTYPES[dtype])
        arrays = {
            "g": module.parametrizations.weight.original0,
            "v": module.parametrizations.weight.original1,
            "bias": module.bias,
        }
        yield f"{axis}-{dtype}", {**arrays, "x": x, "y": module(x)}


def spectral_norm() -> Cases:
    for is_conv, iterations, dtype in itertools.product([False, True], [1, 3], DTYPES):
        options: Any = {"bias": False, "dtype": DTYPES[dtype]}
        module = torch.nn.Conv2d(3, 4, 2, **options) if is_conv else torch.nn.Linear(3, 4, **options)
        torch.nn.utils.parametrizations.spectral_norm(module, n_power_iterations=iterations)
        vectors = module.parametrizations.weight[0]
        torch.nn.init.normal_(module.parametrizations.weight.original)
        arrays = {"weight": module.parametrizations.weight.original, "iterations": torch.tensor(iterations)}
        arrays |= {"u": vectors._u.clone(), "v": vectors._v.clone()}
        arrays["x"] = torch.randn(3, 5, 6, dtype=DTYPES[dtype]) if is_conv else torch.randn(3, dtype=DTYPES[dtype])
        arrays["y"] = module(arrays["x"])
        arrays |= {"next_u": vectors._u.clone(), "next_v": vectors._v.clone()}
        arrays["y_eval"] = module.eval()(arrays["x"])
        yield f"{'conv' if is_conv else 'linear'}-{iterations}-{dtype}", arrays


def upsample() -> Cases:
    modes: dict[str, list[Any]] = {"linear": ["linear", "bilinear", "trilinear"], "cubic": [None, "bicubic"]}
    targets: list[Any] = [
        *(((5,), {"scale_factor": scale}) for scale in (2, 3, 1.5, 0.4)),
        *(((5,), {"size": size}) for size in (1, 4, 8)),
        ((4, 3), {"scale_factor": (2.0, 1.7)}),
        ((4, 3), {"size": (3, 7)}),
        ((3, 2, 2), {"size": (5, 4, 1)}),
    ]
    grid = itertools.product(targets, ["nearest", "nearest-exact", "linear", "cubic"], [False, True])
    for i, ((lengths, target), mode, align_corners) in enumerate(grid):
        axes, is_nearest = len(lengths), "nearest" in mode
        if (mode == "cubic" and axes != 2) or (is_nearest and align_corners):
            continue  # PyTorch has none
        dtype = [*DTYPES][i % 2]
        options: dict[str, Any] = {"mode": mode}
        if not is_nearest:
            options = {"mode": modes[mode][axes - 1], "align_corners": align_corners}
        x = torch.randn(2, *lengths, dtype=DTYPES[dtype])
        y = torch.nn.Upsample(**target, **options)(x[None])[0]
        numbers = {name: torch.tensor(value, dtype=torch.float64) for name, value in target.items()}
        numbers["align_corners"] = torch.tensor(align_corners)
        yield f"{i}:{mode}:{dtype}", {**numbers, "x": x, "y": y}


def pixel_shuffle() -> Cases:
    for i, (factor, channels) in enumerate(itertools.product([1, 2, 3], [1, 2])):
        dtype = [*DTYPES][i % 2]
        x = torch.randn(channels * factor**2, 2, 3, dtype=DTYPES[dtype])
        y = torch.nn.PixelShuffle(factor)(x)
        yield f"{factor}-{channels}", {"x": x, "y": y, "back": torch.nn.PixelUnshuffle(factor)(y)}


class WholeModel(torch.nn.Module):
    """Layers of all those kinds that hold their parameters in another form than this library."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3, **options)
        self.norm = torch.nn.BatchNorm2d(4, **options)
        upsampling = torch.nn.ConvTranspose2d(4, 6, (2, 3), 2, groups=2, **options)
        self.blocks = torch.nn.Sequential(upsampling, torch.nn.PReLU(6, **options), torch.nn.ReLU())
        self.cells = torch.nn.ModuleList([torch.nn.GRUCell(6, 5, **options), torch.nn.LSTMCell(5, 5, **options)])
        self.embedding = torch.nn.Embedding(7, 4, **options)
        self.attention = torch.nn.MultiheadAttention(4, 2, kdim=4, vdim=4, batch_first=True, **options)
        sizes = {"d_model": 4, "nhead": 2, "dim_feedforward": 3, "batch_first": True}
        self.encoder = torch.nn.TransformerEncoderLayer(**sizes, **options)
        self.decoder = torch.nn.TransformerDecoderLayer(**sizes, **options)
        self.gru = torch.nn.GRU(4, 3, 2, batch_first=True, **options)
        self.lstm = torch.nn.LSTM(3, 2, bidirectional=True, batch_first=True, **options)
        heads = {"weight": torch.nn.Linear(4, 5, **options), "spectral": torch.nn.Linear(5, 3, **options)}
        self.heads = torch.nn.ModuleDict(heads)
        torch.nn.utils.parametrizations.weight_norm(self.heads["weight"])
        torch.nn.utils.parametrizations.spectral_norm(self.heads["spectral"])

    def forward(self, image: Any, tokens: Any) -> Any:
        features = self.blocks(self.norm(self.conv(image)).relu()).mean((2, 3))
        h = self.cells[0](features)
        h, c = self.cells[1](h, (h, h))
        words = self.embedding(tokens)
        encoded = self.encoder(words)
        words, _ = self.lstm(self.gru(self.decoder(words, encoded))[0])
        attended, _ = self.attention(words, encoded, encoded)
        return self.heads["spectral"](h * c + self.heads["weight"](attended.mean(1)))


def whole_model() -> Cases:
    for dtype, torch_dtype in DTYPES.items():
        model = WholeModel(dtype=torch_dtype)
        for name, parameter in model.named_parameters():
            if "bias" in name or "norm" in name:  # those of attention and of the normalisation start as zeros and ones
                torch.nn.init.normal_(parameter)
        inputs = {"image": torch.randn(3, 2, 5, 6, dtype=torch_dtype), "tokens": torch.randint(7, [3, 5])}
        model(**inputs)  # so that there are running averages
        model.eval()
        state_dict = {f"state_dict/{name}": value.clone() for name, value in model.state_dict().items()}
        yield dtype, {**state_dict, **inputs, "y": model(**inputs)}


RECORDERS: list[Callable[[], Cases]] = [
    embedding,
    padded_embedding,
    embedding_bag,
    multihead_attention,
    transformer_encoder_layer,
    transformer_decoder_layer,
    dot_product_attention,
    linear,
    gru_cell,
    lstm_cell,
    gru,
    lstm,
    mlp,
    bilinear,
    einsum,
    prelu,
    dropout,
    conv,
    causal_conv,
    separable_conv,
    conv_transpose,
    pool,
    adaptive_pool,
    layer_norm,
    rms_norm,
    group_norm,
    instance_norm,
    batch_norm,
    weight_norm,
    spectral_norm,
    upsample,
    pixel_shuffle,
    whole_model,
]


def record(name: str) -> dict[str, Any]:
    """Run one of the functions above, and return all arrays as NumPy's, by names such as `case/array`."""
    (recorder,) = (each for each in RECORDERS if each.__name__ == name)
    torch.manual_seed(0)
    with torch.no_grad():
        return {f"{case}/{key}": value.numpy() for case, values in recorder() for key, value in values.items()}


def main() -> None:
    """Write one file for each function above."""
    data = Path(__file__).parent / "data"
    data.mkdir(exist_ok=True)
    for recorder in RECORDERS:
        np.savez_compressed(data / f"{recorder.__name__}.npz", **record(recorder.__name__))


if __name__ == "__main__":
    main()
