"""Steps of a training loop, each on the results of the one before."""

import time
from collections.abc import Callable
from typing import Any, Final

from jax import Array

#: A step of training: from the model, the state of the optimiser and a batch to the next two, and the loss.
Step = Callable[..., tuple[Any, Any, Array]]


class Training:
    """Training with one batch over and over; the device may lag behind until the last step of a sample.

    **Arguments**

    - `step`: the step.
    - `model`, `state`: what it starts with, each time.
    - `batch`: the arguments that follow them.
    - `meanwhile`: what else the program has to do after each step, while the device computes.
    - `view`: what to compare to that of another library, of the results of one step.
    """

    _STEPS: Final = 20

    def __init__(
        self,
        step: Step,
        model: Any,
        state: Any,
        batch: tuple[Any, ...],
        meanwhile: Callable[[], object] | None = None,
        view: Callable[[tuple[Any, Any, Array]], Any] = lambda result: result,
    ) -> None:
        self._step = step
        self._model = model
        self._state = state
        self._batch = batch
        self._meanwhile = meanwhile
        self._view = view

    def result(self) -> Any:
        """What is to be compared, after one step."""
        return self._view(self._step(self._model, self._state, *self._batch))

    def sample(self) -> float:
        """The seconds of one step."""
        step, model, state, batch, meanwhile = self._step, self._model, self._state, self._batch, self._meanwhile
        loss: Array | None = None
        start = time.perf_counter()
        for _ in range(self._STEPS):
            model, state, loss = step(model, state, *batch)
            if meanwhile is not None:
                meanwhile()
        assert loss is not None
        loss.block_until_ready()
        return (time.perf_counter() - start) / self._STEPS
