import dataclasses

import jax
import jax.numpy as jnp

from equinox.check import CallResult, Failure, Result
from equinox.check._table import format_table

STRUCT = jax.ShapeDtypeStruct((8, 4), jnp.float32)
FAILURE = Failure(
    phase="call",
    error="TypeError",
    message="shapes do not fit\nat all",
    path=".layers[3].attention",
    modules=("Model", "Block", "Attention"),
    source="models.py:31",
    traceback="Traceback (most recent call last):\n  the traceback\n",
)


def table(*results, checker=None, with_traceback=False):
    return format_table(results, checker, with_traceback=with_traceback)


def test_a_table_has_a_line_for_each_build_and_each_call_and_then_the_failures():
    calls = (CallResult("f32[4]", STRUCT), CallResult("f32[5]", None, FAILURE))
    text = table(Result("models:Model", "4,\n  key=key", "a model", 1234567, 4938268, calls), checker="beartype")
    assert text == (
        "      target        step             result\n"
        "ok    models:Model  init 4, key=key  1,234,567 parameters, 4.7 MiB\n"
        "ok                  call f32[4]      f32[8,4]\n"
        "FAIL                call f32[5]      TypeError in .layers[3].attention\n"
        "\n"
        "FAIL  models:Model  call f32[5]\n"
        "      module  .layers[3].attention (Model > Block > Attention)\n"
        "      source  models.py:31\n"
        "      error   TypeError: shapes do not fit\n"
        "              at all\n"
        "\n"
        "3 checked, 1 failed, annotations checked with beartype\n"
    )


def test_a_model_that_was_not_built_and_a_function_have_the_lines_that_apply():
    text = table(Result("models:model", None, "a model", 3, 12), Result("models:step", calls=(CallResult("", STRUCT),)))
    assert text == (
        "    target        step  result\n"
        "ok  models:model        3 parameters, 12 B\n"
        "ok  models:step   call  f32[8,4]\n"
        "\n"
        "2 checked, 0 failed, annotations not checked\n"
    )


def test_a_failure_without_a_place_says_what_is_known():
    failure = Failure("load", "ImportError", "reason", None, (), None, "")
    text = table(Result("models:Model", "key=key", failure=failure))
    assert "FAIL  models:Model  import  ImportError\n" in text
    assert "FAIL  models:Model  import\n      error   ImportError: reason\n" in text
    building = Failure("build", "ValueError", "reason", None, ("Model", "Block"), None, "")
    text = table(Result("models:Model", "key=key", failure=building))
    assert "FAIL  models:Model  init key=key  ValueError in Block\n" in text
    assert "      module  Model > Block\n" in text


def test_a_message_of_very_many_lines_is_cut():
    failure = dataclasses.replace(FAILURE, message="\n".join(map(str, range(100))))
    text = table(Result("models:step", calls=(CallResult("", None, failure),)))
    assert "      error   TypeError: 0\n              1\n" in text
    assert "              ... and 76 more lines\n" in text
    assert len(text.splitlines()) < 40


def test_tracebacks_are_shown_on_demand():
    result = Result("models:step", calls=(CallResult("", None, FAILURE),))
    assert "the traceback" not in table(result)
    assert "\n      Traceback (most recent call last):\n        the traceback\n" in table(result, with_traceback=True)


def test_an_output_of_many_lines_goes_below_the_table():
    output = {f"name_{i}": STRUCT for i in range(10)}
    text = table(Result("models:step", calls=(CallResult("x", output),)))
    assert "ok  models:step  call x  see below\n" in text
    assert "\nok    models:step  call x\n      {\n        'name_0': f32[8,4],\n" in text
    assert "more lines" not in text


def test_an_output_of_very_many_lines_is_cut():
    text = table(Result("models:step", calls=(CallResult("x", [STRUCT] * 100),)))
    assert text.count("f32[8,4]") < 30
    assert "... and 78 more lines\n" in text


def test_a_long_cell_is_cut():
    result = Result("models:step", calls=(CallResult("x" * 500, STRUCT),))
    assert f"call {'x' * 52}..." in table(result).splitlines()[1]


def test_sizes_have_fitting_units():
    def size(number):
        return table(Result("m:m", None, "a model", 0, number)).splitlines()[1].rpartition(", ")[2]

    assert [size(n) for n in (0, 1023, 1024, 1536 * 1024, 141 * 10**9, 2**60)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.5 MiB",
        "131.3 GiB",
        "1048576.0 TiB",
    ]
