from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr, Primitive

import equinox as eqx
from equinox import internal
from equinox._runtime.primitive import FINALISATIONS
from equinox.internal import (
    create_vprim,
    finalise_eval_jaxpr,
    finalise_fn,
    finalise_jaxpr,
    finalise_jaxpr_as_fn,
    finalise_make_jaxpr,
    nonbatchable,
    nondifferentiable,
    nondifferentiable_backward,
    nontraceable,
    primitive_finalisations,
    register_impl_finalisation,
    unvmap_any,
    unvmap_max,
)

BIG = jnp.arange(3.0)  # becomes a constant of programs


@jax.custom_vjp
def custom_vjp(x):
    return nontraceable(x) + 1


custom_vjp.defvjp(lambda x: (x, None), lambda _, ct: (ct,))


def checked(x):
    return eqx.error_if(x, x < -100, "too small")


def custom_jvp(x):
    return jax.nn.relu(nondifferentiable(x))


def branches(x):
    return jax.lax.cond(x > 0, lambda x: nondifferentiable(x + 1), jnp.cos, x)


def scanned(x):
    return jax.lax.scan(lambda c, x: (nontraceable(c + x), c), x, BIG)


def while_loop(x):
    return jax.lax.while_loop(lambda c: unvmap_any(c < 3), lambda c: nonbatchable(c + 1), x)


def linear_solve(x):
    def half(_, b):
        return b / 2

    return jax.lax.custom_linear_solve(lambda v: 2 * nondifferentiable_backward(v, symbolic=False), x, half, half)


def checkpointed(x):
    return jax.checkpoint(lambda x: jnp.sin(nonbatchable(x) + nontraceable(BIG)))(x)


def compiled(x):
    return jax.jit(lambda x: {"a": nontraceable(BIG) * unvmap_max(x)})(x)


def stopped(x):
    return jax.lax.stop_gradient(x) + 1


def bounded_loop(x):
    return internal.while_loop(lambda x: x < 10, lambda x: 2 * x, x, max_steps=8, base=2, kind="bounded")


def checkpointed_loop(x):
    def step(carry, x):
        total, buffer = carry
        return (total + x, buffer.at[1].set(total)), total

    return internal.scan(step, (x, BIG), BIG, buffers=lambda carry: carry[1], kind="checkpointed")


@internal.noinline
def separate(x):
    return nontraceable(x) + 1


FUNCTIONS = [
    nontraceable, custom_vjp, checked, custom_jvp, branches, scanned, while_loop, linear_solve, checkpointed, compiled,
    stopped, bounded_loop, checkpointed_loop, separate,
]  # fmt: skip


def primitives_in(value: Any) -> set[Any]:
    if isinstance(value, ClosedJaxpr):
        return primitives_in(value.jaxpr)
    if isinstance(value, Jaxpr):
        found = {equation.primitive for equation in value.eqns}
        return found.union(*(primitives_in(tuple(equation.params.values())) for equation in value.eqns))
    return set().union(*map(primitives_in, value)) if isinstance(value, tuple) else set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_program_does_the_same_without_primitives_that_are_not_those_of_jax(function):
    x = jnp.array(2.0)
    before, after = jax.make_jaxpr(function)(x), finalise_make_jaxpr(function)(x)
    assert primitives_in(before) & primitive_finalisations.keys()
    assert not primitives_in(after) & primitive_finalisations.keys()
    assert eqx.tree_equal(finalise_fn(function)(x), function(x), rtol=1e-6)
    assert eqx.tree_equal(jax.jit(finalise_fn(function))(x), function(x), rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_finalising_again_changes_nothing(function):
    jaxpr = finalise_jaxpr(jax.make_jaxpr(function)(2.0))
    assert not primitives_in(jaxpr) & primitive_finalisations.keys()
    assert finalise_jaxpr(jaxpr) is jaxpr


def test_other_equations_and_their_parameters_stay():
    def function(x):
        x = jax.jit(jnp.sin)(nontraceable(x))
        return jax.lax.scan(lambda c, _: (c * 2, None), x, None, length=3)[0]

    before, after = jax.make_jaxpr(function)(2.0), finalise_jaxpr(jax.make_jaxpr(function)(2.0))
    assert [e.primitive for e in after.eqns] == [e.primitive for e in before.eqns if e.primitive.name != "nontraceable"]
    for old, new in zip(before.eqns[1:], after.eqns, strict=True):
        assert old.params == new.params


def test_programs_can_be_run():
    jaxpr = jax.make_jaxpr(lambda x, y: (nontraceable(x) + y, BIG))(1.0, 2.0)
    for outputs in (
        finalise_jaxpr_as_fn(jaxpr)(1.0, 2.0),
        finalise_eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, 1.0, 2.0),
    ):
        assert isinstance(outputs, list)
        assert outputs[0] == 3
        assert jnp.array_equal(outputs[1], BIG)


def test_the_shape_is_returned_on_request():
    jaxpr, shape = finalise_make_jaxpr(compiled, return_shape=True)(2.0)
    assert primitives_in(jaxpr)
    assert shape["a"].shape == (3,)


def test_weak_types_stay():
    jaxpr = finalise_jaxpr(jax.make_jaxpr(nontraceable)(2.0))
    assert jaxpr.in_avals[0].weak_type
    assert jaxpr.out_avals[0].weak_type


def test_a_primitive_is_replaced_by_its_implementation_on_request():
    double_p: Any = Primitive("double")
    double_p.def_abstract_eval(lambda x, *, factor: x)
    double_p.def_impl(lambda x, *, factor: nontraceable(x) * factor)
    jaxpr = jax.make_jaxpr(lambda x: double_p.bind(x, factor=2))(3.0)
    assert finalise_jaxpr(jaxpr) is jaxpr
    register_impl_finalisation(double_p)
    try:
        assert "double" not in str(finalise_jaxpr(jaxpr))
        assert finalise_jaxpr_as_fn(jaxpr)(3.0) == [6]
    finally:
        del primitive_finalisations[double_p]


def test_all_the_primitives_of_this_library_are_known():
    names = [name for name in dir(internal) if name.endswith("_p")]
    assert len(names) >= 7
    assert {getattr(internal, name) for name in names} <= primitive_finalisations.keys()
    assert primitive_finalisations is FINALISATIONS


def test_so_are_those_that_are_made_with_it_and_their_batches():
    def same(x):
        return [x]

    same_p = create_vprim("same", same, same, lambda xs, dxs: (xs, dxs), lambda cts, x: cts)
    jaxpr = finalise_make_jaxpr(jax.vmap(lambda x: same_p.bind(x)[0] + 1))(BIG)
    assert [equation.primitive.name for equation in jaxpr.eqns] == ["add"]


def test_an_announcement_is_not_made_for_it():
    announced: list[str] = []
    finalise_make_jaxpr(lambda x: internal.announce_transform(x, announce=announced.append))(1.0)
    assert announced == ["abstract"]
