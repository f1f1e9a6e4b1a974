"""`filter_custom_jvp`: what a rule is given, what it may return, and what the function is as an object."""

import copy
import inspect
import pickle
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

x, y = jnp.array(2.0), jnp.array(3.0)


class Uncomparable:  # noqa: PLW1641 # it is not to have a hash
    def __eq__(self, other):
        raise RuntimeError


def with_rule(function, rule):
    wrapped = eqx.filter_custom_jvp(function)
    wrapped.def_jvp(rule)
    return wrapped


def triple(x, *args, **kwargs):
    return 2 * x


def triple_rule(primals, tangents, **kwargs):
    """A wrong derivative, which shows that it is this rule that was used."""
    return 2 * primals[0], None if tangents[0] is None else 3 * tangents[0]


custom = with_rule(triple, triple_rule)


def recording(function=triple, tangent_of=lambda tangent: tangent):
    """A function with a rule, and a list of what the rule is called with."""
    calls = []

    def rule(primals, tangents, **kwargs):
        calls.append((primals, tangents, kwargs))
        return function(*primals, **kwargs), 3 * tangent_of(tangents[0])

    return with_rule(function, rule), calls


# What a rule computes


def test_a_rule_gives_the_derivative_in_forward_and_in_reverse_mode():
    assert custom(x) == 4
    assert jax.jvp(custom, (x,), (y,)) == (4, 9)
    assert eqx.filter_jvp(custom, (x,), (y,)) == (4, 9)
    assert jax.value_and_grad(custom)(x) == (4, 3)
    assert eqx.filter_grad(custom)(x) == 3
    assert jax.jacfwd(custom)(x) == 3


def test_a_right_rule_agrees_with_finite_differences():
    with jax.enable_x64(True):
        log1pexp = with_rule(
            lambda x: jnp.log1p(jnp.exp(x)),
            lambda primals, tangents: (log1pexp(*primals), jax.nn.sigmoid(*primals) * tangents[0]),
        )
        for x in (-2.0, 0.5, 3.0):
            difference = (log1pexp(x + 1e-6) - log1pexp(x - 1e-6)) / 2e-6
            np.testing.assert_allclose(jax.grad(log1pexp)(x), difference, rtol=1e-8)
        assert jnp.isfinite(jax.grad(log1pexp)(1000.0))
        np.testing.assert_allclose(jax.grad(jax.grad(log1pexp))(0.0), 0.25)


@pytest.mark.parametrize("number", [2.0, 2 + 0j])
def test_python_numbers_are_arrays_to_a_rule(number):
    function, calls = recording()
    holomorphic = isinstance(number, complex)
    assert jax.grad(function, holomorphic=holomorphic)(number) == 3
    assert jax.grad(function, holomorphic=holomorphic)(jnp.array(number)) == 3
    assert jax.jit(jax.grad(function, holomorphic=holomorphic))(number) == 3
    for primals, _, _ in calls:
        assert eqx.is_array(primals[0])


def test_python_numbers_keep_their_dtype_and_value():
    function, calls = recording(lambda x: 2 * x if x > 1 else x)
    jax.grad(function)(2.0)
    (((primal,), _, _),) = calls
    assert primal == 2
    assert primal.dtype == jnp.float32
    assert primal.weak_type
    with jax.enable_x64(True):
        jax.grad(function)(2.0)
    assert calls[1][0][0].dtype == jnp.float64


# What a rule is given


def test_primals_are_the_positional_arguments_and_tangents_are_none_where_nothing_changes():
    function, calls = recording(lambda tree, *args: 2 * tree["x"], lambda tangent: tangent["x"])

    def of_one_leaf(x):
        tree = {"x": x, "constant": y, "int": jnp.array(1), "bool": jnp.array(True), "text": "text", "none": None}
        return function(tree, 1.0, y, jax.random.key(0), jnp.sin)

    assert jax.grad(of_one_leaf)(x) == 3
    ((primals, tangents, _),) = calls
    tree, number, array, key, function = primals
    assert tree["text"] == "text"
    assert tree["x"] == 2
    assert type(number) is float
    assert array == 3
    assert function is jnp.sin
    assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    assert {name for name, tangent in tangents[0].items() if tangent is not None} == {"x"}
    assert tangents[0].keys() == tree.keys()
    assert tangents[1:] == (None, None, None, None)


def test_a_module_is_an_argument_like_any_other():
    function, calls = recording(lambda model, x: model.weight * x, lambda tangent: tangent.weight)
    gradient = eqx.filter_grad(function)(Model(x), y)
    assert type(gradient) is Model
    assert gradient.weight == 3
    ((primals, tangents, _),) = calls
    assert type(primals[0]) is type(tangents[0]) is Model
    assert tangents[1] is None


def test_keyword_arguments_arrive_as_they_were_passed():
    marker = object()
    calls = []

    def rule(primals, tangents, **kwargs):
        calls.append((primals, tangents, kwargs))
        return 2 * primals[0], 3 * tangents[0]

    function = with_rule(lambda x, y=1.0, *, option, other=4: 2 * x, rule)
    assert jax.grad(lambda x: function(x, option=marker, y=y))(x) == 3
    ((primals, tangents, kwargs),) = calls
    assert len(primals) == len(tangents) == 1
    assert kwargs.keys() == {"option", "y"}
    assert kwargs["option"] is marker
    assert kwargs["y"] == 3


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_keyword_argument_that_changes_is_an_error_that_names_it(is_compiled):
    def function(z):
        return custom(x, tree={"a": (1, z)})

    with pytest.raises(ValueError, match=r"(?s)`triple`.*keyword tangent.*`tree`.*\['a'\]\[1\]"):
        jax.grad(jax.jit(function) if is_compiled else function)(y)


def test_an_array_in_the_function_that_changes_is_an_error_that_names_it():
    class Scale(eqx.Module):
        weight: typing.Any

        def __call__(self, x):
            return self.weight * x

    with pytest.raises(ValueError, match=r"(?s)keyword tangent.*`\.weight`.*function"):
        jax.grad(lambda weight: with_rule(Scale(weight), triple_rule)(x))(y)
    # One that does not change is an input of the function, of whatever transformation it is part.
    np.testing.assert_array_equal(
        jax.vmap(lambda weight, x: with_rule(Scale(weight), triple_rule)(x))(jnp.arange(3.0), jnp.ones(3)),
        jnp.arange(3.0),
    )
    gradients = jax.vmap(lambda weight, x: jax.grad(with_rule(Scale(weight), triple_rule))(x))(jnp.ones(2), jnp.ones(2))
    np.testing.assert_array_equal(gradients, [3, 3])


def test_the_function_itself_gets_what_is_no_array_as_it_is():
    seen = []
    function = with_rule(lambda *args, **kwargs: (seen.append((args, kwargs)), args[0])[1], triple_rule)
    unhashable = Uncomparable()
    jax.jit(lambda x: function(x, 1.0, "text", option=unhashable))(x)
    ((traced, number, text), kwargs) = seen[0]
    assert isinstance(traced, jax.core.Tracer)
    assert type(number) is float
    assert text == "text"
    assert kwargs["option"] is unhashable


# What a rule returns


def test_none_is_a_tangent_of_zero():
    function = with_rule(
        lambda x: (x, {"a": 2 * x, "none": None}, jnp.array(1)),
        lambda primals, tangents: (
            (primals[0], {"a": 2 * primals[0], "none": None}, jnp.array(1)),
            (None, {"a": tangents[0], "none": None}, None),
        ),
    )
    _, tangents = eqx.filter_jvp(function, (x,), (y,))
    assert tangents == (None, {"a": 3, "none": None}, None)
    _, tangents = jax.jvp(function, (x,), (y,))
    assert tangents[0] == 0
    assert jax.grad(lambda x: function(x)[0])(x) == 0
    assert jax.grad(lambda x: function(x)[1]["a"])(x) == 1


def test_the_output_must_consist_of_numbers_and_arrays():
    function = with_rule(
        lambda x: (x, 1.5, 2), lambda primals, tangents: ((primals[0], 1.5, 2), (tangents[0], None, None))
    )
    assert function(x) == (2, 1.5, 2)
    assert jax.grad(lambda x: function(x)[0])(x) == 1
    with pytest.raises(TypeError, match="str"):
        with_rule(lambda x: (x, "text"), triple_rule)(x)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (x, r"`rule`.*pair.*\(float32\[\]\)"),
        ((x, x, x), "`rule`.*pair"),
        (((x, x), x), r"`rule`.*the root.*`tangent_out`.*`tuple`"),
        (((x, x), None), r"`rule`.*the root.*`tangent_out`.*`None`.*`tuple`"),
        (((x, {"a": x}), (x, {"b": x})), r"`rule`.*`\[1\]`.*\['b'\].*\['a'\]"),
        ((x, jnp.ones(2)), r"float32\[2\]"),
        ((x, jnp.array(1)), r"int32\[\]"),
        ((x, "text"), "str"),
    ],
)
def test_a_rule_that_returns_something_else_is_an_error(result, message):
    def rule(primals, tangents):
        return result

    with pytest.raises(TypeError, match=f"(?s){message}"):
        jax.jvp(with_rule(lambda x: result[0] if isinstance(result, tuple) else x, rule), (x,), (x,))


# Registration


def test_calling_it_without_a_rule_is_an_error():
    with pytest.raises(AttributeError, match=r"`triple`.*`def_jvp`"):
        eqx.filter_custom_jvp(triple)(x)


def test_registering_a_rule_returns_it_and_the_last_one_counts():
    function = eqx.filter_custom_jvp(triple)
    assert function.def_jvp(triple_rule) is triple_rule
    assert jax.grad(function)(x) == 3

    @function.def_jvp
    def rule(primals, tangents):
        """Documented."""
        return primals[0], 4 * tangents[0]

    assert rule.__doc__ == "Documented."
    assert jax.grad(function)(x) == 4


def test_compiled_programs_do_not_outlive_the_rule():
    function = with_rule(triple, triple_rule)
    gradient = eqx.filter_jit(lambda function, x: jax.grad(function)(x))
    assert gradient(function, x) == 3
    function.def_jvp(lambda primals, tangents: (primals[0], 4 * tangents[0]))
    assert gradient(function, x) == 4


def test_the_old_way_to_register_gives_arrays_of_zeros_and_a_warning():
    calls = []

    def rule(primals, tangents, **kwargs):
        calls.append((tangents, kwargs))
        return primals[0] * primals[1], tangents[0] * primals[1] + tangents[1] * primals[0]

    function = eqx.filter_custom_jvp(lambda x, y, *args, **kwargs: x * y)
    with pytest.warns(UserWarning, match=r"`filter_custom_jvp\.defjvp`.*`def_jvp`") as record:
        assert function.defjvp(rule) is None
    assert record[0].filename == __file__
    assert jax.grad(lambda x: function(x, y, jnp.array(1), "text", 1.0, option=2))(x) == 3
    ((tangents, kwargs),) = calls
    assert kwargs == {"option": 2}
    assert tangents[1] == 0
    assert tangents[1].dtype == y.dtype
    assert tangents[2:] == (None, None, None)


def test_a_rule_for_each_argument_is_not_implemented():
    with pytest.raises(NotImplementedError, match="def_jvp"):
        eqx.filter_custom_jvp(triple).defjvps(None)


# In other transformations

STATIC = {"unhashable": {1}, "uncomparable": Uncomparable(), "integer": 2, "text": "text"}


def with_static(x):
    return custom(x, STATIC["unhashable"], jnp.arange(3), **STATIC)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (jax.grad(with_static), 3),
        (jax.jit(jax.grad(with_static)), 3),
        (jax.grad(jax.jit(with_static)), 3),
        (eqx.filter_jit(eqx.filter_grad(with_static)), 3),
        (jax.grad(lambda x: jax.lax.cond(x > 0, with_static, lambda x: x, x)), 3),
        (jax.grad(lambda x: jax.lax.scan(lambda c, _: (with_static(c), None), x, None, length=2)[0]), 9),
        (jax.jacfwd(lambda x: jax.lax.fori_loop(0, 2, lambda _, c: with_static(c), x)), 9),
        (jax.grad(jax.checkpoint(with_static)), 3),
        (jax.grad(eqx.filter_checkpoint(with_static)), 3),
        (jax.hessian(lambda x: with_static(x) ** 2), 12),
    ],
)
def test_it_works_in_other_transformations_and_leaks_nothing(function, expected):
    assert function(x) == expected
    with jax.checking_leaks():
        assert function(x + 0) == expected


def test_it_can_be_mapped():
    np.testing.assert_array_equal(jax.vmap(jax.grad(with_static))(jnp.ones(2)), [3, 3])
    np.testing.assert_array_equal(jax.jit(jax.vmap(with_static))(jnp.ones(2)), [2, 2])


def test_changes_are_told_apart_within_compiled_functions():
    seen = []

    def rule(primals, tangents):
        seen.append([tangent is None for tangent in tangents])
        return primals[0] * primals[1], tangents[0]

    function = with_rule(lambda x, y: x * y, rule)
    jax.grad(jax.jit(function))(x, y)
    jax.jit(jax.grad(function))(x, y)
    jax.vmap(jax.grad(function))(jnp.ones(2), jnp.ones(2))
    jax.grad(lambda y: y * jax.grad(function)(x, y))(y)
    assert all(flags == [False, True] for flags in seen[:3])


def test_the_program_names_the_function_and_the_rule():
    text = str(jax.make_jaxpr(custom)(x))
    assert "name=triple" in text
    assert "jvp=triple_rule" in text


# The function as an object


class Model(eqx.Module):
    weight: typing.Any

    @eqx.filter_custom_jvp
    def method(self, x, power=1):
        """What it does."""
        return self.weight * x**power

    @method.def_jvp
    def method_jvp(primals, tangents):  # noqa: N805
        self, x, *_ = primals
        tangent, *_ = tangents
        return self.weight * x, 7 * tangent.weight


def test_methods_bind():
    model = Model(x)
    assert model.method(y) == 6
    assert model.method(y) == Model.method(model, y)
    assert Model.method is vars(Model)["method"]
    assert eqx.filter_grad(lambda model: model.method(y))(model).weight == 7
    assert model.method.__name__ == "method"
    assert model.method.__doc__ == "What it does."
    assert str(inspect.signature(model.method)) == "(x, power=1)"
    assert [leaf for leaf in jax.tree.leaves(model.method) if eqx.is_array(leaf)] == [x]
    assert eqx.filter_jit(lambda method: method(y))(model.method) == 6


def test_it_is_a_module_with_the_names_and_the_leaves_of_the_function():
    assert isinstance(custom, eqx.Module)
    assert isinstance(custom, eqx.filter_custom_jvp)
    assert custom.__wrapped__ is triple
    assert custom.__name__ == "triple"
    assert inspect.signature(custom) == inspect.signature(triple)
    assert inspect.unwrap(custom) is triple
    assert jax.tree.leaves(custom) == [triple]
    assert jax.tree.leaves(with_rule(Model(x).method, triple_rule))[-1] is x
    assert repr(custom) == "filter_custom_jvp(<function triple>)"
    assert custom == with_rule(triple, triple_rule)
    assert custom != eqx.filter_custom_jvp(triple)


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        lambda function: pickle.loads(pickle.dumps(function)),
        lambda function: jax.tree.map(lambda leaf: leaf, function),
        eqx.filter_jit(lambda function: function),
    ],
)
def test_copies_have_the_rule(duplicate):
    other = duplicate(custom)
    assert type(other) is type(custom)
    assert jax.tree.structure(other) == jax.tree.structure(custom)
    assert other.__name__ == "triple"
    assert jax.grad(other)(x) == 3


def test_nothing_but_the_rule_can_be_changed():
    for name in ("_function", "_rule", "new"):
        with pytest.raises(AttributeError):
            setattr(custom, name, None)


@pytest.mark.parametrize("value", [3, "text", None])
def test_what_cannot_be_called_cannot_have_a_rule(value):
    with pytest.raises(TypeError, match=f"`filter_custom_jvp`.*{type(value).__name__}"):
        eqx.filter_custom_jvp(value)
