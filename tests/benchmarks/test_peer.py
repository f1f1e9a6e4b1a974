import sys

import pytest

import equinox as eqx
from benchmarks.peer import measure_peer


def test_the_rows_are_measured_in_the_other_interpreter():
    peer = measure_peer("PEER", sys.executable, ["--only", "call a Module", "--quick"])
    assert peer.name == f"equinox {eqx.__version__}"
    ((name, measurement),) = peer.measurements.items()
    assert name == "call a Module"
    assert measurement is not None
    assert measurement.rounds >= 3


def test_a_path_that_is_no_interpreter_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"PEER=.*nowhere.*could not be run"):
        measure_peer("PEER", str(tmp_path / "nowhere"), [])


def test_an_environment_without_an_equinox_fails_instead_of_measuring_ours(tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # -S: nothing that is installed is found
    bare.chmod(0o755)
    with pytest.raises(SystemExit, match=r"PEER=.*make bench-peers"):
        measure_peer("PEER", str(bare), ["--only", "call a Module", "--quick"])
