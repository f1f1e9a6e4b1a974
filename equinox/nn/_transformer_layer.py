"""What the layers of a transformer have in common: sublayers, each with a norm, dropout and a residual connection."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, overload

import jax
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._attention import Mask, MultiheadAttention, ProcessHeads
from ._dropout import Dropout
from ._feed_forward import FeedForward
from ._gated_feed_forward import GatedFeedForward
from ._initialise import Initialiser
from ._kv_cache import KVCache
from ._layer_norm import LayerNorm
from ._rms_norm import RMSNorm
from ._rotary import RotaryPositionalEmbedding
from ._shapes import as_size

Norm: TypeAlias = LayerNorm | RMSNorm


class TransformerLayer(Module):
    """Self-attention and a feed-forward network: the sublayers that encoders and decoders both have."""

    self_attention: Final[MultiheadAttention]
    self_attention_norm: Final[Norm]
    feed_forward: Final[FeedForward | GatedFeedForward]
    feed_forward_norm: Final[Norm]
    dropout: Final[Dropout]
    rope: Final[RotaryPositionalEmbedding | None]
    size: Final[int]
    norm_first: Final[bool]
    causal: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        size = field(static=True)
        norm_first = field(static=True)
        causal = field(static=True)

    def __init__(
        self,
        size: int,
        num_heads: int,
        ff_size: int | None,
        dropout: float,
        activation: Callable[[Array], Array],
        norm: Literal["layer", "rms"],
        norm_first: bool,
        causal: bool,
        rope: bool | RotaryPositionalEmbedding,
        num_kv_heads: int | None,
        gated: bool,
        use_bias: bool,
        inference: bool,
        dtype: DTypeLike | None,
        weight_init: Initialiser | None,
        bias_init: Initialiser | None,
        attention_key: Array,
        feed_forward_key: Array,
    ) -> None:
        self.size = as_size("size", size)
        self.norm_first = bool(norm_first)
        self.causal = bool(causal)
        if as_size("num_heads", num_heads) == 0 or self.size % num_heads != 0:
            raise ValueError(f"{locate('num_heads')} must divide {locate('size')}, found {num_heads} and {size}.")
        self.self_attention = self._make_attention(
            num_heads, num_kv_heads, dropout, use_bias, inference, dtype, weight_init, bias_init, attention_key
        )
        self.self_attention_norm = self._make_norm(norm, use_bias, dtype)
        make_feed_forward = GatedFeedForward if gated else FeedForward
        self.feed_forward = make_feed_forward(
            self.size,
            ff_size,
            dropout,
            activation,
            use_bias,
            inference,
            dtype,
            key=feed_forward_key,
            weight_init=weight_init,
            bias_init=bias_init,
        )
        self.feed_forward_norm = self._make_norm(norm, use_bias, dtype)
        self.dropout = Dropout(dropout, inference)
        self.rope = self._make_rope(rope, dtype)

    def init_cache(self, max_len: int, dtype: DTypeLike | None = None) -> KVCache:
        """Make the cache for a sequence without elements, as in [`MultiheadAttention`][equinox.nn.MultiheadAttention].

        **Arguments**

        - `max_len`: how many elements the sequence will have at most.
        - `dtype`: of the cached keys and values, by default that of the parameters.

        **Returns**

        A [`KVCache`][equinox.nn.KVCache].

        **Raises**

        - `ValueError`: `max_len` is not a non-negative integer; `dtype` is an integer one.
        """
        return self.self_attention.init_cache(max_len, dtype)

    def _make_attention(
        self,
        num_heads: int,
        num_kv_heads: int | None,
        dropout: float,
        use_bias: bool,
        inference: bool,
        dtype: DTypeLike | None,
        weight_init: Initialiser | None,
        bias_init: Initialiser | None,
        key: Array,
    ) -> MultiheadAttention:
        return MultiheadAttention(
            num_heads,
            self.size,
            use_query_bias=use_bias,
            use_key_bias=use_bias,
            use_value_bias=use_bias,
            use_output_bias=use_bias,
            dropout_p=dropout,
            inference=inference,
            dtype=dtype,
            key=key,
            num_kv_heads=num_kv_heads,
            weight_init=weight_init,
            bias_init=bias_init,
        )

    def _make_norm(self, norm: Literal["layer", "rms"], use_bias: bool, dtype: DTypeLike | None) -> Norm:
        if norm == "rms":
            return RMSNorm(self.size, use_bias=False, dtype=dtype)
        if norm != "layer":
            raise ValueError(f'{locate("norm")} must be "layer" or "rms", found {describe(norm)}.')
        return LayerNorm(self.size, use_bias=use_bias, dtype=dtype)

    def _make_rope(
        self, rope: bool | RotaryPositionalEmbedding, dtype: DTypeLike | None
    ) -> RotaryPositionalEmbedding | None:
        head_size = self.self_attention.qk_size
        if isinstance(rope, RotaryPositionalEmbedding):
            if rope.embedding_size != head_size:
                raise ValueError(
                    f"{locate('rope')} must be for vectors of the size of a head, {head_size}, found one for the size "
                    f"{rope.embedding_size}."
                )
            return rope
        return RotaryPositionalEmbedding(head_size, dtype=dtype) if rope else None

    def _before(self, norm: Norm, x: Array) -> Array:
        """What a sublayer reads."""
        return jax.vmap(norm)(x) if self.norm_first else x

    def _after(self, norm: Norm, x: Array, update: Array, key: Array | None, inference: bool) -> Array:
        """What comes out of a sublayer, together with what went in."""
        x = x + self.dropout(update, key=key, inference=inference)
        return x if self.norm_first else jax.vmap(norm)(x)

    @overload
    def _attend(
        self, x: Array, mask: Mask | None, cache: None, keys: tuple[Array | None, Array | None], inference: bool
    ) -> tuple[Array, None]: ...
    @overload
    def _attend(
        self, x: Array, mask: Mask | None, cache: KVCache, keys: tuple[Array | None, Array | None], inference: bool
    ) -> tuple[Array, KVCache]: ...
    def _attend(
        self,
        x: Array,
        mask: Mask | None,
        cache: KVCache | None,
        keys: tuple[Array | None, Array | None],
        inference: bool,
    ) -> tuple[Array, KVCache | None]:
        """The sublayer of self-attention."""
        y = self._before(self.self_attention_norm, x)
        process_heads = None if self.rope is None else _rotating(self.rope, None if cache is None else cache.length)
        key, dropout_key = keys
        if cache is None:
            mask = _as_causal(mask) if self.causal else mask
            update = self.self_attention(y, y, y, mask, key=key, inference=inference, process_heads=process_heads)
        elif self.causal:
            update, cache = self.self_attention(
                y, y, y, mask, key=key, inference=inference, process_heads=process_heads, cache=cache
            )
        else:
            raise ValueError(
                f"{locate('cache')} of `{type(self).__name__}` needs a layer that is made with `causal=True`: what has "
                "been made of an element does not change when others follow."
            )
        return self._after(self.self_attention_norm, x, update, dropout_key, inference), cache

    def _feed(self, x: Array, keys: tuple[Array | None, Array | None], inference: bool) -> Array:
        """The sublayer of the feed-forward network, which is called for each element of the sequence."""
        key, dropout_key = keys
        element_keys = None if key is None else jax.random.split(key, len(x))

        def feed(x: Array, key: Array | None) -> Array:
            return self.feed_forward(x, key=key, inference=inference)

        update = jax.vmap(feed)(self._before(self.feed_forward_norm, x), element_keys)
        return self._after(self.feed_forward_norm, x, update, dropout_key, inference)


def key_pairs(key: Array | None, sublayers: int) -> list[tuple[Array | None, Array | None]]:
    """Of a PRNG key for each sublayer a pair: one for what happens inside of it, one for the dropout after it."""
    if key is None:
        return [(None, None)] * sublayers
    keys = jax.random.split(key, (sublayers, 2))
    return [(keys[i, 0], keys[i, 1]) for i in range(sublayers)]


def _as_causal(mask: Mask | None) -> Mask:
    if mask is None:
        return "causal"
    return mask if isinstance(mask, (str, tuple)) else ("causal", mask)


def _rotating(rope: RotaryPositionalEmbedding, offset: Array | None) -> ProcessHeads:
    def rotate(head: Array) -> Array:
        return rope(head, offset=offset)

    def process_heads(queries: Array, keys: Array, values: Array) -> tuple[Array, Array, Array]:
        rotate_heads = jax.vmap(rotate, in_axes=1, out_axes=1)
        return rotate_heads(queries), rotate_heads(keys), values

    return process_heads
