import functools
import gc
import inspect
import weakref

import jax
import jax.numpy as jnp
import optax
import pytest

import equinox as eqx
from equinox.internal import closure_to_pytree


def scale_by(rate, offset=0):
    def scale(x, *, power: int = 1) -> float:
        """Scale."""
        return rate * x**power + offset

    return scale


def structure(tree):
    return jax.tree.structure(tree)


def test_what_was_closed_over_becomes_children():
    rate = jnp.array(0.5)
    scale = closure_to_pytree(scale_by(rate))
    assert [leaf for leaf in jax.tree.leaves(scale) if eqx.is_array(leaf)] == [rate]
    assert scale(2.0) == 1
    assert jax.tree.map(lambda x: 2 * x, scale)(2.0, power=2) == 4


def test_the_function_keeps_its_signature():
    signature = inspect.signature(closure_to_pytree(scale_by(1)))
    assert signature == inspect.signature(scale_by(1))
    assert signature.parameters["power"].default == 1
    assert signature.return_annotation is float


def test_functions_from_the_same_place_have_the_same_structure():
    assert structure(closure_to_pytree(scale_by(1.0))) == structure(closure_to_pytree(scale_by(2.0)))
    assert hash(structure(closure_to_pytree(scale_by(1.0)))) == hash(structure(closure_to_pytree(scale_by(2.0))))
    assert structure(closure_to_pytree(scale_by(1.0))) != structure(closure_to_pytree(lambda x: x))


def test_functions_on_the_same_line_differ():
    first, second = closure_to_pytree((lambda x: x + 1, lambda x: x + 2))
    assert structure(first) != structure(second)
    assert (first(1), second(1)) == (2, 3)


def test_functions_with_other_defaults_differ():
    first, second = (closure_to_pytree(lambda x, y=y: x + y) for y in (1, 2))
    assert structure(first) != structure(second)
    assert (first(1), second(1)) == (2, 3)


def test_functions_without_a_source_are_told_apart():
    namespaces = [{"factor": factor} for factor in (2, 3)]
    for namespace in namespaces:
        exec("def function(x):\n    return factor * x", namespace)
    first, second = (closure_to_pytree(namespace["function"]) for namespace in namespaces)
    assert (first(1), second(1)) == (2, 3)
    assert structure(first) != structure(second)
    assert structure(first) == structure(closure_to_pytree(namespaces[0]["function"]))


def test_functions_inside_of_functions_are_converted_too():
    def compose(functions):
        return lambda x: functools.reduce(lambda x, f: f(x), functions, x)

    composed = closure_to_pytree({"a": compose([scale_by(jnp.array(2.0)), scale_by(jnp.array(3.0))])})
    assert sum(map(eqx.is_array, jax.tree.leaves(composed))) == 2
    assert composed["a"](1.0) == 6
    assert jax.grad(lambda f: f["a"](1.0), allow_int=True)(composed) is not None


def test_a_function_that_refers_to_itself_is_left_as_it_is():
    def factorial(n):
        return 1 if n == 0 else n * factorial(n - 1)

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    def parity(n):
        return "even" if even(n) else "odd"

    assert closure_to_pytree(factorial) is factorial
    assert closure_to_pytree([even])[0] is even
    assert closure_to_pytree(parity)(3) == "odd"


def test_a_variable_may_have_no_value_yet():
    def function():
        return later

    converted = closure_to_pytree(function)
    with pytest.raises(NameError):
        converted()
    later = 1


def test_everything_else_stays():
    tree = {"builtin": max, "jitted": jax.jit(jnp.sin), "custom": jax.nn.relu, "array": jnp.ones(2), "none": None}
    assert eqx.tree_equal(closure_to_pytree(tree), tree)


def test_an_optimiser_with_another_learning_rate_does_not_retrace():
    traces: list[int] = []

    @eqx.filter_jit
    def step(optimiser, params):
        traces.append(1)
        updates, _ = optimiser.update(params, optimiser.init(params), params)
        return updates

    for rate in (0.1, 0.2):
        updates = step(closure_to_pytree(optax.sgd(jnp.array(rate))), jnp.ones(2))
        assert jnp.allclose(updates, -rate)
    assert len(traces) == 1


def test_the_structure_keeps_nothing_alive_that_was_closed_over():
    class Content:
        pass

    def wrapped_scale(content):
        @functools.wraps(scale_by(content))
        def scale(x):
            return x, content

        return scale

    content = Content()
    reference = weakref.ref(content)
    treedef = structure(closure_to_pytree(wrapped_scale(content)))
    del content
    gc.collect()
    assert reference() is None
    assert treedef.num_leaves == 1
