"""Every example that a reader is shown runs, and prints what it says it prints."""

import doctest
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.pages import PAGES, ROOT, blocks

MODULES = ["equinox", *(module.name for module in pkgutil.walk_packages(eqx.__path__, "equinox."))]
PUBLIC_MODULES = [name for name in MODULES if "._" not in name]

# What a docstring's example may use without importing it, besides the names of its own module.
NAMESPACE = {"eqx": eqx, "jax": jax, "jnp": jnp, "np": np}


def public_functions_of(module: ModuleType) -> list[str]:
    """The functions defined in `module` that some public module offers to users."""
    public = [importlib.import_module(name) for name in PUBLIC_MODULES]
    offered = {id(getattr(offering, name)) for offering in public for name in dir(offering)}
    return [
        name
        for name, value in vars(module).items()
        if inspect.isroutine(inspect.unwrap(value)) and id(value) in offered and value.__module__ == module.__name__
    ]


def run(examples: Iterable[doctest.DocTest]) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE)
    report: list[str] = []
    # JAX adds a note on hidden frames to the first error that it raises, which doctest takes for the error itself.
    filtering = getattr(jax.config, "jax_traceback_filtering")  # noqa: B009 # JAX's types do not have its options
    jax.config.update("jax_traceback_filtering", "off")
    try:
        for example in examples:
            runner.run(example, out=report.append, clear_globs=False)
    finally:
        jax.config.update("jax_traceback_filtering", filtering)
    if report:
        pytest.fail("".join(report), pytrace=False)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_with_public_functions_shows_examples_and_they_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    examples = [test for test in doctest.DocTestFinder().find(module, extraglobs=NAMESPACE) if test.examples]
    functions = public_functions_of(module)
    assert examples or not functions, f"{name} shows no example of {', '.join(functions)}"
    run(examples)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Classes look up their module by its name.
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for block in blocks(page):
        if block.is_session:
            example = doctest.DocTestParser().get_doctest(block.code, {}, page.name, str(page), block.lines_before)
            example.globs = vars(module)
            run([example])
        else:
            exec(compile("\n" * block.lines_before + block.code, page, "exec", dont_inherit=True), vars(module))
