"""Compiled functions give, call after call, what the functions themselves give, whatever happens in between.

Random calls with other static configurations, other arrays, other settings of JAX, from other transformations and from
other threads, all of the same few compiled functions, are compared with calls that nothing is cached for.
"""

import contextlib
import copy
import dataclasses
import functools as ft
import gc
import math
import random
import threading
import typing
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import experimental

import equinox as eqx

# The context manager has moved.
enable_x64: typing.Any = getattr(jax if hasattr(jax, "enable_x64") else experimental, "enable_x64")  # noqa: B009


def double(x):
    return 2 * x


class Model(eqx.Module):
    weight: typing.Any
    activation: typing.Any
    number: typing.Any
    extra: typing.Any
    size: int = eqx.field(static=True)

    def plain(self, x, settings):
        return run(self, x, settings)

    @eqx.filter_jit
    def compiled(self, x, settings):
        return run(self, x, settings)


def run(model, x, settings):
    """Depends on everything that it is given, and returns all that is static besides."""
    y = model.activation(model.weight * x + model.size)
    if settings["negate"]:
        y = -y
    if not isinstance(model.number, str) and not math.isnan(model.number):
        y = y * model.number
    leaves = [type(leaf).__name__ for leaf in jax.tree.leaves(model.extra) if not eqx.is_array(leaf)]
    extra = f"{jax.tree.structure(model.extra)} {leaves}"
    note = f"{type(model.number)} {model.number} {extra} {model.size} {sorted(settings.items())}"
    return {"y": y, "note": note, "function": model.activation}


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to call the function, and what it must give the same as."""

    compiled: typing.Any
    reference: typing.Any


def scalar(model, x, settings):
    return jnp.sum(run(model, x, settings)["y"])


def gradient_of_weight(model, x, settings):
    return jax.grad(lambda weight: scalar(dataclasses.replace(model, weight=weight), x, settings))(model.weight)


def is_array(leaf):
    """Not one of the functions that the library knows."""
    return eqx.is_array(leaf)


compiled_run = eqx.filter_jit(run)
compiled_by_filter = eqx.jitf(run, filter_fn=is_array)
compiled_scalar = eqx.filter_jit(scalar)
compiled_gradient = eqx.filter_jit(eqx.filter_grad(scalar))


def nested(model, x, settings):
    return compiled_run(model, x, settings)


def in_scan(model, x, settings):
    def step(carry, _):
        output = compiled_run(carry, x, settings)
        return carry, output["y"]

    return eqx.filter_scan(step, model, length=2)[1][-1]


def fresh(model, x, settings):
    return eqx.filter_jit(lambda model, x: run(model, x, settings))(model, x)


compiled_nested = eqx.filter_jit(nested)

WAYS = [
    Way(compiled_run, run),
    Way(compiled_run, run),  # more often than the others
    Way(compiled_by_filter, run),
    Way(lambda model, x, settings: compiled_run(settings=settings, x=x, model=model), run),
    Way(lambda model, x, settings: model.compiled(x, settings), run),
    Way(lambda model, x, settings: Model.compiled(model, settings=settings, x=x), run),
    Way(lambda model, x, settings: eqx.filter_jit(model.plain)(x, settings), run),
    Way(compiled_nested, run),
    Way(fresh, run),
    Way(compiled_scalar, scalar),
    Way(in_scan, lambda *args: run(*args)["y"]),
    Way(lambda *args: compiled_gradient(*args).weight, gradient_of_weight),
    Way(lambda *args: eqx.filter_grad(compiled_scalar)(*args).weight, gradient_of_weight),
    Way(
        lambda model, x, settings: jax.vmap(lambda x: compiled_run(model, x, settings)["y"])(x),
        lambda model, x, settings: jax.vmap(lambda x: run(model, x, settings)["y"])(x),
    ),
    Way(
        lambda model, x, settings: jax.jit(lambda x: compiled_run(model, x, settings)["y"])(x),
        lambda model, x, settings: run(model, x, settings)["y"],
    ),
]

WEIGHTS = [np.float32(2.0) * np.ones((), np.float32), np.full(2, 3.0, np.float32), np.full(2, 0.5)]
INPUTS = [np.linspace(-1.0, 1.0, 2), np.linspace(-1.0, 1.0, 2, dtype=np.float32), np.ones((3, 2), np.float32)]
NUMBERS = [1, True, 1.0, 0.0, -0.0, math.nan, float("nan"), 2, "text", "te" + "xt"]
EXTRAS = [None, (), [], [1], (1,), {"a": 1}, {"b": 1}, {"a": 1.0}]
ACTIVATIONS = [jnp.tanh, double]


class Caller:
    """Makes random calls, one after another, with a configuration that changes from one to the next."""

    def __init__(self, seed, *, shares_settings=False):
        self.random = random.Random(seed)
        # JAX itself gets confused where threads have different settings for 64-bit numbers, without this library too.
        self.shares_settings = shares_settings
        self.way = self.random.choice(WAYS)
        self.parts = {}
        for name in ("weight", "activation", "number", "extra", "size"):
            self.change(name)
        self.x = INPUTS[0]
        self.as_array = jnp.asarray
        self.settings = {"negate": False, "name": "name"}

    def change(self, name):
        choices = {"weight": WEIGHTS, "activation": ACTIVATIONS, "number": NUMBERS, "extra": EXTRAS, "size": [0, 1]}
        value = self.random.choice(choices[name])
        self.parts[name] = copy.copy(value) if name == "extra" else value

    def mutate(self):
        """Change some of the configuration, in place or not; or nothing."""
        kind = self.random.randrange(8)
        if kind < 2:
            self.change(self.random.choice(["weight", "activation", "number", "extra", "size"]))
        elif kind == 2:
            self.x = self.random.choice(INPUTS)
        elif kind == 3:
            self.as_array = self.random.choice([np.asarray, jnp.asarray])
        elif kind < 6:
            self.settings["negate"] = not self.settings["negate"]  # the same dictionary
        elif kind == 6 and type(self.parts["extra"]) is list:
            self.parts["extra"].append(self.random.choice([1, 2.0, True]))  # the same list
            del self.parts["extra"][2:]
        else:
            self.change("number")

    def arguments(self):
        model = Model(**(self.parts | {"weight": self.as_array(self.parts["weight"])}))
        return model, self.as_array(self.x), self.settings

    def context(self):
        context = contextlib.ExitStack()
        if not self.shares_settings and self.random.random() < 0.3:
            context.enter_context(enable_x64(True))
        if self.random.random() < 0.1:
            context.enter_context(jax.disable_jit())
        if self.random.random() < 0.1:
            context.enter_context(jax.default_matmul_precision("highest"))
        return context

    def step(self):
        self.mutate()
        with self.context():
            model, x, settings = self.arguments()
            way = self.random.choice(WAYS)
            # Without jit, the function sees NumPy arrays as they are.
            as_seen = as_it_is if jax.config.jax_disable_jit else as_traced
            expected = way.reference(jax.tree.map(as_seen, model), as_seen(x), copy.deepcopy(settings))
            actual = way.compiled(model, x, settings)
            assert_same(actual, expected)


def as_it_is(leaf):
    return leaf


def as_traced(leaf):
    return jnp.asarray(leaf) if eqx.is_array(leaf) else leaf


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        if eqx.is_array(other):
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            assert jax.typeof(one) == jax.typeof(other)
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        else:
            assert type(one) is type(other)
            assert one == other


@pytest.mark.parametrize("seed", range(2))
def test_random_calls_give_what_the_function_itself_gives(seed):
    caller = Caller(seed)
    for i in range(36):
        caller.step()
        if i % 12 == 11:
            caller.random.choice([eqx.clear_caches, compiled_run.clear_cache, gc.collect])()


@pytest.mark.parametrize("x64", [False, True])
def test_random_calls_from_threads_give_what_the_function_itself_gives(x64):
    count = 8
    barrier = threading.Barrier(count, timeout=60)

    def work(seed):
        with enable_x64(x64):
            caller = Caller(seed, shares_settings=True)
            barrier.wait()
            for i in range(6):
                caller.step()
                if seed == 0 and i == 3:
                    eqx.clear_caches()

    with ThreadPoolExecutor(count) as executor:
        for future in [executor.submit(work, seed) for seed in range(count)]:
            future.result()


@pytest.mark.parametrize(
    "jit", [eqx.filter_jit, ft.partial(eqx.jitf, filter_fn=eqx.is_array)], ids=["filter_jit", "jitf"]
)
def test_eight_threads_with_other_static_leaves_get_their_own_answers(jit):
    count = 8
    barrier = threading.Barrier(count, timeout=60)
    traces = []

    @jit
    def function(x, static):
        traces.append(static)
        return x + 1, f"{type(static)} {static!r}"

    # Some are equal to each other, but not the same.
    statics = [1, True, 1.0, 1 + 0j, 0.0, -0.0, "1", b"1"]

    def work(index):
        static, x = statics[index], np.full(2, float(index), np.float32)
        barrier.wait()
        for _ in range(50):
            y, note = function(x, static)
            assert y.tolist() == [index + 1] * 2
            assert note == f"{type(static)} {static!r}"

    with ThreadPoolExecutor(count) as executor:
        for future in [executor.submit(work, index) for index in range(count)]:
            future.result()
    assert sorted(map(repr, traces)) == sorted(map(repr, statics))


def test_an_explanation_agrees_with_what_happens():
    traces = []

    def noted(model, x, settings):
        traces.append(None)
        return run(model, x, settings)

    function = eqx.filter_jit(noted)
    caller = Caller(5)
    hits = 0
    for _ in range(80):
        caller.mutate()
        with caller.context():
            arguments = caller.arguments()
            explanation = function.explain(*arguments)
            before = len(traces)
            function(*arguments)
            assert explanation.hit == (len(traces) == before)
            assert explanation.hit or explanation.differences or before == 0
        hits += explanation.hit
    assert 10 < hits < 70
