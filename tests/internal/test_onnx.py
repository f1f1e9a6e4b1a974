import sys
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from equinox.internal import nontraceable, to_onnx


def test_nothing_is_imported_before_it_is_needed():
    export = to_onnx(jnp.sin)
    assert "tf2onnx" not in sys.modules
    with pytest.raises(ImportError):
        export(jnp.ones(2))


def test_what_is_exported_is_the_finalised_function(monkeypatch):
    # Stand-ins for packages that are too large to be installed for this.
    converted: list[Any] = []
    jax2tf = SimpleNamespace(convert=lambda function, enable_xla: converted.append(function) or function)
    tf = SimpleNamespace(TensorSpec=lambda shape, dtype: (shape, dtype), function=lambda function, autograph: function)
    convert = SimpleNamespace(from_function=lambda function, input_signature: (input_signature, "external tensors"))
    modules = {"jax.experimental.jax2tf": jax2tf, "tensorflow": tf, "tf2onnx": SimpleNamespace(convert=convert)}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)

    model = to_onnx(lambda x, y: nontraceable(x) + y["y"])(jnp.ones(2), {"y": jnp.ones((), jnp.int32)})
    assert model == [((2,), jnp.float32), {"y": ((), jnp.int32)}]
    jaxpr = jax.make_jaxpr(converted[0])(jnp.ones(2), {"y": 1})
    assert "nontraceable" not in str(jaxpr)
