"""The command, and what its page in the documentation says about it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from equinox.check.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


MODELS = blocks("python")[0]


@pytest.fixture
def models(write_module):
    """The module of the documentation, in the current directory."""
    write_module("models", MODELS)


def status(*arguments):
    """The exit status, also where `argparse` exits."""
    try:
        return main(arguments)
    except SystemExit as exit_:
        return exit_.code


FINE = ("models:Model", "--init", "4, 2, key=key", "--call", "f32[3,4]", "--annotations", "off")


@pytest.mark.usefixtures("models")
def test_the_status_is_0_if_nothing_is_wrong(capsys):
    assert status(*FINE) == 0
    output = capsys.readouterr().out
    assert "ok  models:Model  init 4, 2, key=key" in output
    assert "2 checked, 0 failed" in output


@pytest.mark.usefixtures("models")
def test_the_status_is_1_if_there_are_errors(capsys):
    assert status(*FINE, "--call", "f32[3,5]") == 1
    assert ".layers[0].query_proj (Model > Attention > Linear)" in capsys.readouterr().out


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models:nothing"], "models:nothing"),
        (["models:Model"], "is a class"),
        (["models:Model", "--init", "4, 2, key=ky"], "`ky`"),
        (["models:Model", "--init", "", "--dim", "batch"], "'batch' is not of the form NAME=SIZE"),
        (["models:Model", "--init", "", "--dim", "batch=-1"], "'batch=-1' is not of the form NAME=SIZE"),
        (["models:Model", "--init", "", "--annotations", "mypy"], "mypy"),
        (["--nothing"], "--nothing"),
        ([], "`pyproject.toml` cannot be read"),
        (["--config", "other.toml"], "`other.toml` cannot be read"),
        (["--init", "4"], "need one"),
        (["--call", "4"], "need one"),
        (["--dim", "n=4"], "need one"),
        (["--package", "layers"], "need one"),
        (["--strict-dtypes"], "need one"),
    ],
)
def test_the_status_is_2_if_it_is_unclear_what_to_check(capsys, arguments, message):
    assert status(*arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert message in errors


@pytest.mark.usefixtures("models")
def test_several_targets_share_the_options(capsys):
    arguments = ["models:Model", "models:Attention", "--init", "width=4, depth=1, key=key", "--json"]
    assert status(*arguments) == 1
    first, second = json.loads(capsys.readouterr().out)["targets"]
    assert (first["target"], first["ok"]) == ("models:Model", True)
    assert (second["target"], second["ok"]) == ("models:Attention", False)


def test_sizes_and_strictness_reach_the_check(write_module, capsys):
    write_module("adding", "import jax.numpy as jnp\ndef add(x):\n    return x + jnp.ones(4, jnp.bfloat16)\n")
    arguments = ["adding:add", "--call", "f32[n]", "--dim", "n=4", "--json"]
    assert status(*arguments) == 0
    assert json.loads(capsys.readouterr().out)["targets"][0]["calls"][0]["output"][0]["shape"] == [4]
    assert status(*arguments, "--strict-dtypes") == 1


def test_the_report_alone_goes_to_the_standard_output(write_module, capsys):
    write_module("chatty", "print('importing')\ndef chat(x):\n    print('calling')\n    return x\n")
    assert status("chatty:chat", "--call", "f32[4]", "--json") == 0
    output, errors = capsys.readouterr()
    assert json.loads(output)["ok"] is True
    assert errors == "importing\ncalling\n"


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_tracebacks_come_on_demand(capsys, form):
    arguments = [*FINE, "--call", "f32[3,5]", *form]
    assert status(*arguments) == 1
    assert "Traceback" not in capsys.readouterr().out
    assert status(*arguments, "--traceback") == 1
    assert "Traceback" in capsys.readouterr().out


def test_annotations_are_checked_in_the_packages_of_targets_and_in_those_that_are_named(write_module, capsys):
    pytest.importorskip("beartype")
    function = "from jaxtyping import Array, Float\ndef inner(x: Float[Array, 'n']):\n    return x\n"
    write_module("inner_module", function)
    write_module("outer_module", "from inner_module import inner\ndef outer(x):\n    return inner(x)\n")
    finders = list(sys.meta_path)
    arguments = ["outer_module:outer", "--call", "i32[4]", "--annotations", "beartype", "--json"]
    assert status(*arguments) == 0
    for name in ("inner_module", "outer_module"):
        del sys.modules[name]
    assert status(*arguments, "--package", "inner_module") == 1
    assert sys.meta_path == finders
    first, second = capsys.readouterr().out.split("\n}\n")[:2]
    assert json.loads(first + "}")["annotations"] == "beartype"
    assert "TypeCheckError" in second


@pytest.mark.usefixtures("models")
def test_pyproject_says_what_to_check_and_the_command_line_how_to_check_annotations(capsys):
    Path("pyproject.toml").write_text(
        '[tool.equinox.check]\nannotations = "off"\n'
        '[[tool.equinox.check.target]]\ntarget = "models:Model"\ninit = "4, 2, key=key"\ncalls = ["i32[3,4]"]\n',
        encoding="utf-8",
    )
    assert status("--json") == 0
    assert json.loads(capsys.readouterr().out)["annotations"] is None
    pytest.importorskip("beartype")
    del sys.modules["models"]
    assert status("--json", "--annotations", "beartype") == 1


@pytest.mark.usefixtures("models")
def test_the_configuration_in_the_documentation_works(capsys):
    Path("pyproject.toml").write_text(blocks("toml")[0], encoding="utf-8")
    assert status() == 0
    output = capsys.readouterr().out
    assert output.count("models:Model") == 1
    assert "4 checked, 0 failed" in output


EXAMPLES = re.findall(r"^\$ python -m equinox\.check(.*)\n((?:(?!\$).*\n)*)", "".join(blocks("console")), re.MULTILINE)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("arguments", "output"), EXAMPLES)
def test_the_commands_in_the_documentation_print_what_it_says(capsys, arguments, output):
    if "TypeCheckError" in output:
        pytest.importorskip("beartype")
    Path("pyproject.toml").write_text(blocks("toml")[0], encoding="utf-8")
    found = status(*shlex.split(arguments))
    assert capsys.readouterr().out.startswith(output)
    assert found == ("FAIL" in output)


def test_the_module_is_a_command_and_importing_the_library_does_not_import_it(tmp_path):
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    command = [sys.executable, "-m", "equinox.check", *FINE]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "f32[3,4]" in result.stdout
    code = "import sys, equinox; sys.exit(any(name.startswith('equinox.check') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
