"""Random trees of every kind of leaf that is saved, of every dtype that JAX has, and how to compare them to the bit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from equinox._jax_tree import tree_flatten_with_path
from tests.strategies import pytrees


def _is_supported(dtype: Any) -> bool:
    try:
        with jax.enable_x64(True):
            return jnp.zeros(1, dtype).dtype == dtype
    except (TypeError, jax.errors.JaxRuntimeError):
        return False


#: Every dtype of JAX's, those of 64 bits and PRNG keys apart.
_SCALAR_TYPES = [vars(jnp)[name] for name in dir(jnp) if isinstance(vars(jnp)[name], type(jnp.float32))]
DTYPES = sorted({np.dtype(kind) for kind in _SCALAR_TYPES if _is_supported(np.dtype(kind))}, key=str)
KEY_IMPLEMENTATIONS = ["threefry2x32", "rbg", "unsafe_rbg"]


@st.composite
def numpy_arrays(draw: DrawFn) -> Any:
    """An array of random bits: subnormal numbers, infinities and every kind of not-a-number are among them."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    size = int(np.prod(shape)) * dtype.itemsize
    bits: Any = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    if dtype == np.bool_:
        bits = bits & 1
    if dtype.name.endswith(("int2", "int4")):
        return bits.astype(np.int8).astype(dtype).reshape(shape)
    if dtype.name.startswith("float4"):
        bits = bits & 0xF
    return bits.view(dtype).reshape(shape)


def to_jax(array: Any) -> jax.Array:
    with jax.enable_x64(True):
        return jnp.asarray(array)


@st.composite
def prng_keys(draw: DrawFn) -> jax.Array:
    keys = jax.random.key(draw(st.integers(0, 9)), impl=draw(st.sampled_from(KEY_IMPLEMENTATIONS)))
    return draw(st.sampled_from([keys, keys[None], jnp.stack([keys, keys])]))


def leaves() -> SearchStrategy[Any]:
    return st.one_of(
        numpy_arrays(),
        numpy_arrays().map(to_jax),
        numpy_arrays().filter(lambda x: x.size > 0).map(lambda x: x.reshape(-1)[0]),
        prng_keys(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.complex_numbers(),
    )


def trees() -> SearchStrategy[Any]:
    return pytrees(leaves(), max_leaves=6)


def blank(leaf: Any) -> Any:
    """A leaf like the given one, with another value."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.clone(leaf)
    if isinstance(leaf, jax.Array):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
    if isinstance(leaf, np.ndarray):
        return np.empty_like(leaf)
    return leaf.dtype.type(0) if isinstance(leaf, np.generic) else type(leaf)(0)


def _bits(leaf: Any) -> tuple[Any, ...]:
    if isinstance(leaf, jax.Array):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        data = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        return jax.Array, str(leaf.dtype), leaf.shape, data.tobytes()
    if isinstance(leaf, (np.ndarray, np.generic)):
        return type(leaf), str(leaf.dtype), leaf.shape, leaf.tobytes()
    if isinstance(leaf, (bool, int, float, complex)):
        return type(leaf), np.asarray(leaf).tobytes()
    return type(leaf), leaf


def assert_same(first: Any, second: Any) -> None:
    """Check that two trees are the same in structure, and each leaf in type, dtype, shape and bits."""
    first_leaves, first_def = tree_flatten_with_path(first)
    second_leaves, second_def = tree_flatten_with_path(second)
    assert first_def == second_def
    for (path, a), (_, b) in zip(first_leaves, second_leaves, strict=True):
        assert _bits(a) == _bits(b), path
