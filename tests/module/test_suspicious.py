import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox import Module, field
from tests.naming import show
from tests.untyped import untyped


class Model(Module):
    w: Any

    def __call__(self, x: Any = 1.0) -> Any:
        return self.w * x

    def method(self, x: Any = 1.0) -> Any:
        return self.w * x


class Generated(Module):
    value: Any
    other: Any = None


class GeneratedWithPostInit(Generated):
    def __post_init__(self) -> None: ...


class Custom(Module):
    value: Any

    def __init__(self, value: Any) -> None:
        self.value = value


class CustomAroundGenerated(Generated):
    def __init__(self, value: Any) -> None:
        super().__init__(value)


@pytest.fixture
def model() -> Model:
    return Model(jnp.ones(2))


TRANSFORMATIONS: list[Callable[..., Any]] = [
    jax.jit,
    jax.grad,
    jax.vmap,
    jax.value_and_grad,
    jax.jacfwd,
    jax.jacrev,
    jax.hessian,
    jax.custom_jvp,
    jax.custom_vjp,
    jax.checkpoint,
]
if hasattr(jax.pmap(len), "__wrapped__"):  # JAX 0.8.0 does not tell what it has transformed
    TRANSFORMATIONS.append(jax.pmap)

CLASSES = [Generated, GeneratedWithPostInit, Custom, CustomAroundGenerated]

TRANSFORMED = "Possibly assigning a JAX-transformed callable as an attribute"


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS, ids=lambda f: f.__name__)
def test_a_transformed_model_is_warned_of_once_at_the_users_line(
    cls: Callable[[Any], Module], transformation: Callable[..., Any], model: Model
) -> None:
    with pytest.warns(UserWarning, match=TRANSFORMED) as record:
        cls(transformation(model))
    assert len(record) == 1
    assert record[0].filename == __file__
    assert "filter_jit" in str(record[0].message)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: jax.jit(model.method),
        lambda model: jax.jit(jax.vmap(model)),
        lambda model: jax.jit(functools.wraps(model)(lambda x: 2 * model(x))),
        lambda model: [jax.jit(model)],
        lambda model: {"a": (1, {"b": jax.jit(model)})},
        lambda model: jax.jit(eqx.Partial(jnp.add, np.ones(2))),
        lambda model: jax.jit(eqx.Partial(jnp.add, 1.0)),
        lambda model: jax.jit(types_method(model)),
    ],
)
def test_the_arrays_are_found_wherever_they_are(cls: Callable[[Any], Module], wrap: Any, model: Model) -> None:
    with pytest.warns(UserWarning, match=TRANSFORMED) as record:
        cls(wrap(model))
    assert len(record) == 1


def types_method(model: Model) -> Any:
    return model.__call__


def test_a_keyword_argument_is_looked_at_too(model: Model) -> None:
    with pytest.warns(UserWarning, match=TRANSFORMED):
        Generated(1, other=jax.jit(model))
    with pytest.warns(UserWarning, match=TRANSFORMED):
        Generated(value=jax.jit(model))


def test_the_warning_for_an_argument_names_the_line_of_the_call(model: Model) -> None:
    transformed = jax.jit(model)
    line = untyped(inspect.currentframe()).f_lineno + 2
    with pytest.warns(UserWarning, match=TRANSFORMED) as record:
        Generated(transformed)
    assert record[0].lineno == line


def test_the_warning_for_an_assignment_names_the_line_of_the_assignment(model: Model) -> None:
    with pytest.warns(UserWarning, match=TRANSFORMED) as record:
        Custom(jax.jit(model))
    assert record[0].lineno == untyped(Custom.__init__).__code__.co_firstlineno + 1


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS, ids=lambda f: f.__name__)
def test_a_transformed_function_is_fine(cls: Callable[[Any], Module], transformation: Callable[..., Any]) -> None:
    array = jnp.ones(2)

    def closure(x: Any) -> Any:
        return array * x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls(transformation(jnp.sin))
        cls(transformation(closure))
        cls(transformation(lambda x: x))


@pytest.mark.parametrize("cls", CLASSES)
def test_what_is_no_transformed_model_is_fine(cls: Callable[[Any], Module], model: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (model, model.method, eqx.filter_jit(model), eqx.filter_grad(model), jnp.sin, [model], Model):
            cls(value)
            cls(cls(value))


def test_a_model_that_was_warned_of_is_not_warned_of_again_where_it_is_used(model: Model) -> None:
    with pytest.warns(UserWarning, match=TRANSFORMED):
        inner = Custom(jax.jit(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Custom([inner])
        Generated(inner)
        jax.tree.map(lambda x: x, inner)


# Static fields


class Static(Module):
    value: Any = field(static=True)


class StaticCustom(Module):
    value: Any = field(static=True)

    def __init__(self, value: Any) -> None:
        self.value = value


class StaticConverted(Module):
    value: Any = field(static=True, converter=np.asarray)


@pytest.mark.parametrize("cls", [Static, StaticCustom, StaticConverted])
@pytest.mark.parametrize(
    "value",
    [jnp.ones(2), np.ones(2), np.float32(1.0), jax.random.key(0), [1, {"a": jnp.ones(2)}], Model(np.ones(2))],
    ids=lambda value: type(value).__name__,
)
def test_an_array_in_a_static_field_is_warned_of_once_at_the_users_line(cls: Any, value: Any) -> None:
    if cls is StaticConverted:
        value = [1.0]
    with pytest.warns(UserWarning, match="A JAX array is being set as static!") as record:
        cls(value)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert "`value`" in str(record[0].message)
    assert cls.__name__ in str(record[0].message)


def test_a_tracer_in_a_static_field_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="A JAX array is being set as static!"):
        jax.jit(lambda x: Static(x).value + 1)(1.0)


@pytest.mark.parametrize("value", [1, 1.0, "text", None, (1, 2), [3], len, jnp.sin, {1: 2, "a": 3}, int, Model(1.0)])
def test_other_values_of_a_static_field_are_fine(value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Static(value)
        StaticCustom(value)


def test_a_static_array_that_a_converter_makes_harmless_is_fine() -> None:
    class Harmless(Module):
        value: Any = field(static=True, converter=lambda array: tuple(untyped(array).tolist()))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Harmless(np.ones(2)).value == (1.0, 1.0)


# Fields that are not for init


class Derived(Module):
    source: Any
    derived: Any = field(init=False)

    def __post_init__(self) -> None:
        self.derived = self.source


class DerivedConverted(Module):
    source: Any
    derived: Any = field(init=False, converter=str)

    def __init__(self, source: Any) -> None:
        self.source = 1
        self.derived = source


@pytest.mark.parametrize("cls", [Derived, DerivedConverted])
@pytest.mark.parametrize("value", [1.0, 1j, jnp.ones(2), np.ones(2), [1, {"a": 1.0}]], ids=show)
def test_a_number_in_a_field_that_is_not_for_init_is_warned_of_once_at_the_users_line(cls: Any, value: Any) -> None:
    with pytest.warns(UserWarning, match=r"field\(init=False\)") as record:
        cls(value)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert "`derived`" in str(record[0].message)
    assert cls.__name__ in str(record[0].message)


@pytest.mark.parametrize("value", [1, True, "text", None, jnp.arange(3), np.arange(3), (1, 2), len], ids=show)
def test_other_values_of_a_field_that_is_not_for_init_are_fine(value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Derived(value)
        DerivedConverted(value)
