from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox._jax_tree import tree_structure
from equinox.debug import announce_transform

X = jnp.arange(3.0)


def announcements(transform: Any, x: Any = X, **options: Any) -> list[str]:
    found: list[str] = []
    transform(lambda x: announce_transform(x, announce=found.append, **options) ** 2)(x)
    return found


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (lambda f: f, ["impl"]),
        (jax.jit, ["abstract", "mlir"]),
        (jax.vmap, ["vmap:impl"]),
        (lambda f: jax.jit(jax.vmap(f)), ["vmap:abstract", "vmap:mlir"]),
        (lambda f: lambda x: jax.jvp(f, (x,), (x,)), ["jvp_p:impl", "jvp_t:impl"]),
    ],
)
def test_what_comes_of_it_is_announced(transform: Any, expected: list[str]) -> None:
    assert announcements(transform) == expected


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (lambda f: f, ["impl"]),
        (lambda f: jax.jit(jax.vmap(f)), ["vmap", "vmap:abstract", "vmap:mlir"]),
        (jax.vmap, ["vmap", "vmap:impl"]),
        (lambda f: lambda x: jax.jvp(f, (x,), (x,)), ["jvp", "jvp_p:impl", "jvp_t:impl"]),
    ],
)
def test_what_happens_on_the_way_is_announced_on_request(transform: Any, expected: list[str]) -> None:
    assert announcements(transform, intermediates=True) == expected


def test_a_gradient_is_a_jvp_that_is_transposed() -> None:
    found = announcements(jax.grad, 2.0)
    assert found[0] == "jvp_p:impl"
    assert found[-1] == "jvp_t:transpose:impl"
    assert all(text.startswith("jvp_t:") for text in found[1:])
    found = announcements(lambda f: jax.jit(jax.vmap(jax.grad(f))), intermediates=True)
    assert found[:2] == ["jvp", "jvp_p:vmap"]
    assert "jvp_t:transpose" in found
    assert found[-1] == "jvp_t:transpose:vmap:mlir"


def test_announcements_begin_with_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert announcements(lambda f: f, name="x") == ["(x) impl"]
    announce_transform(X, name="y")
    assert capsys.readouterr().out == "(y) impl\n"


def test_trees_come_back_as_they_were_and_are_announced_once() -> None:
    found: list[str] = []
    tree = (1, X, "text", {"a": np.ones(2, np.float32)}, None)
    result = announce_transform(tree, announce=found.append)
    assert found == ["impl"]
    assert tree_structure(result) == tree_structure(tree)
    assert result[0] == 1
    assert result[1] is X
    assert result[2] == "text"
    assert announce_transform("text", announce=found.append) == "text"
    assert found == ["impl"]


def test_derivatives_are_those_of_the_identity() -> None:
    def function(x):
        return announce_transform(x, announce=len) ** 3

    assert jax.grad(function)(2.0) == 12
    assert jax.jit(jax.hessian(function))(2.0) == 12
