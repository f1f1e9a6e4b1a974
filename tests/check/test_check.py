"""Building and calling models without computing anything."""

import jax
import jax.numpy as jnp
import pytest
from jax import Array

import equinox as eqx
from equinox.check import UsageError, check

SAVED = eqx.nn.Linear(3, 2, key=jax.random.key(0))


class Attention(eqx.Module):
    query_proj: eqx.nn.Linear
    key_proj: eqx.nn.Linear
    value_proj: eqx.nn.Linear
    output_proj: eqx.nn.Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, groups: int, *, query_size: int | None = None, key: Array):
        size = width // heads
        keys = jax.random.split(key, 4)
        self.query_proj = linear(query_size or width, heads * size, keys[0])
        self.key_proj = linear(width, groups * size, keys[1])
        self.value_proj = linear(width, groups * size, keys[2])
        self.output_proj = linear(heads * size, width, keys[3])
        self.heads = heads

    def __call__(self, x: Array) -> Array:
        query = jax.vmap(self.query_proj)(x).reshape(len(x), self.heads, -1)
        key = jax.vmap(self.key_proj)(x).reshape(len(x), -1, query.shape[-1])
        value = jax.vmap(self.value_proj)(x).reshape(key.shape)
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return jax.vmap(self.output_proj)(mixed.reshape(len(x), -1))


class Block(eqx.Module):
    attention: Attention
    gate: eqx.nn.Linear
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, width: int, heads: int, groups: int, hidden: int, *, query_size: int | None = None, key: Array):
        keys = jax.random.split(key, 4)
        self.attention = Attention(width, heads, groups, query_size=query_size, key=keys[0])
        self.gate = linear(width, hidden, keys[1])
        self.up = linear(width, hidden, keys[2])
        self.down = linear(hidden, width, keys[3])

    def __call__(self, x: Array) -> Array:
        x = x + self.attention(x)
        return x + jax.vmap(self.down)(jax.nn.silu(jax.vmap(self.gate)(x)) * jax.vmap(self.up)(x))


class Transformer(eqx.Module):
    embedding: Array
    layers: list[Block]
    unembedding: eqx.nn.Linear

    def __init__(
        self,
        vocabulary: int = 128_256,
        width: int = 8_192,
        heads: int = 64,
        groups: int = 8,
        hidden: int = 28_672,
        depth: int = 80,
        wrong_layer: int | None = None,
        *,
        key: Array,
    ):
        first, last, *keys = jax.random.split(key, depth + 2)
        self.embedding = jax.random.normal(first, (vocabulary, width), jnp.bfloat16)
        self.layers = [
            Block(width, heads, groups, hidden, query_size=width + 1 if i == wrong_layer else None, key=keys[i])
            for i in range(depth)
        ]
        self.unembedding = linear(width, vocabulary, last)

    def __call__(self, tokens: Array) -> Array:
        x = self.embedding[tokens]
        for layer in self.layers:
            x = layer(x)
        return jax.vmap(self.unembedding)(x)


def linear(in_size, out_size, key):
    return eqx.nn.Linear(in_size, out_size, bias=False, dtype=jnp.bfloat16, key=key)


def test_a_model_of_70_billion_parameters_is_built_and_called_without_a_single_array():
    before = len(jax.live_arrays())
    result = check(Transformer, init="key=key", calls=["i32[seq]"], dims={"seq": 4096})
    assert result.ok
    of_attention = 2 * 8_192 * 8_192 + 2 * 8_192 * 1_024
    of_block = of_attention + 3 * 8_192 * 28_672
    parameters = 2 * 128_256 * 8_192 + 80 * of_block
    assert parameters > 70e9
    assert (result.parameters, result.bytes) == (parameters, 2 * parameters)
    assert isinstance(result.model, Transformer)
    assert result.model.layers[79].up.weight == jax.ShapeDtypeStruct((28_672, 8_192), jnp.bfloat16)
    assert result.calls[0].output == jax.ShapeDtypeStruct((4_096, 128_256), jnp.bfloat16)
    assert len(jax.live_arrays()) == before


def test_a_wrong_shape_deep_inside_a_model_is_found_with_its_path():
    init = "64, 64, 8, 2, 128, depth=4, wrong_layer=3, key=key"
    failure = check(Transformer, init=init, calls=["i32[10]"]).calls[0].failure
    assert failure is not None
    assert failure.path == ".layers[3].attention.query_proj"
    assert failure.modules == ("Transformer", "Block", "Attention", "Linear")
    assert "(65,)" in failure.message
    assert "(64,)" in failure.message


@eqx.filter_jit
def train(model, optimiser_state, tokens):
    @eqx.filter_value_and_grad
    def loss(model):
        return jnp.mean(model(tokens).astype(jnp.float32))

    value, gradient = loss(model)
    return value, gradient, optimiser_state + 1


def make_transformer(key, depth):
    return Transformer(64, 64, 8, 2, 128, depth, key=key)


def test_a_step_is_called_with_models_that_its_arguments_build():
    result = check(train, calls=["make_transformer(key, depth=2), i32[], i32[10]"])
    assert result.ok
    assert (result.model, result.parameters, result.bytes) == (None, None, None)
    value, gradient, state = result.calls[0].output
    assert value == jax.ShapeDtypeStruct((), jnp.float32)
    assert gradient.layers[1].down.weight == jax.ShapeDtypeStruct((64, 128), jnp.bfloat16)
    assert state == jax.ShapeDtypeStruct((), jnp.int32)


def test_a_function_that_makes_a_model_is_as_good_as_its_class():
    result = check(make_transformer, init="key, 1", calls=["i32[10]"])
    assert result.ok
    assert isinstance(result.model, Transformer)


def test_a_model_that_exists_is_called_as_it_is():
    result = check(SAVED, calls=["f32[3]", "f32[4]"])
    assert [call.ok for call in result.calls] == [True, False]
    assert not result.ok
    assert (result.parameters, result.bytes) == (8, 32)
    assert result.model.weight == jax.ShapeDtypeStruct((2, 3), jnp.float32)


def test_a_model_that_exists_can_be_counted_without_a_call():
    assert check(SAVED).ok
    assert check(SAVED).calls == ()


class Mixed(eqx.Module):
    real: Array
    integer: Array
    key: Array
    number: float = 3.0


def test_parameters_are_the_inexact_numbers_and_bytes_are_those_of_all_arrays():
    result = check(Mixed, init="f16[4,5], i8[6], keys[2]")
    assert result.parameters == 20
    assert result.bytes == 40 + 6 + 2 * jax.random.key(0).dtype.itemsize


def test_targets_may_be_given_by_address():
    result = check("equinox.nn:MLP", init="4, 2, 8, 1, key=key", calls=["f32[4]"])
    assert result.ok
    assert result.target == "equinox.nn:MLP"


def half_precision(x):
    return x * jnp.ones(3, jnp.bfloat16)


def test_arrays_of_different_dtypes_may_be_combined_unless_dtypes_are_strict():
    assert check(half_precision, calls=["f32[3]"]).ok
    result = check(half_precision, calls=["f32[3]", "bf16[3]", "3.0"], strict_dtypes=True)
    assert [call.ok for call in result.calls] == [False, True, True]
    failure = result.calls[0].failure
    assert failure is not None
    assert failure.error == "TypePromotionError"
    assert "float32" in failure.message
    assert "bfloat16" in failure.message


def test_nothing_global_is_changed():
    values = dict(jax.config.values)
    check(half_precision, calls=["f32[3]"], strict_dtypes=True)
    assert jax.config.values == values
    assert jnp.ones(3) * jnp.ones(3, jnp.bfloat16) is not None


def test_an_error_while_building_is_a_failure_of_the_target_and_nothing_is_called():
    result = check(eqx.nn.MLP, init="4, 2, -8, 1, key=key", calls=["f32[4]"])
    assert result.failure is not None
    assert result.failure.phase == "build"
    assert "`width_size`" in result.failure.message
    assert (result.calls, result.model, result.ok) == ((), None, False)


def test_an_error_in_what_arguments_call_is_a_failure_of_theirs():
    result = check(SAVED, calls=["jnp.zeros(2) + jnp.zeros(3)", "f32[3]"])
    failure = result.calls[0].failure
    assert failure is not None
    assert failure.phase == "arguments"
    assert result.calls[1].ok


@pytest.mark.parametrize(
    ("source", "error"),
    [("1 +", "SyntaxError"), ("import nowhere_else", "ModuleNotFoundError"), ("raise SystemExit(0)", "SystemExit")],
)
def test_an_error_while_importing_is_a_failure_to_load(write_module, source, error):
    write_module("unloadable", source)
    result = check("unloadable:Model", init="")
    assert result.failure is not None
    assert (result.failure.phase, result.failure.error) == ("load", error)


def test_wrong_arguments_are_a_failure_of_the_call():
    failure = check(SAVED, calls=["f32[3], f32[3]"]).calls[0].failure
    assert failure is not None
    assert (failure.phase, failure.error, failure.path) == ("call", "TypeError", None)


def test_a_model_that_cannot_be_called_is_a_failure_of_the_call():
    failure = check(Mixed, init="f32[1], i32[1], key", calls=["f32[3]"]).calls[0].failure
    assert failure is not None
    assert "not callable" in failure.message


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (eqx.nn.MLP, {"calls": ["f32[4]"]}, r"`equinox.nn._mlp:MLP` is a class.*`init`"),
        (half_precision, {}, "is a function: say how to call it"),
        (eqx.filter_jit(half_precision), {}, "is a function: say how to call it"),
        ("jax:__version__", {"calls": ["f32[4]"]}, r"`jax:__version__` is neither a class, a function nor a model"),
        (SAVED, {"calls": ["f32[batch]"]}, "`batch`"),
    ],
)
def test_what_cannot_be_meant_is_an_error_of_usage(target, options, message):
    with pytest.raises(UsageError, match=message):
        check(target, **options)
