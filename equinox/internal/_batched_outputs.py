"""Which outputs of a program depend on a batch: those that have a batch axis once `vmap` has been applied to it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.custom_batching import custom_vmap
from jax.extend.core import ClosedJaxpr

from ._jaxprs import as_function


def batched_outputs(
    vectorise: Callable[[Callable[..., Any]], Callable[..., Any]], program: ClosedJaxpr, operands: Sequence[Any]
) -> list[bool]:
    """Say which outputs of a program are batched.

    JAX tells it to a rule for what to do with a batch, which is here of a function that changes nothing.

    **Arguments**

    - `vectorise`: applies `vmap` to a function of the program's inputs.
    - `program`: the program.
    - `operands`: its inputs, those that are batched with the batch in front.
    """
    answers = [False] * len(program.out_avals)

    @custom_vmap
    def probe(*outputs: Any) -> tuple[Any, ...]:
        return outputs

    @probe.def_vmap
    def _(axis_size: int, is_batched: Sequence[bool], *outputs: Any) -> tuple[tuple[Any, ...], tuple[bool, ...]]:
        del axis_size
        answers[:] = is_batched
        return outputs, tuple(is_batched)

    def probed(*inputs: Any) -> tuple[Any, ...]:
        outputs: tuple[Any, ...] = probe(*as_function(program)(*inputs))
        return outputs

    jax.eval_shape(vectorise(probed), *operands)
    return answers
