from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from equinox import Optimizer
from equinox._optimizer_state import first_state


def is_stable(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and not getattr(leaf, "weak_type", False)


class OddState(NamedTuple):
    count: Any
    table: Any
    name: Any
    function: Any


def odd(update: Callable[[OddState], Any]) -> Any:
    def init(params):
        return OddState(0, np.ones(2), "odd", jnp.tanh)

    def update_with_state(updates, state, params=None):
        assert state.name == "odd"
        assert state.function is jnp.tanh
        return jax.tree.map(jnp.negative, updates), update(state)

    return optax.GradientTransformation(init, update_with_state)


def test_what_is_no_array_in_a_state_is_hidden_from_jax_and_not_from_optax() -> None:
    params = {"x": jnp.ones(2)}
    optimizer = Optimizer(odd(lambda state: state._replace(count=state.count + 1)), params)
    assert all(map(is_stable, jax.tree.leaves(optimizer)))
    step: Any = jax.jit(lambda optimizer, params: optimizer.update(params, params))
    for _ in range(2):
        params, optimizer = step(optimizer, params)
    assert optimizer.state.count == 2
    assert optimizer.state.name == "odd"
    assert optimizer.state.function is jnp.tanh
    assert step._cache_size() == 1


@pytest.mark.parametrize("count", [lambda count: 1.5 + count, lambda count: np.int16(3), lambda count: 3])
def test_the_arrays_of_a_state_keep_their_dtype(count: Callable[[Any], Any]) -> None:
    optimizer = Optimizer(odd(lambda state: state._replace(count=count(state.count))), {"x": jnp.ones(2)})
    _, after = optimizer.update({"x": jnp.ones(2)}, {"x": jnp.ones(2)})
    assert after.state.count.dtype == optimizer.state.count.dtype == jnp.int32
    assert is_stable(after.state.count)


def test_a_state_that_changes_its_structure_is_reported() -> None:
    optimizer = Optimizer(odd(lambda state: state._replace(table=[state.table])), {"x": jnp.ones(2)})
    with pytest.raises(ValueError, match=r"at `\.table` it has a `list`.*, and had a JAX array"):
        optimizer.update({"x": jnp.ones(2)}, {"x": jnp.ones(2)})


def test_arrays_that_a_state_shares_with_the_model_can_be_donated_with_it() -> None:
    transformation: Any = optax.GradientTransformation(lambda params: (params, params), optax.identity().update)
    params = {"x": jnp.ones(2000)}
    optimizer = Optimizer(transformation, params)
    pointers = {array.unsafe_buffer_pointer() for array in jax.tree.leaves((params, optimizer))}
    assert len(pointers) == 3


def test_small_arrays_that_belong_to_the_transformation_are_copied() -> None:
    key, big = jax.random.key(0), jnp.ones(2000)
    held = first_state([key, big, big], [])
    assert held[0] is not key
    assert jnp.array_equal(jax.random.key_data(held[0]), jax.random.key_data(key))
    assert held[1] is big
    assert held[2] is not big
