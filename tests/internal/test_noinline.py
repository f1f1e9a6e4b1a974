import inspect
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.internal import noinline, noinline_p
from tests.untyped import untyped

X = jnp.array([1.0, 2.0, 3.0])


class Traced:
    """A function that counts how often it is traced."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, x, y=2.0):
        self.count += 1
        return jnp.sin(x) * y


def plain(x, y=2.0):
    return jnp.sin(x) * y


@pytest.fixture(scope="module")
def separate():
    return noinline(plain)


def test_it_does_what_the_function_does(separate):
    assert jnp.allclose(separate(X), plain(X))
    assert jnp.allclose(jax.jit(separate)(X), plain(X))
    assert jnp.allclose(separate(X, y=X), plain(X, X))


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: jax.vmap(f)(X),
        lambda f: jax.vmap(f, (0, None))(X, X[0]),
        lambda f: jax.vmap(jax.grad(f))(X),
        lambda f: jax.jvp(f, (X, X), (X, X)),
        lambda f: jax.grad(lambda x: f(x, x).sum())(X),
        lambda f: jax.hessian(f)(X[0]),
        lambda f: jax.vmap(jax.grad(lambda x: f(f(f(x)))))(X),
        lambda f: jax.grad(lambda x: jax.lax.cond(x > 0, f, jnp.cos, x))(X[0]),
        lambda f: jax.linear_transpose(lambda y: f(X, y), X)(X),
        lambda f: jax.lax.scan(lambda c, x: (f(c, x), c), X[0], X),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_transformations_compose(transform, compiled, separate):
    expected = jax.jit(lambda: transform(plain))()
    found = jax.jit(lambda: transform(separate))() if compiled else transform(separate)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        assert jnp.allclose(a, b, atol=1e-6)


def test_calls_with_one_signature_are_traced_and_compiled_once():
    function = Traced()
    separate = noinline(function)
    chain = jax.jit(lambda x: separate(separate(separate(separate(x)))))
    assert jnp.allclose(chain(X), plain(plain(plain(plain(X)))))
    assert function.count == 2  # to find out the type of its output, and to compile it
    jax.jit(lambda x: separate(x) + 1)(X)
    assert function.count == 2


def test_so_are_their_derivatives():
    function = Traced()
    separate = noinline(function)
    gradient = jax.jit(jax.vmap(jax.grad(lambda x: separate(separate(separate(x))))))
    assert jnp.allclose(gradient(X), jax.vmap(jax.grad(lambda x: plain(plain(plain(x)))))(X), atol=1e-6)
    # Compiled are the function and what propagates cotangents: the first, which is not batched, and all others.
    assert function.count == 1 + 3


def test_a_function_that_is_wrapped_twice_is_one_function():
    function = Traced()
    assert jnp.allclose(noinline(function)(X), noinline(function)(X))
    assert function.count == 2


def test_programs_that_call_it_do_not_contain_it():
    jaxpr = jax.make_jaxpr(jax.vmap(jax.grad(noinline(plain))))(X)
    assert {equation.primitive for equation in jaxpr.eqns} >= {noinline_p}
    assert "sin" not in str(jaxpr)


def test_what_is_no_array_is_static():
    @noinline
    def function(x, power, names):
        return {"result": x**power, "names": names[::-1]}

    for power in (2, 3):
        output = eqx.filter_jit(function)(X, power, ["a", "b"])
        assert jnp.allclose(output["result"], X**power)
        assert output["names"] == ["b", "a"]
    assert function(X, 2, ["c"])["names"] == ["c"]
    with pytest.raises(TypeError, match="unhashable"):
        function(X, 2, {"set"} and [{1}])


def test_the_arrays_of_a_module_are_inputs():
    class Scale(eqx.Module):
        factor: jax.Array

        def __call__(self, x):
            log.append("traced")
            return self.factor * x

    log: list[str] = []
    for factor in (2.0, 3.0):
        assert jnp.allclose(jax.jit(noinline(Scale(jnp.array(factor))))(X), factor * X)
    assert len(log) == 2

    def loss(model):
        return noinline(model)(X).sum()

    assert eqx.filter_grad(loss)(Scale(jnp.array(2.0))).factor == 6


def test_functions_with_one_blueprint_can_take_each_others_place():
    def blueprint(arrays, x):
        assert arrays == (None,)
        return x

    traces: list[int] = []

    @eqx.filter_jit
    def gradient(function, x):
        traces.append(1)
        return jax.grad(function)(x)

    assert jnp.allclose(gradient(noinline(jnp.sin, blueprint), X[0]), jnp.cos(X[0]))
    assert jnp.allclose(gradient(noinline(jnp.cos, blueprint), X[0]), -jnp.sin(X[0]))
    assert len(traces) == 1


def test_an_output_that_is_not_like_the_blueprint_is_an_error():
    function: Any = noinline(lambda x: (x, x), lambda arrays, x: x)
    with pytest.raises(ValueError, match="abstract_fn"):
        function(X)


def test_a_batch_of_different_functions_is_an_error():
    def blueprint(arrays, x):
        return x

    first, second = (noinline(f, blueprint) for f in (jnp.sin, jnp.cos))
    same, different = (jax.tree.map(lambda *x: jnp.stack(x), first, other) for other in (first, second))
    assert jnp.allclose(jax.vmap(lambda f, x: f(x))(same, X[:2]), jnp.sin(X[:2]))
    with pytest.raises(eqx.EquinoxRuntimeError, match="different functions"):
        jax.vmap(lambda f, x: f(x))(different, X[:2])


def test_a_failing_check_in_it_is_reported_as_any_other():
    @noinline
    def checked(x):
        return eqx.error_if(x, x < 0, "x is negative")

    function = eqx.filter_jit(lambda x: checked(x) + 1)
    assert function(X[0]) == 2
    with pytest.raises(eqx.EquinoxRuntimeError, match="x is negative"):
        function(-X[0])


def test_it_looks_like_the_function():
    separate: Any = noinline(plain)
    assert separate.__name__ == "plain"
    assert separate.__wrapped__ is plain
    assert inspect.signature(separate) == inspect.signature(plain)


def test_it_binds_like_a_function():
    class Model(eqx.Module):
        weight: jax.Array

        @noinline
        def apply(self, x):
            return self.weight * x

    model = Model(jnp.array(2.0))
    assert jnp.allclose(model.apply(X), 2 * X)
    assert jnp.allclose(Model.apply(model, X), 2 * X)
    assert jnp.allclose(eqx.filter_jit(model.apply)(X), 2 * X)
    assert list(inspect.signature(model.apply).parameters) == ["x"]


def test_only_what_can_be_called_can_be_separated():
    with pytest.raises(TypeError, match="callable"):
        noinline(untyped(3))
