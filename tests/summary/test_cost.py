import itertools
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox._summary import cost
from equinox._summary.calls import record_calls
from equinox._summary.cost import Costs


class Layer(eqx.Module):
    weight: Any
    function: Any = None

    def __call__(self, x):
        y = x @ self.weight
        return y if self.function is None else self.function(y)


def call_of(model, x):
    (call, *_), *_ = record_calls(model, (x,), {}).values()
    return call


def test_a_matrix_product_takes_two_operations_for_each_product() -> None:
    assert Costs().of(call_of(Layer(jnp.ones((3, 4))), jnp.ones((5, 3)))) == 2 * 3 * 4 * 5


def test_calls_that_look_the_same_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr(cost, "_count", lambda call: next(numbers))
    costs = Costs()
    calls = [call_of(Layer(jnp.ones((3, 4))), jnp.ones(rows)) for rows in ((5, 3), (5, 3), (6, 3))]
    assert [costs.of(call) for call in calls] == [1, 1, 2]
    assert costs.of(call_of(Layer(jnp.ones((3, 4)), jnp.tanh), jnp.ones((5, 3)))) == 3


def test_a_call_that_cannot_be_repeated_on_its_own_has_no_cost() -> None:
    class Model(eqx.Module):
        layer: Layer

        def __call__(self, x):
            return jax.vmap(self.layer, axis_name="batch")(x)

    model = Model(Layer(jnp.ones((3, 3)), lambda y: y - jax.lax.pmean(y, "batch")))
    calls = record_calls(model, (jnp.ones((2, 3)),), {})
    assert Costs().of(calls[()][0])
    assert Costs().of(calls[(".layer",)][0]) is None
