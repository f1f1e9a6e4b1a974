"""What is stored of a leaf, and how the leaf is made again from it.

Every format stores arrays of NumPy. This file says which leaves have one (arrays, numbers, PRNG keys), which one it is,
and what becomes of it when it is loaded in place of a leaf of the tree that says what is expected. Whatever would lose
information is an error.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding

from .._errors import describe
from .records import is_extension_dtype, is_plain_void

_Array: TypeAlias = np.ndarray[Any, Any]

_PYTHON_NUMBERS = (bool, int, float, complex)


def is_key_dtype(dtype: Any) -> bool:
    """Say whether a dtype is that of JAX's typed PRNG keys."""
    return bool(jnp.issubdtype(dtype, jax.dtypes.prng_key))


def is_jax_leaf(leaf: Any) -> bool:
    """Say whether a JAX array is loaded in place of a leaf: for a JAX array, and for what describes one."""
    return isinstance(leaf, (jax.Array, jax.ShapeDtypeStruct))


def is_stored(leaf: Any) -> bool:
    """Say whether a leaf is expected to be in a file: an array, a description of one, or a number."""
    return is_jax_leaf(leaf) or isinstance(leaf, (np.ndarray, np.generic, *_PYTHON_NUMBERS))


def abstract(shape: tuple[int, ...], dtype: Any, sharding: Sharding | None = None) -> jax.ShapeDtypeStruct:
    """Describe a JAX array."""
    make: Callable[..., jax.ShapeDtypeStruct] = jax.ShapeDtypeStruct  # which JAX leaves without types
    return make(shape, dtype, sharding=sharding)


def kind_of(leaf: Any) -> str:
    """Say in a word what a leaf is, for whoever looks into a file."""
    if is_jax_leaf(leaf):
        return "PRNG key" if is_key_dtype(leaf.dtype) else "JAX array"
    if isinstance(leaf, np.ndarray):
        return "NumPy array"
    return "number" if is_stored(leaf) else "other"


def to_stored(leaf: Any) -> _Array | None:
    """Return the array that is stored for a leaf, or `None` for a leaf that is not stored.

    **Raises**

    - `TypeError`: if the leaf can become an array, but nothing says how it is made again.
    - `OverflowError`: if it is an integer of more than 64 bits.
    """
    if isinstance(leaf, jax.Array):
        # Under `jax.jit`, a value that is known is saved nevertheless; one that is not is an error.
        with jax.ensure_compile_time_eval():
            known: _Array = np.asarray(jax.random.key_data(leaf) if is_key_dtype(leaf.dtype) else leaf)
        return known
    if isinstance(leaf, np.ndarray):
        stored: _Array = cast(Any, leaf)
        return stored
    if isinstance(leaf, (np.generic, *_PYTHON_NUMBERS)):
        array = np.asarray(leaf)
        if array.dtype.hasobject:
            raise OverflowError(f"found {describe(leaf)}, which does not fit into 64 bits.")
        return array
    if hasattr(leaf, "__jax_array__"):
        raise TypeError(
            f"found {describe(leaf)}. It has a method `__jax_array__`, but an array does not say how to make it again. "
            "Register its class as a PyTree, or pass a `filter_spec` that writes it."
        )
    return None


def stored_form(leaf: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return dtype and shape of the array that is stored for a leaf, for which `is_stored` is true.

    **Raises**

    - `TypeError`: if the leaf only describes an array.
    """
    if isinstance(leaf, jax.Array) and not is_key_dtype(leaf.dtype):
        return leaf.dtype, leaf.shape  # without moving it from its device
    array = to_stored(leaf)
    if array is None:
        raise TypeError(f"found {describe(leaf)}, which describes an array, and is none.")
    return array.dtype, array.shape


def from_stored(array: _Array, stored_dtype: str | None, like: Any) -> Any:
    """Make a leaf again from the array that was stored for it.

    Shape and dtype of an array are not compared with those of `like`.

    **Arguments**

    - `array`: the array, in which extension dtypes may have become bytes without a meaning.
    - `stored_dtype`: the name of the dtype that the leaf had, where the file says it.
    - `like`: a leaf of the same kind. A `jax.ShapeDtypeStruct` may have a sharding, which the JAX array then gets.

    **Raises**

    - `TypeError`, `ValueError`: if it cannot be made, or not without losing information.
    """
    if is_jax_leaf(like) and is_key_dtype(like.dtype):
        return _to_key(array, stored_dtype, like)
    if stored_dtype is not None and stored_dtype.startswith("key<"):
        raise TypeError(f"the file holds PRNG keys ({stored_dtype}) here, where `like` has {_describe_like(like)}.")
    array = _with_meaning(array, stored_dtype, like)
    if is_jax_leaf(like):
        return _to_jax(array, like)
    if isinstance(like, np.ndarray):
        return array
    return _to_number(array, like)


def _with_meaning(array: _Array, stored_dtype: str | None, like: Any) -> _Array:
    """Give bytes without a meaning the dtype that they were stored from."""
    if not is_plain_void(array.dtype):
        return array
    expected: Any = getattr(like, "dtype", None)
    dtype: np.dtype[Any] = np.dtype(jnp.bfloat16)
    if stored_dtype is not None:
        dtype = np.dtype(stored_dtype)
    elif isinstance(expected, np.dtype) and expected.itemsize == array.dtype.itemsize:
        dtype = cast(Any, expected) if is_extension_dtype(cast(Any, expected)) else array.dtype
    return array.view(dtype) if dtype.itemsize == array.dtype.itemsize else array


def _to_jax(array: _Array, like: Any) -> jax.Array:
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    if dtype != array.dtype:
        raise TypeError(
            f"the file holds {describe(array)} here, which would become {dtype}, and `like` has "
            f"{_describe_like(like)}. Enable JAX's 64-bit mode, or pass a `filter_spec` that converts it."
        )
    # Under `jax.jit` the file is read while the program is traced, and its contents are constants.
    with jax.ensure_compile_time_eval():
        loaded: jax.Array = jax.device_put(array, _sharding(like))
        return loaded


def _to_key(array: _Array, stored_dtype: str | None, like: Any) -> jax.Array:
    if stored_dtype is not None and stored_dtype != str(like.dtype):
        raise TypeError(f"the file holds {stored_dtype} here, where `like` has {_describe_like(like)}.")
    implementation, data_shape = key_data_of_one(like.dtype)
    size = array.ndim - len(data_shape)
    if array.dtype != np.uint32 or size < 0 or array.shape[size:] != data_shape:
        raise TypeError(f"the file holds {describe(array)} here, which is not the data of {_describe_like(like)}.")
    with jax.ensure_compile_time_eval():
        wrap: Callable[..., jax.Array] = jax.random.wrap_key_data
        loaded: jax.Array = jax.device_put(wrap(jnp.asarray(array), impl=implementation), _sharding(like))
        return loaded


@functools.lru_cache
def key_data_of_one(dtype: Any) -> tuple[Any, tuple[int, ...]]:
    """Return the implementation of PRNG keys of a dtype, and the shape of the data of one key."""
    implementations: list[Any] = []

    def data_of(key: jax.Array) -> jax.Array:
        implementations.append(jax.random.key_impl(key))
        return jax.random.key_data(key)

    # JAX tells the implementation of keys, but not that of a dtype, which is all that there is of an abstract value.
    data = jax.eval_shape(data_of, abstract((), dtype))
    return implementations[0], data.shape


def _sharding(like: Any) -> Any:
    return like.sharding if isinstance(like, jax.ShapeDtypeStruct) else None


def _to_number(array: _Array, like: Any) -> Any:
    if array.shape:
        raise TypeError(f"the file holds {describe(array)} here, where `like` has {_describe_like(like)}.")
    if isinstance(like, np.generic):
        if array.dtype == like.dtype:
            return array[()]
        value: Any = array.astype(cast(Any, like.dtype))[()]
        _check_same(array.item(), value.item(), like)
        return value
    value = type(like)(array.item())
    _check_same(array.item(), value, like)
    return value


def _check_same(stored: Any, value: Any, like: Any) -> None:
    is_nan = value != value and stored != stored
    if not (value == stored or is_nan):
        raise ValueError(
            f"the file holds {stored!r} here, which would become {value!r}, because `like` has {_describe_like(like)}."
        )


def _describe_like(like: Any) -> str:
    if is_jax_leaf(like):
        return f"{like.dtype}[{','.join(map(str, like.shape))}]"
    return describe(like)
