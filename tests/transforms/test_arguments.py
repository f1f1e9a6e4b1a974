"""One way to write down a call, and a name for each argument."""

import functools as ft
import inspect
import operator

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import equinox as eqx
from equinox._transforms.arguments import Arguments, locate_leaves, name_of


def plain(a, b, c): ...
def defaults(a, b=1, c=2): ...
def positional_only(a, b, /, c=3): ...
def keyword_only(a, *, c, b=2): ...
def variable(a, *b, c=1): ...
def variable_keywords(a, b=2, **c): ...
def everything(a, /, b, c=3, *d, e, f=6, **g): ...
def none(): ...


FUNCTIONS = [plain, defaults, positional_only, keyword_only, variable, variable_keywords, everything, none]


@st.composite
def calls(draw):
    """A function, and arguments that fit its signature."""
    function = draw(st.sampled_from(FUNCTIONS))
    args = tuple(draw(st.lists(st.integers(), max_size=5)))
    names = st.sampled_from(["a", "b", "c", "d", "e", "f", "x", "y"])
    kwargs = draw(st.dictionaries(names, st.integers(), max_size=5))
    return function, args, kwargs


def fits(function, args, kwargs):
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


# One way to write down a call


@given(calls())
def test_the_canonical_call_means_the_same(call):
    function, args, kwargs = call
    bind = inspect.signature(function).bind
    arguments = Arguments(function)
    for _ in range(2):  # the second time, the way is known
        if not fits(*call):
            with pytest.raises(TypeError):
                arguments.check(*arguments.canonical(args, kwargs))
            continue
        canonical_args, canonical_kwargs = arguments.canonical(args, kwargs)
        assert bind(*canonical_args, **canonical_kwargs) == bind(*args, **kwargs)
        assert arguments.canonical(canonical_args, canonical_kwargs) == (canonical_args, canonical_kwargs)
        arguments.check(canonical_args, canonical_kwargs)


@pytest.mark.parametrize("function", [plain, defaults, positional_only, keyword_only])
@given(data=st.data())
def test_two_spellings_of_a_call_are_written_alike(function, data):
    parameters = inspect.signature(function).parameters.values()
    values = {p.name: i for i, p in enumerate(parameters) if p.default is p.empty or data.draw(st.booleans())}

    def spell():
        by_position = []
        for p in parameters:
            if p.name not in values or p.kind is p.KEYWORD_ONLY:
                break
            if p.kind is p.POSITIONAL_OR_KEYWORD and data.draw(st.booleans()):
                break
            by_position.append(p.name)
        by_keyword = data.draw(st.permutations([name for name in values if name not in by_position]))
        return tuple(values[name] for name in by_position), {name: values[name] for name in by_keyword}

    arguments = Arguments(function)
    args, kwargs = arguments.canonical(*spell())
    other_args, other_kwargs = arguments.canonical(*spell())
    assert args == other_args
    assert list(kwargs.items()) == list(other_kwargs.items())


def test_what_can_be_passed_by_position_is():
    assert Arguments(plain).canonical((1,), {"c": 3, "b": 2}) == ((1, 2, 3), {})
    assert Arguments(plain).canonical((), {"c": 3, "b": 2, "a": 1}) == ((1, 2, 3), {})


def test_defaults_are_not_filled_in():
    assert Arguments(defaults).canonical((), {"a": 0}) == ((0,), {})
    # What comes after one that is left out cannot be passed by position.
    assert Arguments(defaults).canonical((), {"c": 5, "a": 0}) == ((0,), {"c": 5})


def test_keywords_take_the_order_of_the_signature():
    args, kwargs = Arguments(keyword_only).canonical((), {"b": 2, "c": 3, "a": 1})
    assert args == (1,)
    assert list(kwargs.items()) == [("c", 3), ("b", 2)]


def test_arguments_given_by_position_stay_as_they_are():
    args = (1, 2)
    kwargs: dict[str, int] = {}
    assert Arguments(plain).canonical(args, kwargs) == (args, kwargs)


def test_the_values_of_an_earlier_call_are_not_used_again():
    arguments = Arguments(plain)
    arguments.canonical((1,), {"c": 3, "b": 2})
    assert arguments.canonical((4,), {"c": 6, "b": 5}) == ((4, 5, 6), {})


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3, 4), {}), ((1, 2, 3), {"a": 1}), ((1, 2), {"d": 1})])
def test_calls_that_do_not_fit_have_pythons_error(args, kwargs):
    with pytest.raises(TypeError) as expected:
        inspect.signature(plain).bind(*args, **kwargs)
    arguments = Arguments(plain)
    with pytest.raises(TypeError) as info:
        arguments.check(*arguments.canonical(args, kwargs))
    assert str(info.value) == str(expected.value)


def test_without_a_signature_calls_stay_as_they_are():
    arguments = Arguments(max)
    assert arguments.canonical((1,), {"key": len, "default": 0}) == ((1,), {"key": len, "default": 0})
    arguments.check((1,), {"anything": 2})
    assert arguments.names(2) == ["args[0]", "args[1]"]


# Names


def test_positional_arguments_are_called_as_the_signature_calls_them():
    assert Arguments(plain).names(2) == ["a", "b"]
    assert Arguments(everything).names(5) == ["a", "b", "c", "d[0]", "d[1]"]
    assert Arguments(variable).names(3) == ["a", "b[0]", "b[1]"]


def test_methods_have_no_self():
    class Model(eqx.Module):
        def method(self, x): ...

        def __call__(self, y): ...

    assert Arguments(Model().method).names(1) == ["x"]
    assert Arguments(Model()).names(1) == ["y"]


def test_leaves_are_located_by_argument_and_key_path():
    places = Arguments(plain).locate_leaves((1, [2, {"k": 3}]), {"c": eqx.Partial(max, 4)})
    assert [place.partition("`")[2] for place in places] == [
        "a`",
        "b`, leaf `[0]`",
        "b`, leaf `[1]['k']`",
        "c`, leaf `.func`",
        "c`, leaf `.args[0]`",
    ]
    assert locate_leaves(["x"], [1]) == [places[0].replace("`a`", "`x`")]


class Callable:
    def __call__(self): ...

    def method(self): ...


class Model(eqx.Module):
    def __call__(self): ...

    def method(self): ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (plain, "plain"),
        (lambda: 0, "<lambda>"),
        (max, "max"),
        (jnp.tanh, "tanh"),
        (jax.jit(plain), "plain"),
        (jax.nn.relu, "relu"),
        (ft.partial(plain, 1), "plain"),
        (ft.partial(ft.partial(plain, 1), 2), "plain"),
        (ft.partial(Callable()), "Callable"),
        (eqx.Partial(plain, 1), "plain"),
        (jax.tree_util.Partial(plain, 1), "plain"),
        (operator.attrgetter("x"), "attrgetter"),
        (Callable(), "Callable"),
        (Callable().method, "method"),
        (Callable, "Callable"),
        (Model(), "Model"),
        (Model().method, "method"),
        (Model, "Model"),
        (eqx.filter_jit(plain), "plain"),
        (eqx.filter_jit(Model()), "Model"),
        (eqx.filter_grad(eqx.Partial(plain)), "plain"),
        (eqx.filter_jit(ft.partial(Model().method)), "method"),
    ],
)
def test_a_callable_is_known_by_its_name_or_that_of_what_it_wraps_or_that_of_its_class(function, name):
    assert name_of(function) == name


def test_a_name_that_is_no_text_does_not_count():
    class Odd:
        __name__ = 3

        def __call__(self): ...

    assert name_of(Odd()) == "Odd"


# Which arguments are meant


@pytest.mark.parametrize(
    ("function", "argnums", "argnames", "count", "positions", "names"),
    [
        (plain, (0,), (), 3, {0}, {"a"}),
        (plain, (0, 2), (), 3, {0, 2}, {"a", "c"}),
        (plain, (-1,), (), 3, {2}, {"c"}),
        (plain, (-3,), (), 3, {0}, {"a"}),
        (plain, (), ("b",), 3, {1}, {"b"}),
        (plain, (0,), ("c",), 3, {0, 2}, {"a", "c"}),
        (defaults, (-1,), (), 1, {2}, {"c"}),
        (keyword_only, (-1,), ("b",), 1, {0}, {"a", "b"}),
        (variable, (-1,), (), 4, {3}, set()),
        (variable, (2,), (), 4, {2}, set()),
        (variable_keywords, (), ("x",), 2, set(), {"x"}),
        (max, (-1,), ("key",), 2, {1}, {"key"}),
    ],
)
def test_numbers_and_names_mean_an_argument_however_it_is_passed(function, argnums, argnames, count, positions, names):
    assert Arguments(function).resolve(argnums, argnames, count) == (positions, names)
