"""What steers control flow must be a single number, and errors say which argument is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.untyped import untyped

X = jnp.arange(3.0)


def fori(lower, upper, **options):
    return untyped(eqx.filter_fori_loop)(lower, upper, lambda i, x: x + 1, X, **options)


def scan(**options):
    return untyped(eqx.filter_scan)(lambda carry, x: (carry + 1, None), X, X, **options)[0]


def cond(pred):
    return untyped(eqx.filter_cond)(pred, lambda x: x, lambda x: -x, X)


def switch(index):
    return untyped(eqx.filter_switch)(index, [lambda x: x, lambda x: -x], X)


def while_loop(condition):
    return untyped(eqx.filter_while_loop)(lambda _: condition, lambda x: x + 1, X)


@pytest.mark.parametrize(
    ("call", "argument", "parts"),
    [
        (lambda: cond(X > 1), "`pred` of `filter_cond`", ["bool[3]", "boolean scalar", "`jnp.any`"]),
        (lambda: cond(None), "`pred` of `filter_cond`", ["None", "boolean scalar"]),
        (lambda: cond("text"), "`pred` of `filter_cond`", ["'text'", "boolean scalar"]),
        (lambda: cond(jax.random.key(0)), "`pred` of `filter_cond`", ["key<fry>", "boolean scalar"]),
        (lambda: switch(X), "`index` of `filter_switch`", ["float32[3]", "an integer"]),
        (lambda: switch(1.5), "`index` of `filter_switch`", ["1.5", "an integer"]),
        (lambda: switch(None), "`index` of `filter_switch`", ["None", "an integer"]),
        (lambda: while_loop(X > 5), "`cond_fun`", ["`filter_while_loop`", "bool[3]", "boolean scalar", "`jnp.any`"]),
        (lambda: while_loop(X.sum()), "`cond_fun`", ["`filter_while_loop`", "float32[]", "boolean scalar"]),
        (lambda: while_loop(0), "`cond_fun`", ["`filter_while_loop`", "0", "boolean scalar"]),
        (lambda: while_loop((True,)), "`cond_fun`", ["`filter_while_loop`", "(True,)", "boolean scalar"]),
        (lambda: while_loop("text"), "`cond_fun`", ["`filter_while_loop`", "'text'", "boolean scalar"]),
        (lambda: fori(0, 2.5), "`upper` of `filter_fori_loop`", ["2.5", "an integer"]),
        (lambda: fori(None, 3), "`lower` of `filter_fori_loop`", ["None", "an integer"]),
        (lambda: fori(0, jnp.arange(2)), "`upper` of `filter_fori_loop`", ["int32[2]", "an integer"]),
        (lambda: fori(0, 3, unroll="all"), "`unroll` of `filter_fori_loop`", ["'all'", "an integer"]),
        (lambda: scan(unroll=1.5), "`unroll` of `filter_scan`", ["1.5", "an integer"]),
        (lambda: scan(length=3.0), "`length` of `filter_scan`", ["3.0", "an integer"]),
    ],
)
def test_something_of_another_kind_is_an_error_that_names_it(call, argument, parts):
    for run in (call, jax.jit(call)):
        with pytest.raises(TypeError) as info:
            run()
        for part in (argument, *parts):
            assert part in str(info.value)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: scan(unroll=-1), "argument `unroll` of `filter_scan`: found -1"),
        (lambda: scan(length=-1), "argument `length` of `filter_scan`: found -1"),
        (lambda: fori(0, 3, unroll=-1), "argument `unroll` of `filter_fori_loop`: found -1"),
    ],
)
def test_a_number_that_is_too_small_is_an_error_that_names_it(call, argument):
    with pytest.raises(ValueError, match=argument):
        call()


def test_a_number_of_steps_that_is_traced_is_an_error_of_jax():
    with pytest.raises(TypeError, match="traced"):
        jax.jit(lambda length: scan(length=length))(3)


@pytest.mark.parametrize("pred", [True, np.True_, np.array(True), jnp.array(True), 1, 0.5])
def test_whatever_is_a_number_may_steer(pred):
    assert cond(pred).tolist() == X.tolist()


def test_the_numbers_of_jax_are_understood():
    for zero, two in ((0, 2), (np.int8(0), np.int8(2)), (jnp.array(0), jnp.array(2))):
        assert switch(zero).tolist() == X.tolist()
        assert fori(zero, two).tolist() == (X + 2).tolist()
    for unroll in (2, True, np.int8(1)):
        assert scan(unroll=unroll).tolist() == (X + 3).tolist()
        assert fori(0, 3, unroll=unroll).tolist() == (X + 3).tolist()
    assert scan(length=np.int8(3)).tolist() == (X + 3).tolist()
    assert while_loop(np.False_).tolist() == X.tolist()
    assert jax.vmap(lambda pred: cond(pred)[1])(jnp.array([True, False])).tolist() == [1, -1]
