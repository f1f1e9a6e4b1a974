"""Over which devices the arguments and results of a compiled function are spread."""

import functools as ft
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import equinox as eqx
from tests.four_devices import Checks

jit = ft.partial(eqx.jitf, filter_fn=eqx.is_array)
checks = Checks(__file__)


def check(function):
    """Mark a function of two shardings, one that splits the first axis and one that copies to every device."""

    @ft.wraps(function)
    def with_shardings():
        split = NamedSharding(Mesh(np.array(jax.devices()), ("devices",)), P("devices"))
        function(split, NamedSharding(split.mesh, P()))

    checks(with_shardings)
    return function


def are_split(*arrays):
    """Whether, for each of the arrays, every device has a part of it, as opposed to all of it."""
    return [not array.sharding.is_fully_replicated for array in arrays]


def copy(tree):
    return jax.tree.map(lambda leaf: leaf * 1 if eqx.is_array(leaf) else leaf, tree)


def arrays(count):
    return [np.arange(8.0) for _ in range(count)]


class Model(eqx.Module):
    weight: typing.Any
    bias: typing.Any
    activation: typing.Any = jnp.tanh


@check
def one_sharding_is_for_all_arguments(split, whole):
    x, y = jit(lambda x, y: copy((x, y)), in_shardings=split)(*arrays(2))
    assert are_split(x, y) == [True, True]


@check
def one_partition_spec_is_for_all_arguments(split, whole):
    with jax.set_mesh(split.mesh):
        x, y = jit(lambda x, y: copy((x, y)), in_shardings=P("devices"))(*arrays(2))
    assert are_split(x, y) == [True, True]


@check
def there_may_be_one_sharding_for_each_argument(split, whole):
    for shardings in [(split, whole), [split, whole], (split, None)]:
        x, y = jit(lambda x, y: copy((x, y)), in_shardings=shardings)(*arrays(2))
        assert are_split(x, y) == [True, False]


@check
def there_may_be_one_partition_spec_for_each_argument(split, whole):
    with jax.set_mesh(split.mesh):
        x, y = jit(lambda x, y: copy((x, y)), in_shardings=(P("devices"), P()))(*arrays(2))
    assert are_split(x, y) == [True, False]


@check
def there_may_be_one_sharding_for_each_leaf(split, whole):
    model = Model(*arrays(2))
    for static in (None, split):
        shardings = (Model(split, whole, static), {"x": None, "text": static})
        model, rest = jit(lambda *args: copy(args), in_shardings=shardings)(model, {"x": np.arange(8), "text": "text"})
        assert are_split(model.weight, model.bias) == [True, False]
        assert model.activation is jnp.tanh
        assert are_split(rest["x"]) == [False]
        assert rest["text"] == "text"


@check
def shardings_are_found_for_arguments_passed_by_keyword(split, whole):
    x, y = jit(lambda x, y: copy((x, y)), in_shardings=(split, whole))(y=np.arange(8.0), x=np.arange(8.0))
    assert are_split(x, y) == [True, False]


@check
def arguments_passed_by_keyword_alone_have_no_sharding(split, whole):
    x, y = jit(lambda x, *, y: copy((x, y)), in_shardings=(split,))(y=np.arange(8.0), x=np.arange(8.0))
    assert are_split(x, y) == [True, False]


@check
def static_arguments_have_no_sharding(split, whole):
    def function(x, n, y):
        assert type(n) is int
        return x * n, y * n

    for transform in (jax.jit, jit):
        for options in ({"static_argnums": 1}, {"static_argnames": "n"}):
            x, y = transform(function, in_shardings=(split, whole), **options)(np.arange(8.0), 3, np.arange(8.0))
            assert are_split(x, y) == [True, False]


@check
def the_arrays_of_the_callable_stay_where_they_are(split, whole):
    model = eqx.Partial(lambda own, x: copy((own, x)), jax.device_put(jnp.arange(8.0), whole))
    own, x = jit(model, in_shardings=split)(np.arange(8.0))
    assert are_split(own, x) == [False, True]


@check
def results_take_one_sharding(split, whole):
    for transform in (jit, ft.partial(eqx.jitf, filter_fn=eqx.is_array_like)):
        x, text, function = transform(lambda x: (x * 1, "text", copy), out_shardings=split)(np.arange(8.0))
        assert are_split(x) == [True]
        assert text == "text"
        assert function is copy


@check
def results_take_the_shardings_of_a_prefix(split, whole):
    def function(x, y):
        return {"model": Model(x * 1, y * 1), "x": x * 1, "text": "text"}

    for static in (None, split):
        for model in (split, Model(split, split, static)):
            output = jit(function, out_shardings={"model": model, "x": whole, "text": static})(*arrays(2))
            assert are_split(output["model"].weight, output["model"].bias, output["x"]) == [True, True, False]
            assert output["model"].activation is jnp.tanh
            assert output["text"] == "text"


@check
def shardings_carry_over_to_programs_compiled_ahead_of_time(split, whole):
    compiled = jit(lambda x, n: (x * n, x * n), in_shardings=split, out_shardings=(split, whole)).lower(*arrays(1), 2)
    x, y = compiled.compile()(*arrays(1), 2)
    assert are_split(x, y) == [True, False]


@check
def spread_arguments_need_no_option(split, whole):
    x = jax.device_put(jnp.arange(8.0), split)
    for transform in (eqx.filter_jit, jit):
        y = transform(lambda x, n: x * n)(x, 2)
        assert are_split(y) == [True]
        np.testing.assert_array_equal(y, 2 * np.arange(8.0))


@check
def donation_works_for_spread_arguments(split, whole):
    x = jax.device_put(jnp.arange(8.0), split)
    y = eqx.filter_jit(lambda x: x + 1, donate="all")(x)
    assert are_split(y) == [True]
    assert x.is_deleted()


@check
def shardings_that_are_no_prefix_of_the_arguments_are_an_error_that_says_where(split, whole):
    model = Model(*arrays(2))
    for shardings in [(split,), {"a": split}, (Model(split, {"a": split}, None), whole)]:
        with pytest.raises(ValueError, match="in_shardings") as info:
            jit(lambda model, x: x, in_shardings=shardings)(model, *arrays(1))
    assert ".bias" in str(info.value)


@check
def filter_jit_takes_shardings_as_prefixes_too(split, whole):
    def function(model, x, text):
        return copy(model), x * 1, text

    for in_shardings, out_shardings in [
        ((Model(split, whole, None), whole, None), (Model(whole, split, None), split, None)),
        ((Model(split, whole, split), whole, split), (Model(whole, split, split), split, split)),
    ]:
        jitted = eqx.filter_jit(function, in_shardings=in_shardings, out_shardings=out_shardings)
        factory = eqx.filter_jit(in_shardings=in_shardings, out_shardings=out_shardings)(function)
        for transformed in (jitted, factory, jitted.lower(Model(*arrays(2)), *arrays(1), "text").compile()):
            model, x, text = transformed(Model(*arrays(2)), *arrays(1), "text")
            assert are_split(model.weight, model.bias, x) == [False, True, True]
            assert model.activation is jnp.tanh
            assert text == "text"


@check
def filter_jit_places_arguments_where_their_shardings_say(split, whole):
    placed = []
    for in_shardings in (split, (split,), (whole,), ({"a": split, "b": None},)):
        jitted = eqx.filter_jit(lambda tree: tree["a"] * 1, in_shardings=in_shardings)
        placed += are_split(jitted({"a": np.arange(8.0), "b": "text"}))
    assert placed == [True, True, False, True]
    for shardings in ((split, split), ({"a": [split], "b": None},)):
        with pytest.raises(ValueError, match="in_shardings"):
            eqx.filter_jit(lambda tree: tree["a"], in_shardings=shardings)({"a": np.arange(8.0), "b": "text"})


@pytest.mark.parametrize("name", checks.names)
def test_on_four_devices(name):
    checks.assert_passed(name)


if __name__ == "__main__":
    checks.main()
