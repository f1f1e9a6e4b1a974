"""`Einsum`: a linear layer that is written as an equation between axes."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._errors import describe, locate
from .._module import Module, field
from ._initialise import Initialiser, weight_and_bias
from ._normalise import as_shape
from ._spelling import spelled

# Letters with at most one ellipsis, a comma, letters; an arrow, and again letters with at most one ellipsis.
_EQUATION = re.compile(r"([a-zA-Z]*(?:\.\.\.)?[a-zA-Z]*),([a-zA-Z]*)->([a-zA-Z]*(?:\.\.\.)?[a-zA-Z]*)")


class Einsum(Module):
    r"""Multiplies an array by a weight, and sums over those axes that the result does not have.

    In `equation`, which is as for `jax.numpy.einsum`, each letter is an axis. For instance `"ti,hoi->hto"` stands for

    $$y_{h, t, o} = \sum_i x_{t, i} \, W_{h, o, i} + b_{h, o}$$

    The bias has those axes of the weight that the result has too, in the order of the result. Both start uniform on
    $[-a, a)$, where $1 / a^2$ is the number of terms in the sum (and $a = 1$ if that is 0).

    **Arguments**

    - `equation`: the axes of the input, a comma, those of the weight, `->`, and those of the result. With `...`, the
        input and the result have any number of axes in its place.
    - `shape`: the shape of the weight.
    - `use_bias`, or `bias`: whether there is a bias. (`layer.use_bias` is this flag, `layer.bias` the parameter.)
    - `dtype`: of the parameters, as in [`Linear`][equinox.nn.Linear].
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weight and bias instead, as in `Linear`.

    **Raises**

    - `ValueError`: `equation` does not have this form, repeats a letter within the weight or the result, or has one in
        the result that comes from nowhere; `shape` does not consist of as many sizes as there are axes of the weight;
        `dtype` is an integer one; what `weight_init` or `bias_init` returns has another shape or dtype.

    **Example**
    ```python
    >>> layer = eqx.nn.Einsum("ti,hoi->hto", (4, 2, 8), key=jax.random.key(0))
    >>> layer.bias.shape
    (4, 2)
    >>> layer(jnp.ones((10, 8))).shape
    (4, 10, 2)

    ```
    """

    weight: Final[Array]
    bias: Final[Array | None]
    equation: Final[str]
    shape: Final[tuple[int, ...]]
    use_bias: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        equation = field(static=True)
        shape = field(static=True)
        use_bias = field(static=True)

    def __init__(
        self,
        equation: str,
        shape: int | Sequence[int],
        use_bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.equation = _as_equation(equation)
        self.shape = as_shape("shape", shape)
        self.use_bias = bool(spelled(use_bias, bias=bias))
        _, letters, result = _parts(self.equation)
        if len(letters) != len(self.shape):
            message = f"must consist of {len(letters)} sizes, as the weight has the axes {letters!r} in `equation`"
            raise ValueError(f"{locate('shape')} {message}, found {describe(shape)}.")
        sizes = dict(zip(letters, self.shape, strict=True))
        terms = math.prod(size for letter, size in sizes.items() if letter not in result)
        bias_shape = tuple(sizes[letter] for letter in result if letter in sizes)
        self.weight, self.bias = weight_and_bias(
            key, self.shape, bias_shape, terms, self.use_bias, dtype, weight_init, bias_init
        )

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Evaluate the equation for one example.

        **Arguments**

        - `x`: an array with the axes that `equation` has before the comma.
        - `key`: ignored.

        **Returns**

        An array with the axes that `equation` has at its end.

        **Raises**

        - `ValueError`: `x` has other axes, or one that the weight has too is of another length.
        """
        x = jnp.asarray(x)
        self._check(x)
        with jax.named_scope("eqx.nn.Einsum"):
            out = jnp.einsum(self.equation, x, jnp.asarray(self.weight))
            if self.bias is None:
                return out
            _, letters, result = _parts(self.equation)
            before, _, after = result.partition("...")
            anywhere = [None] * (out.ndim - len(before) - len(after))
            is_of_bias = [letter is not None and letter in letters for letter in (*before, *anywhere, *after)]
            sizes = [size if of_bias else 1 for size, of_bias in zip(out.shape, is_of_bias, strict=True)]
            return out + self.bias.reshape(sizes)

    def _check(self, x: Array) -> None:
        axes, letters, _ = _parts(self.equation)
        sizes = dict(zip(letters, self.shape, strict=True))
        before, ellipsis, after = axes.partition("...")
        named = before + after
        is_right = x.ndim >= len(named) if ellipsis else x.ndim == len(named)
        if is_right:
            lengths = (*x.shape[: len(before)], *x.shape[x.ndim - len(after) :])
            is_right = all(sizes.get(axis, length) == length for axis, length in zip(named, lengths, strict=True))
        if not is_right:
            known = "".join(f", {axis} of length {sizes[axis]}" for axis in named if axis in sizes)
            raise ValueError(f"{locate('x')} of `Einsum` must have the axes {axes!r}{known}, found shape {x.shape}.")


def _parts(equation: str) -> tuple[str, str, str]:
    """The axes of the input, of the weight and of the result."""
    found = _EQUATION.fullmatch(equation)
    assert found is not None  # `_as_equation` has seen to it
    return found[1], found[2], found[3]


def _as_equation(equation: str) -> str:
    text = str(equation).replace(" ", "")
    if not _EQUATION.fullmatch(text):
        message = "must have the form `input,weight->result`, where each axis is a letter"
        raise ValueError(f"{locate('equation')} {message}, found {describe(equation)}.")
    axes, letters, result = _parts(text)
    for name, part in {"weight": letters, "result": result.replace("...", "")}.items():
        if len(set(part)) < len(part):
            raise ValueError(f"{locate('equation')} must not repeat an axis of the {name}, found {describe(equation)}.")
    if any(axis not in axes + letters for axis in result.replace("...", "")) or ("..." in axes) != ("..." in result):
        message = "must have no axes in the result that neither the input nor the weight has, and `...` in both or none"
        raise ValueError(f"{locate('equation')} {message}, found {describe(equation)}.")
    return text
