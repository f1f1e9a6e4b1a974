"""Arguments that are static as a whole, and the options that are those of `jax.jit`."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.jit_variants import JIT


def everything(leaf):
    return True


def is_tracer(leaf):
    return isinstance(leaf, jax.core.Tracer)


# Static arguments


@pytest.mark.parametrize(
    ("options", "static"),
    [
        ({"static_argnums": 0}, "a"),
        ({"static_argnums": (0, 2)}, "ac"),
        ({"static_argnums": [1]}, "b"),
        ({"static_argnums": -1}, "c"),
        ({"static_argnums": (-2, 0)}, "ab"),
        ({"static_argnums": ()}, ""),
        ({"static_argnums": np.int64(1)}, "b"),
        ({"static_argnames": "b"}, "b"),
        ({"static_argnames": ["a", "c"]}, "ac"),
        ({"static_argnames": ("d",)}, "d"),
        ({"static_argnames": {"b", "d"}}, "bd"),
        ({"static_argnums": 0, "static_argnames": "d"}, "ad"),
        ({"static_argnums": 0, "static_argnames": "a"}, "a"),
    ],
)
@pytest.mark.parametrize("spelling", ["positional", "keyword", "mixed"])
def test_static_arguments_are_found_however_they_are_passed(options, static, spelling):
    @ft.partial(eqx.jitf, filter_fn=everything, **options)
    def function(a, b, c, *, d):
        return "".join(name for name, value in [("a", a), ("b", b), ("c", c), ("d", d)] if not is_tracer(value))

    for _ in range(2):
        if spelling == "positional":
            assert function(1, 2, 3, d=4) == static
        elif spelling == "keyword":
            assert function(d=4, c=3, b=2, a=1) == static
        else:
            assert function(1, d=4, c=3, b=2) == static


@pytest.mark.parametrize("form", ["direct", "decorator"])
def test_arguments_may_be_named_by_an_iterator(form):
    def function(a, b, c):
        return [str(is_tracer(value)) for value in (a, b, c)]

    options = {"static_argnames": iter(["b"]), "static_argnums": iter([0])}
    jit = ft.partial(eqx.jitf, filter_fn=everything)
    compiled = [jit(function, **options)] if form == "direct" else [*map(jit(**options), [function, function])]
    for each in compiled:
        assert each(1, 2, 3) == ["False", "False", "True"]
    x = jnp.ones(2)
    eqx.jitf(lambda a, b: 2 * b, filter_fn=everything, donate_argnames=iter(["b"]))(1.0, x)
    assert x.is_deleted()


def test_static_arguments_are_static_as_a_whole():
    @eqx.jitf(filter_fn=everything, static_argnums=0)
    def function(shape, x):
        assert all(type(size) is int for size in shape)
        return jnp.broadcast_to(x, shape)

    assert function((2, 3), 1.0).shape == (2, 3)
    assert function((4,), 1.0).shape == (4,)


def test_static_arguments_may_be_left_to_their_defaults():
    @eqx.jitf(filter_fn=everything, static_argnums=1, static_argnames="c")
    def function(a, b=2, *, c=3):
        return str(b), str(c)

    assert function(1) == ("2", "3")
    assert function(1, 5) == ("5", "3")
    assert function(1, c=5) == ("2", "5")


def test_static_arguments_can_lie_among_variable_ones():
    @eqx.jitf(filter_fn=everything, static_argnums=(1, -1), static_argnames="k")
    def function(*args, **kwargs):
        return [str(is_tracer(arg)) for arg in args], {name: str(is_tracer(arg)) for name, arg in kwargs.items()}

    assert function(1, 2, 3, 4, k=5, m=6) == (["True", "False", "True", "False"], {"k": "False", "m": "True"})


def test_static_arguments_compose_with_donation():
    # A negative number counts from the end for both.
    @eqx.jitf(filter_fn=everything, static_argnums=0, donate_argnums=-1)
    def function(n, x):
        return n * x

    x = jnp.ones(2)
    np.testing.assert_array_equal(function(3, x), [3, 3])
    assert x.is_deleted()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"static_argnums": 2}, "static_argnums"),
        ({"static_argnums": -3}, "static_argnums"),
        ({"static_argnames": "z"}, "static_argnames"),
        ({"donate_argnums": 2}, "donate_argnums"),
        ({"donate_argnames": "z"}, "donate_argnames"),
        ({"static_argnums": 0, "donate_argnums": 0}, "static_arg"),
        ({"static_argnames": "x", "donate_argnums": 0}, "static_arg"),
    ],
)
def test_naming_an_argument_that_the_function_does_not_have_fails_when_decorating(options, name):
    with pytest.raises(ValueError, match=name):
        jax.jit(lambda x, y: x, **options)
    with pytest.raises(ValueError, match=name):
        eqx.jitf(lambda x, y: x, filter_fn=everything, **options)


# The other options


@pytest.mark.parametrize("jit", JIT)
def test_unknown_options_fail_when_decorating(jit):
    for arguments in ((), (lambda x: x,)):
        with pytest.raises(TypeError, match="no_such_option"):
            jit(*arguments, no_such_option=1)


@pytest.mark.parametrize("option", ["static_argnums", "static_argnames", "donate_argnums"])
def test_filter_jit_rejects_options_that_filtering_takes_the_place_of(option):
    for arguments in ((), (lambda x: x,)):
        with pytest.raises(ValueError, match=f"`{option}`"):
            eqx.filter_jit(*arguments, **{option: None})


@pytest.mark.parametrize("option", ["default", "fn", "args", "kwargs", "out"])
def test_filter_jit_rejects_options_that_it_had_in_its_early_days(option):
    for arguments in ((), (lambda x: x,)):
        with pytest.raises(ValueError, match=f"`{option}`"):
            eqx.filter_jit(*arguments, **{option: True})


def test_filter_jit_does_not_take_donate_argnames():
    with pytest.raises(ValueError, match="donate_argnames"):
        eqx.filter_jit(lambda x: x, donate_argnames="x")


@pytest.mark.parametrize("jit", JIT)
def test_inline_leaves_no_call_in_the_program_around_it(jit):
    def primitives(**options):
        function = jit(lambda x, n: x + n, **options)
        jaxpr = jax.make_jaxpr(lambda x: function(x, 1.0))(jnp.ones(2))
        return [equation.primitive.name for equation in jaxpr.eqns]

    assert primitives(inline=True) == ["add"]
    assert "add" not in primitives()


@pytest.mark.parametrize("jit", JIT)
def test_keep_unused_keeps_inputs_that_nothing_is_computed_from(jit):
    def inputs(**options):
        lowered = jit(lambda x, y, n: x + n, **options).lower(jnp.ones(2), jnp.ones(3), 1.0)
        return lowered.as_text().count("%arg1")

    assert inputs(keep_unused=True) > 0
    assert inputs() == 0


@pytest.mark.parametrize("jit", JIT)
def test_compiler_options_reach_the_compiler(jit):
    x = jnp.ones(2)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_option"):
        jit(lambda x: x + 1, compiler_options={"no_such_option": True})(x)
    compiled = jit(lambda x: x + 1, compiler_options={"xla_embed_ir_in_executable": True})
    np.testing.assert_array_equal(compiled(x), [2, 2])


@pytest.mark.filterwarnings("ignore:backend and device argument on jit is deprecated:DeprecationWarning")
@pytest.mark.parametrize("jit", JIT)
def test_device_and_backend_reach_jax(jit):
    (device,) = jax.devices("cpu")[:1]
    assert jit(lambda x, n: x + n, device=device)(np.ones(2), 1).devices() == {device}
    assert jit(lambda x, n: x + n, backend="cpu")(np.ones(2), 1).devices() == {device}
    with pytest.raises(RuntimeError, match="no_such_backend"):
        jit(lambda x: x, backend="no_such_backend")(np.ones(2))
