"""`TransformerEncoderLayer`: self-attention and a feed-forward network, the building block of most transformers."""

from collections.abc import Callable
from typing import Literal, overload

import jax
from jax import Array
from jax.typing import DTypeLike

from ._attention import Mask
from ._initialise import Initialiser
from ._kv_cache import KVCache
from ._rotary import RotaryPositionalEmbedding
from ._shapes import checked
from ._spelling import spelled
from ._transformer_layer import TransformerLayer, key_pairs


class TransformerEncoderLayer(TransformerLayer):
    r"""Self-attention, and then a feed-forward network for each element, each of them with a residual connection.

    With $F$ being one and then the other, $x$ becomes $x + F(\text{norm}(x))$; without `norm_first` it becomes
    $\text{norm}(x + F(x))$.

    A model that predicts the next element of a sequence, as language models do, consists of these layers with
    `causal=True`. Some well-known choices:

    - the original transformer: `norm_first=False`;
    - BERT: `norm_first=False, activation=jax.nn.gelu`;
    - GPT-2: `causal=True, activation=jax.nn.gelu`;
    - Llama: `causal=True, rope=True, norm="rms", gated=True, activation=jax.nn.silu, use_bias=False`.

    Vaswani et al., *Attention Is All You Need*, NeurIPS 2017; for `norm_first` Xiong et al., *On Layer Normalization in
    the Transformer Architecture*, ICML 2020.

    **Arguments**

    - `size`: the size of the elements of the sequence.
    - `num_heads`: the number of heads of attention, a divisor of `size`.
    - `ff_size`: the number of hidden neurons, as in [`FeedForward`][equinox.nn.FeedForward].
    - `dropout`: the probability of dropping a weight of attention, a hidden neuron, or an entry of what a sublayer
        adds.
    - `activation`: the function of the hidden neurons (with `gated`, of the gates), as in [`MLP`][equinox.nn.MLP].
    - `norm`: `"layer"` for [`LayerNorm`][equinox.nn.LayerNorm], or `"rms"` for [`RMSNorm`][equinox.nn.RMSNorm]
        without a bias.
    - `norm_first`: whether each sublayer reads a normalised input ("pre-norm"), or else the sum of its input and its
        output is normalised ("post-norm").
    - `causal`: whether an element sees only itself and those before it.
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
    >>> layer = eqx.nn.TransformerEncoderLayer(8, num_heads=2, causal=True, rope=True, key=jax.random.key(0))
    >>> x = jax.random.normal(jax.random.key(1), (5, 8))
    >>> layer(x).shape
    (5, 8)

    ```
    With a cache, a sequence may come in parts:
    ```python
    >>> first, cache = layer(x[:3], cache=layer.init_cache(max_len=5))
    >>> second, cache = layer(x[3:], cache=cache)
    >>> bool(jnp.allclose(jnp.concatenate([first, second]), layer(x), atol=1e-5))
    True

    ```
    Many of them make a [`StackedLayers`][equinox.nn.StackedLayers]:
    ```python
    >>> def make(key):
    ...     return eqx.nn.TransformerEncoderLayer(8, num_heads=2, dropout=0.1, key=key)
    >>> stack = eqx.nn.StackedLayers(make, 12, key=jax.random.key(2))
    >>> stack(x, key=jax.random.key(3)).shape
    (5, 8)

    ```
    """

    def __init__(
        self,
        size: int,
        num_heads: int,
        ff_size: int | None = None,
        dropout: float = 0.0,
        activation: Callable[[Array], Array] = jax.nn.relu,
        norm: Literal["layer", "rms"] = "layer",
        norm_first: bool = True,
        causal: bool = False,
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
        attention_key, feed_forward_key = jax.random.split(key)
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

    @overload
    def __call__(
        self,
        x: Array,
        mask: Mask | None = None,
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
        mask: Mask | None = None,
        *,
        cache: KVCache,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> tuple[Array, KVCache]: ...
    def __call__(
        self,
        x: Array,
        mask: Mask | None = None,
        *,
        cache: KVCache | None = None,
        key: Array | None = None,
        inference: bool | None = None,
        deterministic: bool | None = None,
    ) -> Array | tuple[Array, KVCache]:
        """Transform one sequence.

        **Arguments**

        - `x`: shape `(length, size)`.
        - `mask`: what elements may see, as in [`MultiheadAttention`][equinox.nn.MultiheadAttention]: true where the one
            counted by the first axis may see the one counted by the second.
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
        flag = spelled(self.dropout.inference, inference=inference, deterministic=deterministic)
        attention_keys, feed_forward_keys = key_pairs(key, 2)
        with jax.named_scope("eqx.nn.TransformerEncoderLayer"):
            x, cache = self._attend(x, mask, cache, attention_keys, flag)
            x = self._feed(x, feed_forward_keys, flag)
        return x if cache is None else (x, cache)
