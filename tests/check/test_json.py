import json

import jax
import jax.numpy as jnp

import equinox as eqx
from equinox.check import CallResult, Failure, Result, check
from equinox.check._json import format_json

STRUCT = jax.ShapeDtypeStruct((8, 4), jnp.float32)
FAILURE = Failure("call", "TypeError", "message", ".layers[3]", ("Model", "Block"), "models.py:31", "the traceback")
FAILURE_AS_JSON = {
    "phase": "call",
    "error": "TypeError",
    "message": "message",
    "path": ".layers[3]",
    "modules": ["Model", "Block"],
    "source": "models.py:31",
}


def as_json(*results, checker=None, with_traceback=False):
    return json.loads(format_json(results, checker, with_traceback=with_traceback))


def test_the_json_holds_everything_but_models():
    calls = (CallResult("f32[4]", {"a": STRUCT, "b": "text"}), CallResult("f32[5]", None, FAILURE))
    found = as_json(Result("models:Model", "key=key", "a model", 12, 48, calls), checker="beartype")
    assert found == {
        "ok": False,
        "annotations": "beartype",
        "targets": [
            {
                "target": "models:Model",
                "ok": False,
                "init": "key=key",
                "parameters": 12,
                "bytes": 48,
                "calls": [
                    {
                        "arguments": "f32[4]",
                        "ok": True,
                        "output": [{"path": "['a']", "shape": [8, 4], "dtype": "float32"}],
                        "failure": None,
                    },
                    {"arguments": "f32[5]", "ok": False, "output": None, "failure": FAILURE_AS_JSON},
                ],
                "failure": None,
            }
        ],
    }


def test_a_target_that_fails_has_a_failure_and_no_numbers():
    (target,) = as_json(Result("models:Model", "key=key", failure=FAILURE))["targets"]
    assert target["failure"] == FAILURE_AS_JSON
    assert (target["ok"], target["parameters"], target["bytes"], target["calls"]) == (False, None, None, [])


def test_all_is_well_if_every_target_is():
    assert as_json(Result("a"), Result("b"))["ok"] is True
    assert as_json(Result("a"), Result("b", failure=FAILURE))["ok"] is False


def test_tracebacks_are_included_on_demand():
    result = Result("models:Model", failure=FAILURE)
    (target,) = as_json(result, with_traceback=True)["targets"]
    assert target["failure"] == {**FAILURE_AS_JSON, "traceback": "the traceback"}


def test_arrays_of_models_keys_and_bare_arrays_have_paths_and_dtypes():
    calls = ["f32[3]", "keys[2], bf16[3]"]
    found = as_json(check(eqx.Partial(eqx.nn.Lambda(lambda *args: args[-1])), calls=calls))
    assert found["targets"][0]["calls"][0]["output"] == [{"path": "", "shape": [3], "dtype": "float32"}]
    found = as_json(check(lambda *args: args, calls=calls))
    first, second = found["targets"][0]["calls"][1]["output"]
    assert first == {"path": "[0]", "shape": [2], "dtype": str(jax.random.key(0).dtype)}
    assert second == {"path": "[1]", "shape": [3], "dtype": "bfloat16"}
