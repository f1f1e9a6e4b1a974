import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import equinox as eqx

TREE = ast.parse(Path(inspect.getfile(eqx)).read_text(encoding="utf-8"))


def modules_for_python() -> dict[str, str]:
    """Where Python is told that each name comes from."""
    (call,) = (
        node for node in ast.walk(TREE) if isinstance(node, ast.Call) and ast.unparse(node.func) == "load_on_first_use"
    )
    return ast.literal_eval(call.args[1])


def imports_for_checkers() -> dict[str, str]:
    """Where type checkers are told that each name comes from."""
    found: dict[str, str] = {}
    for block in TREE.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    assert alias.asname == alias.name
                    found[alias.name] = "." * statement.level + (statement.module or "")
    return found


def test_checkers_and_python_are_told_the_same_of_names_that_are_loaded_on_first_use() -> None:
    assert imports_for_checkers() == modules_for_python()


@pytest.mark.parametrize("name", sorted(modules_for_python()))
def test_a_name_that_is_loaded_on_first_use_is_listed_and_found(name: str) -> None:
    assert name in dir(eqx)
    assert getattr(eqx, name) is getattr(eqx, name)
    assert vars(eqx)[name] is getattr(eqx, name)


def test_a_misspelt_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="module 'equinox' has no attribute 'filter_jitt'"):
        _ = vars(eqx)["__getattr__"]("filter_jitt")


def test_importing_the_package_loads_only_what_every_program_uses() -> None:
    heavy = sorted(name for name, module in modules_for_python().items() if module == ".")
    program = f"import sys, equinox; print([name for name in {heavy} if f'equinox.{{name}}' in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
