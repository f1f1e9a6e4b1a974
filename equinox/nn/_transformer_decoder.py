"""`TransformerDecoderLayer`: as in an encoder, and in between attention to what an encoder has made."""

from collections.abc import Callable
from typing import Final, Literal, overload

import jax
from jax import Array
from jax.typing import DTypeLike

from ._attention import Mask, MultiheadAttention
from ._initialise import Initialiser
from ._kv_cache import KVCache
from ._rotary import RotaryPositionalEmbedding
from ._shapes import checked
from ._spelling import spelled
from ._transformer_layer import Norm, TransformerLayer, key_pairs


class TransformerDecoderLayer(TransformerLayer):
    r"""Self-attention, attention to another sequence, and a feed-forward network, each with a residual connection.

    With $F$ being one after the other, $x$ becomes $x + F(\text{norm}(x))$; without `norm_first` it becomes
    $\text{norm}(x + F(x))$. The other sequence, the memory, is what a stack of
    [`TransformerEncoderLayer`][equinox.nn.TransformerEncoderLayer]s has made, as of a text to be translated. (For a
    model without such a memory, use a `TransformerEncoderLayer` with `causal=True`.)

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017; for `norm_first` Xiong et al., *On Layer Normalization in
    the Transformer Architecture*, ICML 2020.

    **Arguments**

    - `size`: the size of the elements of both sequences.
    - `num_heads`: the number of heads of attention, a divisor of `size`.
    - `ff_size`: the number of hidden neurons, as in [`FeedForward`][equinox.nn.FeedForward].
    - `dropout`: the probability of dropping a weight of attention, a hidden neuron, or an entry of what a sublayer
        adds.
    - `activation`: the function of the hidden neurons (with `gated`, of the gates), as in [`MLP`][equinox.nn.MLP].
    - `norm`: `"layer"` for [`LayerNorm`][equinox.nn.LayerNorm], or `"rms"` for [`RMSNorm`][equinox.nn.RMSNorm]
        without a bias.
    - `norm_first`: whether each sublayer reads a normalised input ("pre-norm"), or else the sum of its input and its
        output is normalised ("post-norm").
    - `causal`: whether an element of the sequence sees only itself and those before it. All of the memory is seen.
    - `rope`: whether self-attention has a [`RotaryPositionalEmbedding`][equinox.nn.RotaryPositionalEmbedding], or the
        one that it has, for vectors of size `size // num_heads`.
    - `num_kv_heads`: as in [`MultiheadAttention`][equinox.nn.MultiheadAttention].
    - `gated`: whether to have a [`GatedFeedForward`][equinox.nn.GatedFeedForward] instead.
    - `use_bias`, or `bias`: whether linear layers and `LayerNorm`s have a bias.
    - `inference`, or `deterministic`: whether to drop nothing.
    - `dtype`, `weight_init`, `bias_init`: as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.

    **Raises**

    - `ValueError`: a size is not a non-negative integer; `num_heads` does not divide `size`, or `num_kv_heads` not
        `num_heads`; `dropout` is outside $[0, 1]$; `norm` is something else; `rope` is for vectors of another size;
        `dtype` is an integer one.

    **Example**
    ```python
    >>> layer = eqx.nn.TransformerDecoderLayer(8, num_heads=2, key=jax.random.key(0))
    >>> x, memory = jnp.ones((5, 8)), jnp.ones((7, 8))
    >>> layer(x, memory).shape
    (5, 8)

    ```
    """

    cross_attention: Final[MultiheadAttention]
    cross_attention_norm: Final[Norm]

    def __init__(
        self,
        size: int,
        num_heads: int,
        ff_size: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Array], Array] = jax.nn.relu,
        norm: Literal["layer", "rms"] = "layer",
        norm_first: bool = True,
        causal: bool = True,
        rope: bool | RotaryPositionalEmbedding = False,
        num_kv_heads: int | None = None,
        *,
        gated: bool = False,
        use_bias: bool = True,
        inference: bool = False,
        dtype: DTypeLike | None = None,
        key: Array,
        bias: bool | None = None,
        deterministic: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        use_bias = spelled(use_bias, bias=bias)
        inference = spelled(inference, deterministic=deterministic)
        attention_key, cross_attention_key, feed_forward_key = jax.random.split(key, 3)
        super().__init__(
            size,
            num_heads,
            ff_size,
            dropout,
            activation,
            norm,
            norm_first,
            causal,
            rope,
            num_kv_heads,
            gated,
            use_bias,
            inference,
            dtype,
            weight_init,
            bias_init,
            attention_key,
            feed_forward_key,
        )
        self.cross_attention = self._make_attention(
            num_heads, num_kv_heads, dropout, use_bias, inference, dtype, weight_init, bias_init, cross_attention_key
        )
        self.cross_attention_norm = self._make_norm(norm, use_bias, dtype)

    @overload
    def __call__(
        self,
        x: Array,
        memory: Array,
        mask: Mask | None = None,
        memory_mask: Mask | None = None,
        *,
        cache: None = None,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        x: Array,
        memory: Array,
        mask: Mask | None = None,
        memory_mask: Mask | None = None,
        *,
        cache: KVCache,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, KVCache]: ...
    def __call__(
        self,
        x: Array,
        memory: Array,
        mask: Mask | None = None,
        memory_mask: Mask | None = None,
        *,
        cache: KVCache | None = None,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> Array | tuple[Array, KVCache]:
        """Transform one sequence, in view of another one.

        **Arguments**

        - `x`: shape `(length, size)`.
        - `memory`: shape `(memory_length, size)`.
        - `mask`: what elements of `x` may see of `x`, as in [`MultiheadAttention`][equinox.nn.MultiheadAttention]: true
            where the one counted by the first axis may see the one counted by the second.
        - `memory_mask`: what elements of `x` may see of `memory`, likewise.
        - `cache`: what self-attention remembers of the elements before `x`, from `init_cache` or from the call before.
            Only for layers with `causal=True`. Masks are for all of the cache then, as in `MultiheadAttention`.
        - `key`: a PRNG key for dropout.
        - `inference`, or `deterministic`: if given, decides instead of the flags of all `Dropout`s inside.

        **Returns**

        An array of the shape of `x`; if a `cache` is given, a pair of it and the cache to go on with.

        **Raises**

        - `ValueError`: an argument has another shape (for a batch of sequences, use `jax.vmap`); a `cache` is given and
            the layer is not causal; the cache has too little space; `inference` and `deterministic` are both given and
            differ.
        - `TypeError`: a mask consists of floating-point numbers.
        - `RuntimeError`: dropout needs a `key`, and there is none.
        """
        x = checked(self, "x", x, (None, self.size))
        memory = checked(self, "memory", memory, (None, self.size))
        flag = spelled(self.dropout.inference, inference=inference, deterministic=deterministic)
        attention_keys, (cross_key, cross_dropout_key), feed_forward_keys = key_pairs(key, 3)
        with jax.named_scope("eqx.nn.TransformerDecoderLayer"):
            x, cache = self._attend(x, mask, cache, attention_keys, flag)
            y = self._before(self.cross_attention_norm, x)
            update = self.cross_attention(y, memory, memory, memory_mask, key=cross_key, inference=flag)
            x = self._after(self.cross_attention_norm, x, update, cross_dropout_key, flag)
            x = self._feed(x, feed_forward_keys, flag)
        return x if cache is None else (x, cache)
