"""How `RotaryPositionalEmbedding` slows down its rotations, for sequences longer than those it was trained with."""

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from .._errors import describe, locate
from .._module import Module, field
from ._shapes import as_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinearScaling(Module):
    r"""Divide all frequencies of a rotary embedding by one number, as if positions were closer together.

    With $d$ = `rotary_size`, the frequencies are $\theta^{-2i/d} / s$.

    Chen et al., *Extending Context Window of Large Language Models via Positional Interpolation*, 2023.

    **Arguments**

    - `factor`: the number $s$, at least 1: how much longer the sequences become.

    **Raises**

    - `ValueError`: `factor` is less than 1.

    **Example**
    ```python
    >>> rope = eqx.nn.RotaryPositionalEmbedding(4, scaling=eqx.nn.LinearScaling(2.0))
    >>> x, positions = jnp.ones((3, 4)), jnp.array([0, 2, 4])
    >>> bool(jnp.allclose(rope(x, positions=positions), eqx.nn.RotaryPositionalEmbedding(4)(x), atol=1e-6))
    True

    ```
    """

    factor: Final[float]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        factor = field(static=True)

    def __init__(self, factor: float) -> None:
        self.factor = _checked_factor(factor)

    @property
    def magnitude(self) -> float:
        """What the rotated vectors are multiplied with."""
        return 1.0

    def frequencies(self, size: int, theta: float) -> "NDArray[Any]":
        """The angles per position, of shape `(size / 2,)`."""
        return unscaled_frequencies(size, theta) / self.factor


class NTKScaling(Module):
    r"""Raise the base of a rotary embedding, so that slow rotations become slower and fast ones stay.

    With $d$ = `rotary_size`, the frequencies are $(\theta\,s^{d/(d-2)})^{-2i/d}$: the highest one is still 1, and the
    lowest one is that of [`LinearScaling`][equinox.nn.LinearScaling].

    "NTK-aware interpolation": Peng et al., *YaRN: Efficient Context Window Extension of Large Language Models*,
    ICLR 2024, section 3.1.

    **Arguments**

    - `factor`: the number $s$, at least 1: how much longer the sequences become.

    **Raises**

    - `ValueError`: `factor` is less than 1.

    **Example**
    ```python
    >>> eqx.nn.NTKScaling(8.0).frequencies(size=4, theta=100.0)
    array([1.    , 0.0125])

    ```
    """

    factor: Final[float]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        factor = field(static=True)

    def __init__(self, factor: float) -> None:
        self.factor = _checked_factor(factor)

    @property
    def magnitude(self) -> float:
        """What the rotated vectors are multiplied with."""
        return 1.0

    def frequencies(self, size: int, theta: float) -> "NDArray[Any]":
        """The angles per position, of shape `(size / 2,)`."""
        if size <= 2:  # there is only the frequency 1
            return unscaled_frequencies(size, theta)
        return unscaled_frequencies(size, theta * self.factor ** (size / (size - 2)))


class Llama3Scaling(Module):
    r"""Slow down the slow rotations of a rotary embedding, and only these.

    A frequency $f$ makes $r = L f / 2 \pi$ rotations in the $L$ = `original_max_len` positions of training. It becomes

    $$(1 - \gamma)\,f / s + \gamma f, \quad
    \gamma = \min\left(1, \max\left(0, \frac{r - \alpha}{\beta - \alpha}\right)\right)$$

    with $\alpha$ = `low_freq_factor` and $\beta$ = `high_freq_factor`.

    Grattafiori et al., *The Llama 3 Herd of Models*, 2024. The defaults are those of Llama 3.1.

    **Arguments**

    - `factor`: the number $s$, at least 1: how much longer the sequences become.
    - `original_max_len`: for which lengths the embedding was trained.
    - `low_freq_factor`: up to so many rotations a frequency is divided by `factor`.
    - `high_freq_factor`: from so many rotations on a frequency stays. It is greater than `low_freq_factor`.

    **Raises**

    - `ValueError`: an argument is out of its range.

    **Example**
    ```python
    >>> scaling = eqx.nn.Llama3Scaling()
    >>> rope = eqx.nn.RotaryPositionalEmbedding(128, theta=500_000.0, scaling=scaling)
    >>> rope(jnp.ones((3, 128))).shape
    (3, 128)

    ```
    """

    factor: Final[float]
    original_max_len: Final[int]
    low_freq_factor: Final[float]
    high_freq_factor: Final[float]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        factor = field(static=True)
        original_max_len = field(static=True)
        low_freq_factor = field(static=True)
        high_freq_factor = field(static=True)

    def __init__(
        self,
        factor: float = 8.0,
        original_max_len: int = 8192,
        low_freq_factor: float = 1.0,
        high_freq_factor: float = 4.0,
    ) -> None:
        self.factor = _checked_factor(factor)
        self.original_max_len = _checked_length(original_max_len)
        self.low_freq_factor = float(low_freq_factor)
        self.high_freq_factor = float(high_freq_factor)
        _check_order("low_freq_factor", self.low_freq_factor, "high_freq_factor", self.high_freq_factor)

    @property
    def magnitude(self) -> float:
        """What the rotated vectors are multiplied with."""
        return 1.0

    def frequencies(self, size: int, theta: float) -> "NDArray[Any]":
        """The angles per position, of shape `(size / 2,)`."""
        bounds = self.low_freq_factor, self.high_freq_factor
        return _by_parts(unscaled_frequencies(size, theta), self.factor, self.original_max_len, bounds)


class YaRNScaling(Module):
    r"""Slow down the slow rotations of a rotary embedding, and make attention a little sharper.

    The frequencies are those of [`Llama3Scaling`][equinox.nn.Llama3Scaling] with $\alpha$ = `beta_slow` and $\beta$ =
    `beta_fast`. All rotated vectors are multiplied with $0.1 \ln s + 1$.

    Peng et al., *YaRN: Efficient Context Window Extension of Large Language Models*, ICLR 2024, definitions 2 and 3.
    (The ramp is linear in the number of rotations, as there. Some programs have one that is linear in the index of the
    frequency instead.)

    **Arguments**

    - `factor`: the number $s$, at least 1: how much longer the sequences become.
    - `original_max_len`: for which lengths the embedding was trained.
    - `beta_slow`: up to so many rotations a frequency is divided by `factor`.
    - `beta_fast`: from so many rotations on a frequency stays. It is greater than `beta_slow`.

    **Raises**

    - `ValueError`: an argument is out of its range.

    **Example**
    ```python
    >>> scaling = eqx.nn.YaRNScaling(factor=16.0, original_max_len=4096)
    >>> round(scaling.magnitude, 3)
    1.277

    ```
    """

    factor: Final[float]
    original_max_len: Final[int]
    beta_slow: Final[float]
    beta_fast: Final[float]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        factor = field(static=True)
        original_max_len = field(static=True)
        beta_slow = field(static=True)
        beta_fast = field(static=True)

    def __init__(
        self,
        factor: float,
        original_max_len: int,
        beta_slow: float = 1.0,
        beta_fast: float = 32.0,
    ) -> None:
        self.factor = _checked_factor(factor)
        self.original_max_len = _checked_length(original_max_len)
        self.beta_slow = float(beta_slow)
        self.beta_fast = float(beta_fast)
        _check_order("beta_slow", self.beta_slow, "beta_fast", self.beta_fast)

    @property
    def magnitude(self) -> float:
        """What the rotated vectors are multiplied with."""
        return 0.1 * math.log(self.factor) + 1

    def frequencies(self, size: int, theta: float) -> "NDArray[Any]":
        """The angles per position, of shape `(size / 2,)`."""
        bounds = self.beta_slow, self.beta_fast
        return _by_parts(unscaled_frequencies(size, theta), self.factor, self.original_max_len, bounds)


RotaryScaling: TypeAlias = LinearScaling | NTKScaling | Llama3Scaling | YaRNScaling


def unscaled_frequencies(size: int, theta: float) -> "NDArray[Any]":
    r"""The angles per position $\theta^{-2i/\text{size}}$ for $0 \le i <$ `size / 2`, in double precision."""
    return theta ** (-np.arange(0, size, 2) / max(size, 1))


def _by_parts(
    frequencies: "NDArray[Any]", factor: float, original_max_len: int, bounds: tuple[float, float]
) -> "NDArray[Any]":
    low, high = bounds
    rotations = original_max_len * frequencies / math.tau
    kept: NDArray[Any] = np.clip((rotations - low) / (high - low), 0, 1)
    slowed: NDArray[Any] = (1 - kept) * frequencies / factor + kept * frequencies
    return slowed


def _checked_factor(factor: float) -> float:
    if not factor >= 1:
        raise ValueError(f"{locate('factor')} must be at least 1, found {describe(factor)}.")
    return float(factor)


def _checked_length(original_max_len: int) -> int:
    length = as_size("original_max_len", original_max_len)
    if length == 0:
        raise ValueError(f"{locate('original_max_len')} must be at least 1, found 0.")
    return length


def _check_order(low_argument: str, low: float, high_argument: str, high: float) -> None:
    if not 0 <= low < high:
        found = f"found {low} and {high}"
        raise ValueError(
            f"{locate(low_argument)} must not be negative, and less than {locate(high_argument)}, {found}."
        )
