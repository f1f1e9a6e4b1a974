"""Random PyTrees of every kind of leaf and node that the library must cope with, shared by all property tests.

The arrays are made once: creating a JAX array takes longer than everything else in drawing an example. So the same
array object often sits at several places of a tree, which is one more thing to cope with.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from equinox import Module, field
from equinox._jax_tree import tree_flatten

INEXACT_JAX_ARRAYS = (
    jnp.array([1.0, -2.5], jnp.float32),
    jnp.array(0.5, jnp.float32),
    jnp.asarray(0.5),  # weakly typed
    jnp.array([[1.0], [2.0]], jnp.bfloat16),
    jnp.array([1 + 2j], jnp.complex64),
    jnp.zeros((0, 3), jnp.float32),
)
OTHER_JAX_ARRAYS = (
    jnp.array([1, 2, 3], jnp.int32),
    jnp.array(7, jnp.uint8),
    jnp.array([True, False]),
    jnp.zeros((2, 0), jnp.int32),
    jax.random.key(0),
    jax.random.PRNGKey(0),
)
NUMPY_ARRAYS = (
    np.array([1.0, 2.0]),
    np.array([[3.0]], np.float32),
    np.array([1.0], ml_dtypes.bfloat16),
    np.array([1, 2]),
    np.array(True),
    np.zeros((0,), np.float32),
    np.float32(1.5),
    np.int64(3),
)
PYTHON_NUMBERS = (0, 1, -3, True, False, 0.0, 1.0, -0.25, 1j)


def _double(x: Any) -> Any:
    return 2 * x


OTHER_OBJECTS = ("", "relu", b"bytes", _double, jnp.tanh, len, frozenset({1}), range(3), int, object())


class Point(NamedTuple):
    x: Any
    y: Any


class Empty(NamedTuple):
    """A node that never has leaves."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Record:
    value: Any
    name: str = dataclasses.field(metadata={"static": True})


class Pair(Module):
    first: Any
    second: Any
    label: str = field(static=True, default="pair")


class Bare(Module):
    """A Module without fields."""


def inexact_jax_arrays() -> SearchStrategy[jax.Array]:
    return st.sampled_from(INEXACT_JAX_ARRAYS)


def jax_arrays() -> SearchStrategy[jax.Array]:
    return st.sampled_from(INEXACT_JAX_ARRAYS + OTHER_JAX_ARRAYS)


def numpy_arrays() -> SearchStrategy[Any]:
    return st.sampled_from(NUMPY_ARRAYS)


def arrays() -> SearchStrategy[Any]:
    return jax_arrays() | numpy_arrays()


def non_arrays() -> SearchStrategy[Any]:
    return st.sampled_from(PYTHON_NUMBERS) | st.sampled_from(OTHER_OBJECTS)


def leaves() -> SearchStrategy[Any]:
    return arrays() | non_arrays()


def nodes(children: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """One node of any type, around the given children."""
    keys = st.sampled_from(["a", "b", "c"])
    return st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(keys, children, max_size=3),
        st.builds(Point, children, children),
        st.builds(Record, children, keys),
        st.builds(Pair, children, children, keys),
    )


def childless_nodes() -> SearchStrategy[Any]:
    """Fresh nodes where Python allows it: `None` and `()` exist only once."""
    makers: list[Callable[[], Any]] = [lambda: None, tuple, list, dict, Empty, Bare]
    return st.sampled_from(makers).map(lambda make: make())


def pytrees(leaf: SearchStrategy[Any] | None = None, max_leaves: int = 8) -> SearchStrategy[Any]:
    """Nested containers around the given leaves (any kind by default), some of them empty; or one leaf alone."""
    return st.recursive((leaves() if leaf is None else leaf) | childless_nodes(), nodes, max_leaves=max_leaves)


def same_tree(first: Any, second: Any) -> bool:
    """Say whether two PyTrees have one structure and the very same objects as leaves."""
    first_leaves, first_def = tree_flatten(first)
    second_leaves, second_def = tree_flatten(second)
    return first_def == second_def and all(a is b for a, b in zip(first_leaves, second_leaves, strict=True))
