"""What holds for every layer."""

import dataclasses
import inspect
import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._sentinel import sentinel

KEYWORD, POSITIONAL = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
REQUIRED = inspect.Parameter.empty

INITIALISERS = [("weight_init", KEYWORD, None), ("bias_init", KEYWORD, None)]

relu, identity = jax.nn.relu, inspect.signature(eqx.nn.MLP).parameters["final_activation"].default

# Of each parameter of a constructor: its name, whether it has a position, and its default.
CONSTRUCTORS: dict[str, list[Any]] = {
    "Linear": [
        ("in_features", POSITIONAL, REQUIRED),
        ("out_features", POSITIONAL, REQUIRED),
        ("bias", POSITIONAL, True),
        ("dtype", POSITIONAL, None),
        ("key", KEYWORD, REQUIRED),
        ("use_bias", KEYWORD, None),
        *INITIALISERS,
    ],
    "Identity": [
        ("args", inspect.Parameter.VAR_POSITIONAL, REQUIRED),
        ("kwargs", inspect.Parameter.VAR_KEYWORD, REQUIRED),
    ],
    "Dropout": [
        ("p", POSITIONAL, 0.5),
        ("deterministic", POSITIONAL, False),
        ("inference", KEYWORD, None),
        ("broadcast_axes", KEYWORD, ()),
    ],
    "DropPath": [("p", POSITIONAL, 0.5), ("inference", POSITIONAL, False), ("deterministic", KEYWORD, None)],
    "InstanceNorm": [
        ("channels", POSITIONAL, REQUIRED),
        ("eps", POSITIONAL, 1e-5),
        ("channelwise_affine", POSITIONAL, False),
        ("dtype", POSITIONAL, None),
    ],
    "PReLU": [("init_alpha", POSITIONAL, 0.25)],
    "Lambda": [("fn", POSITIONAL, REQUIRED)],
    "Sequential": [("layers", POSITIONAL, REQUIRED)],
    "RotaryPositionalEmbedding": [
        ("embedding_size", POSITIONAL, REQUIRED),
        ("theta", POSITIONAL, 10_000.0),
        ("dtype", POSITIONAL, None),
        ("rotary_size", KEYWORD, None),
        ("interleaved", KEYWORD, False),
        ("scaling", KEYWORD, None),
    ],
    "LinearScaling": [("factor", POSITIONAL, REQUIRED)],
    "NTKScaling": [("factor", POSITIONAL, REQUIRED)],
    "Llama3Scaling": [
        ("factor", POSITIONAL, 8.0),
        ("original_max_len", POSITIONAL, 8192),
        ("low_freq_factor", POSITIONAL, 1.0),
        ("high_freq_factor", POSITIONAL, 4.0),
    ],
    "YaRNScaling": [
        ("factor", POSITIONAL, REQUIRED),
        ("original_max_len", POSITIONAL, REQUIRED),
        ("beta_slow", POSITIONAL, 1.0),
        ("beta_fast", POSITIONAL, 32.0),
    ],
    "SinusoidalPositionalEmbedding": [
        ("embedding_size", POSITIONAL, REQUIRED),
        ("max_period", POSITIONAL, 10_000.0),
        ("dtype", POSITIONAL, None),
        ("interleaved", KEYWORD, True),
    ],
    "LearnedPositionalEmbedding": [
        ("num_positions", POSITIONAL, REQUIRED),
        ("embedding_size", POSITIONAL, REQUIRED),
        ("dtype", POSITIONAL, None),
        ("key", KEYWORD, REQUIRED),
        ("weight_init", KEYWORD, None),
    ],
    "ALiBi": [("num_heads", POSITIONAL, REQUIRED), ("dtype", POSITIONAL, None)],
    "KVCache": [(name, POSITIONAL, REQUIRED) for name in ("keys", "values", "length")],
    "Embedding": [
        ("num_embeddings", POSITIONAL, None),
        ("embedding_size", POSITIONAL, None),
        ("weight", POSITIONAL, None),
        ("dtype", POSITIONAL, None),
        ("key", KEYWORD, None),
        ("weight_init", KEYWORD, None),
        ("padding_idx", KEYWORD, None),
    ],
    "MLP": [
        ("in_size", POSITIONAL, REQUIRED),
        ("out_size", POSITIONAL, REQUIRED),
        ("width_size", POSITIONAL, REQUIRED),
        ("depth", POSITIONAL, REQUIRED),
        ("activation", POSITIONAL, relu),
        ("final_activation", POSITIONAL, identity),
        ("use_bias", POSITIONAL, True),
        ("use_final_bias", POSITIONAL, True),
        ("dtype", POSITIONAL, None),
        ("scan", KEYWORD, False),
        ("key", KEYWORD, REQUIRED),
        ("bias", KEYWORD, None),
        *INITIALISERS,
    ],
    "MultiheadAttention": [
        ("num_heads", POSITIONAL, REQUIRED),
        ("query_size", POSITIONAL, REQUIRED),
        *((f"{name}_size", POSITIONAL, None) for name in ("key", "value", "output", "qk", "vo")),
        *((f"use_{name}_bias", POSITIONAL, False) for name in ("query", "key", "value", "output")),
        ("dropout_p", POSITIONAL, 0.0),
        ("inference", POSITIONAL, False),
        ("dtype", POSITIONAL, None),
        ("key", KEYWORD, REQUIRED),
        ("deterministic", KEYWORD, None),
        ("num_kv_heads", KEYWORD, None),
        *INITIALISERS,
    ],
}
CONSTRUCTORS["GRUCell"] = CONSTRUCTORS["LSTMCell"] = [
    ("input_size", POSITIONAL, REQUIRED),
    ("hidden_size", POSITIONAL, REQUIRED),
    *CONSTRUCTORS["Linear"][2:],
]

CONSTRUCTORS["LayerNorm"] = [
    ("shape", POSITIONAL, REQUIRED),
    ("eps", POSITIONAL, 1e-5),
    ("use_weight", POSITIONAL, True),
    ("use_bias", POSITIONAL, True),
    ("dtype", POSITIONAL, None),
    ("elementwise_affine", KEYWORD, None),
    ("bias", KEYWORD, None),
]
CONSTRUCTORS["RMSNorm"] = [p for p in CONSTRUCTORS["LayerNorm"] if p[0] != "elementwise_affine"]
CONSTRUCTORS["GroupNorm"] = [
    ("groups", POSITIONAL, REQUIRED),
    ("channels", POSITIONAL, None),
    ("eps", POSITIONAL, 1e-5),
    ("channelwise_affine", POSITIONAL, True),
    ("dtype", POSITIONAL, None),
]
CONSTRUCTORS["BatchNorm"] = [
    ("input_size", POSITIONAL, REQUIRED),
    ("axis_name", POSITIONAL, REQUIRED),
    ("eps", POSITIONAL, 1e-5),
    ("channelwise_affine", POSITIONAL, True),
    ("momentum", POSITIONAL, 0.99),
    ("inference", POSITIONAL, False),
    ("dtype", POSITIONAL, None),
    ("mode", POSITIONAL, "legacy"),
    ("deterministic", KEYWORD, None),
]
CONSTRUCTORS["SpectralNorm"] = [
    ("layer", POSITIONAL, REQUIRED),
    ("weight_name", POSITIONAL, REQUIRED),
    ("num_power_iterations", POSITIONAL, 1),
    ("eps", POSITIONAL, 1e-12),
    ("inference", POSITIONAL, False),
    ("key", KEYWORD, REQUIRED),
    ("deterministic", KEYWORD, None),
]
CONSTRUCTORS["ExponentialMovingAverage"] = [
    ("decay", POSITIONAL, REQUIRED),
    ("debias", POSITIONAL, True),
    ("warmup", POSITIONAL, False),
]
CONSTRUCTORS["Policy"] = [
    ("param", POSITIONAL, "float32"),
    ("compute", POSITIONAL, "bfloat16"),
    ("output", POSITIONAL, "float32"),
]
CONSTRUCTORS["MixedPrecision"] = [("layer", POSITIONAL, REQUIRED), ("policy", POSITIONAL, REQUIRED)]
CONSTRUCTORS["DynamicLossScale"] = [("initial", POSITIONAL, 2.0**15), ("period", POSITIONAL, 2000)]
CONSTRUCTORS["LoRA"] = [
    ("layer", POSITIONAL, REQUIRED),
    ("rank", POSITIONAL, REQUIRED),
    ("alpha", POSITIONAL, None),
    ("key", KEYWORD, REQUIRED),
    ("weight_name", KEYWORD, "weight"),
]
CONSTRUCTORS["WeightNorm"] = [
    ("layer", POSITIONAL, REQUIRED),
    ("weight_name", POSITIONAL, "weight"),
    ("axis", POSITIONAL, 0),
]
CONSTRUCTORS["Shared"] = [
    ("pytree", POSITIONAL, REQUIRED),
    ("where", POSITIONAL, REQUIRED),
    ("get", POSITIONAL, REQUIRED),
]
CONSTRUCTORS["EmbeddingBag"] = [
    *CONSTRUCTORS["Embedding"][:4],
    ("mode", KEYWORD, "mean"),
    *CONSTRUCTORS["Embedding"][4:],
]
CONSTRUCTORS["Residual"] = [("layer", POSITIONAL, REQUIRED)]
CONSTRUCTORS["Parallel"] = [("layers", POSITIONAL, REQUIRED), ("merge", POSITIONAL, tuple)]
CONSTRUCTORS["Flatten"] = [("start_axis", POSITIONAL, 0), ("end_axis", POSITIONAL, -1)]
CONSTRUCTORS["Reshape"] = [("shape", POSITIONAL, REQUIRED)]
CONSTRUCTORS["PixelShuffle"] = CONSTRUCTORS["PixelUnshuffle"] = [("factor", POSITIONAL, REQUIRED)]
CONSTRUCTORS["GlobalAvgPool"] = CONSTRUCTORS["GlobalMaxPool"] = [("keepdims", POSITIONAL, False)]
CONSTRUCTORS["Upsample"] = [
    ("scale", POSITIONAL, None),
    ("mode", POSITIONAL, "nearest"),
    ("size", KEYWORD, None),
    ("align_corners", KEYWORD, False),
]
WITH_BIAS = [
    ("use_bias", POSITIONAL, True),
    ("dtype", POSITIONAL, None),
    ("key", KEYWORD, REQUIRED),
    ("bias", KEYWORD, None),
    *INITIALISERS,
]
CONSTRUCTORS["Bilinear"] = [
    *((name, POSITIONAL, REQUIRED) for name in ("in1_features", "in2_features", "out_features")),
    *WITH_BIAS,
]
CONSTRUCTORS["DenseGeneral"] = [
    ("in_shape", POSITIONAL, REQUIRED),
    ("out_shape", POSITIONAL, REQUIRED),
    ("axes", POSITIONAL, None),
    *WITH_BIAS,
]
CONSTRUCTORS["Einsum"] = [("equation", POSITIONAL, REQUIRED), ("shape", POSITIONAL, REQUIRED), *WITH_BIAS]
CONSTRUCTORS["CausalConv1d"] = [
    *((name, POSITIONAL, REQUIRED) for name in ("in_channels", "out_channels", "kernel_size")),
    *((name, POSITIONAL, 1) for name in ("stride", "dilation", "groups")),
    *WITH_BIAS,
]
for name, channels in {"DepthwiseConv": ["in_channels"], "SeparableConv": ["in_channels", "out_channels"]}.items():
    CONSTRUCTORS[name] = [
        *((name, POSITIONAL, REQUIRED) for name in ("num_spatial_dims", *channels, "kernel_size")),
        *((name, POSITIONAL, default) for name, default in {"multiplier": 1, "stride": 1, "padding": 0}.items()),
        ("dilation", POSITIONAL, 1),
        ("use_bias", POSITIONAL, True),
        ("padding_mode", POSITIONAL, "ZEROS"),
        *WITH_BIAS[1:],
    ]
AXES = {"": None, "1d": 1, "2d": 2, "3d": 3}  # of the general class, and of those with a number of axes in their name
for suffix, axes in AXES.items():

    def for_each_axis(default, axes=axes):
        return (default,) * axes if axes in {2, 3} else default

    dims = [] if axes else [("num_spatial_dims", POSITIONAL, REQUIRED)]
    stride = ("stride", POSITIONAL, for_each_axis(1))
    padding = ("padding", POSITIONAL, for_each_axis(0))
    output_padding = ("output_padding", POSITIONAL, for_each_axis(0))
    channels_and_kernel = [(name, POSITIONAL, REQUIRED) for name in ("in_channels", "out_channels", "kernel_size")]
    rest = [
        ("dilation", POSITIONAL, for_each_axis(1)),
        ("groups", POSITIONAL, 1),
        ("use_bias", POSITIONAL, True),
        ("padding_mode", POSITIONAL, "ZEROS"),
        ("dtype", POSITIONAL, None),
        ("key", KEYWORD, REQUIRED),
        ("bias", KEYWORD, None),
        *INITIALISERS,
    ]
    paddings = [output_padding, padding] if axes else [padding, output_padding]
    CONSTRUCTORS[f"Conv{suffix}"] = [*dims, *channels_and_kernel, stride, padding, *rest]
    CONSTRUCTORS[f"ConvTranspose{suffix}"] = [*dims, *channels_and_kernel, stride, *paddings, *rest]

    windows = [
        ("kernel_size", POSITIONAL, REQUIRED),
        ("stride", POSITIONAL, 1),
        ("padding", POSITIONAL, 0),
        ("use_ceil", POSITIONAL, False),
    ]
    overlap = ("overlap", KEYWORD, False)
    if axes:
        CONSTRUCTORS[f"MaxPool{suffix}"] = windows
        CONSTRUCTORS[f"AvgPool{suffix}"] = [*windows, ("count_include_pad", KEYWORD, True)]
        for name in "AdaptiveAvgPool", "AdaptiveMaxPool":
            CONSTRUCTORS[f"{name}{suffix}"] = [("target_shape", POSITIONAL, REQUIRED), overlap]
    else:
        required = [(name, POSITIONAL, REQUIRED) for name in ("init", "operation", "num_spatial_dims")]
        CONSTRUCTORS["Pool"] = [*required, *windows]
        required = [(name, POSITIONAL, REQUIRED) for name in ("target_shape", "num_spatial_dims", "operation")]
        CONSTRUCTORS["AdaptivePool"] = [*required, overlap]
CONSTRUCTORS["RNN"] = [
    ("cell", POSITIONAL, REQUIRED),
    ("reverse", KEYWORD, False),
    ("unroll", KEYWORD, 1),
    ("return_carry", KEYWORD, False),
]
CONSTRUCTORS["GRU"] = CONSTRUCTORS["LSTM"] = [
    ("input_size", POSITIONAL, REQUIRED),
    ("hidden_size", POSITIONAL, REQUIRED),
    ("num_layers", POSITIONAL, 1),
    ("bidirectional", POSITIONAL, False),
    ("dropout", POSITIONAL, 0.0),
    ("bias", POSITIONAL, True),
    ("inference", POSITIONAL, False),
    ("dtype", POSITIONAL, None),
    ("unroll", KEYWORD, 1),
    ("key", KEYWORD, REQUIRED),
    ("use_bias", KEYWORD, None),
    ("deterministic", KEYWORD, None),
    *INITIALISERS,
]
CONSTRUCTORS["StackedLayers"] = CONSTRUCTORS["Repeated"] = [
    ("make", POSITIONAL, REQUIRED),
    ("n", POSITIONAL, REQUIRED),
    ("key", KEYWORD, REQUIRED),
    ("remat", KEYWORD, False),
    ("unroll", KEYWORD, 1),
]
FLAGS = [("bias", KEYWORD, None), ("deterministic", KEYWORD, None)]
for name, activation in {"FeedForward": relu, "GatedFeedForward": jax.nn.silu}.items():
    CONSTRUCTORS[name] = [
        ("size", POSITIONAL, REQUIRED),
        ("ff_size", POSITIONAL, None),
        ("dropout", POSITIONAL, 0.0),
        ("activation", POSITIONAL, activation),
        ("use_bias", POSITIONAL, True),
        ("inference", POSITIONAL, False),
        ("dtype", POSITIONAL, None),
        ("key", KEYWORD, REQUIRED),
        *FLAGS,
        *INITIALISERS,
    ]
for name, causal in {"TransformerEncoderLayer": False, "TransformerDecoderLayer": True}.items():
    CONSTRUCTORS[name] = [
        ("size", POSITIONAL, REQUIRED),
        ("num_heads", POSITIONAL, REQUIRED),
        ("ff_size", POSITIONAL, None),
        ("dropout", POSITIONAL, 0.0),
        ("activation", POSITIONAL, relu),
        ("norm", POSITIONAL, "layer"),
        ("norm_first", POSITIONAL, True),
        ("causal", POSITIONAL, causal),
        ("rope", POSITIONAL, False),
        ("num_kv_heads", POSITIONAL, None),
        ("gated", KEYWORD, False),
        ("use_bias", KEYWORD, True),
        ("inference", KEYWORD, False),
        ("dtype", KEYWORD, None),
        ("key", KEYWORD, REQUIRED),
        *FLAGS,
        *INITIALISERS,
    ]
CONSTRUCTORS["State"] = [("model", POSITIONAL, REQUIRED)]
CONSTRUCTORS["StateIndex"] = [("init", POSITIONAL, REQUIRED)]

# Of each parameter of `__call__`, which also has the keyword `key=None`.
CALLS: dict[str, list[Any]] = {
    "Linear": [("x", POSITIONAL, REQUIRED)],
    "Identity": [("x", POSITIONAL, REQUIRED)],
    "Dropout": [("x", POSITIONAL, REQUIRED), ("deterministic", KEYWORD, None), ("inference", KEYWORD, None)],
    "DropPath": [("x", POSITIONAL, REQUIRED), ("inference", KEYWORD, None), ("deterministic", KEYWORD, None)],
    "PReLU": [("x", POSITIONAL, REQUIRED)],
    "Lambda": [("x", POSITIONAL, REQUIRED)],
    "MLP": [("x", POSITIONAL, REQUIRED)],
    "GRUCell": [("input", POSITIONAL, REQUIRED), ("hidden", POSITIONAL, REQUIRED)],
    "LSTMCell": [("input", POSITIONAL, REQUIRED), ("hidden", POSITIONAL, REQUIRED)],
    "Embedding": [("x", POSITIONAL, REQUIRED)],
    "RotaryPositionalEmbedding": [
        ("x", POSITIONAL, REQUIRED),
        ("positions", KEYWORD, None),
        ("offset", KEYWORD, None),
    ],
    "SinusoidalPositionalEmbedding": [("x", POSITIONAL, REQUIRED)],
    "LearnedPositionalEmbedding": [("x", POSITIONAL, REQUIRED)],
    "ALiBi": [("query_positions", POSITIONAL, REQUIRED), ("key_positions", POSITIONAL, None)],
    "MultiheadAttention": [
        *((name, POSITIONAL, REQUIRED) for name in ("query", "key_", "value")),
        ("mask", POSITIONAL, None),
        *((name, KEYWORD, None) for name in ("inference", "deterministic", "process_heads", "bias", "window")),
        ("implementation", KEYWORD, "math"),
        ("cache", KEYWORD, None),
    ],
    "BatchNorm": [
        ("x", POSITIONAL, REQUIRED),
        ("state", POSITIONAL, REQUIRED),
        ("inference", KEYWORD, None),
        ("deterministic", KEYWORD, None),
    ],
    "WeightNorm": [("x", POSITIONAL, REQUIRED)],
    "LoRA": [("x", POSITIONAL, REQUIRED)],
}
CALLS["SpectralNorm"] = CALLS["BatchNorm"]
CALLS["RNN"] = [("xs", POSITIONAL, REQUIRED), ("hidden", POSITIONAL, None), ("length", KEYWORD, None)]
CALLS["GRU"] = CALLS["LSTM"] = [*CALLS["RNN"], ("inference", KEYWORD, None), ("deterministic", KEYWORD, None)]
CALLS["FeedForward"] = CALLS["GatedFeedForward"] = [*CALLS["Linear"], *CALLS["GRU"][-2:]]
CALLS["TransformerEncoderLayer"] = [
    ("x", POSITIONAL, REQUIRED),
    ("mask", POSITIONAL, None),
    ("cache", KEYWORD, None),
    *CALLS["GRU"][-2:],
]
CALLS["TransformerDecoderLayer"] = [
    ("x", POSITIONAL, REQUIRED),
    ("memory", POSITIONAL, REQUIRED),
    ("mask", POSITIONAL, None),
    ("memory_mask", POSITIONAL, None),
    *CALLS["TransformerEncoderLayer"][2:],
]
CALLS["StackedLayers"] = [("x", POSITIONAL, REQUIRED), ("state", POSITIONAL, sentinel)]
CALLS["LayerNorm"] = CALLS["RMSNorm"] = CALLS["GroupNorm"] = CALLS["InstanceNorm"] = CALLS["Sequential"] = [
    ("x", POSITIONAL, REQUIRED),
    ("state", POSITIONAL, sentinel),
]
CALLS.update({name: CALLS["Linear"] for name in CONSTRUCTORS if name.startswith("Conv") or "Pool" in name})

for name in ["DepthwiseConv", "SeparableConv", "DenseGeneral", "Einsum", "Upsample", "Flatten", "Reshape"]:
    CALLS[name] = CALLS["Linear"]
CALLS["PixelShuffle"] = CALLS["PixelUnshuffle"] = CALLS["Linear"]
CALLS["Bilinear"] = [("x1", POSITIONAL, REQUIRED), ("x2", POSITIONAL, REQUIRED)]
CALLS["CausalConv1d"] = [("x", POSITIONAL, REQUIRED), ("buffer", POSITIONAL, None)]
CALLS["EmbeddingBag"] = [("x", POSITIONAL, REQUIRED), ("mask", POSITIONAL, None)]
CALLS["Residual"] = CALLS["Parallel"] = CALLS["Sequential"]

# The fields: children of the PyTree, and static ones.
FIELDS: dict[str, tuple[list[str], list[str]]] = {
    "Linear": (["weight", "bias"], ["in_features", "out_features", "use_bias"]),
    "Identity": ([], []),
    "Dropout": (["p", "inference"], ["broadcast_axes"]),
    "DropPath": (["p", "inference"], []),
    "PReLU": (["negative_slope"], []),
    "Lambda": (["fn"], []),
    "StatefulLayer": ([], []),
    "Sequential": (["layers"], ["names"]),
    "MLP": (
        ["layers", "activation", "final_activation"],
        ["use_bias", "use_final_bias", "in_size", "out_size", "width_size", "depth", "scan"],
    ),
    "GRUCell": (["weight_ih", "weight_hh", "bias", "bias_n"], ["input_size", "hidden_size", "use_bias"]),
    "LSTMCell": (["weight_ih", "weight_hh", "bias"], ["input_size", "hidden_size", "use_bias"]),
    "Embedding": (["weight"], ["num_embeddings", "embedding_size", "padding_idx"]),
    "RotaryPositionalEmbedding": (
        [],
        ["embedding_size", "theta", "dtype", "rotary_size", "interleaved", "scaling"],
    ),
    "SinusoidalPositionalEmbedding": ([], ["embedding_size", "max_period", "dtype", "interleaved"]),
    "LearnedPositionalEmbedding": (["weight"], ["num_positions", "embedding_size"]),
    "ALiBi": ([], ["num_heads", "dtype"]),
    "KVCache": (["keys", "values", "length"], []),
    **{name: ([], [p[0] for p in CONSTRUCTORS[name]]) for name in CONSTRUCTORS if name.endswith("Scaling")},
    "MultiheadAttention": (
        ["query_proj", "key_proj", "value_proj", "output_proj", "dropout"],
        [
            *("num_heads", "query_size", "key_size", "value_size", "output_size", "qk_size", "vo_size"),
            *("use_query_bias", "use_key_bias", "use_value_bias", "use_output_bias", "num_kv_heads"),
        ],
    ),
    "LayerNorm": (["weight", "bias"], ["shape", "eps", "use_weight", "use_bias"]),
    "RMSNorm": (["weight", "bias"], ["shape", "eps", "use_weight", "use_bias"]),
    "GroupNorm": (["weight", "bias"], ["groups", "channels", "eps", "channelwise_affine"]),
    "InstanceNorm": (["weight", "bias"], ["groups", "channels", "eps", "channelwise_affine"]),
    "BatchNorm": (
        [
            *("weight", "bias", "ema_first_time_index", "ema_state_index", "batch_counter", "batch_state_index"),
            *("axis_name", "inference"),
        ],
        ["input_size", "eps", "channelwise_affine", "momentum", "mode"],
    ),
    "SpectralNorm": (["layer", "uv_index", "inference"], ["weight_name", "num_power_iterations", "eps"]),
    "WeightNorm": (["layer", "g"], ["weight_name", "axis"]),
    "LoRA": (["layer", "a", "b"], ["rank", "alpha", "weight_name"]),
    "Policy": ([], ["param", "compute", "output"]),
    "MixedPrecision": (["layer", "policy"], []),
    "DynamicLossScale": (["scale", "good_steps"], ["period"]),
    "ExponentialMovingAverage": (["_progress"], ["decay", "debias", "warmup"]),
    "Shared": (["pytree", "where", "get"], []),
    "RNN": (["cell"], ["reverse", "unroll", "return_carry"]),
    **dict.fromkeys(
        ["GRU", "LSTM"],
        (["layers", "dropout"], ["input_size", "hidden_size", "num_layers", "bidirectional", "use_bias"]),
    ),
    "FeedForward": (["hidden", "output", "activation", "dropout"], ["size", "ff_size", "use_bias"]),
    "GatedFeedForward": (["gate", "hidden", "output", "activation", "dropout"], ["size", "ff_size", "use_bias"]),
    "TransformerEncoderLayer": (
        ["self_attention", "self_attention_norm", "feed_forward", "feed_forward_norm", "dropout", "rope"],
        ["size", "norm_first", "causal"],
    ),
    **dict.fromkeys(["StackedLayers", "Repeated"], (["layers"], ["n", "remat", "unroll"])),
    "StateIndex": (["init"], ["marker"]),
}
FIELDS["TransformerDecoderLayer"] = (
    [*FIELDS["TransformerEncoderLayer"][0], "cross_attention", "cross_attention_norm"],
    FIELDS["TransformerEncoderLayer"][1],
)
FIELDS["EmbeddingBag"] = (["weight"], [*FIELDS["Embedding"][1], "mode"])
FIELDS["Residual"] = (["layer"], [])
FIELDS["Parallel"] = (["layers", "merge"], [])
FIELDS["Flatten"] = ([], ["start_axis", "end_axis"])
FIELDS["Reshape"] = ([], ["shape"])
FIELDS["PixelShuffle"] = FIELDS["PixelUnshuffle"] = ([], ["factor"])
FIELDS["GlobalAvgPool"] = FIELDS["GlobalMaxPool"] = ([], ["keepdims"])
FIELDS["Upsample"] = ([], ["scale", "mode", "size", "align_corners"])
FIELDS["Bilinear"] = (["weight", "bias"], ["in1_features", "in2_features", "out_features", "use_bias"])
FIELDS["DenseGeneral"] = (["weight", "bias"], ["in_shape", "out_shape", "axes", "use_bias"])
FIELDS["Einsum"] = (["weight", "bias"], ["equation", "shape", "use_bias"])
FIELDS["SeparableConv"] = (["depthwise", "pointwise"], [])
for suffix in AXES:
    channels = ["num_spatial_dims", "in_channels", "out_channels"]
    options = ["dilation", "groups", "use_bias", "padding_mode"]
    FIELDS[f"Conv{suffix}"] = (["weight", "bias"], [*channels, "kernel_size", "stride", "padding", *options])
    FIELDS[f"ConvTranspose{suffix}"] = (
        ["weight", "bias"],
        [*channels, "kernel_size", "stride", "padding", "output_padding", *options],
    )
    pool = ["num_spatial_dims", "kernel_size", "stride", "padding", "use_ceil"]
    FIELDS[f"MaxPool{suffix}" if suffix else "Pool"] = (["init", "operation"], pool)
    if suffix:
        FIELDS[f"AvgPool{suffix}"] = (["init", "operation"], [*pool, "count_include_pad"])
    for name in ["AdaptiveAvgPool", "AdaptiveMaxPool"] if suffix else ["AdaptivePool"]:
        FIELDS[f"{name}{suffix}"] = (["operation"], ["target_shape", "overlap"])

FIELDS["CausalConv1d"] = FIELDS["DepthwiseConv"] = FIELDS["Conv"]

# The order of the fields where the static ones do not come after the others.
ORDERS: dict[str, list[str]] = {
    **{
        name: [*FIELDS[name][1], *FIELDS[name][0]]
        for name in ("LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm", "StateIndex")
    },
    "TransformerDecoderLayer": [
        *FIELDS["TransformerEncoderLayer"][0],
        *FIELDS["TransformerEncoderLayer"][1],
        "cross_attention",
        "cross_attention_norm",
    ],
    "Embedding": ["num_embeddings", "embedding_size", "weight", "padding_idx"],
    "EmbeddingBag": ["num_embeddings", "embedding_size", "weight", "padding_idx", "mode"],
    "SpectralNorm": ["layer", "weight_name", "uv_index", "num_power_iterations", "eps", "inference"],
    **{
        name: ["num_spatial_dims", "weight", "bias", *FIELDS[name][1][1:]]
        for name in FIELDS
        if "num_spatial_dims" in FIELDS[name][1] and "Pool" not in name
    },
    **{name: ["target_shape", "operation", "overlap"] for name in FIELDS if name.startswith("Adaptive")},
    "ExponentialMovingAverage": ["decay", "debias", "warmup", "_progress"],
}

# How to make each layer that has parameters, and the shapes of its input.
MAKERS: dict[str, Any] = {
    "Linear": lambda **kwargs: eqx.nn.Linear(3, 4, **kwargs),
    "Linear without bias": lambda **kwargs: eqx.nn.Linear(3, 4, use_bias=False, **kwargs),
    "GRUCell": lambda **kwargs: eqx.nn.GRUCell(3, 4, **kwargs),
    "LSTMCell": lambda **kwargs: eqx.nn.LSTMCell(3, 4, **kwargs),
    "MLP": lambda **kwargs: eqx.nn.MLP(3, 4, 5, 1, jnp.tanh, **kwargs),
    "MLP with scan": lambda **kwargs: eqx.nn.MLP(3, 4, 5, 3, jnp.tanh, scan=True, **kwargs),
    "MLP with PReLU": lambda **kwargs: eqx.nn.MLP(3, 4, 5, 1, eqx.nn.PReLU(), eqx.nn.PReLU(), **kwargs),
    "MLP for scalars": lambda **kwargs: eqx.nn.MLP("scalar", "scalar", 5, 1, jnp.tanh, **kwargs),
    "Conv2d": lambda **kwargs: eqx.nn.Conv2d(2, 4, (3, 2), (1, 2), "same", groups=2, padding_mode="circular", **kwargs),
    "SeparableConv": lambda **kwargs: eqx.nn.SeparableConv(1, 2, 4, 3, padding="same", **kwargs),
    "Bilinear": lambda **kwargs: eqx.nn.Bilinear(3, 4, 2, **kwargs),
    "ConvTranspose1d": lambda **kwargs: eqx.nn.ConvTranspose1d(4, 2, 3, 2, 1, 1, use_bias=False, **kwargs),
    "MultiheadAttention": lambda **kwargs: eqx.nn.MultiheadAttention(2, 4, 3, use_key_bias=True, **kwargs),
    "LSTM": lambda **kwargs: eqx.nn.LSTM(3, 2, 1, True, **kwargs),
}


def inputs_of(maker, dtype: Any = np.float32, batch: tuple[int, ...] = ()) -> Any:
    random = np.random.default_rng(0)

    def array(*shape):
        return jnp.asarray(random.normal(size=batch + shape), dtype)

    if maker == "MLP for scalars":
        return (array(),)
    if maker == "GRUCell":
        return array(3), array(4)
    if maker == "LSTMCell":
        return array(3), (array(4), array(4))
    if maker == "Conv2d":
        return (array(2, 3, 4),)
    if maker == "SeparableConv":
        return (array(2, 3),)
    if maker == "Bilinear":
        return array(3), array(4)
    if maker == "ConvTranspose1d":
        return (array(4, 3),)
    if maker == "MultiheadAttention":
        return array(5, 4), array(6, 3), array(6, 4)
    if maker == "LSTM":
        return array(4, 3), (array(2, 2), array(2, 2))
    return (array(3),)


all_makers = pytest.mark.parametrize("maker", MAKERS)
# The lengths of sequences are not fixed, and attention may need a key.
SEQUENCES = {"MultiheadAttention", "LSTM"}
makers_without_sequences = pytest.mark.parametrize("maker", [maker for maker in MAKERS if maker not in SEQUENCES])
key = jax.random.key(0)


def assert_close(a, b, **tolerance: Any):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def assert_identical(a, b):
    assert jax.tree.all(jax.tree.map(np.array_equal, a, b))


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors_have_the_documented_signatures(name):
    parameters = inspect.signature(getattr(eqx.nn, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in parameters] == CONSTRUCTORS[name]


@pytest.mark.parametrize("name", CALLS)
def test_calls_have_the_documented_signatures(name):
    _, *parameters = inspect.signature(getattr(eqx.nn, name).__call__).parameters.values()
    found = [(p.name, p.kind, p.default) for p in parameters]
    assert ("key", KEYWORD, None) in found
    assert [p for p in found if p[0] != "key"] == CALLS[name]


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_declared_in_the_documented_order(name):
    fields = dataclasses.fields(getattr(eqx.nn, name))
    children = [f.name for f in fields if not f.metadata.get("static")]
    static = [f.name for f in fields if f.metadata.get("static")]
    assert (children, static) == FIELDS[name]
    assert [f.name for f in fields] == ORDERS.get(name, children + static)


def test_the_tables_above_are_complete():
    classes = {name for name in dir(eqx.nn) if inspect.isclass(getattr(eqx.nn, name))}
    assert classes == {*FIELDS, "State"}
    assert classes == {*CONSTRUCTORS, "StatefulLayer"}


@all_makers
def test_the_key_is_required(maker):
    with pytest.raises(TypeError, match="key"):
        MAKERS[maker]()


@all_makers
def test_typed_and_raw_keys_give_the_same_parameters(maker):
    make = MAKERS[maker]
    assert_identical(make(key=jax.random.key(3)), make(key=jax.random.PRNGKey(3)))


@makers_without_sequences
@pytest.mark.parametrize("key", [None, jax.random.key(0), "anything"])
def test_calls_ignore_the_key(maker, key):
    layer = MAKERS[maker](key=jax.random.key(1))
    inputs = inputs_of(maker)
    assert_identical(layer(*inputs, key=key), layer(*inputs))


def dtypes_of(layer):
    """Of all parameters, except for slopes that were given as Python numbers."""
    arrays: list[Any] = [leaf for leaf in jax.tree.leaves(layer) if eqx.is_array(leaf)]
    return {array.dtype for array in arrays if not array.weak_type}


REAL_DTYPES = ["bfloat16", "float16"]


@pytest.mark.parametrize(
    ("maker", "dtype"),
    [
        *((maker, dtype) for maker in MAKERS for dtype in REAL_DTYPES),
        *((maker, "complex64") for maker in MAKERS if "PReLU" not in maker and "Attention" not in maker),
    ],
)
def test_parameters_results_and_strict_promotion_for_every_dtype(maker, dtype):
    layer = MAKERS[maker](dtype=dtype, key=key)
    assert dtypes_of(layer) == {jnp.dtype(dtype)}
    inputs = inputs_of(maker, dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        strict = layer(*inputs)
    assert {x.dtype for x in jax.tree.leaves(strict)} == {jnp.dtype(dtype)}
    assert_identical(strict, layer(*inputs))


@all_makers
def test_mixed_dtypes_promote_and_are_an_error_where_promotion_is_strict(maker):
    layer = MAKERS[maker](dtype="bfloat16", key=key)
    inputs = inputs_of(maker, np.float32)
    assert {x.dtype for x in jax.tree.leaves(layer(*inputs))} == {jnp.dtype("float32")}
    with jax.numpy_dtype_promotion("strict"), pytest.raises(ValueError, match="dtype promotion"):
        layer(*inputs)


@all_makers
@pytest.mark.parametrize("dtype", ["int32", bool, np.uint8])
def test_a_dtype_that_cannot_hold_parameters_is_an_error(maker, dtype):
    with pytest.raises(ValueError, match=f"`dtype`.*{np.dtype(dtype)}"):
        MAKERS[maker](dtype=dtype, key=key)


@all_makers
def test_numpy_arrays_are_accepted(maker):
    layer = MAKERS[maker](key=key)
    inputs = inputs_of(maker)
    out = layer(*jax.tree.map(np.asarray, inputs))
    assert_identical(out, layer(*inputs))
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves(out))
    numpy_layer = jax.tree.map(lambda x: np.asarray(x) if eqx.is_array(x) else x, layer)
    numpy_out = numpy_layer(*jax.tree.map(np.asarray, inputs))
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves(numpy_out))
    assert_close(numpy_out, out, rtol=1e-6)


@all_makers
def test_construction_can_be_compiled(maker):
    layer = MAKERS[maker](key=key)
    compiled = eqx.filter_jit(lambda key: MAKERS[maker](key=key))(key)
    assert_identical(eqx.filter(compiled, eqx.is_array), eqx.filter(layer, eqx.is_array))


@all_makers
def test_an_ensemble_is_made_by_vmap_over_the_keys(maker):
    rest = eqx.filter(MAKERS[maker](key=key), eqx.is_array, inverse=True)

    def arrays(key):
        return eqx.filter(MAKERS[maker](key=key), eqx.is_array)

    keys = jax.random.split(key, 3)
    inputs = inputs_of(maker)
    outs = jax.vmap(lambda member: eqx.combine(member, rest)(*inputs))(jax.vmap(arrays)(keys))
    for i in range(3):
        assert_close(jax.tree.map(lambda x, i=i: x[i], outs), MAKERS[maker](key=keys[i])(*inputs), rtol=1e-5, atol=1e-6)


@makers_without_sequences
def test_everything_traceable_can_be_traced(maker):
    # This is the filter that also traces Python numbers.
    layer = MAKERS[maker](key=key)
    inputs = inputs_of(maker)
    compiled = eqx.jitf(lambda layer, inputs: layer(*inputs), filter_fn=eqx.is_array_like)
    assert_close(compiled(layer, inputs), layer(*inputs), rtol=1e-5, atol=1e-6)


@makers_without_sequences
def test_a_wrong_shape_is_an_error_that_says_what_was_expected(maker):
    layer = MAKERS[maker](key=key)
    inputs = inputs_of(maker)
    name = next(iter(inspect.signature(layer).parameters))
    shape = inputs[0].shape
    for wrong in [(10, *shape), (*shape, 1), (7,)]:
        with pytest.raises(ValueError, match=f"`{name}`.*`{type(layer).__name__}`") as info:
            layer(jnp.ones(wrong), *inputs[1:])
        assert {"Conv2d": "(2, any, any)", "ConvTranspose1d": "(4, any)", "SeparableConv": "(2, any)"}.get(
            maker, str(shape)
        ) in str(info.value)
        assert str(wrong) in str(info.value)
        assert ("jax.vmap" in str(info.value)) == (len(wrong) > len(shape))


def test_importing_the_library_uses_no_device():
    # An import that started a backend would fail to find this one.
    environment = {**os.environ, "JAX_PLATFORMS": "nowhere"}
    subprocess.run([sys.executable, "-c", "import equinox.nn"], env=environment, check=True)
