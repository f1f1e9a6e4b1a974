"""The types are those of what runs, and they are complete."""

import json
import sys

import pytest

from typecheck_tests.checkers import run


def test_types_agree_with_the_runtime() -> None:
    result = run([sys.executable, "-m", "mypy.stubtest", "equinox", "--concise", "--allowlist=stubtest_allowlist.txt"])
    if result.returncode != 0:
        pytest.fail(result.stdout + result.stderr, pytrace=False)


def test_the_type_of_every_public_name_is_known() -> None:
    command = [sys.executable, "-m", "pyright", "--verifytypes", "equinox", "--ignoreexternal", "--outputjson"]
    found = json.loads(run(command).stdout)["typeCompleteness"]
    unknown = [
        f"{symbol['name']}: {'; '.join(diagnostic['message'] for diagnostic in symbol['diagnostics'])}"
        for symbol in found["symbols"]
        if not symbol["isTypeKnown"]
    ]
    if unknown or found["completenessScore"] != 1:
        pytest.fail(f"completeness {found['completenessScore']:.1%}\n" + "\n".join(unknown), pytrace=False)
