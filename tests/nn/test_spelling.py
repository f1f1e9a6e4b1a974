"""Options with two names."""

import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox.nn._spelling import spelled

key = jax.random.key(0)
PAIRS = [("bias", "use_bias"), ("deterministic", "inference")]

# Constructors whose first name for the bias has a position, and those where it is the other way round.
BIASED = {
    "Linear": lambda *args, **kwargs: eqx.nn.Linear(3, 4, *args, key=key, **kwargs),
    "GRUCell": lambda *args, **kwargs: eqx.nn.GRUCell(3, 4, *args, key=key, **kwargs),
    "LSTMCell": lambda *args, **kwargs: eqx.nn.LSTMCell(3, 4, *args, key=key, **kwargs),
}
LAYERS_WITH_OPTIONS: list[Any] = [eqx.nn.Linear, eqx.nn.GRUCell, eqx.nn.LSTMCell, eqx.nn.Dropout, eqx.nn.MLP]


CONVOLUTIONS: list[Any] = [
    *(functools.partial(layer, 1, 2, 3, 1, key=key) for layer in (eqx.nn.Conv, eqx.nn.ConvTranspose)),
    *(functools.partial(getattr(eqx.nn, f"Conv{n}d"), 2, 3, 1, key=key) for n in (1, 2, 3)),
    *(functools.partial(getattr(eqx.nn, f"ConvTranspose{n}d"), 2, 3, 1, key=key) for n in (1, 2, 3)),
]


def test_without_another_spelling_the_default_counts():
    assert spelled(True) is True
    assert spelled(False, use_bias=None) is False


def test_another_spelling_decides_over_the_default():
    assert spelled(True, use_bias=False) is False
    assert spelled(True, deterministic=None, inference=False) is False
    assert spelled(False, deterministic=True, inference=None) is True


def test_two_spellings_may_agree():
    assert spelled(False, deterministic=True, inference=True) is True
    assert spelled(True, deterministic=False, inference=False) is False


@pytest.mark.parametrize("value", [True, False])
def test_two_spellings_that_contradict_each_other_are_an_error_naming_both(value):
    with pytest.raises(ValueError, match=rf"`deterministic={value}`.*`inference={not value}`"):
        spelled(True, deterministic=value, inference=not value)


@pytest.mark.parametrize("layer", LAYERS_WITH_OPTIONS)
def test_of_the_two_names_in_a_constructor_one_has_a_position_and_the_other_is_an_optional_keyword(layer):
    parameters = inspect.signature(layer).parameters
    (names,) = [pair for pair in PAIRS if pair[0] in parameters]
    kinds = {parameters[name].kind for name in names}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    for name in names:
        is_alias = parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert isinstance(parameters[name].default, type(None) if is_alias else bool)


@pytest.mark.parametrize("make", BIASED.values(), ids=BIASED)
@pytest.mark.parametrize("value", [True, False])
def test_layers_with_a_bias_accept_both_names(make, value):
    for layer in make(value), make(bias=value), make(use_bias=value), make(not value, use_bias=value):
        assert layer.use_bias is value
        assert (layer.bias is not None) is value
        assert eqx.tree_equal(layer, make(value))


@pytest.mark.parametrize("make", CONVOLUTIONS, ids=lambda make: make.func.__name__)
@pytest.mark.parametrize("value", [True, False])
def test_convolutions_accept_both_names(make, value):
    for layer in make(bias=value), make(use_bias=value), make(use_bias=not value, bias=value):
        assert layer.use_bias is value
        assert (layer.bias is not None) is value
        assert eqx.tree_equal(layer, make(use_bias=value))


@pytest.mark.parametrize("value", [True, False])
def test_an_mlp_accepts_both_names(value):
    def make(*args, **kwargs):
        return eqx.nn.MLP(2, 2, 3, 1, jax.nn.relu, jax.nn.relu, *args, key=key, **kwargs)

    for mlp in make(value), make(bias=value), make(use_bias=value), make(not value, bias=value):
        assert mlp.use_bias is value
        assert mlp.layers[0].use_bias is value
        assert mlp.layers[-1].use_bias is True
        assert not hasattr(mlp, "bias")


@pytest.mark.parametrize("value", [True, False])
def test_dropout_accepts_both_names(value):
    for dropout in (
        eqx.nn.Dropout(0.5, value),
        eqx.nn.Dropout(deterministic=value),
        eqx.nn.Dropout(inference=value),
        eqx.nn.Dropout(0.5, not value, inference=value),
    ):
        assert dropout.inference is value
        assert dropout.deterministic is value
        assert jax.tree.leaves(dropout) == [0.5, value]


@pytest.mark.parametrize("name", ["deterministic", "inference"])
def test_calling_dropout_with_either_name_overrides_its_flag(name):
    x = jnp.ones(8)
    on: Any = eqx.nn.Dropout(inference=False)
    off: Any = eqx.nn.Dropout(inference=True)
    assert on(x, **{name: True}) is x
    assert off(x, **{name: True}) is x
    dropped = off(x, key=key, **{name: False})
    assert jnp.array_equal(dropped, eqx.nn.Dropout()(x, key=key))


def test_calling_dropout_with_both_names():
    x = jnp.ones(8)
    assert eqx.nn.Dropout()(x, deterministic=True, inference=True) is x
    with pytest.raises(ValueError, match=r"`deterministic=True`.*`inference=False`"):
        eqx.nn.Dropout()(x, deterministic=True, inference=False)


@pytest.mark.parametrize("name", ["deterministic", "inference"])
def test_the_flag_of_dropout_can_be_edited_by_either_name(name):
    dropout = eqx.nn.Dropout()
    edited = eqx.tree_at(lambda layer: getattr(layer, name), dropout, True)
    assert edited.inference is True
    assert edited.deterministic is True
    assert [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(edited)] == [
        ".p",
        ".inference",
    ]


@pytest.mark.parametrize("layer", LAYERS_WITH_OPTIONS)
def test_a_misspelt_option_is_an_error(layer):
    with pytest.raises(TypeError, match="biased"):
        layer(biased=True)
    with pytest.raises(TypeError, match="determinstic"):
        layer(determinstic=True)
