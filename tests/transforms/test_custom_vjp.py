"""`filter_custom_vjp`: what the two passes are given, what they may return, and what the function is as an object."""

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


def with_rule(function, fwd, bwd):
    wrapped = eqx.filter_custom_vjp(function)
    wrapped.def_fwd(fwd)
    wrapped.def_bwd(bwd)
    return wrapped


def double(x, *args, **kwargs):
    return 2 * x


def double_fwd(perturbed, x, *args, **kwargs):
    return 2 * x, None


def double_bwd(residuals, grad_out, perturbed, x, *args, **kwargs):
    """A wrong derivative, which shows that it is this rule that was used."""
    return 3 * grad_out


custom = with_rule(double, double_fwd, double_bwd)


def recording(function, gradient, residuals=None):
    """A function with a rule, and two lists of what its passes are called with."""
    of_fwd, of_bwd = [], []

    def fwd(*args, **kwargs):
        of_fwd.append((args, kwargs))
        return function(*args[1:], **kwargs), residuals

    def bwd(*args, **kwargs):
        of_bwd.append((args, kwargs))
        return gradient(*args[:4])

    return with_rule(function, fwd, bwd), of_fwd, of_bwd


def first_leaf(tree, *args, **kwargs):
    return 2 * jax.tree.leaves(tree)[0]


def gradient_of_first_leaf(residuals, grad_out, perturbed, tree):
    leaves, treedef = jax.tree.flatten(tree)
    return treedef.unflatten([3 * grad_out, *(None for _ in leaves[1:])])


# What a rule computes


def test_a_rule_gives_the_derivative():
    assert custom(x) == 4
    assert jax.value_and_grad(custom)(x) == (4, 3)
    assert eqx.filter_grad(custom)(x) == 3
    assert eqx.filter_vjp(custom, x)[1](y) == (9,)


def test_a_right_rule_agrees_with_finite_differences():
    def bwd(residuals, grad_out, perturbed, model, x):
        sine, cosine = residuals
        return Model(grad_out * cosine * x, None if sine is None else "ignored")

    with jax.enable_x64(True):
        function = with_rule(
            lambda model, x: jnp.sin(model.weight * x),
            lambda perturbed, model, x: (jnp.sin(model.weight * x), (None, jnp.cos(model.weight * x))),
            bwd,
        )
        weight, x = jnp.array([0.5, -1.0]), jnp.array([1.5, 2.0])
        gradient = eqx.filter_grad(lambda model: jnp.sum(function(model, x)))(Model(weight)).weight
        difference = (function(Model(weight + 1e-6), x) - function(Model(weight - 1e-6), x)) / 2e-6
        np.testing.assert_allclose(gradient, difference, rtol=1e-8)


@pytest.mark.parametrize("number", [1.0, 1 + 0j])
def test_python_numbers_are_arrays_to_a_rule(number):
    function, of_fwd, of_bwd = recording(double, lambda residuals, grad_out, *_: 3 * grad_out)
    holomorphic = isinstance(number, complex)
    assert jax.grad(function, holomorphic=holomorphic)(number) == 3
    assert jax.grad(function, holomorphic=holomorphic)(jnp.array(number)) == 3
    assert jax.jit(jax.grad(function, holomorphic=holomorphic))(number) == 3
    for (perturbed, primal), _ in of_fwd:
        assert perturbed is True
        assert eqx.is_array(primal)
    assert len(of_bwd) == 3
    for (_, _, _, primal), _ in of_bwd:
        assert eqx.is_array(primal)


def test_python_numbers_keep_their_dtype_and_value():
    function, of_fwd, _ = recording(lambda x: 2 * x if x > 1 else x, lambda residuals, grad_out, *_: grad_out)
    jax.grad(function)(2.0)
    with jax.enable_x64(True):
        jax.grad(function)(2.0)
    primals = [primal for (_, primal), _ in of_fwd]
    assert [float(primal) for primal in primals] == [2.0, 2.0]
    assert [primal.dtype for primal in primals] == [jnp.float32, jnp.float64]
    assert all(primal.weak_type for primal in primals)


# What the passes are given


def test_perturbed_is_true_exactly_for_what_is_being_differentiated():
    function, of_fwd, of_bwd = recording(first_leaf, gradient_of_first_leaf)
    tree = {"a": x, "array": y, "float": 1.0, "int": jnp.array(1), "key": jax.random.key(0), "none": None, "text": ""}
    expected = dict.fromkeys(tree, False) | {"a": True, "none": None}

    def of_one_leaf(a):
        return function(tree | {"a": a})

    for wrap in (
        jax.grad,
        lambda f: jax.jit(jax.grad(f)),
        lambda f: jax.grad(jax.jit(f)),
        lambda f: lambda x: jax.vmap(jax.grad(f))(x[None])[0],
        lambda f: lambda x: jax.grad(lambda y: y * jax.grad(f)(x))(y),
    ):
        of_fwd.clear()
        of_bwd.clear()
        assert wrap(of_one_leaf)(x) == 3
        perturbed = of_fwd[0][0][0]
        assert perturbed == expected
        assert all(type(flag) is bool for flag in jax.tree.leaves(perturbed))
        assert of_bwd[0][0][2] == expected

    of_fwd.clear()
    gradient = eqx.filter_grad(function)({"a": x, "b": y, "numpy": np.array(1.0), "text": "text"})
    assert of_fwd[0][0][0] == {"a": True, "b": True, "numpy": True, "text": False}
    assert eqx.filter(gradient, eqx.is_array) == {"a": 3, "b": 0, "numpy": 0, "text": None}


def test_both_passes_get_the_arguments_as_they_were_passed():
    unhashable = Uncomparable()
    function, of_fwd, of_bwd = recording(first_leaf, gradient_of_first_leaf)
    jax.grad(lambda x: function((x, "text", jnp.sin), y, 1.0, np.ones(2), option=unhashable, array=jnp.arange(3)))(x)
    ((_, *fwd_args), fwd_kwargs), ((_, _, _, *bwd_args), bwd_kwargs) = of_fwd[0], of_bwd[0]
    for (tree, array, number, numpy), kwargs in ((fwd_args, fwd_kwargs), (bwd_args, bwd_kwargs)):
        assert tree == (2, "text", jnp.sin)
        assert array == 3
        assert type(number) is float
        np.testing.assert_array_equal(numpy, [1, 1])
        assert kwargs.keys() == {"option", "array"}
        assert kwargs["option"] is unhashable
        np.testing.assert_array_equal(kwargs["array"], [0, 1, 2])


def test_residuals_may_hold_anything():
    residuals = {"array": y, "object": Uncomparable(), "function": jnp.sin, "set": {1}, "none": None}
    function, _, of_bwd = recording(double, lambda residuals, grad_out, *_: 3 * grad_out, residuals)
    for wrap in (lambda f: f, jax.jit):
        of_bwd.clear()
        assert wrap(jax.grad(function))(x) == 3
        found = of_bwd[0][0][0]
        assert found.keys() == residuals.keys()
        assert eqx.is_array(found["array"])
        assert all(found[name] is residuals[name] for name in ("object", "function", "set", "none"))


def test_the_output_may_hold_anything_and_cotangents_are_none_where_no_gradient_comes_from():
    marker = object()

    def function(x):
        return {"x": 2 * x, "unused": x, "int": jnp.array(1), "marker": marker, "float": 1.5, "fresh": Uncomparable()}

    custom, _, of_bwd = recording(function, lambda residuals, grad_out, *_: 3 * grad_out["x"])
    out = custom(x)
    assert out["x"] == 4
    assert out["marker"] is marker
    assert type(out["float"]) is float

    def differentiated(x):
        return custom(x)["x"]

    for gradient in (jax.grad(differentiated), jax.jit(jax.grad(differentiated)), jax.grad(jax.jit(differentiated))):
        of_bwd.clear()
        assert gradient(x) == 3
        (_, grad_out, _, _), _ = of_bwd[0]
        assert grad_out.keys() == out.keys()
        assert {name for name, grad in grad_out.items() if grad is not None} == {"x"}
    np.testing.assert_array_equal(jax.vmap(jax.grad(differentiated))(jnp.ones(2)), [3, 3])


# What may be differentiated


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize(
    ("function", "place"),
    [
        (lambda z: custom(x, 1, {"a": z}), r"`args\[1\]`.*\['a'\]"),
        (lambda z: custom(x, option=(0, z)), r"`option`.*\[1\]"),
        (lambda z: custom(z, z), r"`args\[0\]`"),
    ],
)
def test_differentiating_another_argument_is_an_error_that_names_it(function, place, is_compiled):
    with pytest.raises(RuntimeError, match=f"(?s)`double`.*{place}.*first argument"):
        jax.grad(jax.jit(function) if is_compiled else function)(y)


def test_other_arguments_that_are_integers_are_never_differentiated():
    out, vjp = jax.vjp(custom, x, jnp.array(1))
    assert out == 4
    assert vjp(jnp.array(1.0))[0] == 3


def test_differentiating_an_array_in_the_function_is_an_error_that_names_it():
    class Scale(eqx.Module):
        weight: typing.Any

        def __call__(self, x):
            return self.weight * x

    for wrap in (lambda f: f, jax.jit):
        with pytest.raises(RuntimeError, match=r"(?s)`Scale`.*`\.weight` of the function itself"):
            jax.grad(wrap(lambda weight: with_rule(Scale(weight), double_fwd, double_bwd)(x)))(y)
    # One that does not change is an input of the function, of whatever transformation it is part.
    weights = jnp.arange(3.0)
    mapped = jax.vmap(lambda weight: with_rule(Scale(weight), double_fwd, double_bwd)(x))(weights)
    np.testing.assert_array_equal(mapped, 2 * weights)
    gradients = jax.vmap(lambda weight: jax.grad(with_rule(Scale(weight), double_fwd, double_bwd))(x))(weights)
    np.testing.assert_array_equal(gradients, [3, 3, 3])


@pytest.mark.parametrize("is_compiled", [False, True])
def test_forward_mode_is_an_error(is_compiled):
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(jax.jit(custom) if is_compiled else custom, (x,), (x,))
    assert jax.jvp(lambda z: custom(x) * z, (y,), (y,)) == (12, 12)


def test_the_first_argument_must_be_passed_by_position():
    with pytest.raises(TypeError, match="vjp_arg"):
        custom(x=x)
    named_alike = with_rule(
        lambda a, vjp_arg: a * vjp_arg,
        lambda perturbed, a, vjp_arg: (a * vjp_arg, None),
        lambda residuals, grad_out, perturbed, a, vjp_arg: vjp_arg * grad_out,
    )
    assert jax.grad(lambda a: named_alike(a, vjp_arg=5))(x) == 5


# What the passes return


def gradient_by(gradient, argument):
    function = with_rule(first_leaf, lambda p, tree: (first_leaf(tree), None), lambda r, g, p, tree: gradient(g))
    return eqx.filter_grad(function)(argument)


def test_none_is_a_gradient_of_zero():
    assert gradient_by(lambda g: None, x) == 0
    assert gradient_by(lambda g: {"a": None, "b": g}, {"a": x, "b": y}) == {"a": 0, "b": 1}


def test_gradients_where_nothing_is_differentiated_are_ignored():
    argument = {"a": x, "int": jnp.array(1), "text": "text", "float": 1.0}
    gradient = gradient_by(lambda g: {"a": g, "int": "anything", "text": jnp.ones(3), "float": g}, argument)
    assert gradient == {"a": 1, "int": None, "text": None, "float": None}
    function = with_rule(
        lambda tree: tree["a"], lambda p, tree: (tree["a"], None), lambda r, g, p, tree: {"a": g, "constant": g}
    )
    assert jax.grad(lambda a: function({"a": a, "constant": y}))(x) == 1


@pytest.mark.parametrize(
    ("gradient", "argument", "place"),
    [
        (lambda g: None, {"a": x}, "the root"),
        (lambda g: (g, g), x, "the root"),
        (lambda g: {"a": g}, {"a": x, "b": y}, "the root"),
        (lambda g: {"a": g, "b": (None, None)}, {"a": x, "b": (y, y, y)}, r"`\['b'\]`"),
        (lambda g: {"a": g, "b": None}, {"a": x, "b": (y, y)}, r"`\['b'\]`"),
    ],
)
def test_a_gradient_of_another_structure_is_an_error_that_names_the_place(gradient, argument, place):
    with pytest.raises(RuntimeError, match=f"(?s)`<lambda>`.*structure.*{place}.*`gradient`"):
        gradient_by(gradient, argument)


def test_a_gradient_of_another_shape_or_type_is_an_error():
    with pytest.raises(ValueError, match=r"float32\[2\]"):
        gradient_by(lambda g: jnp.ones(2), x)
    with pytest.raises(TypeError, match="str"):
        gradient_by(lambda g: "text", x)


@pytest.mark.parametrize("result", [x, (x, None, None)])
def test_a_forward_pass_must_return_a_pair(result):
    def fwd(perturbed, x):
        return result

    with pytest.raises(TypeError, match=r"`fwd`.*pair"):
        jax.grad(with_rule(double, fwd, double_bwd))(x)


def test_a_forward_pass_must_return_the_arrays_of_the_function():
    def fwd(perturbed, x):
        return (x, x), None

    with pytest.raises(TypeError, match="fwd"):
        jax.grad(jax.jit(with_rule(double, fwd, double_bwd).__call__))(x)


# Registration


def test_calling_it_without_both_passes_is_an_error_that_names_the_function():
    for registered in ((), ("def_fwd",), ("def_bwd",)):
        function = eqx.filter_custom_vjp(double)
        for name in registered:
            getattr(function, name)(double_fwd)
        with pytest.raises(RuntimeError, match=r"`double`.*`def_fwd`.*`def_bwd`"):
            function(x)


def test_passes_are_registered_in_any_order_and_returned():
    function = eqx.filter_custom_vjp(double)
    assert function.def_bwd(double_bwd) is double_bwd
    assert function.def_fwd(double_fwd) is double_fwd
    assert jax.grad(function)(x) == 3
    function.def_bwd(lambda residuals, grad_out, perturbed, x: 4 * grad_out)
    assert jax.grad(function)(x) == 4


def test_compiled_programs_do_not_outlive_the_rule():
    function = with_rule(double, double_fwd, double_bwd)
    gradient = eqx.filter_jit(lambda function, x: jax.grad(function)(x))
    assert gradient(function, x) == 3
    function.def_bwd(lambda residuals, grad_out, perturbed, x: 4 * grad_out)
    assert gradient(function, x) == 4


def test_the_old_way_to_register_gives_arrays_of_zeros_and_a_warning():
    calls = []

    def fwd(x, factor, *, option):
        calls.append((x, factor, option))
        return function.__wrapped__(x, factor, option=option), "residuals"

    def bwd(residuals, grad_out, x, factor, *, option):
        calls.append((residuals, grad_out, factor, option))
        return grad_out["a"] * factor

    function = eqx.filter_custom_vjp(
        lambda x, factor, *, option: {"a": factor * x, "unused": jnp.stack([x, x]), "int": jnp.array(1), "text": "text"}
    )
    with pytest.warns(UserWarning, match=r"`filter_custom_vjp\.defvjp`.*`def_fwd`.*`def_bwd`") as record:
        assert function.defvjp(fwd, bwd) is None
    assert record[0].filename == __file__
    assert jax.grad(lambda x: function(x, y, option="option")["a"])(x) == 3
    assert calls[0] == (2, 3, "option")
    residuals, grad_out, factor, option = calls[1]
    assert (residuals, factor, option) == ("residuals", 3, "option")
    assert grad_out["a"] == 1
    np.testing.assert_array_equal(grad_out["unused"], [0, 0])
    assert grad_out["unused"].dtype == x.dtype
    assert grad_out["int"] is None
    assert grad_out["text"] is None


# In other transformations


def fresh(x, *args, **kwargs):
    return 2 * x, lambda: None, Uncomparable()


awkward = with_rule(
    fresh,
    lambda perturbed, x, *args, **kwargs: (fresh(x), (lambda: None, Uncomparable(), {1}, x)),
    lambda residuals, grad_out, perturbed, x, *args, **kwargs: 3 * grad_out[0],
)


def with_static(x):
    return awkward(x, {1}, Uncomparable(), jnp.arange(3), option=Uncomparable())[0]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (jax.grad(with_static), 3),
        (jax.jit(jax.grad(with_static)), 3),
        (jax.grad(jax.jit(with_static)), 3),
        (eqx.filter_jit(eqx.filter_grad(with_static)), 3),
        (jax.grad(lambda x: jax.lax.cond(x > 0, with_static, lambda x: x, x)), 3),
        (jax.grad(lambda x: jax.lax.scan(lambda c, _: (with_static(c), None), x, None, length=2)[0]), 9),
        (
            jax.grad(
                lambda x: jax.lax.scan(lambda c, _: ((with_static(c[1]), c[0]), None), (x, 1.0), None, length=3)[0][1]
            ),
            3,
        ),
        (jax.grad(jax.checkpoint(with_static)), 3),
        (jax.grad(eqx.filter_checkpoint(with_static)), 3),
        (jax.hessian(lambda x: with_static(x) ** 2), 12),
        (jax.jacrev(with_static), 3),
    ],
)
def test_it_works_in_other_transformations_and_leaks_nothing(function, expected):
    assert function(x) == expected
    with jax.checking_leaks():
        assert function(x + 0) == expected


def test_it_can_be_mapped():
    np.testing.assert_array_equal(jax.vmap(jax.grad(with_static))(jnp.ones(2)), [3, 3])
    np.testing.assert_array_equal(jax.jit(jax.vmap(with_static))(jnp.ones(2)), [2, 2])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda function: jax.jit(jax.grad(function)),
        lambda function: eqx.filter_jit(eqx.filter_grad(function)),
        lambda function: jax.grad(jax.jit(function)),
        lambda function: jax.grad(eqx.filter_jit(function)),
    ],
)
def test_passes_are_traced_once_for_each_program(wrap):
    function, of_fwd, of_bwd = recording(double, lambda residuals, grad_out, *_: 3 * grad_out)
    gradient = wrap(function)
    for value in (x, y):
        assert gradient(value) == 3
    assert len(of_bwd) == 1
    assert len(of_fwd) == 1
    assert gradient(jnp.array(2.0, jnp.bfloat16)) == 3
    assert len(of_bwd) == 2


def test_the_program_names_the_function():
    assert "name=double" in str(jax.make_jaxpr(custom)(x))


# The function as an object


class Model(eqx.Module):
    weight: typing.Any
    name: typing.Any = "model"

    @eqx.filter_custom_vjp
    def method(self, x, power=1):
        """What it does."""
        return self.weight * x**power

    @method.def_fwd
    def method_fwd(perturbed, self, x, power=1):  # noqa: N805
        return self.method(x, power), None

    @method.def_bwd
    def method_bwd(residuals, grad_out, perturbed, self, x, power=1):  # noqa: N805
        return Model(7 * grad_out, None)


def test_methods_bind():
    model = Model(x)
    assert model.method(y) == 6
    assert model.method(y) == Model.method(model, y)
    assert Model.method is vars(Model)["method"]
    gradient = eqx.filter_grad(lambda model: model.method(y))(model)
    assert gradient.weight == 7
    assert gradient.name is None
    assert model.method.__name__ == "method"
    assert model.method.__doc__ == "What it does."
    assert str(inspect.signature(model.method)) == "(x, power=1)"
    assert [leaf for leaf in jax.tree.leaves(model.method) if eqx.is_array(leaf)] == [x]
    assert eqx.filter_jit(lambda method: method(y))(model.method) == 6


def test_it_is_a_module_with_the_names_and_the_leaves_of_the_function():
    assert isinstance(custom, eqx.Module)
    assert isinstance(custom, eqx.filter_custom_vjp)
    assert custom.__wrapped__ is double
    assert custom.__name__ == "double"
    assert inspect.signature(custom) == inspect.signature(double)
    assert inspect.unwrap(custom) is double
    assert jax.tree.leaves(custom) == [double]
    assert repr(custom) == "filter_custom_vjp(<function double>)"
    assert custom == with_rule(double, double_fwd, double_bwd)
    assert custom != eqx.filter_custom_vjp(double)


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
    assert other.__name__ == "double"
    assert jax.grad(other)(x) == 3


def test_nothing_but_the_rule_can_be_changed():
    for name in ("_function", "_fwd", "new"):
        with pytest.raises(AttributeError):
            setattr(custom, name, None)


@pytest.mark.parametrize("value", [3, "text", None])
def test_what_cannot_be_called_cannot_have_a_rule(value):
    with pytest.raises(TypeError, match=f"`filter_custom_vjp`.*{type(value).__name__}"):
        eqx.filter_custom_vjp(value)
