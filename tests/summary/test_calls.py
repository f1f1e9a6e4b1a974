"""Which calls of Modules are seen, in models that call their parts in all the ways there are."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox._summary.calls import call_of_twin, record_calls


class Leaf(eqx.Module):
    weight: jax.Array

    def __call__(self, x):
        return x @ self.weight


class Model(eqx.Module):
    layers: list[Leaf]
    way: Callable[[Any, Any], Any] = eqx.field(static=True)

    def __call__(self, x):
        for layer in self.layers:
            x = self.way(layer, x)
        return x


def directly(layer, x):
    return layer(x)


# The first axis of the inputs is that of a batch.
WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "directly": directly,
    "vmap": lambda layer, x: jax.vmap(layer)(x),
    "filter_jit": lambda layer, x: eqx.filter_jit(layer)(x),
    "filter_jit of a function": eqx.filter_jit(directly),
    "jit": jax.jit(directly),
    "checkpoint": jax.checkpoint(directly),
    "scan": lambda layer, x: jax.lax.scan(lambda carry, row: (carry, layer(row)), None, x)[1],
    "a gradient": lambda layer, x: (
        eqx.filter_grad(lambda m, y: jnp.sum(m(y)))(layer, x).weight[0, 0] * x @ layer.weight
    ),
}


def shapes(tree: Any) -> Any:
    return jax.tree.map(lambda struct: struct.shape, tree)


@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_seen_with_its_shapes_however_it_comes_about(way: str) -> None:
    model = Model([Leaf(jnp.ones((4, 5))), Leaf(jnp.ones((5, 6)))], WAYS[way])
    x = jnp.ones((3, 4))
    model(x)  # JAX has traced everything already
    for _ in range(2):
        calls = record_calls(model, (x,), {})
        assert list(calls) == [(), (".layers", "[0]"), (".layers", "[1]")]
        (whole,), (first,), (second,) = calls.values()
        rows = () if way in ("vmap", "scan") else (3,)
        assert (shapes(whole.inputs), whole.output.shape) == ({"x": (3, 4)}, (3, 6))
        assert (shapes(first.inputs), shapes(second.inputs)) == ({"x": (*rows, 4)}, {"x": (*rows, 5)})
        if way != "a gradient":
            assert (first.output.shape, second.output.shape) == ((*rows, 5), (*rows, 6))


def test_every_call_is_counted() -> None:
    model = Model([Leaf(jnp.ones((4, 4))), Leaf(jnp.ones((4, 4)))], lambda layer, x: layer(layer(x)))
    calls = record_calls(model, (jnp.ones(4),), {})
    assert {"".join(path): len(found) for path, found in calls.items()} == {"": 1, ".layers[0]": 2, ".layers[1]": 2}


def test_arguments_have_the_names_of_parameters() -> None:
    class Odd(eqx.Module):
        weight: jax.Array

        def __call__(self, x, /, y, *rest, flag, **named):
            return [x, flag]

    args, kwargs = (jnp.ones(1), jnp.ones(2), jnp.ones(3)), {"flag": "yes", "z": jnp.ones(4)}
    ((call,),) = record_calls(Odd(jnp.ones(5)), args, kwargs).values()
    shown = jax.tree.map(lambda leaf: getattr(leaf, "shape", leaf), call.inputs)
    assert shown == {"x": (1,), "y": (2,), "flag": "yes", "named": {"z": (4,)}, "rest": ((3,),)}
    assert shapes(call.args) == ((1,), (2,), (3,))
    assert call.output[1] == "yes"


def test_a_decorated_method_is_called_once() -> None:
    def decorate(function):
        @functools.wraps(function)
        def __call__(self, *args):  # noqa: N807 # as a careless decorator does it
            return function(self, *args)

        return __call__

    class Decorated(eqx.Module):
        weight: jax.Array

        @decorate
        def __call__(self, x):
            return x

    ((call,),) = record_calls(Decorated(jnp.ones(2)), (jnp.ones(3),), {}).values()
    assert [struct.shape for struct in jax.tree.leaves(call.inputs)] == [(3,)]


def test_structs_may_stand_for_arrays() -> None:
    model = Leaf(jax.ShapeDtypeStruct((10**6, 10**6), jnp.float32))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # this is what is tested
    ((call,),) = record_calls(model, (jax.ShapeDtypeStruct((10**6,), jnp.float32),), {}).values()
    assert call.output.shape == (10**6,)


def test_parts_that_are_compiled_once_for_several_places_have_twins() -> None:
    class Block(eqx.Module):
        leaf: Leaf

        @eqx.filter_jit
        def __call__(self, x):
            return self.leaf(x)

    def block(*shape):
        return Block(Leaf(jnp.ones(shape)))

    class Blocks(eqx.Module):
        blocks: list[Block]

        def __call__(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    calls = record_calls(Blocks([block(4, 4), block(4, 4), block(4, 5)]), (jnp.ones(4),), {})
    assert {len(found) for found in calls.values()} == {1}
    assert (".blocks", "[1]") in calls
    first = calls[(".blocks", "[0]", ".leaf")]
    assert (".blocks", "[1]", ".leaf") not in calls
    assert call_of_twin((".blocks", "[1]", ".leaf"), calls) is first
    assert call_of_twin((".blocks", "[0]", ".other"), calls) == []
    del calls[(".blocks", "[2]", ".leaf")]
    assert call_of_twin((".blocks", "[2]", ".leaf"), calls) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_profiler_is_put_back_afterwards(fails: bool) -> None:
    def profiler(frame, event, value):
        pass

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        if fails:
            with pytest.raises(TypeError, match="dot_general"):
                record_calls(Leaf(jnp.ones((4, 4))), (jnp.ones(3),), {})
        else:
            record_calls(Leaf(jnp.ones((4, 4))), (jnp.ones(4),), {})
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)
