import json

import pytest

import equinox as eqx
from benchmarks.__main__ import main
from benchmarks.report import Peer
from benchmarks.timing import Measurement


@pytest.fixture(autouse=True)
def without_peer(monkeypatch):
    monkeypatch.delenv("PEER", raising=False)
    monkeypatch.delenv("FLAX", raising=False)


def test_the_table_is_printed_and_written_as_markdown_and_json(tmp_path, capsys):
    main(["--only", "call a", "--quick", "--results", str(tmp_path / "new")])
    markdown = (tmp_path / "new" / "benchmarks.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() == markdown.strip()
    assert [line.split(" | ")[0] for line in markdown.splitlines() if " call a" in line] == [
        "| call a Module",
        "| call a method",
    ]
    document = json.loads((tmp_path / "new" / "benchmarks.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in document["rows"]] == ["call a Module", "call a method"]
    assert document["machine"]["measured"] == f"equinox {eqx.__version__}"


def test_a_word_that_is_in_no_name_is_an_error_that_lists_the_names(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "no such row"])
    assert "no such row" in (error := capsys.readouterr().err)
    assert "flatten a model" in error


def test_peers_named_by_the_environment_add_columns(monkeypatch, tmp_path, capsys):
    asked = []

    def measure_peer(variable, python, arguments):
        asked.append((variable, python, arguments))
        return Peer(variable.lower(), {"call a Module": Measurement(9, 8.25, 8.0, 8.5, 1e-6, 1e-6)})

    monkeypatch.setenv("PEER", "path/to/python")
    monkeypatch.setenv("FLAX", "path/to/another")
    monkeypatch.setattr("benchmarks.__main__.measure_peer", measure_peer)
    main(["--only", "call a Module", "--quick", "--results", str(tmp_path)])
    passed_on = ["--only", "call a Module", "--quick"]
    assert asked == [("PEER", "path/to/python", passed_on), ("FLAX", "path/to/another", [*passed_on, "--flax"])]
    header, _, line = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in header.split("|")][-3:-1] == ["peer", "flax"]
    assert [cell.strip() for cell in line.split("|")][-3:-1] == ["8.25", "8.25"]
