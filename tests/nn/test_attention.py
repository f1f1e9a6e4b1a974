"""Attention with several heads."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn._attention import dot_product_attention, dot_product_attention_weights  # where others look for them
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("multihead_attention")
random = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(random.normal(size=shape), "float32")


def from_torch(torch, heads):
    """The layer with PyTorch's parameters, which it stacks, except for weights if the sizes of the inputs differ."""
    sizes = [torch[name].shape[1] for name in ("query", "key", "value")]
    size = sizes[0]
    biases = dict.fromkeys(
        [f"use_{name}_bias" for name in ("query", "key", "value", "output")], "in_proj_bias" in torch
    )
    attention: Any = eqx.nn.MultiheadAttention(
        heads, *sizes, qk_size=size // heads, vo_size=size // heads, **biases, dtype=torch["query"].dtype, key=key
    )
    if "in_proj_weight" in torch:
        weights = np.split(torch["in_proj_weight"], 3)
    else:
        weights = [torch[f"{name}_proj_weight"] for name in "qkv"]
    parameters = [*weights, torch["out_proj_weight"]]
    if "in_proj_bias" in torch:
        parameters += [*np.split(torch["in_proj_bias"], 3), torch["out_proj_bias"]]

    def parameters_of(attention):
        projections = [attention.query_proj, attention.key_proj, attention.value_proj, attention.output_proj]
        return [p.weight for p in projections] + [p.bias for p in projections if p.bias is not None]

    return eqx.tree_at(parameters_of, attention, [jnp.asarray(parameter) for parameter in parameters])


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    heads = int(case.partition("-")[0])
    with jax.enable_x64(torch["query"].dtype == np.float64):
        mask = ~torch["attn_mask"] if "attn_mask" in torch else None
        y = from_torch(torch, heads)(torch["query"], torch["key"], torch["value"], mask)
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def attended(attention, query, key_, value, mask=None):
    """The definition, head by head, in double precision."""

    def project(layer, x):
        out = np.asarray(x, "float64") @ np.asarray(layer.weight, "float64").T
        return out if layer.bias is None else out + np.asarray(layer.bias, "float64")

    q, k = project(attention.query_proj, query), project(attention.key_proj, key_)
    v = project(attention.value_proj, value)
    heads = []
    for i in range(attention.num_heads):
        qk, vo = (slice(i * size, (i + 1) * size) for size in (attention.qk_size, attention.vo_size))
        logits = q[:, qk] @ k[:, qk].T / np.sqrt(attention.qk_size)
        if mask is not None:
            logits = np.where(mask if mask.ndim == 2 else mask[i], logits, -1e300)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ v[:, vo])
    return project(attention.output_proj, np.concatenate(heads, axis=1))


SIZES: dict[str, Any] = {"key_size": 3, "value_size": 5, "output_size": 2, "qk_size": 6, "vo_size": 7}
BIASES: dict[str, Any] = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
attention = eqx.nn.MultiheadAttention(3, 4, **SIZES, **BIASES, key=key)
inputs = normal(8, 4), normal(9, 3), normal(9, 5)


@pytest.mark.parametrize("mask", [None, random.random((8, 9)) < 0.5, random.random((3, 8, 9)) < 0.5])
def test_it_follows_the_definition_for_sizes_that_all_differ(mask):
    out = attention(*inputs, mask)
    assert out.shape == (8, 2)
    np.testing.assert_allclose(out, attended(attention, *inputs, mask), rtol=1e-5, atol=1e-6)


def test_each_projection_has_its_own_part_of_the_key():
    keys = jax.random.split(key, 4)
    expected = [(4, 18), (3, 18), (5, 21), (21, 2)]
    names = ["query_proj", "key_proj", "value_proj", "output_proj"]
    for name, part, (columns, rows) in zip(names, keys, expected, strict=True):
        assert eqx.tree_equal(getattr(attention, name), eqx.nn.Linear(columns, rows, key=part))
    for name in names:
        flag = {f"use_{name.removesuffix('_proj')}_bias": True}
        single = eqx.nn.MultiheadAttention(2, 4, **flag, key=key)
        assert [getattr(single, other).bias is not None for other in names] == [other == name for other in names]
        assert all(getattr(single, option) is (option in flag) for option in BIASES)


def test_sizes_follow_from_that_of_the_query():
    layer = eqx.nn.MultiheadAttention(2, 7, key=key)
    assert (layer.key_size, layer.value_size, layer.output_size) == (7, 7, 7)
    assert (layer.qk_size, layer.vo_size) == (3, 3)
    x = normal(3, 7)
    np.testing.assert_allclose(layer(x, x, x), attended(layer, x, x, x), rtol=1e-5, atol=1e-6)


def test_sizes_are_static_plain_integers_even_if_they_were_numpy_integers():
    sizes: list[Any] = [np.int64(2), np.int32(4), np.int8(3)]
    layer = eqx.nn.MultiheadAttention(*sizes, key=key)
    assert {type(size) for size in (layer.num_heads, layer.query_size, layer.key_size, layer.qk_size)} == {int}
    assert len(jax.tree.leaves(layer)) == 4 + 2


@pytest.mark.parametrize("name", ["num_heads", "query_size", *SIZES])
@pytest.mark.parametrize("size", [-1, 2.5])
def test_a_bad_size_is_an_error_that_names_it(name, size):
    sizes: Any = {"num_heads": 2, "query_size": 4, name: size}
    with pytest.raises(ValueError, match=f"`{name}`.*{size}"):
        eqx.nn.MultiheadAttention(**sizes, key=key)


def test_there_must_be_a_head():
    with pytest.raises(ValueError, match="`num_heads` must be at least 1"):
        eqx.nn.MultiheadAttention(0, 4, key=key)


def test_heads_may_have_no_size():
    x = normal(5, 2)
    assert jnp.array_equal(eqx.nn.MultiheadAttention(3, 2, key=key)(x, x, x), jnp.zeros((5, 2)))


# --- masks ------------------------------------------------------------------------------------------------------------


def test_a_query_sees_nothing_that_is_masked():
    query, key_, value = inputs
    mask = jnp.ones((8, 9), bool).at[:, 4].set(False)
    changed = attention(query, key_.at[4].set(100.0), value.at[4].set(-100.0), mask)
    assert jnp.array_equal(changed, attention(*inputs, mask))


def test_a_query_that_sees_nothing_sees_everything_equally():
    mask = jnp.ones((8, 9), bool).at[3].set(False)
    values = attention.value_proj.bias + inputs[2] @ attention.value_proj.weight.T
    expected = attention.output_proj(values.mean(axis=0))
    np.testing.assert_allclose(attention(*inputs, mask)[3], expected, rtol=1e-5, atol=1e-6)
    gradient = eqx.filter_grad(lambda layer: layer(*inputs, mask).sum())(attention)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_masked_row_is_finite_in_few_bits(dtype):
    x = normal(3, 4).astype(dtype)
    weights = dot_product_attention_weights(x, x, jnp.zeros((3, 3), bool))
    assert weights.dtype == dtype
    np.testing.assert_allclose(weights.astype("float32"), 1 / 3, rtol=1e-2)


def test_integers_other_than_zero_are_true():
    mask = random.integers(-1, 2, (8, 9))
    assert jnp.array_equal(attention(*inputs, jnp.asarray(mask)), attention(*inputs, jnp.asarray(mask != 0)))


@pytest.mark.parametrize("mask", [jnp.ones((8, 9)), np.zeros((3, 8, 9), "float64"), jnp.ones((8, 9), "bfloat16")])
def test_a_mask_of_floats_is_an_error_because_it_could_be_meant_to_be_added(mask):
    with pytest.raises(TypeError, match=r"`mask` must be boolean, .*mask == 0"):
        attention(*inputs, mask)
    with pytest.raises(TypeError, match="`mask` must be boolean"):
        dot_product_attention_weights(normal(8, 2), normal(9, 2), mask)


def test_a_mask_with_one_head_is_shared_by_all():
    mask = jnp.asarray(random.random((1, 8, 9)) < 0.5)
    assert jnp.array_equal(attention(*inputs, mask), attention(*inputs, mask[0]))


@pytest.mark.parametrize("shape", [(9,), (9, 8), (1, 9), (2, 8, 9), (1, 3, 8, 9), ()])
def test_a_mask_of_another_shape_is_an_error(shape):
    with pytest.raises(ValueError, match=r"`mask`.*\(8, 9\) or \(3, 8, 9\)") as info:
        attention(*inputs, jnp.ones(shape, bool))
    assert str(shape) in str(info.value)


# --- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "name", "size"), [(0, "query", 4), (1, "key_", 3), (2, "value", 5)])
def test_an_input_of_another_shape_is_an_error_that_names_it(index, name, size):
    for shape in [(size,), (9, size + 1), (2, 9, size)]:
        wrong = list(inputs)
        wrong[index] = jnp.ones(shape)
        expected = rf"`{name}` of `MultiheadAttention` must have shape \(any, {size}\)"
        with pytest.raises(ValueError, match=expected) as info:
            attention(*wrong)
        assert ("jax.vmap" in str(info.value)) == (len(shape) == 3)


def test_keys_and_values_have_to_be_equally_many():
    with pytest.raises(ValueError, match=r"`key_`.*`value` differ in length: 9 and 8"):
        attention(inputs[0], inputs[1], inputs[2][:8])


def test_without_keys_nothing_is_attended_to_and_without_queries_there_is_no_result():
    query, key_, value = inputs
    empty = attention(query, key_[:0], value[:0])
    np.testing.assert_allclose(empty, jnp.broadcast_to(attention.output_proj.bias, (8, 2)))
    assert jnp.array_equal(dot_product_attention(query, jnp.ones((0, 4)), jnp.ones((0, 2))), jnp.zeros((8, 2)))
    assert attention(query[:0], key_, value, jnp.ones((0, 9), bool)).shape == (0, 2)


def test_the_softmax_has_the_precision_of_float32():
    query, key_ = jnp.ones((1, 1), "bfloat16"), jnp.linspace(0, 1, 300)[:, None].astype("bfloat16")
    weights = dot_product_attention_weights(query, key_)
    expected = jax.nn.softmax(key_[:, 0].astype("float32"))
    assert weights.dtype == "bfloat16"
    assert jnp.array_equal(weights[0], expected.astype("bfloat16"))


def test_the_query_is_scaled_before_the_product():
    # Otherwise the product would overflow.
    query = key_ = jnp.full((1, 64), 60.0, "float16")
    text = str(jax.make_jaxpr(dot_product_attention_weights)(query, key_))
    assert text.index("div") < text.index("dot_general")
    assert jnp.array_equal(dot_product_attention_weights(query, key_), jnp.ones((1, 1)))


# --- heads ------------------------------------------------------------------------------------------------------------


def test_heads_can_be_processed_once_before_they_attend():
    calls = []

    def process(q, k, v):
        calls.append((q.shape, k.shape, v.shape))
        return 2 * q, k[::-1], v[::-1]

    out = attention(*inputs, process_heads=process)
    assert calls == [((8, 3, 6), (9, 3, 6), (9, 3, 7))]
    doubled = eqx.tree_at(
        lambda layer: [layer.query_proj.weight, layer.query_proj.bias], attention, replace_fn=lambda x: 2 * x
    )
    np.testing.assert_allclose(out, doubled(*inputs), rtol=1e-5, atol=1e-6)


def test_masks_apply_after_processing():
    mask = jnp.asarray(random.random((8, 9)) < 0.5)
    query, key_, value = inputs
    out = attention(*inputs, mask, process_heads=lambda q, k, v: (q, k[::-1], v[::-1]))
    np.testing.assert_allclose(out, attention(query, key_[::-1], value[::-1], mask), rtol=1e-5, atol=1e-6)


def test_with_rotations_only_distances_matter():
    layer = eqx.nn.MultiheadAttention(2, 8, key=key)
    rope = eqx.nn.RotaryPositionalEmbedding(4)
    x = normal(5, 8)

    def rotated_from(start):
        def rotate(q, k, v):
            turn = jax.vmap(lambda x: rope(x, positions=start + jnp.arange(5)), in_axes=1, out_axes=1)
            return turn(q), turn(k), v

        return layer(x, x, x, process_heads=rotate)

    np.testing.assert_allclose(rotated_from(0), rotated_from(1000), rtol=1e-4, atol=1e-5)
    assert not np.allclose(rotated_from(0), layer(x, x, x), rtol=1e-2)


@pytest.mark.parametrize(
    "process", [lambda q, k, v: (q[1:], k, v), lambda q, k, v: (q, k, v[..., :1]), lambda q, k, v: (q, k)]
)
def test_processing_must_keep_the_shapes(process):
    with pytest.raises(ValueError, match=r"`process_heads` must return .*\(8, 3, 6\), \(9, 3, 6\), \(9, 3, 7\)"):
        attention(*inputs, process_heads=process)


# --- dropout ----------------------------------------------------------------------------------------------------------

forgetful = eqx.nn.MultiheadAttention(3, 4, **SIZES, dropout_p=0.5, key=key)


def test_each_head_drops_weights_with_its_own_part_of_the_key():
    query, key_, value = (
        jax.vmap(projection)(x).reshape(len(x), 3, -1)
        for projection, x in zip((forgetful.query_proj, forgetful.key_proj, forgetful.value_proj), inputs, strict=True)
    )
    heads = []
    for i, part in enumerate(jax.random.split(jax.random.key(1), 3)):
        weights = dot_product_attention_weights(query[:, i], key_[:, i])
        weights = jnp.where(jax.random.bernoulli(part, 0.5, (8, 9)), weights / 0.5, 0)
        heads.append(weights @ value[:, i])
    expected = jax.vmap(forgetful.output_proj)(jnp.concatenate(heads, axis=1))
    np.testing.assert_allclose(forgetful(*inputs, key=jax.random.key(1)), expected, rtol=1e-4, atol=1e-6)


def test_a_key_is_needed_only_where_something_may_be_dropped():
    with pytest.raises(RuntimeError, match="key"):
        forgetful(*inputs)
    expected = attended(forgetful, *inputs)
    for out in (forgetful(*inputs, inference=True), forgetful(*inputs, deterministic=True, key=key)):
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["inference", "deterministic"])
def test_the_flag_is_that_of_the_dropout_by_either_name(name):
    layer = eqx.nn.MultiheadAttention(3, 4, **SIZES, dropout_p=0.5, **{name: True}, key=key)
    assert layer.dropout == eqx.nn.Dropout(0.5, inference=True)
    assert not hasattr(layer, name)
    assert layer(*inputs).shape == (8, 2)
    with pytest.raises(RuntimeError, match="key"):
        layer(*inputs, **{name: False})
    assert layer(*inputs, inference=True, deterministic=True).shape == (8, 2)
    with pytest.raises(ValueError, match=r"`inference=.*`deterministic="):
        layer(*inputs, inference=True, deterministic=False)


def test_where_the_flag_is_traced_a_key_is_enough():
    compiled = eqx.jitf(lambda layer, inputs, key: layer(*inputs, key=key), filter_fn=eqx.is_array_like)
    np.testing.assert_allclose(compiled(attention, inputs, key), attention(*inputs), rtol=1e-5, atol=1e-6)


# --- fewer heads of keys and values -----------------------------------------------------------------------------------


def test_heads_of_keys_and_values_may_be_fewer_and_are_shared_by_consecutive_heads():
    few = eqx.nn.MultiheadAttention(4, 4, **SIZES, **BIASES, num_kv_heads=2, key=key)
    assert few.num_kv_heads == 2
    assert few.key_proj.weight.shape == (2 * 6, 3)
    assert few.value_proj.weight.shape == (2 * 7, 5)
    many = eqx.nn.MultiheadAttention(4, 4, **SIZES, **BIASES, key=key)

    def repeated(parameter):
        return jnp.repeat(parameter.reshape(2, -1, *parameter.shape[1:]), 2, axis=0).reshape(-1, *parameter.shape[1:])

    def parameters(layer):
        return [getattr(projection, name) for projection in projections(layer)[1:3] for name in ("weight", "bias")]

    many = eqx.tree_at(projections, many, projections(few))
    many = eqx.tree_at(parameters, many, [repeated(parameter) for parameter in parameters(few)])
    mask = random.random((4, 8, 9)) < 0.5
    shapes = []

    def process(*heads):
        shapes.append([x.shape for x in heads])
        return heads

    out = eqx.filter_jit(few)(*inputs, mask, process_heads=process)
    assert shapes == [[(8, 4, 6), (9, 2, 6), (9, 2, 7)]]
    np.testing.assert_allclose(out, eqx.filter_jit(many)(*inputs, mask), rtol=1e-5, atol=1e-6)


def projections(layer):
    return [layer.query_proj, layer.key_proj, layer.value_proj, layer.output_proj]


@pytest.mark.parametrize("number", [0, 2, 4, 6])
def test_the_number_of_heads_of_keys_must_divide_that_of_queries(number):
    with pytest.raises(ValueError, match=rf"`num_kv_heads` must divide.*`num_heads`.*{number} and 3"):
        eqx.nn.MultiheadAttention(3, 6, num_kv_heads=number, key=key)


@pytest.mark.parametrize("number", [-1, 1.5])
def test_the_number_of_heads_of_keys_must_be_an_integer(number):
    with pytest.raises(ValueError, match=f"`num_kv_heads`.*{number}"):
        eqx.nn.MultiheadAttention(3, 6, num_kv_heads=number, key=key)


def test_initialisers_make_the_parameters_of_all_projections_from_the_same_keys():
    calls = []

    def init(key, shape, dtype):
        calls.append((shape, dtype))
        return jax.random.normal(key, shape, dtype)

    layer = eqx.nn.MultiheadAttention(2, 4, **BIASES, dtype="float16", weight_init=init, bias_init=jnp_ones, key=key)
    assert calls == [((4, 4), "float16")] * 4
    for projection, part in zip(projections(layer), jax.random.split(key, 4), strict=True):
        expected = eqx.nn.Linear(4, 4, dtype="float16", weight_init=init, bias_init=jnp_ones, key=part)
        assert eqx.tree_equal(projection, expected)


def jnp_ones(key, shape, dtype):
    return jnp.ones(shape, dtype)


# --- what is seen -----------------------------------------------------------------------------------------------------


def before(queries, keys, offset=0):
    """How many places each key is before each query."""
    return offset + np.arange(queries)[:, None] - np.arange(keys)[None]


def test_a_causal_query_sees_what_is_at_its_position_and_before_with_both_ends_aligned():
    expected = attention(*inputs, before(8, 9, 1) >= 0)
    np.testing.assert_allclose(attention(*inputs, "causal"), expected, rtol=1e-6)
    query, key_, value = inputs
    short = attention(query, key_[:5], value[:5], mask="causal")  # as many keys as queries, and then none
    np.testing.assert_allclose(short, attention(query, key_[:5], value[:5], before(8, 5) >= 0), rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 9), (1, 8, 9), (3, 8, 9)])
def test_causality_can_be_combined_with_a_mask_and_a_window(shape):
    mask = random.random(shape) < 0.7
    causal = before(8, 9, 1) >= 0
    out = attention(*inputs, ("causal", jnp.asarray(mask)))
    np.testing.assert_allclose(out, attention(*inputs, mask & causal), rtol=1e-6)
    near = (before(8, 9, 1) <= 2) & (before(8, 9, 1) >= -1)
    out = attention(*inputs, jnp.asarray(mask), window=(2, 1))
    np.testing.assert_allclose(out, attention(*inputs, mask & near), rtol=1e-6)
    out = attention(*inputs, ("causal", jnp.asarray(mask)), window=2)
    np.testing.assert_allclose(out, attention(*inputs, mask & near & causal), rtol=1e-6)


@pytest.mark.parametrize("mask", ["diagonal", ("causal",), (jnp.ones((8, 9), bool), "causal"), ("causal", 1, 2)])
def test_an_unknown_mask_is_an_error(mask):
    with pytest.raises(ValueError, match=r"`mask` must be an array, \"causal\", or the pair"):
        attention(*inputs, mask)


def test_a_bias_is_added_to_the_logits_whose_softmax_is_taken():
    bias = normal(3, 8, 9)
    mask = random.random((8, 9)) < 0.7
    # With a bias of 0 or so little that nothing is left it is a mask.
    as_bias = jnp.where(jnp.asarray(mask), 0, -1e9)
    np.testing.assert_allclose(attention(*inputs, bias=as_bias), attention(*inputs, mask), rtol=1e-5, atol=1e-6)
    out = attention(*inputs, mask, bias=bias)
    assert not np.allclose(out, attention(*inputs, mask), rtol=1e-2)
    np.testing.assert_allclose(out, attention(*inputs, bias=bias + as_bias), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["xla", None])
def test_an_implementation_of_jax_computes_the_same(name):
    layer = eqx.nn.MultiheadAttention(4, 8, num_kv_heads=2, dropout_p=0.5, key=key)
    x = normal(5, 8)
    mask = jnp.asarray(random.random((5, 5)) < 0.7)
    options: Any = {"mask": ("causal", mask), "bias": normal(4, 5, 5), "window": 3, "inference": True}
    compiled = eqx.filter_jit(layer)
    out = compiled(x, x, x, **options, implementation=name)
    np.testing.assert_allclose(out, compiled(x, x, x, **options), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"`implementation`.*dropout"):
        layer(x, x, x, implementation=name, key=key)
    with pytest.raises(ValueError, match=r"`implementation`.*6 and 7"):
        attention(*inputs, implementation=name)


# --- caches -----------------------------------------------------------------------------------------------------------

decoder = eqx.nn.MultiheadAttention(4, 8, key_size=5, vo_size=3, num_kv_heads=2, use_key_bias=True, key=key)
rope = eqx.nn.RotaryPositionalEmbedding(2)
alibi = eqx.nn.ALiBi(4)
decode = eqx.filter_jit(decoder)
text = normal(7, 8), normal(7, 5), normal(7, 8)


def rotated_from(offset):
    rotate = jax.vmap(lambda x: rope(x, offset=offset), in_axes=1, out_axes=1)
    return lambda q, k, v: (rotate(q), rotate(k), v)


def generated(cache, parts, **options):
    outs = []
    for query, key_, value in parts:
        process = rotated_from(cache.length)
        bias = alibi(cache.length + jnp.arange(len(query)), jnp.arange(cache.max_len))
        out, cache = decoder(query, key_, value, process_heads=process, bias=bias, cache=cache, **options)
        outs.append(out)
    return jnp.concatenate(outs), cache


@functools.cache
def expected(window=None):
    def whole(text):
        return decoder(*text, "causal", process_heads=rotated_from(0), bias=alibi(jnp.arange(7)), window=window)

    return jax.jit(whole)(text)


@pytest.mark.parametrize(("cuts", "window"), [([], None), ([3, 4], None), ([3, 4], 2)])
def test_with_a_cache_the_result_is_that_of_causal_attention_to_the_whole(cuts, window):
    parts = list(zip(*(jnp.split(x, cuts) for x in text), strict=True))
    out, cache = eqx.filter_jit(generated)(decoder.init_cache(9), parts, window=window)
    assert cache.length == 7
    np.testing.assert_allclose(out, expected(window), rtol=1e-4, atol=1e-6)


def test_a_cached_step_can_be_scanned():
    def step(cache, element):
        out, cache = generated(cache, [[x[None] for x in element]])
        return cache, out[0]

    cache, out = jax.jit(lambda cache, text: jax.lax.scan(step, cache, text))(decoder.init_cache(7), text)
    assert cache.length == 7
    np.testing.assert_allclose(out, expected(), rtol=1e-4, atol=1e-6)


def test_a_mask_for_a_cache_is_for_all_of_it_and_combined_with_causality():
    mask = random.random((7, 7)) < 0.7
    expected = decode(*text, ("causal", jnp.asarray(mask)))
    wide = jnp.zeros((7, 9), bool).at[:, :7].set(mask)
    for given in (wide, ("causal", wide), wide[None].repeat(4, axis=0)):
        out, _ = decode(*text, given, cache=decoder.init_cache(9))
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"`mask` must have shape \(7, 9\) or \(4, 7, 9\), found shape \(7, 7\)"):
        decoder(*text, wide[:, :7], cache=decoder.init_cache(9))


def test_queries_are_the_last_elements_where_a_cache_gets_more_keys():
    query, key_, value = text
    _, cache = decode(query[:2], key_[:2], value[:2], cache=decoder.init_cache(7))
    out, _ = decode(query[5:], key_[2:], value[2:], cache=cache)
    np.testing.assert_allclose(out, decode(*text, "causal")[5:], rtol=1e-5, atol=1e-6)


def test_a_cache_serves_an_implementation_of_jax_too():
    layer = eqx.nn.MultiheadAttention(4, 8, num_kv_heads=2, key=key)
    x = normal(5, 8)
    compiled = eqx.filter_jit(layer)
    _, cache = compiled(x[:2], x[:2], x[:2], cache=layer.init_cache(6), implementation="xla")
    out, _ = compiled(x[2:], x[2:], x[2:], cache=cache, implementation="xla")
    np.testing.assert_allclose(out, compiled(x, x, x, "causal")[2:], rtol=1e-5, atol=1e-6)


def test_what_does_not_fit_into_a_cache_is_an_error_or_nan_where_the_length_is_traced():
    _, cache = decode(*text, cache=decoder.init_cache(9))
    with pytest.raises(ValueError, match="space for 9 elements, found 7 and 7 more"):
        decoder(*text, cache=cache)
    for length in (8, 9):
        out, cache = decode(*(x[:1] for x in text), cache=cache)
        assert cache.length == length
        assert jnp.isfinite(out).all()
    for length in (10, 11):
        out, cache = decode(*(x[:1] for x in text), cache=cache)
        assert cache.length == length
        assert jnp.isnan(out).all()


def test_the_cache_has_the_dtype_of_the_weights_or_the_given_one():
    layer = eqx.nn.MultiheadAttention(2, 4, dtype="bfloat16", key=key)
    assert {leaf.dtype for leaf in jax.tree.leaves(layer.init_cache(3))} == {jnp.dtype("bfloat16"), jnp.dtype("int32")}
    exact, _ = decode(*text, cache=decoder.init_cache(7))
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        rounded, cache = decode(*text, cache=decoder.init_cache(7, "bfloat16"))
    assert cache.keys.dtype == cache.values.dtype == "bfloat16"
    assert rounded.dtype == "float32"
    np.testing.assert_allclose(rounded, exact, atol=0.02)
    with pytest.raises(ValueError, match=r"`dtype`.*int8"):
        decoder.init_cache(7, "int8")


@pytest.mark.parametrize("size", [-1, 1.5])
def test_the_size_of_a_cache_must_be_an_integer(size):
    with pytest.raises(ValueError, match=f"`max_len`.*{size}"):
        decoder.init_cache(size)


def test_the_cache_of_another_layer_is_an_error():
    other = eqx.nn.MultiheadAttention(4, 8, key_size=5, vo_size=3, key=key)
    with pytest.raises(ValueError, match=r"`keys`.*\(7, 4, 2\), found shape \(7, 2, 2\)"):
        decoder(*text, cache=other.init_cache(9))


def test_each_sequence_of_a_batch_has_its_own_length():
    caches = eqx.filter_vmap(lambda: decoder.init_cache(7), axis_size=2)()
    assert caches.length.shape == (2,)
    ends = jnp.array([2, 4])

    def call(cache, end):
        _, cache = decoder(*text, cache=cache)
        cache = eqx.tree_at(lambda cache: cache.length, cache, end)  # as if the rest had not come yet
        out, cache = decoder(*(x[end][None] for x in text), cache=cache)
        return out[0], cache.length

    out, lengths = jax.jit(jax.vmap(call))(caches, ends)
    assert lengths.tolist() == [3, 5]
    np.testing.assert_allclose(out, decode(*text, "causal")[ends], rtol=1e-5, atol=1e-6)
