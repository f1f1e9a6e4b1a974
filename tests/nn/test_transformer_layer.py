"""What encoder and decoder layers have in common: self-attention, a feed-forward network, norms, dropout, a cache."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
x = jax.random.normal(key, (5, 8))
memory = jax.random.normal(jax.random.key(1), (3, 8))
LAYERS: dict[str, Any] = {"encoder": eqx.nn.TransformerEncoderLayer, "decoder": eqx.nn.TransformerDecoderLayer}
RECORDED = {kind: cases(f"transformer_{kind}_layer") for kind in LAYERS}
ACTIVATIONS = {"relu": jax.nn.relu, "gelu": functools.partial(jax.nn.gelu, approximate=False)}
both = pytest.mark.parametrize("kind", LAYERS)


def inputs_of(kind):
    return (x,) if kind == "encoder" else (x, memory)


@eqx.filter_jit
def call(layer, inputs, mask=None, **kwargs):
    return layer(*inputs, mask, **kwargs)


def from_torch(kind, torch, case):
    """The layer with PyTorch's parameters."""
    norm_first, activation, bias = case.split("-")[:3]
    options = {"norm_first": norm_first == "True", "use_bias": bias == "True", "dtype": torch["x"].dtype}
    layer: Any = LAYERS[kind](4, 2, 6, activation=ACTIVATIONS[activation], causal=False, **options, key=key)
    names = {"feed_forward.hidden": "linear1", "feed_forward.output": "linear2", "self_attention_norm": "norm1"}
    names |= {"feed_forward_norm": "norm2" if kind == "encoder" else "norm3"}
    attentions = {"self_attention": "self_attn"}
    if kind == "decoder":
        names["cross_attention_norm"] = "norm2"
        attentions["cross_attention"] = "multihead_attn"
    parameters = {}
    for ours, theirs in names.items():
        parameters |= {f"{ours}.{part}": torch.get(f"{theirs}_{part}") for part in ("weight", "bias")}
    for ours, theirs in attentions.items():
        for part in "weight", "bias":
            together = torch.get(f"{theirs}_in_proj_{part}")
            split = [None] * 3 if together is None else np.split(together, 3)
            for name, value in zip(("query", "key", "value"), split, strict=True):
                parameters[f"{ours}.{name}_proj.{part}"] = value
            parameters[f"{ours}.output_proj.{part}"] = torch.get(f"{theirs}_out_proj_{part}")
    for path, value in parameters.items():
        if value is not None:
            layer = eqx.tree_at(lambda m, path=path: functools.reduce(getattr, path.split("."), m), layer, value)
        else:
            assert functools.reduce(getattr, path.split("."), layer) is None
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if eqx.is_array(leaf) else leaf, layer)


@pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind in LAYERS for case in RECORDED[kind]])
def test_it_computes_what_pytorch_does(kind, case):
    torch = RECORDED[kind][case]
    with jax.enable_x64(torch["x"].dtype == np.float64):
        layer = from_torch(kind, torch, case)
        inputs = tuple(jnp.asarray(torch[name]) for name in ("x", "memory") if name in torch)
        masks = tuple(~torch[name] for name in ("x_mask", "memory_mask") if name in torch)

        @jax.jit
        def outputs(inputs, masks):
            return {"y": layer(*inputs), "y_causal": layer(*inputs, "causal"), "y_masked": layer(*inputs, *masks)}

        for name, found in outputs(inputs, masks).items():
            assert found.dtype == torch[name].dtype
            np.testing.assert_allclose(found, torch[name], **tolerance(torch[name]))


@both
def test_a_causal_layer_masks_what_comes_later_by_itself(kind):
    inputs = inputs_of(kind)
    layer = LAYERS[kind](8, 2, causal=True, key=key)
    free = LAYERS[kind](8, 2, causal=False, key=key)
    expected = call(free, inputs, "causal")
    np.testing.assert_allclose(call(layer, inputs), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(call(layer, inputs, "causal"), expected, rtol=1e-5, atol=1e-6)
    mask = jnp.arange(5) != 1
    mask = jnp.broadcast_to(mask, (5, 5)) | jnp.eye(5, dtype=bool)
    combined = call(free, inputs, mask & jnp.tril(jnp.ones((5, 5), bool)))
    np.testing.assert_allclose(call(layer, inputs, mask), combined, rtol=1e-5, atol=1e-6)
    assert not jnp.allclose(combined, expected, atol=1e-3)


@both
@pytest.mark.parametrize(
    "options",
    [{}, {"rope": True, "num_kv_heads": 1, "norm": "rms", "gated": True, "use_bias": False, "norm_first": False}],
    ids=["plain", "all options"],
)
def test_with_a_cache_a_sequence_may_come_in_parts(kind, options):
    layer = LAYERS[kind](8, 2, causal=True, **options, key=key)
    rest = inputs_of(kind)[1:]
    whole = call(layer, inputs_of(kind))
    cache = layer.init_cache(max_len=6)
    assert cache.keys.shape == (6, options.get("num_kv_heads", 2), 4)
    first, cache = call(layer, (x[:3], *rest), cache=cache)
    outs = [first]
    for i in 3, 4:
        out, cache = call(layer, (x[i : i + 1], *rest), cache=cache)
        outs.append(out)
    assert cache.length == 5
    np.testing.assert_allclose(jnp.concatenate(outs), whole, rtol=1e-4, atol=1e-5)


@both
def test_a_cache_needs_a_causal_layer(kind):
    layer = LAYERS[kind](8, 2, causal=False, key=key)
    with pytest.raises(ValueError, match=rf"`cache` of `{LAYERS[kind].__name__}`.*`causal=True`"):
        layer(*inputs_of(kind), cache=layer.init_cache(5))


def test_rotary_embeddings_are_those_of_self_attention():
    rope = eqx.nn.RotaryPositionalEmbedding(4, theta=100.0)
    layer = eqx.nn.TransformerEncoderLayer(8, 2, rope=rope, key=key)
    assert layer.rope == rope
    y = jax.vmap(layer.self_attention_norm)(x)
    rotate = jax.vmap(rope, in_axes=1, out_axes=1)
    attended = layer.self_attention(y, y, y, process_heads=lambda q, k, v: (rotate(q), rotate(k), v))
    z = x + attended
    expected = z + jax.vmap(layer.feed_forward)(jax.vmap(layer.feed_forward_norm)(z))
    np.testing.assert_allclose(call(layer, (x,)), expected, rtol=1e-5, atol=1e-6)
    assert eqx.nn.TransformerEncoderLayer(8, 2, key=key).rope is None
    default = eqx.nn.TransformerEncoderLayer(8, 2, rope=True, key=key).rope
    assert default == eqx.nn.RotaryPositionalEmbedding(4)


@both
def test_without_dropout_no_key_is_needed_and_with_it_one_is(kind):
    inputs = inputs_of(kind)
    layer = LAYERS[kind](8, 2, dropout=0.5, key=key)
    expected = call(LAYERS[kind](8, 2, key=key), inputs)
    for spelling in "inference", "deterministic":
        np.testing.assert_allclose(call(layer, inputs, **{spelling: True}), expected, rtol=1e-5)
        stored = LAYERS[kind](8, 2, dropout=0.5, **{spelling: True}, key=key)
        np.testing.assert_allclose(call(stored, inputs), expected, rtol=1e-5)
    np.testing.assert_allclose(call(eqx.nn.inference_mode(layer), inputs), expected, rtol=1e-5)
    with pytest.raises(RuntimeError, match="key"):
        layer(*inputs)
    with pytest.raises(ValueError, match="`inference=True` and `deterministic=False`"):
        layer(*inputs, inference=True, deterministic=False)


def dropped(layer, inputs, part):
    """The layer's output if only one of its dropouts is at work."""
    only = eqx.tree_at(
        lambda m: [d.p for d in dropouts(m)], layer, [0.5 if d is part else 0.0 for d in dropouts(layer)]
    )
    return call(only, inputs, key=key)


def dropouts(layer):
    crossing = [layer.cross_attention.dropout] if hasattr(layer, "cross_attention") else []
    return [layer.self_attention.dropout, *crossing, layer.feed_forward.dropout, layer.dropout]


@both
def test_weights_of_attention_hidden_neurons_and_what_is_added_drop_out(kind):
    inputs = inputs_of(kind)
    layer = LAYERS[kind](8, 2, dropout=0.5, key=key)
    without = call(layer, inputs, inference=True)
    assert all(dropout.p == 0.5 for dropout in dropouts(layer))
    outs = [dropped(layer, inputs, part) for part in dropouts(layer)]
    for i, out in enumerate(outs):
        assert not any(jnp.allclose(out, other) for other in [without, *outs[:i]])


def test_elements_drop_out_independently_of_each_other():
    layer = eqx.nn.TransformerEncoderLayer(8, 2, dropout=0.5, key=key)
    same = jnp.ones((5, 8))
    for part in (layer.feed_forward.dropout, layer.dropout):
        out = dropped(layer, (same,), part)
        assert len({tuple(row) for row in np.asarray(out).tolist()}) == 5


@both
def test_rms_norms_have_no_bias_and_other_norms_may_have_none(kind):
    for options in {"norm": "rms"}, {"bias": False}, {"use_bias": False}:
        layer = LAYERS[kind](8, 2, **options, key=key)
        norm = eqx.nn.RMSNorm if "norm" in options else eqx.nn.LayerNorm
        assert type(layer.self_attention_norm) is type(layer.feed_forward_norm) is norm
        assert layer.self_attention_norm.bias is layer.feed_forward_norm.bias is None
        assert layer.self_attention.use_query_bias == layer.feed_forward.use_bias == ("norm" in options)


@both
def test_initialisers_are_those_of_all_linear_layers(kind):
    def twos(key, shape, dtype):
        return jnp.full(shape, 2, dtype)

    layer = LAYERS[kind](8, 2, weight_init=twos, bias_init=twos, key=key)
    linears = [*jax.tree.leaves(layer, is_leaf=lambda node: isinstance(node, eqx.nn.Linear))]
    linears = [node for node in linears if isinstance(node, eqx.nn.Linear)]
    assert len(linears) == (6 if kind == "encoder" else 10)
    assert all(jnp.all(leaf == 2) for leaf in jax.tree.leaves(linears))


@both
def test_mistakes_are_errors_that_name_the_argument(kind):
    make, name = LAYERS[kind], LAYERS[kind].__name__
    with pytest.raises(ValueError, match=r"`num_heads` must divide .*`size`"):
        make(8, 3, key=key)
    with pytest.raises(ValueError, match="`num_heads`"):
        make(8, 0, key=key)
    with pytest.raises(ValueError, match="`num_kv_heads`"):
        make(8, 4, num_kv_heads=3, key=key)
    with pytest.raises(ValueError, match=r"`norm` must be \"layer\" or \"rms\""):
        make(8, 2, norm="batch", key=key)
    with pytest.raises(ValueError, match=r"`rope` must be for vectors of the size of a head, 4, found .* 6"):
        make(8, 2, rope=eqx.nn.RotaryPositionalEmbedding(6), key=key)
    with pytest.raises(ValueError, match="`ff_size`"):
        make(8, 2, -1, key=key)
    layer = make(8, 2, key=key)
    with pytest.raises(ValueError, match=rf"`x` of `{name}` must have shape \(any, 8\).*jax\.vmap"):
        layer(*(jnp.stack([array] * 2) for array in inputs_of(kind)))


@both
def test_a_stack_of_layers_is_compiled_as_one(kind):
    # Each is called with the whole memory, and its own part of the caches.
    stack = eqx.nn.StackedLayers(lambda key: LAYERS[kind](8, 2, causal=True, rope=True, key=key), 3, key=key)
    rest = inputs_of(kind)[1:]
    caches = eqx.filter_vmap(lambda: stack[0].init_cache(5), axis_size=3)()

    @eqx.filter_jit
    def run(stack, x, caches):
        return stack.scan(lambda layer, x, cache: layer(x, *rest, cache=cache), x, caches)

    found, caches = run(stack, x, caches)
    expected = x
    for layer in stack:
        expected = call(layer, (expected, *rest))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert caches.length.tolist() == [5, 5, 5]


@both
@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_all_is_of_one_dtype_where_promotion_is_strict(kind, norm):
    layer = LAYERS[kind](8, 2, rope=True, norm=norm, dtype="bfloat16", dropout=0.5, key=key)
    assert {leaf.dtype for leaf in jax.tree.leaves(eqx.filter(layer, eqx.is_array))} == {jnp.dtype("bfloat16")}
    halves = [array.astype("bfloat16") for array in inputs_of(kind)]
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert jax.eval_shape(lambda *halves: layer(*halves, key=key), *halves).dtype == "bfloat16"
    assert jax.eval_shape(lambda *inputs: layer(*inputs, key=key), *inputs_of(kind)).dtype == "float32"


def test_derivatives_agree_with_finite_differences():
    kind = "decoder"  # which has all that an encoder has
    with jax.enable_x64(True):
        layer = LAYERS[kind](4, 2, 3, activation=jnp.tanh, rope=True, key=key)
        arrays, rest = eqx.partition(layer, eqx.is_array)
        inputs = tuple(array[:3, :4].astype("float64") for array in inputs_of(kind))
        leaves, treedef = jax.tree.flatten((arrays, inputs))
        directions = [
            jax.random.normal(part, leaf.shape, "float64")
            for part, leaf in zip(jax.random.split(key, len(leaves)), leaves, strict=True)
        ]

        @jax.jit
        def along(t):
            moved = [leaf + t * direction for leaf, direction in zip(leaves, directions, strict=True)]
            arrays, inputs = treedef.unflatten(moved)
            return jnp.sum(jnp.sin(eqx.combine(arrays, rest)(*inputs)))

        step = 1e-6
        differences = (along(step) - along(-step)) / (2 * step)
        np.testing.assert_allclose(jax.jit(jax.grad(along))(0.0), differences, rtol=1e-6)
        _, tangent = jax.jit(lambda t: jax.jvp(along, (t,), (1.0,)))(0.0)
        np.testing.assert_allclose(tangent, differences, rtol=1e-6)
