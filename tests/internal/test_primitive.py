import functools
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.core import ShapedArray
from jax.extend.core import Jaxpr, Primitive
from jax.interpreters import ad, batching, mlir

import equinox as eqx
from equinox.internal import (
    filter_primitive_batching,
    filter_primitive_bind,
    filter_primitive_def,
    filter_primitive_jvp,
    filter_primitive_transpose,
)

X = jnp.array(3.0)


class Line(eqx.Module):
    slope: Any
    name: str

    def __call__(self, x):
        return self.slope * x


def new_primitive() -> Any:
    primitive: Any = Primitive("test")
    primitive.multiple_results = True
    return primitive


def line_primitive(seen: list[Any]) -> Any:
    """`{"y": line(x), "name": line.name}`, with all the rules, each of which notes down what it was called with."""
    line_p = new_primitive()

    def run(kind, line, x, options):
        seen.append((kind, line, x, options))
        y = ShapedArray(x.shape, x.dtype) if kind == "abstract" else line(x)
        return {"y": y, "name": line.name}

    line_p.def_impl(filter_primitive_def(functools.partial(run, "impl")))
    line_p.def_abstract_eval(filter_primitive_def(functools.partial(run, "abstract")))
    mlir.register_lowering(line_p, mlir.lower_fun(line_p.impl, multiple_results=True))

    def jvp(primals, tangents):
        seen.append(("jvp", primals, tangents))
        line, x, options = primals
        d_line, dx, _ = tangents
        out = filter_primitive_bind(line_p, line, x, options)
        terms = [] if dx is None else [filter_primitive_bind(line_p, line, dx, options)["y"]]
        terms += [] if d_line.slope is None else [d_line.slope * x]
        return out, {"y": sum(terms), "name": None}

    def transpose(inputs, cotangents):
        seen.append(("transpose", inputs, cotangents))
        line, _, _ = inputs
        return Line(None, None), line.slope * cotangents["y"], None

    def batch(inputs, axes):
        seen.append(("batch", inputs, axes))
        line, x, options = inputs
        out = filter_primitive_bind(line_p, line, jnp.moveaxis(x, axes[1], 0), options)
        return out, {"y": 0, "name": None}

    ad.primitive_jvps[line_p] = filter_primitive_jvp(jvp)
    ad.primitive_transposes[line_p] = filter_primitive_transpose(transpose)
    batching.primitive_batchers[line_p] = filter_primitive_batching(batch)
    return line_p


def test_rules_get_the_arguments_and_return_what_they_like():
    seen: list[Any] = []
    line_p = line_primitive(seen)
    options = [1, None, {"a": "text"}]
    out = filter_primitive_bind(line_p, Line(jnp.array(2.0), "double"), X, options)
    assert out == {"y": 6, "name": "double"}
    ((kind, line, x, found),) = seen
    assert (kind, line.name, found) == ("impl", "double", options)
    assert x is X


def test_what_is_no_array_is_static_and_comes_out_of_compiled_functions():
    seen: list[Any] = []
    line_p = line_primitive(seen)

    @eqx.filter_jit
    def function(slope, x):
        return filter_primitive_bind(line_p, Line(slope, "triple"), x, "options")

    assert function(3.0, X) == {"y": 9, "name": "triple"}
    kind, line, x, options = seen[0]
    assert (kind, line, options) == ("abstract", Line(3.0, "triple"), "options")
    assert isinstance(x, ShapedArray)


def test_derivative_rules_get_none_for_what_is_zero_and_for_what_is_no_array():
    seen: list[Any] = []
    line_p = line_primitive(seen)

    def function(line, x):
        return filter_primitive_bind(line_p, line, x, "options")["y"] ** 2

    line = Line(jnp.array(2.0), "double")
    assert jax.grad(lambda x: function(line, x))(X) == 2 * 6 * 2
    (_, primals, tangents), *_ = [call for call in seen if call[0] == "jvp"]
    assert primals[0].name == "double"
    assert (tangents[0].slope, tangents[0].name, tangents[2]) == (None, None, None)
    (_, inputs, cotangents), *_ = [call for call in seen if call[0] == "transpose"]
    assert isinstance(inputs[1], ad.UndefinedPrimal)
    assert inputs[0].name == "double"
    assert cotangents["name"] is None
    assert eqx.filter_grad(function)(line, X).slope == 2 * 6 * 3
    assert jax.jit(jax.jacfwd(lambda x: function(line, x)))(X) == 2 * 6 * 2


def test_batching_rules_get_axes():
    seen: list[Any] = []
    line_p = line_primitive(seen)
    line = Line(jnp.array(2.0), "double")

    def function(x):
        return filter_primitive_bind(line_p, line, x, "options")["y"]

    x = jnp.arange(6.0).reshape(3, 2)
    assert jnp.array_equal(jax.vmap(function, in_axes=1)(x), 2 * x.T)
    (_, _, (line_axes, axis, options)), *_ = [call for call in seen if call[0] == "batch"]
    assert (line_axes.slope, line_axes.name, axis, options) == (None, None, 1, None)
    assert jnp.array_equal(jax.jit(jax.vmap(jax.grad(function)))(x[:, 0]), jnp.full(3, 2.0))


def test_an_output_may_have_no_tangent():
    two_p = new_primitive()
    two_p.def_impl(filter_primitive_def(lambda x: (2 * x, jnp.array(1), 3.0)))

    @filter_primitive_jvp
    def jvp(primals, tangents):
        out = filter_primitive_bind(two_p, *primals)
        return out, (2 * tangents[0], None, None)

    ad.primitive_jvps[two_p] = jvp
    out, tangents = eqx.filter_jvp(lambda x: filter_primitive_bind(two_p, x), (X,), (X,))
    assert out == (6, 1, 3.0)
    assert tangents[0] == 6
    assert tangents[1:] == (None, None)


@pytest.mark.parametrize("materialise", [False, True])
def test_cotangents_that_are_zero_are_none_or_arrays_of_zeros(materialise):
    pair_p = new_primitive()

    @filter_primitive_def
    def pair(x, name):
        return x, {"also": x, "name": name}

    seen: list[Any] = []

    @filter_primitive_transpose(materialise_zeros=materialise)
    def transpose(inputs, cotangents):
        seen.append(cotangents)
        return cotangents[0], None

    pair_p.def_impl(pair)
    pair_p.def_abstract_eval(pair)
    ad.primitive_transposes[pair_p] = transpose
    assert jax.linear_transpose(lambda x: filter_primitive_bind(pair_p, x, "n")[0], X)(X) == (3,)
    ((first, second),) = seen
    assert first == 3
    assert second["name"] is None
    assert second["also"] == 0 if materialise else second["also"] is None


def test_a_none_may_stand_for_all_the_cotangents_of_an_argument():
    sum_p = new_primitive()
    sum_p.def_impl(filter_primitive_def(lambda line, x: line(x)))
    sum_p.def_abstract_eval(filter_primitive_def(lambda line, x: x))
    ad.primitive_transposes[sum_p] = filter_primitive_transpose(lambda inputs, ct: (None, ct * inputs[0].slope))
    line = Line(jnp.array(2.0), "double")
    assert jax.linear_transpose(lambda x: filter_primitive_bind(sum_p, line, x), X)(X) == (6,)


def test_a_rule_that_returns_another_structure_is_an_error_that_names_it():
    wrong_p = new_primitive()
    wrong_p.def_impl(filter_primitive_def(lambda x: {"y": x}))

    @filter_primitive_jvp
    def wrong_rule(primals, tangents):
        return filter_primitive_bind(wrong_p, *primals), {"z": tangents[0]}

    ad.primitive_jvps[wrong_p] = wrong_rule
    with pytest.raises(ValueError, match="tangent that the rule"):
        jax.jvp(lambda x: filter_primitive_bind(wrong_p, x)["y"], (X,), (X,))


def test_a_primitive_without_such_rules_is_an_error():
    bare_p = new_primitive()
    bare_p.def_impl(lambda x, **params: [x])
    with pytest.raises(RuntimeError, match="filter_primitive_def"):
        filter_primitive_bind(bare_p, X)


def test_programs_among_the_arguments_are_found_by_those_who_look_for_them():
    run_p = new_primitive()
    run_p.def_abstract_eval(filter_primitive_def(lambda jaxpr, x: [x]))
    program = jax.make_jaxpr(jnp.sin)(X).jaxpr
    (equation,) = jax.make_jaxpr(lambda x: filter_primitive_bind(run_p, program, x))(X).eqns
    tuples = [value for value in equation.params.values() if isinstance(value, tuple)]
    assert any(isinstance(item, Jaxpr) for value in tuples for item in value)
