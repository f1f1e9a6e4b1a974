"""Attention with several heads, without projections."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from equinox.nn import dot_product_attention
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("dot_product_attention")
random = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(random.normal(size=shape), "float32")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    heads = torch["query"], torch["key"], torch["value"]
    options = {name: jnp.asarray(torch[name]) for name in ("mask", "bias") if name in torch}
    if "scale" in torch:
        options["scale"] = float(torch["scale"])
    options["is_causal"] = "causal" in case or "end" in case

    @jax.jit
    def both(query, key_, value):
        plain = dot_product_attention(query, key_, value, **options)
        return plain, dot_product_attention(query, key_, value, **options, implementation="xla")

    with jax.enable_x64(torch["query"].dtype == np.float64):
        plain, fused = both(*heads)
        assert plain.dtype == fused.dtype == torch["y"].dtype
        np.testing.assert_allclose(plain, torch["y"], **tolerance(torch["y"]))
        np.testing.assert_allclose(fused, torch["y"], rtol=1e-5, atol=1e-5)  # it has float32 inside


def attended(query, key_, value, seen, bias=0.0, scale=None):
    """The definition, head by head, in double precision."""
    outs = []
    for i in range(query.shape[1]):
        j = i * key_.shape[1] // query.shape[1]
        q, k, v = (np.asarray(x, "float64") for x in (query[:, i], key_[:, j], value[:, j]))
        logits = q @ k.T * (1 / np.sqrt(q.shape[1]) if scale is None else scale)
        logits = logits + np.broadcast_to(bias, (query.shape[1], *logits.shape))[i]
        logits = np.where(np.broadcast_to(seen, (query.shape[1], *logits.shape))[i], logits, -1e300)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        outs.append(weights / weights.sum(axis=1, keepdims=True) @ v)
    return np.stack(outs, axis=1)


@pytest.mark.parametrize(("num_heads", "num_kv_heads"), [(4, 4), (4, 2), (3, 1)])
def test_it_follows_the_definition_for_sizes_that_all_differ(num_heads, num_kv_heads):
    query, key_, value = normal(5, num_heads, 2), normal(6, num_kv_heads, 2), normal(6, num_kv_heads, 7)
    options = {"mask": jnp.asarray(random.random((num_heads, 5, 6)) < 0.6), "bias": normal(num_heads, 5, 6)}
    out = jax.jit(dot_product_attention)(query, key_, value, **options, scale=0.7)
    assert out.shape == (5, num_heads, 7)
    expected = attended(query, key_, value, options["mask"], options["bias"], 0.7)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-6)


# Of each: what is asked for, and how many keys before and after itself a query therefore sees.
POSITIONS: list[Any] = [
    ({"is_causal": True}, (9, 0)),
    ({"window": 1}, (1, 1)),
    ({"window": (2, 0)}, (2, 0)),
    ({"is_causal": True, "window": (1, 2)}, (1, 0)),
    ({"is_causal": True, "window": 0}, (0, 0)),
]


@pytest.mark.parametrize("implementation", ["math", "xla"])
@pytest.mark.parametrize("keys", [5, 8, 3])
def test_positions_decide_what_is_seen_and_the_ends_are_aligned_if_there_are_more_keys(implementation, keys):
    query, key_, value = normal(5, 2, 2), normal(keys, 1, 2), normal(keys, 1, 2)
    mask = random.random((5, keys)) < 0.8

    @jax.jit
    def attend(mask):
        return [
            dot_product_attention(query, key_, value, mask=mask, implementation=implementation, **options)
            for options, _ in POSITIONS
        ]

    before = max(keys - 5, 0) + np.arange(5)[:, None] - np.arange(keys)[None]
    for out, (_, (left, right)) in zip(attend(mask), POSITIONS, strict=True):
        seen = (before <= left) & (before >= -right) & mask
        some = seen.any(axis=1)  # a query that sees nothing at all is another matter
        np.testing.assert_allclose(out[some], attended(query, key_, value, seen)[some], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("implementation", ["math", "xla"])
def test_a_query_that_sees_nothing_sees_everything_equally(implementation):
    query, key_, value = normal(2, 2, 3), normal(4, 2, 3), normal(4, 2, 3)
    mask = jnp.ones((2, 4), bool).at[0].set(False)
    attend = jax.jit(dot_product_attention, static_argnames="implementation")
    out = attend(query, key_, value, mask=mask, implementation=implementation)
    np.testing.assert_allclose(out[0], value.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_each_head_drops_weights_with_its_own_part_of_the_key():
    query, key_, value = normal(3, 4, 2), normal(5, 2, 2), jnp.eye(5)[:, None].repeat(2, axis=1)
    dropout = eqx.nn.Dropout(0.5)
    weights = dot_product_attention(query, key_, value)  # since the values are unit vectors
    dropped = dot_product_attention(query, key_, value, dropout=dropout, key=key)
    for i, part in enumerate(jax.random.split(key, 4)):
        np.testing.assert_allclose(dropped[:, i], dropout(weights[:, i], key=part), rtol=1e-5)
    with pytest.raises(RuntimeError, match="key"):
        dot_product_attention(query, key_, value, dropout=dropout)


def test_implementations_of_jax_have_no_dropout_unless_it_drops_nothing():
    x = normal(3, 2, 2)
    expected = dot_product_attention(x, x, x)
    for dropout, inference in [
        (eqx.nn.Dropout(0.0), None),
        (eqx.nn.Dropout(0.5), True),
        (eqx.nn.Dropout(1, True), None),
    ]:
        out = dot_product_attention(x, x, x, dropout=dropout, inference=inference, implementation="xla")
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
    for dropout, inference in [
        (eqx.nn.Dropout(0.5), None),
        (eqx.nn.Dropout(jnp.array(0.0)), None),
        (eqx.nn.Dropout(0.5, True), False),
    ]:
        with pytest.raises(ValueError, match=r"`implementation` is `'xla'`.*dropout"):
            dot_product_attention(x, x, x, dropout=dropout, inference=inference, key=key, implementation="xla")


def test_what_an_implementation_cannot_do_is_an_error():
    query, value = normal(3, 2, 2), normal(3, 2, 5)
    with pytest.raises(ValueError, match=r"`implementation` is `None`.*one size, found 2 and 5"):
        dot_product_attention(query, query, value, implementation=None)
    unknown: Any = "flash"
    with pytest.raises(ValueError, match=r"`implementation` must be .*'flash'"):
        dot_product_attention(query, query, query, implementation=unknown)
    if jax.default_backend() == "cpu":
        with pytest.raises(RuntimeError, match=r"(?i)cudnn"):
            dot_product_attention(query, query, query, implementation="cudnn")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 2), (3, 2, 2), (3, 2, 2)], r"`query` must have shape \(length, heads, size\), found shape \(3, 2\)"),
        ([(3, 2, 2), (1, 3, 2, 2), (3, 2, 2)], r"`key_` must .*\(1, 3, 2, 2\).*jax\.vmap"),
        ([(3, 2, 2), (3, 2, 2), (4, 2, 2)], r"`key_`.*`value` must agree .*\(3, 2\) and \(4, 2\)"),
        ([(3, 2, 2), (3, 2, 2), (3, 1, 2)], r"`key_`.*`value` must agree .*\(3, 2\) and \(3, 1\)"),
        ([(3, 2, 2), (3, 2, 4), (3, 2, 2)], r"`query`.*`key_` must .*same size, found 2 and 4"),
        ([(3, 4, 2), (3, 3, 2), (3, 3, 2)], r"heads of argument `key_` must divide .*`query`, found 3 and 4"),
        ([(3, 4, 2), (3, 0, 2), (3, 0, 2)], r"heads of argument `key_` must divide .*`query`, found 0 and 4"),
    ],
)
def test_arrays_of_other_shapes_are_an_error(shapes, message):
    with pytest.raises(ValueError, match=message):
        dot_product_attention(*(jnp.ones(shape) for shape in shapes))


@pytest.mark.parametrize("name", ["mask", "bias"])
@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 3, 4), (1, 4)])
def test_a_mask_or_bias_of_another_shape_is_an_error(name, shape):
    options: Any = {name: jnp.ones(shape, bool)}
    with pytest.raises(ValueError, match=rf"`{name}` must have shape \(3, 4\) or \(6, 3, 4\), found shape") as info:
        dot_product_attention(jnp.ones((3, 6, 2)), jnp.ones((4, 6, 2)), jnp.ones((4, 6, 2)), **options)
    assert str(shape) in str(info.value)


def test_a_mask_of_floats_is_an_error_because_it_could_be_meant_to_be_added():
    x = jnp.ones((3, 2, 2))
    with pytest.raises(TypeError, match=r"`mask` must be boolean, .*`bias`"):
        dot_product_attention(x, x, x, mask=jnp.ones((3, 3)))


@pytest.mark.parametrize("window", [-1, 1.5, (1, -2), (1, 2, 3), (), "causal", (None, 0)])
def test_a_bad_window_is_an_error(window):
    x = jnp.ones((3, 2, 2))
    with pytest.raises(ValueError, match="`window` must be"):
        dot_product_attention(x, x, x, window=window)


def test_sizes_of_windows_may_be_integers_of_numpy():
    x = normal(4, 2, 2)
    window: Any = (np.int64(1), np.int8(0))
    expected = dot_product_attention(x, x, x, window=(1, 0))
    for implementation in ("math", "xla", None):
        out = dot_product_attention(x, x, x, window=window, implementation=implementation)
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shapes", [(0, 3, 2), (3, 0, 2), (3, 3, 0)])
def test_there_may_be_no_queries_or_no_keys_or_vectors_without_entries(shapes):
    queries, keys, size = shapes
    out = dot_product_attention(
        jnp.ones((queries, 2, size)), jnp.ones((keys, 1, size)), jnp.ones((keys, 1, 4)), is_causal=True
    )
    assert jnp.array_equal(out, jnp.full((queries, 2, 4), 0.0 if keys == 0 else 1.0))


# JAX's own one has no float16 in compiled programs on CPUs.
@pytest.mark.parametrize(("implementation", "dtype"), [("math", "bfloat16"), ("math", "float16"), ("xla", "bfloat16")])
def test_the_result_has_the_dtype_of_the_input_where_promotion_is_strict(implementation, dtype):
    x = normal(4, 2, 2).astype(dtype)
    bias = normal(2, 4, 4)

    @functools.partial(jax.jit, static_argnames="implementation")
    def attend(x, bias, implementation):
        options: Any = {"mask": bias[0] > 0, "is_causal": True, "window": 2}
        return dot_product_attention(x, x, x, bias=bias, **options, implementation=implementation)

    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        out = attend(x, bias, implementation=implementation)
    assert out.dtype == dtype
    expected = attend(x.astype("float32"), bias, implementation=implementation)
    np.testing.assert_allclose(out.astype("float32"), expected, atol=0.05)


def test_numpy_arrays_are_accepted_and_batches_are_made_by_vmap():
    x, mask = np.asarray(normal(3, 4, 2, 2)), random.random((3, 4, 4)) < 0.7

    def attend(x, mask):
        return dot_product_attention(x, x, x, mask=mask)

    batch = jax.jit(jax.vmap(attend))(x, mask)
    for i in range(3):
        np.testing.assert_allclose(batch[i], attend(x[i], mask[i]), rtol=1e-5, atol=1e-6)


def test_derivatives_agree_with_finite_differences():
    with jax.enable_x64(True):
        heads = (
            jnp.asarray(random.normal(size=(3, 4, 2))),
            jnp.asarray(random.normal(size=(4, 2, 2))),
            jnp.asarray(random.normal(size=(4, 2, 3))),
            jnp.asarray(random.normal(size=(3, 4))),
        )

        @jax.jit
        def attend(query, key_, value, bias):
            return dot_product_attention(query, key_, value, bias=bias, is_causal=True, window=2)

        check_grads(attend, heads, order=1, modes=["fwd", "rev"])
