"""Every layer goes through every transformation: one small instance of each."""

import functools
import inspect
import io
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox import nn

key = jax.random.key(0)


def call(layer, *inputs):
    return layer(*inputs)


def call_with_key(layer, *inputs):
    return layer(*inputs, key=key)


class Case(NamedTuple):
    """How to make a model of one kind of layer, from a `dtype` and a `key`, and how to call it."""

    make: Callable[..., Any]
    #: The shapes of the inputs, which are floating-point numbers.
    inputs: tuple[tuple[int, ...], ...]
    #: How many numbers the model learns.
    parameters: int = 0
    call: Callable[..., Any] = call


def without_parameters(make, *inputs, call=call):
    return Case(lambda dtype=None, key=None, **options: make(**options), inputs, call=call)


def of_dtype(make, *inputs):
    return Case(lambda key=None, **options: make(**options), inputs)


def linear(size, **kwargs):
    return nn.Linear(size, size, **kwargs)


def linears(**kwargs):
    return [linear(2, **kwargs), linear(2, **kwargs)]


def second_weight(layers):
    return layers[1].weight


def first_weight(layers):
    return layers[0].weight


def call_batch_norm(model, x):
    layer, state = model
    out, _ = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)
    return out


def call_spectral_norm(model, x):
    layer, state = model
    out, _ = layer(x, state)
    return out


def make_spectral_norm(dtype=None, *, key, **options):
    # In training, the gradient leaves out that the vectors follow the weight.
    options = options or {"inference": True}
    return nn.make_with_state(nn.SpectralNorm)(linear(3, dtype=dtype, key=key), "weight", key=key, **options)


def make_policy(dtype=None):
    dtype = jnp.result_type(float) if dtype is None else dtype
    return nn.Policy(dtype, dtype, dtype)


def make_cache(**kwargs):
    attention = nn.MultiheadAttention(2, 4, **kwargs)
    return attention, attention.init_cache(5)


def call_with_cache(model, x):
    attention, cache = model
    return attention(x, x, x, mask="causal", cache=cache)


CASES: dict[str, Case] = {
    "Linear": Case(functools.partial(nn.Linear, 3, 2), ((3,),), 8),
    "Identity": without_parameters(nn.Identity, (3,)),
    "Lambda": without_parameters(lambda: nn.Lambda(jnp.tanh), (3,)),
    "PReLU": Case(lambda dtype=None, key=None: nn.PReLU(jnp.full(3, 0.25, dtype)), ((3,),), 3),
    "Dropout": without_parameters(nn.Dropout, (8,), call=call_with_key),
    "DropPath": without_parameters(nn.DropPath, (8,), call=call_with_key),
    "MLP": Case(functools.partial(nn.MLP, 2, 3, 4, 2, jnp.tanh), ((2,),), 12 + 20 + 15),
    "Embedding": Case(functools.partial(nn.Embedding, 4, 3), (), 12, lambda layer: layer(2)),
    "EmbeddingBag": Case(functools.partial(nn.EmbeddingBag, 4, 3), (), 12, lambda layer: layer(np.array([0, 2, 2]))),
    "GRUCell": Case(functools.partial(nn.GRUCell, 3, 2), ((3,), (2,)), 6 * 3 + 6 * 2 + 6 + 2),
    "LSTMCell": Case(
        functools.partial(nn.LSTMCell, 3, 2),
        ((3,), (2,), (2,)),
        8 * 3 + 8 * 2 + 8,
        lambda layer, x, h, c: layer(x, (h, c)),
    ),
    "RNN": Case(lambda **kwargs: nn.RNN(nn.GRUCell(3, 2, **kwargs), reverse=True), ((4, 3),), 38),
    "GRU": Case(functools.partial(nn.GRU, 3, 2, 1), ((4, 3),), 38),
    "LSTM": Case(
        functools.partial(nn.LSTM, 3, 2, 2, True, 0.5), ((4, 3),), 2 * 48 + 2 * (8 * 4 + 8 * 2 + 8), call_with_key
    ),
    "Conv": Case(functools.partial(nn.Conv, 1, 2, 4, 3, groups=2), ((2, 5),), 4 * 3 + 4),
    "Conv1d": Case(functools.partial(nn.Conv1d, 2, 3, 2, 2), ((2, 5),), 12 + 3),
    "Conv2d": Case(functools.partial(nn.Conv2d, 1, 2, 2, padding="same"), ((1, 3, 4),), 8 + 2),
    "Conv3d": Case(functools.partial(nn.Conv3d, 1, 2, 2), ((1, 2, 3, 2),), 16 + 2),
    "ConvTranspose": Case(functools.partial(nn.ConvTranspose, 1, 2, 4, 3, groups=2), ((2, 3),), 4 * 3 + 4),
    "ConvTranspose1d": Case(functools.partial(nn.ConvTranspose1d, 2, 3, 2, 2), ((2, 3),), 12 + 3),
    "ConvTranspose2d": Case(functools.partial(nn.ConvTranspose2d, 1, 2, 2), ((1, 3, 2),), 8 + 2),
    "ConvTranspose3d": Case(functools.partial(nn.ConvTranspose3d, 1, 2, 2), ((1, 2, 2, 2),), 16 + 2),
    "CausalConv1d": Case(functools.partial(nn.CausalConv1d, 2, 3, 2), ((2, 5),), 12 + 3),
    "DepthwiseConv": Case(functools.partial(nn.DepthwiseConv, 1, 2, 3, 2), ((2, 5),), 4 * 3 + 4),
    "SeparableConv": Case(functools.partial(nn.SeparableConv, 1, 2, 3, 2), ((2, 5),), 2 * 2 + 3 * 2 + 3),
    "Pool": without_parameters(lambda: nn.Pool(0.0, jax.lax.add, 1, 2), (2, 4)),
    "AdaptivePool": without_parameters(lambda: nn.AdaptivePool(2, 1, jnp.mean), (2, 5)),
    "GlobalAvgPool": without_parameters(nn.GlobalAvgPool, (2, 3)),
    "GlobalMaxPool": without_parameters(nn.GlobalMaxPool, (2, 3)),
    "LayerNorm": of_dtype(functools.partial(nn.LayerNorm, 4), (4,))._replace(parameters=8),
    "RMSNorm": of_dtype(functools.partial(nn.RMSNorm, 4), (4,))._replace(parameters=8),
    "GroupNorm": of_dtype(functools.partial(nn.GroupNorm, 2, 4), (4, 3))._replace(parameters=8),
    "InstanceNorm": of_dtype(functools.partial(nn.InstanceNorm, 2, channelwise_affine=True), (2, 3))._replace(
        parameters=4
    ),
    "BatchNorm": Case(
        lambda key=None, **options: nn.make_with_state(nn.BatchNorm)(2, "batch", mode="batch", **options),
        ((4, 2, 3),),
        4 + 4,  # those of the state are floating-point numbers too
        call_batch_norm,
    ),
    "SpectralNorm": Case(make_spectral_norm, ((3,),), 12 + 6, call_spectral_norm),
    "WeightNorm": Case(lambda **kwargs: nn.WeightNorm(linear(3, **kwargs)), ((3,),), 12 + 3),
    "LoRA": Case(lambda **kwargs: nn.LoRA(linear(3, **kwargs), 2, key=kwargs["key"]), ((3,),), 12 + 12),
    "MixedPrecision": Case(
        lambda dtype=None, *, key: nn.MixedPrecision(linear(3, key=key), make_policy(dtype)), ((3,),), 12
    ),
    "MultiheadAttention": Case(
        functools.partial(nn.MultiheadAttention, 2, 4, dropout_p=0.5, num_kv_heads=1),
        ((3, 4), (2, 4), (2, 4)),
        16 + 8 + 8 + 16,
        call_with_key,
    ),
    "KVCache": Case(make_cache, ((3, 4),), 4 * 16 + 2 * 5 * 4, call_with_cache),
    "RotaryPositionalEmbedding": of_dtype(functools.partial(nn.RotaryPositionalEmbedding, 4), (3, 4)),
    "SinusoidalPositionalEmbedding": of_dtype(functools.partial(nn.SinusoidalPositionalEmbedding, 4), ()),
    "LearnedPositionalEmbedding": Case(
        functools.partial(nn.LearnedPositionalEmbedding, 4, 2), (), 8, lambda layer: layer(3)
    ),
    "ALiBi": of_dtype(functools.partial(nn.ALiBi, 2), (3,)),
    "Sequential": Case(
        lambda **kwargs: nn.Sequential([linear(2, **kwargs), nn.Dropout(), linear(2, **kwargs)]),
        ((2,),),
        12,
        call_with_key,
    ),
    "Residual": Case(lambda **kwargs: nn.Residual(linear(2, **kwargs)), ((2,),), 6),
    "Parallel": Case(lambda **kwargs: nn.Parallel(linears(**kwargs)), ((2,),), 12),
    "StackedLayers": Case(
        lambda dtype=None, *, key: nn.StackedLayers(lambda key: linear(2, dtype=dtype, key=key), 3, key=key),
        ((2,),),
        18,
    ),
    "Shared": Case(
        lambda **kwargs: nn.Shared(linears(**kwargs), second_weight, first_weight),
        ((2,),),
        8,
        lambda shared, x: [layer(x) for layer in shared()],
    ),
    "FeedForward": Case(functools.partial(nn.FeedForward, 2, 3, 0.5, jnp.tanh), ((2,),), 9 + 8, call_with_key),
    "GatedFeedForward": Case(functools.partial(nn.GatedFeedForward, 2, 3), ((2,),), 2 * 9 + 8),
    "TransformerEncoderLayer": Case(
        functools.partial(nn.TransformerEncoderLayer, 4, 2, 3, 0.5, jnp.tanh, rope=True),
        ((3, 4),),
        4 * 20 + 2 * 8 + 15 + 16,
        call_with_key,
    ),
    "TransformerDecoderLayer": Case(
        functools.partial(nn.TransformerDecoderLayer, 4, 2, 3, 0.0, jnp.tanh, norm="rms"),
        ((3, 4), (2, 4)),
        2 * 4 * 20 + 3 * 4 + 15 + 16,
    ),
    "Upsample": without_parameters(lambda: nn.Upsample(2, "linear"), (2, 3)),
    "PixelShuffle": without_parameters(lambda: nn.PixelShuffle(2), (4, 2, 3)),
    "PixelUnshuffle": without_parameters(lambda: nn.PixelUnshuffle(2), (1, 4, 6)),
    "Flatten": without_parameters(nn.Flatten, (2, 3)),
    "Reshape": without_parameters(lambda: nn.Reshape((3, -1)), (2, 3)),
    "Bilinear": Case(functools.partial(nn.Bilinear, 3, 4, 2), ((3,), (4,)), 24 + 2),
    "DenseGeneral": Case(functools.partial(nn.DenseGeneral, 3, (2, 2)), ((2, 3),), 12 + 4),
    "Einsum": Case(functools.partial(nn.Einsum, "ti,hoi->hto", (4, 2, 3)), ((2, 3),), 24 + 8),
}
for axes in 1, 2, 3:
    shape = (1, 4, 3, 3)[: axes + 1]
    for name in "MaxPool", "AvgPool":
        CASES[f"{name}{axes}d"] = without_parameters(functools.partial(getattr(nn, f"{name}{axes}d"), 2), shape)
    for name in "AdaptiveMaxPool", "AdaptiveAvgPool":
        CASES[f"{name}{axes}d"] = without_parameters(functools.partial(getattr(nn, f"{name}{axes}d"), 2), shape)

every_layer = pytest.mark.parametrize("name", CASES)

#: What is no layer: it is not called, or only as a part of one.
OTHERS = {
    *("State", "StateIndex", "StatefulLayer", "Policy", "DynamicLossScale", "ExponentialMovingAverage"),
    *("LinearScaling", "NTKScaling", "Llama3Scaling", "YaRNScaling"),
    "Repeated",  # is `StackedLayers`
}


def test_there_is_an_instance_of_every_layer():
    assert {name for name in dir(nn) if inspect.isclass(getattr(nn, name))} == {*CASES, *OTHERS}


def inputs_of(name, dtype):
    random = np.random.default_rng(0)
    return tuple(jnp.asarray(random.normal(size=shape), dtype) for shape in CASES[name].inputs)


@functools.cache
def model_of(name):
    return CASES[name].make(key=key)


def is_state(node):
    return isinstance(node, nn.State)


def numbers_in(tree) -> list[Any]:
    """All floating-point arrays, except for weakly typed ones, which were Python numbers."""
    leaves: list[Any] = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    return [x for x in leaves if jnp.issubdtype(x.dtype, jnp.inexact) and not getattr(x, "weak_type", False)]


def assert_close(a, b, **tolerance: Any):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


@every_layer
def test_compiled_it_computes_the_same_and_nothing_is_promoted(name):
    inputs = inputs_of(name, "float32")
    call = CASES[name].call
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        # A call may make its state stale, so it gets a copy.
        out = call(jax.tree.map(lambda leaf: leaf, model_of(name)), *inputs)
        compiled = eqx.filter_jit(call)(model_of(name), *inputs)
    assert_close(compiled, out, rtol=1e-5, atol=1e-6)


@every_layer
def test_shapes_and_dtypes_are_known_without_numbers_alone_and_in_an_ensemble(name):
    make, call = CASES[name].make, CASES[name].call

    def traced(dtype, model_dtype=None):
        model = eqx.filter_eval_shape(make, dtype=model_dtype, key=key)
        inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape in CASES[name].inputs]
        return model, eqx.filter_eval_shape(call, model, *inputs)

    model, out = traced("float32")
    for x, y in zip(numbers_in(model), numbers_in(model_of(name)), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
    assert {x.dtype.name for x in numbers_in((model, out))} == {"float32"}
    keys = jax.random.split(key, 2)
    ensemble = eqx.filter_eval_shape(eqx.filter_vmap(lambda key: make(key=key)), keys)
    inputs = [jax.ShapeDtypeStruct(shape, "float32") for shape in CASES[name].inputs]
    in_axes = (eqx.if_array(0), *[None] * len(inputs))
    outs = eqx.filter_eval_shape(eqx.filter_vmap(call, in_axes=in_axes, axis_size=2), ensemble, *inputs)
    for one, both in (model, ensemble), (out, outs):
        assert [(2, *x.shape) for x in numbers_in(one)] == [x.shape for x in numbers_in(both)]

    with jax.enable_x64(True):
        model, out = traced("float64")
        assert {x.dtype.name for x in numbers_in((model, out))} == {"float64"}
    for dtype in "bfloat16", "float16":
        with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
            model, out = traced(dtype, dtype)
        assert {x.dtype.name for x in numbers_in((model, out))} == {dtype}


@every_layer
def test_derivatives_and_batches_agree_with_the_values_next_to_it(name):
    make, call = CASES[name].make, CASES[name].call
    step = 1e-6

    def waves(tree, phase):
        return jax.tree.map(lambda x: np.cos(phase + np.arange(x.size)).reshape(x.shape).astype(x.dtype), tree)

    def filled(leaf):
        return waves(jnp.zeros(leaf.shape, leaf.dtype), 0.5) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf

    def dot(a, b):
        return sum(jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))

    @jax.jit
    def check(inputs):
        # Random numbers would take longer to compile than most layers.
        model = jax.tree.map(filled, eqx.filter_eval_shape(make, key=key))
        # Neither states nor weights that are adapted are differentiated.
        is_trained = nn.lora_filter(model) if name == "LoRA" else eqx.is_inexact_array
        parameters, rest = eqx.partition(model, is_trained, is_leaf=is_state)

        def outputs(parameters, inputs):
            return numbers_in(call(eqx.combine(parameters, rest, is_leaf=is_state), *inputs))

        point = (parameters, inputs)
        direction = waves(point, 1)

        def along(distance):
            return outputs(*jax.tree.map(lambda x, d: x + distance * d, point, direction))

        out, tangent = jax.jvp(outputs, point, direction)
        cotangent = waves(out, 2)
        gradient = jax.vjp(outputs, *point)[1](cotangent)
        batch = jax.vmap(along)(jnp.array([-step, 0.0, step]))
        difference = jax.tree.map(lambda x: (x[2] - x[0]) / (2 * step), batch)
        middle = jax.tree.map(lambda x: x[1], batch)
        return (tangent, middle, dot(gradient, direction)), (difference, out, dot(cotangent, tangent))

    with jax.enable_x64(True):
        assert_close(*check(inputs_of(name, "float64")), rtol=1e-6, atol=1e-7)


@every_layer
def test_it_can_be_saved_loaded_and_counted(name):
    model = model_of(name)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, model)
    file.seek(0)
    like = eqx.filter_eval_shape(CASES[name].make, key=jax.random.key(1))
    loaded = eqx.tree_deserialise_leaves(file, like)
    assert eqx.tree_equal(loaded, model)
    summary = eqx.tree_summary(model)
    assert summary.parameters == nn.count_params(model) == CASES[name].parameters
    layer = model[0] if isinstance(model, tuple) else model
    assert type(layer).__name__ in str(summary)


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (nn.Dropout(), "Dropout(p=0.5, inference=False)"),
        (nn.Dropout(broadcast_axes=[1]), "Dropout(p=0.5, inference=False, broadcast_axes=(1,))"),
        (nn.AdaptiveAvgPool1d(2), "AdaptiveAvgPool1d(target_shape=(2,), operation=<function mean>)"),
    ],
)
def test_further_options_are_shown_only_where_they_are_used(layer, shown):
    assert repr(layer) == shown


PAIRS = [{"bias", "use_bias"}, {"deterministic", "inference"}]


@pytest.mark.parametrize(
    ("name", "pair"),
    [(name, pair) for name in CASES for pair in PAIRS if pair & {*inspect.signature(getattr(nn, name)).parameters}],
)
def test_an_option_may_be_given_by_either_of_its_names(name, pair):
    parameters = inspect.signature(getattr(nn, name)).parameters
    (alias,) = {spelling for spelling in pair if parameters[spelling].default is None}
    (canonical,) = pair - {alias}
    assert parameters[alias].kind is inspect.Parameter.KEYWORD_ONLY

    def made(**options):
        return eqx.filter_eval_shape(lambda key: CASES[name].make(key=key, **options), key)

    for value in True, False:
        expected = made(**{canonical: value})
        for options in {alias: value}, {alias: value, canonical: not value}, {alias: None, canonical: value}:
            assert eqx.tree_equal(made(**options), expected)
    assert not eqx.tree_equal(made(**{canonical: True}), made(**{canonical: False}))


@pytest.mark.parametrize(
    "name", [name for name in CASES if "deterministic" in inspect.signature(getattr(nn, name).__call__).parameters]
)
def test_a_call_may_say_by_either_name_whether_it_is_inference(name):
    model, inputs = model_of(name), inputs_of(name, "float32")
    layer, *state = model if isinstance(model, tuple) else (model,)
    if name == "BatchNorm":  # the instance is called with a batch
        inputs = tuple(x[0] for x in inputs)

    def program(**options):
        return str(jax.make_jaxpr(lambda inputs: layer(*inputs, *state, **options))(inputs))

    assert program(inference=True) == program(deterministic=True) == program(inference=True, deterministic=True)
    with pytest.raises(ValueError, match=r"`inference=True`|`deterministic=False`"):
        program(inference=True, deterministic=False)


# An identity has no operations, and nothing calls a cache or what ties parameters.
@pytest.mark.parametrize("name", [name for name in CASES if name not in {"Identity", "KVCache", "Shared"}])
def test_its_operations_are_named_in_the_program(name):
    def whole(inputs):
        return CASES[name].call(jax.tree.map(lambda leaf: leaf, model_of(name)), *inputs)

    text = jax.jit(whole).lower(inputs_of(name, "float32")).as_text(debug_info=True)
    assert f"eqx.nn.{name}" in text


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].call is call_with_key])
def test_where_numbers_are_random_a_key_is_needed_except_for_inference(name):
    model, inputs = model_of(name), inputs_of(name, "float32")
    with pytest.raises(RuntimeError, match="key"):
        jax.eval_shape(model, *inputs)
    with_key = eqx.filter_eval_shape(call_with_key, model, *inputs)
    assert jax.eval_shape(nn.inference_mode(model), *inputs) == with_key


def test_what_is_no_layer_can_be_saved_and_loaded_too():
    average = nn.ExponentialMovingAverage(0.9).init(linear(2, key=key))
    model = (average, nn.DynamicLossScale(16.0), nn.Policy(), nn.State(nn.StateIndex(jnp.ones(2))))
    like = jax.tree.map(jnp.zeros_like, model)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, model)
    file.seek(0)
    assert eqx.tree_equal(eqx.tree_deserialise_leaves(file, like), model)
