"""What pages are made of (links, tables, cells), and how they are saved."""

import re

import numpy as np
import pandas as pd
import pytest
from jinja2 import ChoiceLoader, DictLoader

from net2vec.errors import ResultsError
from net2vec.report import page as page_module
from net2vec.report import save_report
from net2vec.report.content import Column, Report, Section, Table, columns
from net2vec.report.formats import cosine_text, format_cell, fraction, percent, score_text


@pytest.fixture
def saved(monkeypatch, tmp_path):
    """What saves a page of one section whose template is given."""
    sections = {}
    loader = ChoiceLoader([DictLoader(sections), page_module._LOADER])
    monkeypatch.setattr(page_module, "_LOADER", loader)

    def save(template, facts=None, folder=tmp_path / "out", **tables):
        sections["a.html"] = template
        report = Report("net", sections=[Section("a", "A", "a.html", facts)], tables=tables)
        return save_report(report, folder)

    return save


def test_names_lead_to_cards_in_sums_too():
    links = page_module.CardLinks(["sky", "a:b & c"])
    assert links("sea †") == "sea †"
    assert links("sky †") == '<a class="concept" href="concepts.html#c-sky">sky †</a>'
    assert links("a:b & c").startswith('<a class="concept" href="concepts.html#c-a:3Ab:20:26:20c">')
    frame = pd.DataFrame({"grass + blue": [("sky †", 0.851), ("sea", -0.2)]})
    table = Table(frame, [Column("grass + blue", "answer", "sum")])
    cells = [row[0][0] for row in page_module._table_rows(table, links=links)]
    assert cells == [f"{links('sky †')} (0.85)", "sea (−0.20)"]


def test_rows_of_nothing_but_dashes_are_left_out(saved):
    frame = pd.DataFrame({"x": ["here", "nothing"], "n": [1.0, None], "share": [0.5, None]})
    source = saved(TABLE, Table(frame, columns("x", n="count", share="percent"))).read_text("utf-8")
    main = source.split("<main")[1]
    assert "here" in main
    assert "nothing" not in main


def test_a_report_replaces_a_report_and_nothing_else(saved, tmp_path):
    folder = saved("<p>{{ facts }}</p>", "first <i>").parent
    assert "first &lt;i&gt;" in (folder / "index.html").read_text("utf-8")
    (folder / "left over.txt").write_text("x")
    path = saved("second")
    assert "second" in path.read_text("utf-8")
    assert sorted(file.name for file in folder.iterdir()) == ["index.html"]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "index.html").write_text("my own page")
    with pytest.raises(ResultsError, match="holds something other than a report"):
        saved("third", folder=other)
    assert (other / "index.html").read_text() == "my own page"


def test_a_fault_half_way_leaves_the_old_report(saved, tmp_path):
    folder = saved("good").parent
    with pytest.raises(KeyError):
        saved(TABLE, Table(pd.DataFrame({"x": [1]}), columns("y")))
    assert "good" in (folder / "index.html").read_text("utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


TABLE = """{% import "macros.html" as page %}
{% call page.table(facts) %}unfolded{% endcall %}
{% call page.table(facts, folded=true) %}handle{% endcall %}"""


def test_a_folded_table_has_one_heading_and_its_link(saved):
    table = Table(pd.DataFrame({"x": ["a"]}), columns("x"), "numbers")
    source = saved(TABLE, table, numbers=table.frame).read_text("utf-8")
    assert source.count(">handle<") == 1
    assert source.count('href="tables/numbers.csv"') == 2


def test_tables_show_nothing_that_is_empty(saved):
    frame = pd.DataFrame(
        {"network": "one", "task": ["segment", None], "empty": np.nan, "n": [2, 1]}
    )
    columns_ = columns("network", "task", empty="number", n="count")
    source = saved(TABLE, Table(frame, columns_)).read_text("utf-8")
    assert re.findall(r"<th scope=.col[^>]*>([^<]*)", source) == ["task", "concepts"] * 2
    assert ">segmentation</th>" in source
    assert "–" not in source.split("<main")[1].split("</main>")[0]
    source = saved(TABLE, Table(frame.iloc[:0], columns_)).read_text("utf-8")
    assert ">handle<" not in source
    assert "unfolded" not in source


def test_numbers_are_not_rounded_to_what_they_are_not():
    assert [score_text(value) for value in (0, 0.0004, 0.0041, 0.0099, 0.01, 1.0)] == [
        "0.00", "<0.001", "0.004", "0.010", "0.01", "1.00",
    ]  # fmt: skip
    assert [percent(value) for value in (0, 0.004, 0.996, 1, float("nan"))] == [
        "0\xa0%", "<1\xa0%", ">99\xa0%", "100\xa0%", "–",
    ]  # fmt: skip
    assert [fraction(3, 1200), fraction(0, 0)] == ["3 of 1,200 (<1\xa0%)", "0 of 0"]
    assert [cosine_text(value) for value in (-0.001, -0.25, 1)] == ["0.00", "−0.25", "1.00"]


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        ("a", "text", "a"),
        (None, "text", ""),
        (float("nan"), "score", "–"),
        (1234.0, "count", "1,234"),
        (0.5, "percent", "50.0 %"),
        (-0.25, "signed", "−0.250"),
        (0.25, "signed", "+0.250"),
        (2.345, "seconds", "2.3 s"),
        (0.12345, "number", "0.123"),
    ],
)
def test_cells(value, form, shown):
    assert format_cell(value, form) == shown


def test_a_bar_is_as_long_as_its_score():
    assert "--share:0.250" in format_cell(0.25, "score")
    assert "--share:1.000" in format_cell(3.0, "score")
