"""The examples, and the quick example, are typed down to the last variable, without a cast or a comment that helps."""

import ast
import builtins
import re
import shutil
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from typecheck_tests.checkers import CHECKERS, HERE, ROOT, Checker

EXAMPLES = [*sorted((ROOT / "examples").glob("*.py")), HERE / "pass" / "quick_example.py"]

_BODIES = ("body", "orelse", "finalbody")


def variables(statement: ast.stmt) -> Iterator[str]:
    """The variables to which a statement gives a value, except in the statements that it contains."""
    if isinstance(statement, ast.FunctionDef):
        arguments = statement.args
        every = (*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg)
        yield from (each.arg for each in every if each is not None)
    elif not isinstance(statement, ast.ClassDef):
        inner = {node for name in _BODIES for each in getattr(statement, name, ()) for node in ast.walk(each)}
        # What a comprehension iterates over is known inside of it alone.
        inner |= {
            node for each in ast.walk(statement) if isinstance(each, ast.comprehension) for node in ast.walk(each)
        }
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in inner and node.id != "_":
                yield node.id


def is_foreign(statement: ast.stmt, foreign: set[str]) -> bool:
    """Whether the values come from other libraries: nothing of this one, and nothing of the program, is called."""
    inner = {node for name in _BODIES for each in getattr(statement, name, ()) for node in ast.walk(each)}
    calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call) and node not in inner]
    return all(
        _root(call) in foreign or (isinstance(call, ast.Attribute) and _root(call) not in {"eqx", "self"})
        for call in calls
    )


def _root(expression: ast.expr) -> str:
    while isinstance(expression, ast.Attribute | ast.Call | ast.Subscript):
        expression = expression.func if isinstance(expression, ast.Call) else expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


def with_types_revealed(program: str) -> str:
    """Add to a program questions for the type of each variable: `(line, is_foreign, reveal_type(variable))`."""
    tree = ast.parse(program)
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    foreign = {*vars(builtins), *(alias.asname or alias.name for each in imports for alias in each.names)} - {"eqx"}
    for node in list(ast.walk(tree)):
        for name in _BODIES:
            statements: Any = getattr(node, name, None)
            # The body of a lambda is an expression.
            if isinstance(statements, list):
                setattr(
                    node, name, [new for each in cast("list[ast.stmt]", statements) for new in _asking(each, foreign)]
                )
    return ast.unparse(tree)


def _asking(statement: ast.stmt, foreign: set[str]) -> list[ast.stmt]:
    # A bare declaration gives no value.
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return [statement]
    place = f"{statement.lineno}, {is_foreign(statement, foreign)}"
    questions = [ast.parse(f"({place}, reveal_type({name}))").body[0] for name in variables(statement)]
    if isinstance(statement, ast.For | ast.With | ast.FunctionDef):
        statement.body[:0] = questions
        return [statement]
    return [statement, *questions]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_cast_and_no_comment_for_checkers(path: Path) -> None:
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    assert names.isdisjoint({"cast", "Any", "TYPE_CHECKING", "no_type_check"})
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    assert not [comment for comment in comments if re.search(r"(type|mypy|pyright|ty|pyrefly|zuban)\s*:", comment)]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all the examples, with the questions."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copy(HERE / "pyrightconfig.json", folder)
    settings = (HERE / "mypy.ini").read_text(encoding="utf-8")
    # They have no annotations that mypy could read.
    (folder / "mypy.ini").write_text(settings + "\n[mypy-sklearn.*,tqdm.*]\nignore_missing_imports = true\n")
    for path in EXAMPLES:
        (folder / path.name).write_text(with_types_revealed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "checker", [each for each in CHECKERS if each.name in {"mypy", "pyright"}], ids=lambda c: c.name
)
def test_an_example_is_free_of_errors_and_variables_are_any_only_where_other_libraries_say_so(
    checker: Checker, questions: Path
) -> None:
    # Iterating over a JAX array yields `Any`, for instance.
    wrong: list[str] = []
    asked = 0
    for found in checker.report([questions / path.name for path in EXAMPLES], folder=questions):
        line = (questions / found.path).read_text(encoding="utf-8").splitlines()[found.line - 1]
        question = re.fullmatch(r" *\((\d+), (True|False), reveal_type\((\w+)\)\)", line)
        if question is None:
            wrong.append(f"{found.path}: {checker.name} reports [{found.code}] {found.message}: {line.strip()}")
        elif not found.is_error:
            number, foreign, variable = question.groups()
            asked += 1
            if re.search(r"\bUnknown\b|is .Any.$", found.message) and foreign == "False":
                wrong.append(f"{found.path}:{number}: {checker.name} does not know the type of `{variable}`")
    assert asked > 10 * len(EXAMPLES)
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.mark.parametrize(
    ("program", "is_reported"),
    [
        ("x = jax.numpy.ones(2)", False),
        ("a, b = jax.numpy.ones(2)", False),
        ("for a in jax.numpy.ones(2):\n    pass", False),
        ("def f(): ...\nx = f()", True),
        ("x = eqx.f()", True),
        ("x = jax.vmap(eqx.f())(2)", True),
        ("x = self.layer(2)", True),
        ("x = model(2)", True),
        ("x = array.reshape(2)", False),
        ("with eqx.f() as x:\n    pass", True),
    ],
)
def test_a_value_is_foreign_unless_this_library_or_the_program_made_it(program: str, is_reported: bool) -> None:
    asked = re.findall(
        r"\(\d+, (True|False), reveal_type", with_types_revealed(f"import jax, equinox as eqx\n{program}")
    )
    assert asked
    assert set(asked) == {str(not is_reported)}
