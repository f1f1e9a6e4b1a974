import html.parser
import re
import sys
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import equinox as eqx
from equinox import tree_summary
from equinox._summary.show import plain_table, rich_table, rich_text, web_table


class Model(eqx.Module):
    layer: eqx.nn.Linear
    text: str

    def __call__(self, x, n):
        return [self.layer(self.layer(x))] * n, self.text


MODEL = Model(eqx.nn.Linear(2, 2, key=jax.random.key(0)), "<b>")
FROZEN_BIAS = eqx.freeze(MODEL, where=lambda m: m.layer.bias)
CALLED = tree_summary(MODEL, jnp.ones(2), 6, filter=FROZEN_BIAS).rows


PLAIN = """\
part                class   parameters  trainable   memory  dtype
--------------------------------------------------------------------------
model               dict             6  yes        5.9 KiB  float32, int32
model['<b>']        Model            6  yes           24 B  float32
model['<b>'].layer  Linear           6  yes           24 B  float32
model['c']          Array            0             5.9 KiB  int32
--------------------------------------------------------------------------
6 parameters, 6 trainable, 5.9 KiB"""


def test_plain_text_has_aligned_columns_and_totals() -> None:
    assert plain_table(tree_summary({"<b>": MODEL, "c": jnp.arange(1500)}).rows) == PLAIN


def test_a_call_adds_columns_for_shapes_and_operations() -> None:
    titles, _, whole, layer, _, totals = plain_table(CALLED).splitlines()
    assert titles.split() == ["part", "class", "in", "out", "parameters", "trainable", "memory", "dtype", "FLOPs"]
    assert "  f32[2]  f32[2], f32[2], f32[2], f32[2], 2 more  " in whole
    assert "  f32[2]  f32[2] ×2  " in layer  # noqa: RUF001 # the multiplication sign is meant
    assert whole.endswith(" float32     20")
    assert totals == "6 parameters, 4 trainable, 24 B, 20 FLOPs"


def test_whether_something_is_trained_is_said_in_a_word_or_by_how_much() -> None:
    model = {"part": MODEL, "none": MODEL.layer.weight, "integers": jnp.arange(2)}
    rows = tree_summary(model, filter={"part": FROZEN_BIAS, "none": False, "integers": True}).rows
    said = {
        cells[0]: cells[3]
        for cells in (line.split("  ") for line in map(squeezed, plain_table(rows).splitlines()[2:-2]))
    }
    assert said == {
        "model": "4",
        "model['integers']": "8 B",
        "model['none']": "no",
        "model['part']": "4",
        "model['part'].layer": "4",
    }
    assert "yes" in plain_table(tree_summary(MODEL).rows)


def squeezed(line: str) -> str:
    return re.sub(" {2,}", "  ", line)


class Cells(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_html_has_the_same_cells_and_nothing_in_them_is_markup() -> None:
    rows = tree_summary({"<b>": MODEL}).rows
    parser = Cells()
    parser.feed(web_table(rows))
    assert parser.cells[:6] == ["part", "class", "parameters", "trainable", "memory", "dtype"]
    assert parser.cells[12:15] == ["model['<b>']", "Model", "6"]
    assert parser.tags.count("tr") == 4
    assert "b" not in parser.tags
    assert "6 parameters, 6 trainable, 24 B" in web_table(rows)


def test_rich_shows_the_same_cells_and_nothing_in_them_is_markup() -> None:
    pytest.importorskip("rich")
    table = rich_table(tree_summary({"[bold]": MODEL}).rows)
    (parts, classes, *_) = [list(map(str, column.cells)) for column in table.columns]
    assert parts == ["model", "model['[bold]']", "model['[bold]'].layer"]
    assert classes == ["dict", "Model", "Linear"]


@pytest.mark.parametrize("columns", ["40", "200"])
def test_text_from_rich_is_as_wide_as_it_needs_to_be(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", columns)
    text = rich_text(CALLED)
    assert text is not None
    assert "…" not in text
    assert "model.layer" in text
    assert "\x1b" not in text
    assert ("f32[2], f32[2], f32[2]" in text) is (columns == "200")


def test_without_rich_there_is_no_text_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert rich_text(CALLED) is None


def test_a_single_parameter_is_not_called_several():
    totals = str(eqx.tree_summary({"a": jnp.array(1.0)})).splitlines()[-1]
    assert totals == "1 parameter, 1 trainable, 4 B"
