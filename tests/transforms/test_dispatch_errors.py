"""Arguments that cannot be compiled for are errors that say which leaf is the reason."""

import functools as ft
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


class Model(eqx.Module):
    weight: typing.Any
    activation: typing.Any = jnp.tanh
    size: int = eqx.field(static=True, default=1)

    def __call__(self, x):
        return x

    def method(self, x):
        return x


# Static leaves that cannot be hashed


@pytest.mark.parametrize(
    ("jit", "kind"),
    [
        (ft.partial(eqx.jitf, filter_fn=eqx.is_array), TypeError),
        (eqx.filter_jit, TypeError),
        (eqx.filter_jit, ValueError),
    ],
)
def test_static_leaves_must_be_hashable(jit, kind):
    function = jit(lambda x, model, *, options=None: x)
    x = jnp.ones(2)
    function(x, {"a": [1]})
    for _ in range(2):
        with pytest.raises(kind, match=r"(?s)Non-hashable static arguments.*`model`.*`\['a'\]\[1\]`.*`set`: \{1, 2\}"):
            function(x, {"a": [0, {1, 2}]})
        with pytest.raises(kind, match=r"(?s)Non-hashable static arguments.*`options`.*`bytearray`"):
            function(x, model=1, options=bytearray())


@pytest.mark.parametrize("array", [np.ones((2, 3), np.float32), jnp.ones((2, 3)), jax.random.key(0)])
def test_the_error_for_static_arrays_names_filters_that_trace_them(array):
    function = eqx.jitf(lambda model: 0, filter_fn=lambda leaf: False)
    with pytest.raises(TypeError, match=r"(?s)`model`.*`\.weight`.*is_array_like.*is_array") as info:
        function(Model(array))
    assert str(array.shape).strip("()").replace(" ", "") in str(info.value)
    assert str(array.dtype) in str(info.value)


def test_arrays_that_a_filter_tree_leaves_out_are_an_error():
    with pytest.raises(TypeError, match=r"(?s)`y`.*`\['b'\]`"):
        eqx.jitf(lambda x, y: x, filter_tree=(True, {"a": True, "b": False}))(1, {"a": 1, "b": np.ones(2)})


@pytest.mark.parametrize("options", [{"static_argnums": 1}, {"static_argnums": -1}, {"static_argnames": "shape"}])
def test_static_arguments_must_be_hashable(options):
    function = eqx.jitf(lambda x, shape: x, filter_fn=eqx.is_array, **options)
    for args, kwargs in [((1, [2, 3]), {}), ((1,), {"shape": [2, 3]})]:
        with pytest.raises(TypeError, match=r"(?s)`shape`.*`list`: \[2, 3\].*static_argn"):
            function(*args, **kwargs)


def test_the_static_leaves_of_the_callable_must_be_hashable():
    with pytest.raises(TypeError, match=r"(?s)Non-hashable static arguments.*`\.activation`"):
        eqx.filter_jit(Model(jnp.ones(2), {1, 2}))(1)


def test_a_leaf_that_cannot_be_compared_is_an_error():
    class Incomparable:
        def __eq__(self, other):
            raise TypeError("cannot be compared")

        def __hash__(self):
            return 0

    function = eqx.filter_jit(lambda leaf: 0)
    function(Incomparable())
    with pytest.raises(TypeError):
        function(Incomparable())


# Traced leaves that JAX cannot represent


@pytest.mark.parametrize(
    "leaf",
    [
        "text",
        object(),
        jnp.tanh,
        np.array(["text"]),
        np.array([object()]),
        np.datetime64(1, "s"),
        jax.ShapeDtypeStruct((2,), jnp.float32),
    ],
)
def test_traced_leaves_must_be_something_that_jax_can_represent(leaf):
    function = eqx.jitf(lambda x, model, *, option=0: (x, model, option), filter_fn=lambda leaf: True)
    with pytest.raises(TypeError) as expected:
        jax.jit(lambda x: x)(leaf)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"(?s)`model`.*`\['a'\]\[1\]`") as info:
            function(1, {"a": [0, leaf]})
        assert str(expected.value).partition("path")[2].partition("\n")[2] in str(info.value)
        with pytest.raises(TypeError, match="`option`"):
            function(1, 2, option=leaf)
    function(1, 2, option=3)


def test_objects_that_only_claim_to_be_arrays_are_located_too():
    class Claims:
        def __jax_array__(self):
            return jnp.ones(2)

    function = eqx.jitf(lambda model: 0, filter_fn=eqx.is_array_like)
    with pytest.raises((TypeError, ValueError)) as expected:
        jax.jit(lambda x: x)(Claims())
    with pytest.raises(type(expected.value), match=r"(?s)`model`.*`\['a'\]`"):
        function({"a": Claims()})


def test_filter_jit_locates_numpy_arrays_that_jax_does_not_have():
    with pytest.raises(TypeError, match=r"(?s)`model`.*`\.weight`.*<U4"):
        eqx.filter_jit(lambda model: 0)(Model(np.array(["text"])))


def test_numbers_that_are_too_large_are_located():
    with pytest.raises(OverflowError, match=r"(?s)`model`.*`\['a'\]`"):
        eqx.jitf(lambda model: 0, filter_fn=eqx.is_array_like)({"a": 2**70})


def test_a_type_error_of_the_function_is_not_taken_for_one_of_its_arguments():
    @eqx.filter_jit
    def function(x, text):
        raise TypeError("from the function")

    with pytest.raises(TypeError, match="from the function") as info:
        function(jnp.ones(2), "text")
    assert "argument" not in str(info.value)


def test_results_that_jax_cannot_represent_are_an_error():
    with pytest.raises(TypeError, match="ndarray"):
        eqx.filter_jit(lambda: np.array(["text"]))()
