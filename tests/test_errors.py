import types
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from equinox._errors import describe, first_user_frame, locate


def test_a_leaf_is_located_by_argument_and_key_path() -> None:
    ((path, _),) = jax.tree.leaves_with_path({"layers": [1]})
    assert locate("model", path) == "argument `model`, leaf `['layers'][0]`"


def test_a_bare_argument_is_located_by_its_name() -> None:
    assert locate("x") == locate("x", ()) == "argument `x`"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (jnp.ones((2, 3)), "a JAX array (float32[2,3])"),
        (jnp.array(1), "a JAX array (int32[])"),
        (np.ones(2), "a NumPy array (float64[2])"),
        (1, "a value of type `int`: 1"),
        (None, "a value of type `NoneType`: None"),
        (np.bool_(True), "a value of type `numpy.bool`: np.True_"),
        (ml_dtypes.bfloat16(2), "a value of type `ml_dtypes.bfloat16`: 2"),
    ],
)
def test_a_value_is_described_by_kind_and_shape_or_type(value: Any, text: str) -> None:
    assert describe(value) == text


def test_a_traced_array_is_described_without_its_value() -> None:
    texts: list[str] = []
    jax.jit(lambda x: texts.append(describe(x)))(jnp.ones(2))
    assert texts == ["a JAX array (float32[2])"]


def test_a_long_value_is_cut() -> None:
    text = describe("x" * 1000)
    assert text.endswith("...")
    assert len(text) < 100


def in_module(name: str, source: str, filename: str, **namespace: Any) -> Any:
    module = types.ModuleType(name)
    vars(module).update(namespace)
    exec(compile(source, filename, "exec"), vars(module))
    return module


WARN = """
def warn():
    warnings.warn("careful", stacklevel=first_user_frame())

def outer():
    warn()
"""


@pytest.mark.parametrize(
    ("module", "filename"),
    [("equinox", "inside.py"), ("equinox._module.module", "inside.py"), ("equinoxious", "outside.py")],
)
@pytest.mark.parametrize("name", ["warn", "outer"])
def test_a_warning_names_the_first_line_outside_of_the_package(module: str, filename: str, name: str) -> None:
    library = in_module(module, WARN, filename, warnings=warnings, first_user_frame=first_user_frame)
    with pytest.warns(UserWarning, match="careful") as record:
        getattr(library, name)()
    assert record[0].filename == ("outside.py" if filename == "outside.py" else __file__)


def test_a_generated_init_is_not_the_users_line() -> None:
    library = in_module("equinox", WARN, "inside.py", warnings=warnings, first_user_frame=first_user_frame)
    user = in_module("user", "def __init__(self):\n    outer()", "<string>", outer=library.outer)
    with pytest.warns(UserWarning, match="careful") as record:
        user.__init__(None)
    assert record[0].filename == __file__


def test_a_warning_from_the_outermost_frame_is_possible() -> None:
    code = compile("level = first_user_frame()", "inside.py", "exec")
    namespace: dict[str, Any] = {"__name__": "equinox", "first_user_frame": first_user_frame}
    exec(code, namespace)
    assert namespace["level"] == 2
