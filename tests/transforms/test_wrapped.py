"""What every filtered transformation returns: a callable PyTree that looks and binds like the function in it."""

import copy
import doctest
import functools as ft
import inspect
import pickle
import sys
import types
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.runtime.program import program

#: Every transformation, and what it makes of the value and the gradient of a function.
TRANSFORMS = [
    pytest.param(ft.partial(eqx.jitf, filter_fn=eqx.is_array), lambda value, gradient: value, id="jitf"),
    pytest.param(eqx.filter_jit, lambda value, gradient: value, id="filter_jit"),
    pytest.param(ft.partial(eqx.gradf, filter_fn=eqx.is_inexact_array), lambda value, gradient: gradient, id="gradf"),
    pytest.param(
        ft.partial(eqx.value_and_grad_f, filter_fn=eqx.is_inexact_array),
        lambda value, gradient: (value, gradient),
        id="value_and_grad_f",
    ),
    pytest.param(eqx.filter_grad, lambda value, gradient: gradient, id="filter_grad"),
    pytest.param(eqx.filter_value_and_grad, lambda value, gradient: (value, gradient), id="filter_value_and_grad"),
    pytest.param(eqx.filter_checkpoint, lambda value, gradient: value, id="filter_checkpoint"),
    pytest.param(eqx.filter_jacfwd, lambda value, gradient: gradient, id="filter_jacfwd"),
    pytest.param(eqx.filter_jacrev, lambda value, gradient: gradient, id="filter_jacrev"),
]
each_transform = pytest.mark.parametrize(("transform", "expected"), TRANSFORMS)


def function(x: jax.Array, y: float = 1.0, *, z: "int" = 0) -> jax.Array:
    """Square."""
    return x**2 * y + z


def unannotated(x):
    return x**2


class Scale(eqx.Module):
    factor: typing.Any
    name: str = "scale"

    def __call__(self, x):
        """Multiply."""
        return self.factor * x

    def method(self, x):
        return self(x)


def assert_equal(actual, expected):
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


# Leaves


@each_transform
def test_the_leaves_are_those_of_the_callable(transform, expected):
    for callable_ in (function, Scale(jnp.array(2.0)), Scale(jnp.array(2.0)).method, eqx.Partial(function, z=3)):
        wrapped = transform(callable_)
        assert [id(leaf) for leaf in jax.tree.leaves(wrapped)] == [id(leaf) for leaf in jax.tree.leaves(callable_)]
        assert [id(leaf) for leaf in jax.tree.leaves(transform(wrapped))] == [
            id(leaf) for leaf in jax.tree.leaves(callable_)
        ]


@each_transform
def test_wrappers_around_two_instances_have_equal_structures(transform, expected):
    first, second = transform(Scale(jnp.array(2.0))), transform(Scale(jnp.array(3.0)))
    assert jax.tree.structure(first) == jax.tree.structure(second)
    first, second = eqx.filter(first, eqx.is_array), eqx.filter(second, eqx.is_array)
    (total,) = jax.tree.leaves(jax.tree.map(jnp.add, first, second))
    assert total == 5


def test_wrappers_with_other_options_have_other_structures():
    wrappers = [transform.values[0](function) for transform in TRANSFORMS]
    wrappers += [eqx.filter_jit(function, donate="all"), eqx.filter_jit(function, inline=True)]
    wrappers += [eqx.filter_grad(function, has_aux=True)]
    structures = [jax.tree.structure(wrapper) for wrapper in wrappers]
    assert all(first != second for i, first in enumerate(structures) for second in structures[:i])


@each_transform
def test_wrappers_can_be_mapped_over(transform, expected):
    wrapped = transform(Scale(jnp.array(2.0)))
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, wrapped)
    assert type(doubled) is type(wrapped)
    assert_equal(doubled(jnp.array(3.0)), expected(12.0, 4.0))
    assert_equal(wrapped(jnp.array(3.0)), expected(6.0, 2.0))


# Names


@each_transform
def test_names_and_signature_are_those_of_the_callable(transform, expected):
    @jax.jit
    def crossing(arrays):
        return jax.tree.map(lambda leaf: leaf, eqx.combine(arrays, static))

    wrapped = transform(function)
    arrays, static = eqx.partition(wrapped, eqx.is_array)
    wrappers = [
        wrapped,
        transform(wrapped),
        jax.tree.map(lambda leaf: leaf, wrapped),
        eqx.filter_jit(lambda wrapped: wrapped)(wrapped),
        eqx.combine(arrays, static),
        copy.copy(wrapped),
        copy.deepcopy(wrapped),
    ]
    for wrapper in wrappers:
        assert inspect.unwrap(wrapper) is function
        assert inspect.signature(wrapper) == inspect.signature(function)
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
            assert getattr(wrapper, name) == getattr(function, name)
    assert wrapped.__wrapped__ is function
    assert transform(wrapped).__wrapped__ is not function
    assert jax.tree.structure(wrappers[2]) == jax.tree.structure(wrapped)


@each_transform
def test_what_has_no_name_can_be_wrapped(transform, expected):
    partial = ft.partial(function, z=1)
    assert not hasattr(partial, "__name__")
    wrapped = transform(partial)
    assert wrapped.__wrapped__ is partial
    assert not hasattr(wrapped, "__name__")
    assert inspect.signature(wrapped) == inspect.signature(partial)
    assert_equal(wrapped(jnp.array(3.0)), expected(10.0, 6.0))


@each_transform
def test_instances_have_the_docstring_of_their_class_and_the_signature_of_their_call(transform, expected):
    wrapped = transform(Scale(jnp.array(2.0)))
    assert wrapped.__doc__ == Scale.__doc__
    assert list(inspect.signature(wrapped).parameters) == ["x"]


@each_transform
def test_doctests_of_wrapped_functions_are_found(transform, expected):
    module = types.ModuleType("module_with_doctests")
    exec('def documented(x):\n    """Say.\n\n    >>> 1 + 1\n    2\n    """\n', vars(module))
    vars(module)["documented"] = transform(vars(module)["documented"])
    tests = doctest.DocTestFinder().find(module)
    assert [test.name for test in tests if test.examples] == ["module_with_doctests.documented"]


@each_transform
def test_a_wrapper_prints_as_the_transformation_of_the_callable(transform, expected):
    name = transform.func.__name__ if isinstance(transform, ft.partial) else transform.__name__
    assert repr(transform(function)) == f"{name}(<function function>)"
    assert repr(transform(Scale(jnp.ones(2)))) == f"{name}(Scale(factor=f32[2]))"
    assert repr(transform(transform(function))) == f"{name}({name}(<function function>))"


@each_transform
def test_attributes_that_are_not_there_are_an_error(transform, expected):
    with pytest.raises(AttributeError, match="no_such_attribute"):
        transform(function).no_such_attribute  # noqa: B018 # that is the point
    assert not hasattr(transform(function), "_repr_html_")


# Methods


@each_transform
@pytest.mark.parametrize("base", [eqx.Module, object])
def test_wrapped_methods_bind_like_functions(transform, expected, base):
    class Model(base):
        def __init__(self, factor):
            self.factor = factor

        @transform
        def method(self, x, power=2):
            """What it does."""
            return self.factor**power * x

        if base is eqx.Module:
            factor: typing.Any

    model = Model(jnp.array(3.0))
    assert Model.method is vars(Model)["method"]
    if base is eqx.Module:
        assert_equal(model.method(2.0), expected(18.0, Model(12.0)))
    elif expected(True, False) is not True:
        return  # there is nothing to differentiate in an opaque object
    assert_equal(model.method(2.0), Model.method(model, 2.0))
    assert_equal(model.method(2.0, power=3), Model.method(model, 2.0, 3))
    assert model.method.__name__ == "method"
    assert model.method.__qualname__ == Model.method.__qualname__
    assert model.method.__doc__ == "What it does."
    assert str(inspect.signature(model.method)) == "(x, power=2)"
    assert list(inspect.signature(Model.method).parameters) == ["self", "x", "power"]


@each_transform
def test_bound_methods_are_pytrees(transform, expected):
    class Model(eqx.Module):
        factor: typing.Any

        @transform
        def method(self, x):
            """What it does."""
            return self.factor * x

    model = Model(jnp.array(3.0))
    method = model.method
    assert isinstance(method, eqx.Module)
    assert [leaf for leaf in jax.tree.leaves(method) if eqx.is_array(leaf)] == [model.factor]
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, method)
    crossed = eqx.filter_jit(lambda method: method)(method)
    for bound, factor in [(method, 3.0), (doubled, 6.0), (crossed, 3.0), (copy.deepcopy(method), 3.0)]:
        assert bound.__name__ == "method"
        assert bound.__doc__ == "What it does."
        assert str(inspect.signature(bound)) == "(x)"
        assert_equal(bound(2.0), expected(2 * factor, Model(2.0)))
        assert_equal(eqx.filter_jit(lambda method, x: method(x))(bound, 2.0), expected(2 * factor, Model(2.0)))
    assert jax.tree.structure(model.method) == jax.tree.structure(crossed)
    assert jax.tree.structure(Model(jnp.array(4.0)).method) == jax.tree.structure(method)


@each_transform
def test_bound_methods_are_equal_if_method_and_instance_are(transform, expected):
    class Model(eqx.Module):
        factor: typing.Any

        @transform
        def method(self, x):
            return self.factor * x

        @transform
        def other(self, x):
            return self.factor * x

    assert Model(3.0).method == Model(3.0).method
    assert hash(Model(3.0).method) == hash(Model(3.0).method)
    assert Model(3.0).method != Model(4.0).method
    assert Model(3.0).method != Model(3.0).other


@each_transform
def test_bound_methods_say_what_they_are(transform, expected):
    class Model(eqx.Module):
        factor: typing.Any

        @transform
        def method(self, x):
            return self.factor * x

    text = repr(Model(jnp.ones(2)).method)
    assert "method" in text
    assert "Model(factor=f32[2])" in text


@each_transform
def test_inherited_and_overridden_methods_are_found_as_in_python(transform, expected):
    class Base(eqx.Module):
        factor: typing.Any

        @transform
        def method(self, x):
            return self.factor * x

        @transform
        def overridden(self, x):
            return self.factor * x

    class Derived(Base):
        @transform
        def overridden(self, x):
            return 10 * super().overridden.__wrapped__(x)

        def from_super(self, x):
            return super().method(x)

    model = Derived(jnp.array(3.0))
    assert Derived.method is Base.method
    assert_equal(model.method(2.0), expected(6.0, Derived(2.0)))
    assert_equal(model.overridden(2.0), expected(60.0, Derived(20.0)))
    assert_equal(model.from_super(2.0), expected(6.0, Derived(2.0)))


@each_transform
def test_special_methods_can_be_wrapped(transform, expected):
    class Model(eqx.Module):
        factor: typing.Any

        @transform
        def __call__(self, x):
            return self.factor * x

    model = Model(jnp.array(3.0))
    assert_equal(model(2.0), expected(6.0, Model(2.0)))
    assert_equal(Model.__call__(model, 2.0), expected(6.0, Model(2.0)))


@each_transform
def test_a_wrapper_in_a_field_is_not_bound(transform, expected):
    class Model(eqx.Module):
        stored: typing.Any
        default: typing.Any = transform(function)

    wrapped = transform(function)
    model = Model(wrapped)
    assert model.stored is wrapped
    x = jnp.array(3.0)
    assert_equal(model.stored(x), expected(9.0, 6.0))
    assert_equal(model.default(x), expected(9.0, 6.0))


def test_static_and_class_methods_do_not_bind_to_instances():
    class Model(eqx.Module):
        @staticmethod
        @eqx.filter_jit
        def of_none(x):
            return 2 * x

        @classmethod
        @eqx.filter_jit
        def of_class(cls, x):
            return cls, 2 * x

        @property
        @eqx.filter_jit
        def prop(self):
            return self, jnp.array(2)

    for owner in (Model, Model()):
        assert owner.of_none(jnp.array(1)) == 2
        cls, value = owner.of_class(jnp.array(1))
        assert cls is Model
        assert value == 2
    assert Model().prop == (Model(), 2)


def test_transformations_of_methods_can_be_stacked():
    class Model(eqx.Module):
        factor: typing.Any

        @eqx.filter_jit
        @eqx.filter_value_and_grad
        def loss(self, x):
            return self.factor * x

    model = Model(jnp.array(3.0))
    value, gradient = model.loss(2.0)
    assert value == 6
    assert gradient.factor == 2
    assert model.loss.__name__ == "loss"
    assert str(inspect.signature(model.loss)) == "(x)"
    assert inspect.unwrap(Model.loss).__name__ == "loss"


# Objects like any other


@each_transform
def test_wrappers_are_equal_if_callable_and_options_are(transform, expected):
    assert transform(function) == transform(function)
    assert transform(Scale(2.0)) == transform(Scale(2.0))
    assert transform(Scale(2.0)) != transform(Scale(3.0))
    assert transform(function) != function
    assert hash(transform(function)) == hash(transform(function))


@each_transform
def test_wrappers_cannot_be_changed(transform, expected):
    wrapped = transform(function)
    wrapped(jnp.array(3.0))
    for name in ("__name__", "__wrapped__", "new", "_function"):
        with pytest.raises(AttributeError):
            setattr(wrapped, name, None)


@each_transform
@pytest.mark.parametrize("is_called_before", [False, True])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda wrapped: pickle.loads(pickle.dumps(wrapped))])
def test_wrappers_can_be_copied_and_pickled(transform, expected, is_called_before, duplicate):
    x = jnp.array(3.0)
    for callable_, result in [(unannotated, expected(9.0, 6.0)), (Scale(jnp.array(2.0)), expected(6.0, 2.0))]:
        wrapped = transform(callable_)
        if is_called_before:
            assert_equal(wrapped(x), result)
        other = duplicate(wrapped)
        assert type(other) is type(wrapped)
        assert jax.tree.structure(other) == jax.tree.structure(wrapped)
        assert_equal(other(x), result)
        assert_equal(wrapped(x), result)


@each_transform
def test_what_cannot_be_called_cannot_be_wrapped(transform, expected):
    for value in (3, "text", None, jnp.ones(2)):
        with pytest.raises(TypeError, match=type(value).__name__):
            transform(value)


@each_transform
def test_wrappers_are_arguments_of_jax_like_any_other(transform, expected):
    class Weight(eqx.Module):
        weight: jax.Array

        def __call__(self, x):
            return jnp.sum(self.weight * x)

    x = jnp.ones(2)
    wrapped = transform(Weight(x))
    assert_equal(jax.jit(lambda wrapped, x: wrapped(x))(wrapped, x), expected(2.0, x))
    assert_equal(jax.jit(lambda wrapped: wrapped)(wrapped)(x), expected(2.0, x))
    stacked = jax.vmap(lambda factor: transform(Weight(factor * x)))(jnp.arange(3.0))
    assert type(stacked) is type(wrapped)
    assert_equal(
        jax.vmap(lambda wrapped: wrapped(x))(stacked), expected(2 * jnp.arange(3.0), jnp.arange(3.0)[:, None] * x)
    )


@each_transform
def test_what_cannot_be_traced_is_not_hidden_from_jax(transform, expected):
    # A function is a leaf of its wrapper, as it is of any other Module.
    with pytest.raises(TypeError):
        jax.jit(lambda wrapped: 0)(transform(unannotated))


# Pickling


class Annotated(eqx.Module):
    """Its annotations cannot be pickled: JAX's array type is not found under the name that it gives itself."""

    weight: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.weight * x

    @eqx.filter_jit
    def compiled(self, x: jax.Array) -> jax.Array:
        return self.weight * x

    @eqx.filter_grad
    def gradient(self, x):
        return (self.weight**2).sum() * x


@pytest.fixture
def decorate(monkeypatch):
    """Write a decorated function into a module, under a name of its own."""
    module = types.ModuleType("of_decorated_functions")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def decorate(transform):
        def decorated(x: jax.Array):
            return x**2

        decorated.__module__, decorated.__qualname__ = module.__name__, "decorated"
        vars(module)["decorated"] = transform(decorated)
        return vars(module)["decorated"]

    return decorate


@pytest.mark.parametrize(
    "transform",
    [
        *(transform.values[0] for transform in TRANSFORMS),
        *(eqx.filter_vmap, eqx.filter_pmap, eqx.filter_custom_jvp, eqx.filter_custom_vjp, eqx.filter_make_jaxpr),
        *(eqx.filter_hessian, eqx.debug.assert_max_traces(max_traces=None)),
    ],
)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_decorated_functions_are_pickled_by_name_as_functions_are(transform, protocol, decorate):
    decorated = decorate(transform)
    assert pickle.loads(pickle.dumps(decorated, protocol)) is decorated
    assert copy.deepcopy(decorated) is copy.copy(decorated) is decorated
    wrapped_again = pickle.loads(pickle.dumps(eqx.filter_vmap(decorated), protocol))
    assert wrapped_again.__wrapped__ is decorated
    # Mapping over a tree makes another one, which has the same name.
    mapped = jax.tree.map(lambda leaf: leaf, decorated)
    assert mapped is not decorated
    assert pickle.loads(pickle.dumps(mapped, protocol)) is decorated


def test_what_has_a_name_that_means_something_else_is_not_pickled_by_name(decorate):
    decorated = decorate(eqx.filter_jit)
    other = eqx.filter_jit(decorated.__wrapped__, inline=True)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(other)
    assert copy.deepcopy(other) == other
    by_value = pickle.loads(pickle.dumps(eqx.filter_jit(function)))
    assert type(by_value) is type(other)
    assert by_value.__wrapped__ is function


def test_models_with_decorated_methods_can_be_pickled_and_so_can_the_methods():
    model = Annotated(jnp.array(2.0))
    for duplicate in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        assert duplicate(model).compiled(3.0) == 6
        assert duplicate(Annotated.compiled) is Annotated.compiled
        for bound in (model.compiled, model.gradient, eqx.filter_jit(model), eqx.filter_vmap(model.__call__)):
            other = duplicate(bound)
            assert jax.tree.structure(other) == jax.tree.structure(bound)
            assert other.__annotations__ == bound.__annotations__
        assert duplicate(model.compiled)(3.0) == 6
        assert duplicate(eqx.filter_jit(model))(3.0) == 6
        assert duplicate(model.gradient)(3.0).weight == 12


def test_cloudpickle_takes_what_a_program_decorates_along_by_value():
    pytest.importorskip("cloudpickle")
    write = """
        import sys, cloudpickle, jax.numpy as jnp, equinox as eqx
        @eqx.filter_jit
        def double(x):
            return 2 * x
        class Model(eqx.Module):
            weight: float
            @eqx.filter_jit
            def scale(self, x):
                return self.weight * x
        sys.stdout.write(cloudpickle.dumps((double, Model(3.0).scale)).hex())
    """
    read = "import sys, pickle; print(*(f(1.0) for f in pickle.loads(bytes.fromhex(sys.stdin.read()))))"
    written = program(write)
    assert program(read, stdin=written.stdout).stdout == "2.0 3.0\n", written.stderr


# Options of the early days


@pytest.mark.parametrize(
    ("transform", "options"),
    [
        (eqx.filter_jit, ("default", "fn", "args", "kwargs", "out")),
        (eqx.filter_grad, ("arg", "filter_spec")),
        (eqx.filter_value_and_grad, ("arg", "filter_spec")),
    ],
)
def test_options_of_the_early_days_are_named_when_they_are_rejected(transform, options):
    for option in options:
        for arguments in ((), (function,)):
            with pytest.raises(ValueError, match=f"`{transform.__name__}`.*`{option}`"):
                transform(*arguments, **{option: None})
