import json

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox import tree_summary
from equinox._summary import data
from equinox._summary.show import plain_table, web_table

MODEL = eqx.nn.MLP(2, 1, width_size=3, depth=1, key=jax.random.key(0))


def test_all_of_it_can_be_written_as_json() -> None:
    written = json.loads(json.dumps(tree_summary(MODEL, jnp.ones(2)).to_dict()))
    assert {name: written[name] for name in written if name != "rows"} == {
        "parameters": 13,
        "trainable": 13,
        "bytes": 52,
        "flops": 2 * 6 + 6 + 2 * 3 + 1,
    }
    assert written["rows"][1] == {
        "path": ".layers[0]",
        "type": "Linear",
        "parameters": 9,
        "trainable": 9,
        "bytes": 36,
        "dtypes": ["float32"],
        "calls": 1,
        "inputs": [{"path": "['x']", "shape": [2], "dtype": "float32"}],
        "output": [{"path": "", "shape": [3], "dtype": "float32"}],
        "flops": 15,
    }


def test_without_a_call_there_is_nothing_to_write_about_it() -> None:
    (row, *_) = json.loads(json.dumps(tree_summary(MODEL).to_dict()))["rows"]
    assert (row["calls"], row["inputs"], row["output"], row["flops"]) == (0, None, None, None)


def test_it_prints_as_a_plain_table_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tree_summary(MODEL)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert str(summary) == repr(summary) == plain_table(summary.rows)


def test_it_prints_with_rich_in_a_terminal_if_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tree_summary(MODEL)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(data, "rich_text", lambda rows: f"{len(rows)} rich rows")
    assert str(summary) == repr(summary) == "3 rich rows"
    monkeypatch.setattr(data, "rich_text", lambda rows: None)
    assert str(summary) == plain_table(summary.rows)


def test_it_shows_as_a_table_in_a_notebook() -> None:
    summary = tree_summary(MODEL)
    assert summary._repr_html_() == web_table(summary.rows)
