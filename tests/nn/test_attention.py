"""Attention with several heads."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox.nn._attention import dot_product_attention, dot_product_attention_weights
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


# --- the parts --------------------------------------------------------------------------------------------------------


def test_the_parts_have_the_documented_signatures():
    weights = inspect.signature(dot_product_attention_weights).parameters
    assert list(weights) == ["query", "key", "mask"]
    whole = inspect.signature(dot_product_attention).parameters
    assert list(whole) == ["query", "key_", "value", "mask", "dropout", "key", "inference"]
    assert {name for name, p in whole.items() if p.kind is p.KEYWORD_ONLY} == {"key", "inference"}


def test_a_single_head_is_attention_by_itself():
    query, key_, value = normal(3, 2), normal(4, 2), normal(4, 5)
    mask = jnp.asarray(random.random((3, 4)) < 0.7)
    weights = dot_product_attention_weights(query, key_, mask)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert jnp.array_equal(dot_product_attention(query, key_, value, mask), weights @ value)
    dropout = eqx.nn.Dropout(0.5)
    dropped = dot_product_attention(query, key_, value, mask, dropout, key=key)
    np.testing.assert_allclose(dropped, dropout(weights, key=key) @ value, rtol=1e-6)
    kept = dot_product_attention(query, key_, value, mask, dropout, inference=True)
    assert jnp.array_equal(kept, weights @ value)
    with pytest.raises(ValueError, match=r"`mask` must have shape \(3, 4\), found shape \(3,\)"):
        dot_product_attention_weights(query, key_, mask[:, 0])
