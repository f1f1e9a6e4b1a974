from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.core import ShapedArray
from jax.interpreters import ad

import equinox as eqx
from equinox.internal import (
    create_vprim,
    filter_primitive_bind,
    filter_primitive_def,
    filter_primitive_jvp,
    filter_primitive_transpose,
)

A, X = jnp.arange(6.0).reshape(2, 3), jnp.arange(3.0) + 1


def wave_primitive() -> Any:
    """`sin(a) * x`, and another result that is constant; linear in `x`."""

    @filter_primitive_def
    def impl(a, x, name):
        return jnp.sin(a) * x, jnp.array(2.0), name

    @filter_primitive_def
    def abstract_eval(a, x, name):
        return x, ShapedArray((), x.dtype), name

    @filter_primitive_jvp
    def jvp(primals, tangents):
        a, x, name = primals
        da, dx, _ = tangents
        terms = [] if da is None else [jnp.cos(a) * da * x]
        terms += [] if dx is None else [filter_primitive_bind(wave_p, a, dx, name)[0]]
        return filter_primitive_bind(wave_p, *primals), (sum(terms), None, None)

    @filter_primitive_transpose
    def transpose(inputs, cotangents):
        a, x, _ = inputs
        assert isinstance(x, ad.UndefinedPrimal)
        assert x.aval.shape == ()
        assert cotangents[1] is None
        return None, None if cotangents[0] is None else jnp.sin(a) * cotangents[0], None

    wave_p = create_vprim("wave", impl, abstract_eval, jvp, transpose)
    return wave_p


wave_p = wave_primitive()


def wave(a: Any, x: Any) -> Any:
    return filter_primitive_bind(wave_p, a, x, "name")[0]


def plain(a: Any, x: Any) -> Any:
    return jnp.sin(a) * x


def twice(f: Callable[..., Any]) -> Callable[..., Any]:
    return jax.vmap(jax.vmap(f, (0, None)), (0, None))


def both(f: Callable[..., Any]) -> Callable[..., Any]:
    return jax.vmap(jax.vmap(f), (0, None))


def summed(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, x: (f(a, x) ** 2).sum()


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f(A[0, 1], X[0]),
        lambda f: jax.grad(f, (0, 1))(A[0, 1], X[0]),
        lambda f: jax.vmap(f, (0, None))(X, X[1]),
        lambda f: jax.vmap(f, (None, 0))(X[0], X),
        lambda f: jax.vmap(jax.vmap(f), (1, None), 1)(A, A[:, 0]),
        lambda f: twice(f)(A, X[2]),
        lambda f: both(f)(A, X),
        lambda f: jax.jvp(both(f), (A, X), (A + 1, X)),
        lambda f: jax.jvp(lambda a: twice(f)(a, X[0]), (A,), (A,)),
        lambda f: jax.vmap(jax.grad(f, (0, 1)), (0, None))(X, X[0]),
        lambda f: both(jax.grad(f, (0, 1)))(A, X),
        lambda f: jax.grad(summed(both(f)), (0, 1))(A, X),
        lambda f: jax.grad(summed(twice(f)), 1)(A, X[0]),
        lambda f: jax.linear_transpose(lambda x: both(f)(A, x), X)(A),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_any_composition_gives_what_the_plain_function_does(transform, compiled):
    expected = jax.jit(lambda: transform(plain))()
    found = jax.jit(lambda: transform(wave))() if compiled else transform(wave)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        assert jnp.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: jax.vmap(jax.hessian(f, (0, 1)), (0, None))(X, X[0]),
        lambda f: jax.hessian(summed(jax.vmap(f, (0, None))), 1)(X, X[0]),
    ],
)
def test_so_do_second_derivatives(transform):
    test_any_composition_gives_what_the_plain_function_does(transform, compiled=True)


def test_types_are_known_without_computing():
    assert jax.eval_shape(both(wave), A, X).shape == (2, 3)


def test_every_depth_is_one_equation():
    (equation,) = jax.make_jaxpr(both(wave))(A, X).eqns
    assert equation.primitive.name == "vmap_wave"


def test_a_batch_that_does_not_reach_it_changes_nothing():
    (equation,) = jax.make_jaxpr(lambda a: jax.vmap(lambda _: wave(a, jnp.array(2.0)), out_axes=None)(X))(1.0).eqns
    assert equation.primitive is wave_p


def test_tangents_that_are_symbolically_zero_stay_so_in_batches():
    def second(a):
        return jax.vmap(lambda a: filter_primitive_bind(wave_p, a, X[0], "name")[:2])(a)

    _, (of_result, of_constant) = eqx.filter_jvp(second, (X,), (X,))
    assert of_result.shape == (3,)
    assert of_constant is None


def test_another_rule_holds_for_the_primitive_itself_but_not_for_batches():
    wave_p = wave_primitive()
    wave_p.def_impl(filter_primitive_def(lambda a, x, name: (jnp.array(7.0), jnp.array(0.0), name)))
    assert filter_primitive_bind(wave_p, 1.0, jnp.array(1.0), "name")[0] == 7
    batched = jax.vmap(lambda x: filter_primitive_bind(wave_p, 1.0, x, "name")[0])(X)
    assert jnp.allclose(batched, jnp.sin(1.0) * X)


def test_rules_that_are_written_for_jax_do_as_well():
    scale_p = create_vprim(
        "scale",
        impl=lambda x, *, factor: [x * factor],
        abstract_eval=lambda x, *, factor: [x],
        jvp=lambda xs, dxs, *, factor: (scale_p.bind(*xs, factor=factor), scale_p.bind(*dxs, factor=factor)),
        transpose=lambda cts, x, *, factor: scale_p.bind(*cts, factor=factor),
    )
    gradient = jax.vmap(jax.grad(lambda x: scale_p.bind(x, factor=10.0)[0] ** 2))
    assert gradient(X).tolist() == [200, 400, 600]
