import json

import pytest

import equinox as eqx
from benchmarks.__main__ import main


@pytest.fixture(autouse=True)
def without_peer(monkeypatch):
    monkeypatch.delenv("PEER", raising=False)


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
    assert document["machine"]["equinox"] == eqx.__version__


def test_a_word_that_is_in_no_name_is_an_error_that_lists_the_names(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "no such row"])
    assert "no such row" in (error := capsys.readouterr().err)
    assert "flatten a model" in error


def test_a_peer_named_by_the_environment_adds_a_column(monkeypatch, tmp_path, capsys):
    from benchmarks.report import Peer
    from benchmarks.timing import Measurement

    asked = []

    def measure_peer(python, arguments):
        asked.append((python, arguments))
        return Peer("0.13.8", {"call a Module": Measurement(9, 8.25, 8.0, 8.5, 1e-6, 1e-6)})

    monkeypatch.setenv("PEER", "path/to/python")
    monkeypatch.setattr("benchmarks.__main__.measure_peer", measure_peer)
    main(["--only", "call a Module", "--quick", "--results", str(tmp_path)])
    assert asked == [("path/to/python", ["--only", "call a Module", "--quick"])]
    assert "ratio of 0.13.8" in (output := capsys.readouterr().out)
    assert "8.25" in output
