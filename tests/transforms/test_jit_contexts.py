"""Compiled functions inside other transformations, under other settings of JAX, and in several threads at once."""

import contextlib
import threading
import typing
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.jit_variants import JIT_AND_ANY_FILTER as JIT


class Scale(eqx.Module):
    factor: typing.Any

    def __call__(self, x):
        return self.factor * x

    def method(self, x):
        return self(x)


@contextlib.contextmanager
def x64(enabled):
    """Switch 64-bit numbers on or off; the context manager for this has had several homes in JAX."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", enabled)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


# Settings


@pytest.mark.parametrize("jit", JIT)
def test_without_jit_the_function_runs_on_concrete_arrays_each_time(jit):
    runs = []

    @jit
    def function(tree, n, *, name):
        is_concrete = not isinstance(tree["x"], jax.core.Tracer)
        runs.append(is_concrete)
        return {"x": tree["x"] * n, "name": name, "function": jnp.tanh}

    def call():
        output = function({"x": jnp.ones(2), "function": jnp.tanh}, 2, name="text")
        assert output["x"].tolist() == [2, 2]
        assert output["name"] == "text"
        assert output["function"] is jnp.tanh

    call()
    with jax.disable_jit():
        call()
        call()
    call()
    assert runs == [False, True, True]


def test_without_jit_results_are_as_they_are_whatever_the_options():
    sharding = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
    function = eqx.jitf(lambda x: (x, jnp.tanh, "text"), filter_fn=eqx.is_array, out_shardings=sharding)
    x = jnp.ones(2)
    with jax.disable_jit():
        y, tanh, text = function(x)
        assert y is x
        assert tanh is jnp.tanh
        assert text == "text"


def test_what_is_first_called_without_jit_is_compiled_later():
    runs = []

    @eqx.filter_jit
    def function(model, x):
        runs.append(isinstance(x, jax.core.Tracer))
        return eqx.Partial(model, x)

    with jax.disable_jit():
        assert function(Scale(2), jnp.array(3.0))() == 6
    for _ in range(2):
        assert function(Scale(2), jnp.array(3.0))() == 6
    assert runs == [False, True]


@pytest.mark.parametrize("jit", JIT)
def test_data_dependent_control_flow_works_without_jit(jit):
    function = jit(lambda x: x if x > 0 else -x)
    with pytest.raises(jax.errors.TracerBoolConversionError):
        function(jnp.array(-1.0))
    with jax.disable_jit():
        assert function(jnp.array(-1.0)) == 1


def test_compiling_ahead_of_time_works_without_jit():
    with jax.disable_jit():
        compiled = eqx.filter_jit(lambda x, n: (x * n, n, "text")).lower(jnp.ones(2), 3).compile()
    x, n, text = compiled(jnp.ones(2), 3)
    assert x.tolist() == [3, 3]
    assert type(n) is int
    assert text == "text"


@pytest.mark.parametrize("jit", JIT)
def test_64_bit_numbers_can_be_switched_in_between(jit):
    function = jit(lambda x, n: jnp.asarray(x) * n)
    x = np.array([1.0, 2.0])
    for enabled in (False, True, True, False, True, False):
        with x64(enabled):
            output = function(x, 1 / 3)
            assert output.dtype == (np.float64 if enabled else np.float32)
            np.testing.assert_allclose(output, x / 3, rtol=1e-12 if enabled else 1e-6)


@pytest.mark.parametrize("jit", JIT)
def test_traced_python_numbers_follow_the_setting_for_64_bit(jit):
    function = eqx.jitf(lambda x: x, filter_fn=eqx.is_array_like)
    for enabled in (False, True, False):
        with x64(enabled):
            assert function(1.0).dtype == (np.float64 if enabled else np.float32)
            assert function(1).dtype == (np.int64 if enabled else np.int32)


@pytest.mark.parametrize("jit", JIT)
def test_the_precision_of_products_can_be_switched_in_between(jit):
    function = jit(lambda x, n: x @ x)
    precisions = []
    for setting in ("highest", "bfloat16"):
        with jax.default_matmul_precision(setting):
            x = jnp.ones((2, 2))
            (equation,) = jax.make_jaxpr(lambda x: function(x, 1))(x).eqns
            precisions += [inner.params["precision"] for inner in equation.params["jaxpr"].eqns]
    assert precisions[0] != precisions[1]


# Other transformations


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, eqx.filter_jit, jax.checkpoint])
def test_compiled_functions_can_be_transformed(jit, wrap):
    @wrap
    @jit
    def function(x, y):
        return jnp.sum(jnp.sin(x) * y["a"])

    def plain(x, y):
        return jnp.sum(jnp.sin(x) * y["a"])

    x, y = jnp.arange(3.0), {"a": jnp.arange(3.0) + 1}
    rows = jnp.arange(6.0).reshape(2, 3)
    for _ in range(2):
        np.testing.assert_allclose(function(x, y), plain(x, y), rtol=1e-6)
        for transform in (jax.grad, jax.jacfwd, jax.hessian, lambda f: jax.jit(jax.grad(f))):
            np.testing.assert_allclose(transform(function)(x, y), transform(plain)(x, y), rtol=1e-6)
        for transform in (lambda f: f, jax.grad):
            expected = jax.vmap(transform(plain), in_axes=(0, None))(rows, y)
            actual = jax.vmap(transform(function), in_axes=(0, None))(rows, y)
            np.testing.assert_allclose(actual, expected, rtol=1e-6)
        _, tangents = jax.jvp(lambda x: function(x, y), (x,), (x,))
        np.testing.assert_allclose(tangents, jnp.vdot(jax.grad(plain)(x, y), x), rtol=1e-6)
        assert jax.eval_shape(function, x, y).shape == ()


@pytest.mark.parametrize("jit", JIT)
def test_compiled_functions_work_in_control_flow(jit):
    @jit
    def step(carry, x, n=1):
        return carry + n * x, (carry, None)

    total, (partial_sums, _) = jax.lax.scan(step, jnp.array(0.0), jnp.arange(4.0))
    assert total == 6
    np.testing.assert_array_equal(partial_sums, [0, 0, 1, 3])
    double, half = jit(lambda x: 2 * x), jit(lambda x: x / 2)
    assert [jax.lax.cond(choice, double, half, 4.0) for choice in (True, False)] == [8, 2]


@pytest.mark.parametrize("jit", JIT)
def test_static_leaves_stay_static_inside_other_transformations(jit):
    @jit
    def function(x, settings):
        assert type(settings["n"]) is int
        return x * settings["n"], settings["text"]

    def outer(x):
        y, text = function(x, {"n": 2, "text": "text"})
        assert text == "text"
        return jnp.sum(y)

    assert jax.jit(outer)(jnp.ones(2)) == 4
    assert jax.grad(outer)(jnp.ones(2)).tolist() == [2, 2]
    assert jax.vmap(outer)(jnp.ones((3, 2))).tolist() == [4, 4, 4]


def test_a_compiled_function_inside_another_is_traced_once():
    traces = []

    def function(x):
        traces.append(x)
        return x + 1

    outer = eqx.filter_jit(eqx.filter_jit(function))
    for _ in range(2):
        assert outer(jnp.array(1.0)) == 2
    assert len(traces) == 1


@pytest.mark.parametrize("transform", [eqx.filter_grad, eqx.filter_value_and_grad])
def test_a_compiled_gradient_is_traced_once(transform):
    traces = []

    @eqx.filter_jit
    @transform
    def function(x):
        traces.append(x)
        return jnp.sum(x**2)

    for _ in range(2):
        gradient = jax.tree.leaves(function(jnp.ones(2)))[-1]
        assert gradient.tolist() == [2, 2]
    assert len(traces) == 1


@pytest.mark.parametrize("jit", JIT)
def test_gradients_flow_through_the_arrays_of_the_callable(jit):
    def through(make):
        return jax.grad(lambda factor: make(Scale(factor))(3.0))(2.0)

    assert through(jit) == 3
    assert through(lambda model: jit(model.method)) == 3
    assert through(lambda model: jit(eqx.Partial(model))) == 3
    assert through(lambda model: eqx.Partial(jit(lambda model, x: model(x)), model)) == 3
    assert through(lambda model: jit(jit(model))) == 3


@pytest.mark.parametrize("jit", JIT)
def test_functions_may_close_over_values_that_are_being_transformed(jit):
    def outer(y):
        @jit
        def inner(x, n):
            return n * x * y

        return inner(jnp.array(3.0), 2) + inner(jnp.array(4.0), 2)

    assert jax.grad(outer)(5.0) == 14
    assert jax.jit(outer)(5.0) == 70
    assert jax.vmap(outer)(jnp.arange(2.0)).tolist() == [0, 14]
    assert jax.jit(jax.vmap(jax.grad(outer)))(jnp.arange(2.0)).tolist() == [14, 14]


@pytest.mark.parametrize("jit", JIT)
def test_a_compiled_method_can_be_transformed(jit):
    class Model(eqx.Module):
        factor: jax.Array

        @jit
        def apply(self, x):
            return jnp.sum(self.factor * x)

    model = Model(jnp.array(2.0))
    assert jax.grad(model.apply)(3.0) == 2
    assert jax.vmap(model.apply)(jnp.arange(3.0)).tolist() == [0, 2, 4]
    assert jax.grad(lambda model: model.apply(3.0))(model).factor == 3
    assert jax.vmap(lambda model: model.apply(3.0))(Model(jnp.arange(3.0))).tolist() == [0, 3, 6]
    assert eqx.filter_jit(lambda method, x: method(x))(model.apply, 3.0) == 6


# Threads


@pytest.mark.parametrize("jit", JIT)
def test_threads_do_not_get_in_each_others_way(jit):
    count = 8

    @jit
    def function(x, n, *, name):
        return x * n, name

    class Model(eqx.Module):
        factor: typing.Any

        @jit
        def apply(self, x):
            return self.factor * x

    barrier = threading.Barrier(count, timeout=60)

    def work(index):
        barrier.wait()  # so that all of them meet a function that has not been compiled
        for i in range(8):
            n = (index + i) % 5
            x = np.full(2 + i % 3, float(index))
            y, name = function(x, n, name=f"name {n}") if i % 2 else function(name=f"name {n}", n=n, x=x)
            np.testing.assert_array_equal(y, x * n)
            assert name == f"name {n}"
            np.testing.assert_array_equal(Model(n).apply(x), x * n)
            np.testing.assert_array_equal(jit(lambda x: x + n)(x[:1]), x[:1] + n)  # noqa: B023 # called at once
            if index == 0 and i % 7 == 0:
                eqx.clear_caches()

    with ThreadPoolExecutor(count) as executor:
        for future in [executor.submit(work, index) for index in range(count)]:
            future.result()


def test_settings_of_one_thread_do_not_reach_another():
    inside, done = threading.Event(), threading.Event()

    @eqx.filter_jit
    def function(x):
        return isinstance(x, jax.core.Tracer)

    def without_jit():
        with jax.disable_jit():
            inside.set()
            assert done.wait(30)
            return function(jnp.ones(2))

    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(without_jit)
        assert inside.wait(30)
        assert function(jnp.ones(2)) is True
        done.set()
        assert future.result() is False
    assert function(jnp.ones(2)) is True


# Asynchronous dispatch


def work(x, rounds):
    return jax.lax.fori_loop(0, rounds, lambda _, x: jnp.sin(x @ x), x)


def returns_early(call):
    """Whether calls return before their results are there. On a busy machine, that may take longer results to show."""
    jax.block_until_ready(call(jnp.array(1)))
    return any(not call(jnp.array(rounds)).is_ready() for rounds in (100, 100, 1_000, 1_000, 10_000))


def jax_returns_early():
    """Whether JAX's own calls do so: where it has too few threads, for example, they do not."""
    x, function = jnp.ones((256, 256)), jax.jit(work)
    return returns_early(lambda rounds: function(x, rounds))


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.device
def test_calls_return_before_the_result_is_there(jit):
    x = jnp.ones((256, 256))
    function = jit(work)
    assert returns_early(lambda rounds: function(x, rounds)) or not jax_returns_early()


@pytest.mark.device
def test_method_calls_return_before_the_result_is_there():
    class Model(eqx.Module):
        x: jax.Array

        @eqx.filter_jit(donate="none")
        def work(self, rounds):
            return work(self.x, rounds), "text"

    model = Model(jnp.ones((256, 256)))
    assert returns_early(lambda rounds: model.work(rounds)[0]) or not jax_returns_early()


@pytest.mark.device
def test_compiled_programs_return_before_the_result_is_there():
    x = jnp.ones((256, 256))
    compiled = eqx.filter_jit(work).lower(x, jnp.array(1)).compile()
    assert returns_early(lambda rounds: compiled(x, rounds)) or not jax_returns_early()


# Accelerators


@pytest.mark.device
def test_any_device_computes_what_the_cpu_computes():
    @eqx.filter_jit
    def step(model, x, n):
        gradient = eqx.filter_grad(lambda model: jnp.mean(model(x) ** n))(model)
        return jax.tree.map(lambda leaf, slope: leaf - 0.1 * slope, model, gradient), "text"

    def run(device):
        with jax.default_device(device):
            model = Scale(jnp.linspace(0.0, 1.0, 8))
            for _ in range(3):
                model, text = step(model, jnp.linspace(1.0, 2.0, 8), 3)
            assert text == "text"
            assert model.factor.devices() == {device}
            return np.asarray(model.factor)

    np.testing.assert_allclose(run(jax.devices()[0]), run(jax.devices("cpu")[0]), rtol=1e-5)
