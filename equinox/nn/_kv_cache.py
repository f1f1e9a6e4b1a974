"""`KVCache`: the keys and values of a sequence so far, kept while the sequence grows."""

from typing import Final

import jax
from jax import Array
from jax.core import Tracer

from .._errors import locate
from .._module import Module


class KVCache(Module):
    """What attention remembers of a sequence that grows: the keys and values of its elements so far.

    A text is generated token by token, and each token attends to all those before. With a cache their keys and values
    are computed only once. It is made by [`MultiheadAttention.init_cache`][equinox.nn.MultiheadAttention.init_cache],
    and its size is fixed from the start, so that nothing is compiled again while the sequence grows. It is an ordinary
    PyTree: a carry for `jax.lax.scan`, or the value of a [`StateIndex`][equinox.nn.StateIndex].

    If more elements are added than fit in, then that is an error where `length` is known. Where it is traced, under
    `jax.jit`, the results of attention are nan from then on, and `length` still counts.

    **Arguments**

    - `keys`: shape `(max_len, num_kv_heads, qk_size)`, those at and after `length` unused.
    - `values`: shape `(max_len, num_kv_heads, vo_size)`, likewise.
    - `length`: how many elements the sequence has so far, an integer of shape `()`. It is the position of the next one.

    **Example**
    ```python
    >>> attention = eqx.nn.MultiheadAttention(num_heads=4, query_size=8, num_kv_heads=2, key=jax.random.key(0))
    >>> cache = attention.init_cache(max_len=16)
    >>> cache
    KVCache(keys=f32[16,2,2], values=f32[16,2,2], length=i32[])
    >>> x = jax.random.normal(jax.random.key(1), (5, 8))
    >>> first, cache = attention(x[:3], x[:3], x[:3], cache=cache)
    >>> second, cache = attention(x[3:], x[3:], x[3:], cache=cache)
    >>> int(cache.length)
    5
    >>> bool(jnp.allclose(jnp.concatenate([first, second]), attention(x, x, x, mask="causal"), atol=1e-6))
    True

    ```
    """

    keys: Final[Array]
    values: Final[Array]
    length: Final[Array]

    @property
    def max_len(self) -> int:
        """How many elements fit in."""
        return self.keys.shape[0]

    def extended(self, keys: Array, values: Array) -> "KVCache":
        """Add elements to the end of the sequence.

        **Arguments**

        - `keys`: shape `(new, num_kv_heads, qk_size)`.
        - `values`: shape `(new, num_kv_heads, vo_size)`.

        **Returns**

        A cache of the same size and dtype. This one stays as it is.

        **Raises**

        - `ValueError`: an argument has another shape; there is not enough space, and `length` is not traced.
        """
        for argument, new, old in (("keys", keys, self.keys), ("values", values, self.values)):
            if new.shape[1:] != old.shape[1:] or len(new) != len(keys):
                expected = str((len(keys), *old.shape[1:]))
                message = (
                    f"{locate(argument)} of `KVCache.extended` must have shape {expected}, found shape {new.shape}."
                )
                raise ValueError(message)
        length = self.length
        so_far = 0 if isinstance(length, Tracer) else int(length)  # at least
        if so_far + len(keys) > self.max_len:
            message = f"The cache has space for {self.max_len} elements, found {so_far} and {len(keys)} more."
            raise ValueError(f"{message} Make a larger one with `init_cache(max_len)`.")

        def written(old: Array, new: Array) -> Array:
            return jax.lax.dynamic_update_slice_in_dim(old, new.astype(old.dtype), self.length, axis=0)

        return KVCache(written(self.keys, keys), written(self.values, values), self.length + len(keys))
