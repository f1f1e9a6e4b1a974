"""Caches of keys and values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

attention = eqx.nn.MultiheadAttention(4, 8, qk_size=3, vo_size=5, num_kv_heads=2, key=jax.random.key(0))
keys, values = jnp.arange(18.0).reshape(3, 2, 3), -jnp.arange(30.0).reshape(3, 2, 5)


def test_a_new_cache_is_empty_and_has_three_leaves():
    cache = attention.init_cache(4)
    shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(cache)]
    assert shapes == [((4, 2, 3), "float32"), ((4, 2, 5), "float32"), ((), "int32")]
    assert [str(path) for (path,), _ in jax.tree.leaves_with_path(cache)] == [".keys", ".values", ".length"]
    assert cache.max_len == 4
    assert cache.length == 0


def test_elements_are_written_at_the_end_of_the_sequence_and_the_old_cache_stays():
    empty = attention.init_cache(6)
    first = empty.extended(keys[:2], values[:2])
    second = first.extended(keys, values)
    assert (empty.length, first.length, second.length) == (0, 2, 5)
    for cached, new in ((second.keys, keys), (second.values, values)):
        assert jnp.array_equal(cached, jnp.concatenate([new[:2], new, jnp.zeros_like(new[:1])]))
    assert not first.keys[2:].any()


def test_elements_take_the_dtype_of_the_cache():
    cache = attention.init_cache(3, "bfloat16").extended(keys, values)
    assert cache.keys.dtype == cache.values.dtype == "bfloat16"
    np.testing.assert_allclose(cache.keys.astype("float32"), keys, rtol=0.01)


def test_a_full_cache_is_an_error_that_says_how_full():
    cache = attention.init_cache(5).extended(keys, values)
    with pytest.raises(ValueError, match=r"space for 5 elements, found 3 and 3 more.*init_cache"):
        cache.extended(keys, values)
    assert cache.extended(keys[:2], values[:2]).length == 5
    # That these are too many is known wherever the length is not.
    with pytest.raises(ValueError, match="space for 2 elements"):
        jax.eval_shape(lambda cache: cache.extended(keys, values), attention.init_cache(2))


@pytest.mark.parametrize(
    ("new", "name"),
    [((keys[:, :1], values), "keys"), ((keys, values[..., :1]), "values"), ((keys, values[:2]), "values")],
)
def test_elements_of_another_shape_are_an_error(new, name):
    with pytest.raises(ValueError, match=rf"`{name}` of `KVCache.extended` must have shape \(3, 2, .\)"):
        attention.init_cache(5).extended(*new)


def test_a_growing_sequence_is_compiled_once_and_can_be_scanned():
    traces = []

    @jax.jit
    def step(cache, new):
        traces.append(None)
        return cache.extended(new[0][None], new[1][None]), cache.length

    cache = attention.init_cache(3)
    for i in range(3):
        cache, _ = step(cache, (keys[i], values[i]))
    assert len(traces) == 1
    scanned, positions = jax.lax.scan(step, attention.init_cache(3), (keys, values))
    assert positions.tolist() == [0, 1, 2]
    assert eqx.tree_equal(scanned, cache)
    assert jnp.array_equal(scanned.keys, keys)


class Decoder(eqx.nn.StatefulLayer):
    """A layer that keeps its cache in the state."""

    attention: eqx.nn.MultiheadAttention
    cache: eqx.nn.StateIndex[eqx.nn.KVCache]

    def __init__(self):
        self.attention = attention
        self.cache = eqx.nn.StateIndex(attention.init_cache(4))

    def __call__(self, x, state, *, key=None):
        out, cache = self.attention(x, x, x, cache=state.get(self.cache))
        return out, state.set(self.cache, cache)


def test_a_cache_can_be_the_value_of_a_state():
    x = jax.random.normal(jax.random.key(1), (4, 8))
    decoder, state = eqx.nn.make_with_state(Decoder)()
    step = eqx.filter_jit(decoder)
    outs = []
    for i in range(4):
        out, state = step(x[i : i + 1], state)
        outs.append(out)
    assert state.get(decoder.cache).length == 4
    np.testing.assert_allclose(jnp.concatenate(outs), attention(x, x, x, "causal"), rtol=1e-5, atol=1e-6)


def test_a_cache_can_be_written_to_a_file(tmp_path):
    cache = attention.init_cache(4).extended(keys, values)
    eqx.tree_serialise_leaves(tmp_path / "cache.eqx", cache)
    assert eqx.tree_equal(eqx.tree_deserialise_leaves(tmp_path / "cache.eqx", attention.init_cache(4)), cache)
