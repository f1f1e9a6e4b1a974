"""The ways to compile a function, for tests that hold for each of them."""

import functools as ft

import pytest

import equinox as eqx


def is_array(leaf):
    return eqx.is_array(leaf)


#: The two transformations, both tracing arrays.
JIT = [
    pytest.param(ft.partial(eqx.jitf, filter_fn=eqx.is_array), id="jitf"),
    pytest.param(eqx.filter_jit, id="filter_jit"),
]

#: And the way in which nothing is known of the filter.
JIT_AND_ANY_FILTER = [
    JIT[0],
    pytest.param(ft.partial(eqx.jitf, filter_fn=is_array), id="jitf with any function"),
    JIT[1],
]
