"""Progress meters: show how far a computation has come, from inside of a compiled function.

A meter has a state that is passed from step to step, as that of an optimizer is. The state consists of two numbers:
which run of the program this is, and when the meter was last shown, by which a step knows, without leaving the program,
whether there is anything to show. Only then does it call back to Python, where there is an object for each run: the
line that was printed last, or the bar.

- Under `vmap`, there is one meter for the whole batch. It shows the element that is furthest behind.
- Derivatives do not reach it. If steps are computed again on the way back, there is nothing new to show, or else the
  meter was closed and its object is gone.
"""

import abc
import collections
import importlib.util
import itertools
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .._errors import describe
from .._module import Module
from .._runtime.unvmap import unvmap_max

_S = TypeVar("_S")


class AbstractProgressMeter(Module, Generic[_S]):
    """Shows how far a computation has come. Inherit from it to show that in another way.

    All of it works inside of `jax.jit`, `jax.vmap`, `jax.grad` and loops.
    """

    @abc.abstractmethod
    def init(self) -> _S:
        """Start, and return the meter's first state: any PyTree of arrays."""

    @abc.abstractmethod
    def step(self, state: _S, progress: ArrayLike) -> _S:
        """Note how far the computation has come.

        **Arguments**

        - `state`: what `init`, or the last `step`, returned.
        - `progress`: a number from 0 to 1.

        **Returns**

        The next state.
        """

    @abc.abstractmethod
    def close(self, state: _S) -> None:
        """Finish.

        **Arguments**

        - `state`: what the last `step` returned.
        """


class NoProgressMeter(AbstractProgressMeter[None]):
    """Shows nothing.

    **Example**
    ```python
    >>> meter = NoProgressMeter()
    >>> meter.close(meter.step(meter.init(), 0.5))

    ```
    """

    def init(self) -> None:
        """Do nothing."""

    def step(self, state: None, progress: ArrayLike) -> None:
        """Do nothing."""
        del state, progress

    def close(self, state: None) -> None:
        """Do nothing."""
        del state


class _Display(abc.ABC):
    """What one run of a program shows."""

    @abc.abstractmethod
    def show(self, progress: float) -> None: ...

    @abc.abstractmethod
    def close(self) -> None: ...


class _Displays:
    """The displays of all programs that are running, by the number of the run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        # Nobody can say whether a run that was not closed goes on. So only the newest are kept.
        self._open: collections.OrderedDict[int, _Display] = collections.OrderedDict()

    def open(self, make: Callable[[], _Display]) -> int:
        with self._lock:
            number = next(self._numbers) % 2**31
            self._open[number] = make()
            if len(self._open) > 256:
                self._open.popitem(last=False)
            return number

    def show(self, number: int, progress: float) -> None:
        with self._lock:
            if number in self._open:
                self._open[number].show(progress)

    def close(self, number: int) -> None:
        with self._lock:
            if number in self._open:
                self._open.pop(number).close()


_displays: Final = _Displays()
_NUMBER: Final = jax.ShapeDtypeStruct((), np.dtype(np.int32))  # type: ignore[no-untyped-call] # it has no annotations

#: The number of the run, and what a meter needs to know to decide whether to show something.
_State: TypeAlias = tuple[jax.Array, jax.Array]


def _open(make: Callable[[], _Display]) -> jax.Array:
    """Start a run, and return its number."""

    def on_host() -> Any:
        return np.array(_displays.open(make), np.int32)

    return cast(jax.Array, jax.pure_callback(on_host, _NUMBER))


def _show_if(pred: jax.Array, number: jax.Array, progress: jax.Array, before: jax.Array, after: jax.Array) -> jax.Array:
    """Show something, and return `after`, if a condition holds. Otherwise return `before`."""

    def on_host(number: Any, progress: Any, after: Any) -> Any:
        _displays.show(number.item(), progress.item())
        return np.asarray(after)

    def show(number: jax.Array, progress: jax.Array, before: jax.Array, after: jax.Array) -> Any:
        del before
        # `after` comes from the host so that the compiler cannot know it: what depends on it happens later.
        return jax.pure_callback(on_host, after, number, progress, after)

    def skip(number: jax.Array, progress: jax.Array, before: jax.Array, after: jax.Array) -> Any:
        del number, progress, after
        return before

    return cast(jax.Array, jax.lax.cond(pred, show, skip, number, progress, before, after))


def _close(number: jax.Array, last: jax.Array) -> None:
    """End a run, after everything that `last` depends on."""

    def on_host(number: Any, last: Any) -> None:
        del last
        _displays.close(number.item())

    if isinstance(number, Tracer) or isinstance(last, Tracer):
        jax.debug.callback(on_host, number, last)
    else:
        on_host(number, jax.block_until_ready(last))  # type: ignore[no-untyped-call] # it has no annotations


def _slowest(progress: ArrayLike) -> jax.Array:
    """The progress of all elements of a batch."""
    if jnp.ndim(progress) != 0:
        raise ValueError(f"argument `progress`: found {describe(progress)}, expected one number.")
    return -unvmap_max(-jax.lax.stop_gradient(jnp.asarray(progress, jnp.float32)))


def _unbatched(state: _State) -> _State:
    """The state of the whole batch, even if it has come through a loop with a condition for each element."""
    number, other = state
    return unvmap_max(number), unvmap_max(other)


class _Lines(_Display):
    def __init__(self) -> None:
        self._shown = -1.0
        self.show(0.0)

    def show(self, progress: float) -> None:
        if progress > self._shown:
            self._shown = progress
            print(f"{100 * progress:.2f}%")  # noqa: T201 # this is what it is for

    def close(self) -> None:
        self.show(1.0)


class TextProgressMeter(AbstractProgressMeter[_State]):
    """Prints how far a computation has come: `0.00%` at the start, `100.00%` at the end, and lines in between.

    **Arguments**

    - `minimum_increase`: by how much the progress, a number from 0 to 1, must have grown since the last line.

    **Example**
    ```python
    >>> def total(xs, meter):
    ...     def step(carry, x):
    ...         total, index, state = carry
    ...         state = meter.step(state, (index + 1) / len(xs))
    ...         return (total + x, index + 1, state), None
    ...     (total, _, state), _ = jax.lax.scan(step, (0.0, 0, meter.init()), xs)
    ...     meter.close(state)
    ...     return total
    >>> total(jnp.ones(10), TextProgressMeter(minimum_increase=0.3)).block_until_ready()
    0.00%
    40.00%
    80.00%
    100.00%
    Array(10., dtype=float32)

    ```
    """

    minimum_increase: ArrayLike = 0.02

    def init(self) -> _State:
        """Print `0.00%`."""
        return _open(_Lines), jnp.zeros((), jnp.float32)

    def step(self, state: _State, progress: ArrayLike) -> _State:
        """Print the progress, if it has grown enough."""
        number, shown = _unbatched(state)
        progress = _slowest(progress)
        pred = (progress - shown > self.minimum_increase) | ((progress == 1) & (shown != 1))
        return number, _show_if(pred, number, progress, shown, progress)

    def close(self, state: _State) -> None:
        """Print `100.00%`, unless that is the last line already."""
        _close(*_unbatched(state))


class _Bar(_Display):
    def __init__(self) -> None:
        self._bar: Any = importlib.import_module("tqdm").tqdm(
            total=100, unit="%", bar_format="{percentage:.2f}%|{bar}| [{elapsed}<{remaining}]"
        )

    def show(self, progress: float) -> None:
        if 100 * progress > self._bar.n:
            self._bar.update(100 * progress - self._bar.n)

    def close(self) -> None:
        self.show(1.0)
        self._bar.close()


class TqdmProgressMeter(AbstractProgressMeter[_State]):
    """Shows how far a computation has come as a bar, with the `tqdm` package.

    **Arguments**

    - `refresh_steps`: after how many steps, each time, to draw the bar anew.

    **Raises** (when constructed)

    - `ValueError`: `tqdm` is not installed.
    """

    refresh_steps: int = 20

    def __check_init__(self) -> None:
        if importlib.util.find_spec("tqdm") is None:
            raise ValueError(
                "`TqdmProgressMeter` needs the package `tqdm`, which is not installed: `pip install tqdm`."
            )

    def init(self) -> _State:
        """Draw an empty bar."""
        return _open(_Bar), jnp.zeros((), jnp.int32)

    def step(self, state: _State, progress: ArrayLike) -> _State:
        """Draw the bar, if enough steps have passed."""
        number, steps = _unbatched(state)
        after = steps + 1
        return number, _show_if(after % self.refresh_steps == 0, number, _slowest(progress), after, after)

    def close(self, state: _State) -> None:
        """Draw the full bar."""
        _close(*_unbatched(state))
