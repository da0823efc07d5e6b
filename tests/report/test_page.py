import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from net2vec.errors import ResultsError
from net2vec.report import FilterExhibit, build_report, save_report
from net2vec.report.content import Column, Paragraph, Report, Section, Table
from net2vec.report.figures.style import DARK, LIGHT
from net2vec.report.page import _unbroken, format_cell
from net2vec.runs import TABLES, Run, make_tables, open_run

from builders import CONCEPTS, SCENES, build_run


class Page(HTMLParser):
    """The links, tags and visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.text = [], [], []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        self.links += [value for key, value in attrs if key in {"href", "src", "srcset"}]

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)


def text_of(path):
    return re.sub(r"\s+", " ", " ".join(Page(path.read_text("utf-8")).text))


def test_every_link_leads_to_a_file_beside_the_page(page):
    parsed = Page(page.read_text("utf-8"))
    files = [link for link in parsed.links if not link.startswith(("#", "data:"))]
    assert len(files) > 20
    assert [link for link in files if not (page.parent / link).is_file()] == []
    linked = {(page.parent / link).resolve() for link in files} | {page}
    everything = {path for path in page.parent.rglob("*") if path.is_file()}
    assert everything == linked


def test_names_from_data_are_escaped(page):
    source = page.read_text("utf-8")
    assert "<b>boat</b>" not in source
    assert "net &amp; co" in source
    assert "net & co" not in source


def test_long_tables_hold_every_row(page, runs):
    source = page.read_text("utf-8")
    tables = long_tables(source)
    by_concept = next(table for table in tables if table["columns"][0]["label"] == "network")
    fits = 2 * 2 * (len(CONCEPTS) + len(CONCEPTS | SCENES))
    assert {len(values) for values in by_concept["values"]} == {fits}


def test_the_page_says_what_was_seen(page, runs):
    text = text_of(page)
    scores = runs[0].scores
    last = scores[(scores["layer"] == "blocks.6") & (scores["task"] == "segment")]
    mean = last.groupby("method")["val"].mean()
    assert f"a mean set IoU of {mean['combined']:.2f} over 12 concepts" in text
    assert f"the best single filter {mean['single']:.2f}" in text
    paired = last.pivot_table(index="concept", columns="method", values="val")
    wins = (paired["combined"] >= paired["single"]).mean()
    assert f"at least as good for {100 * wins:.0f} % of the concepts" in text
    small = [row.val >= paired.loc[row.concept, "single"] for row in last.itertuples()
             if row.method == "combined" and row.concept_size < 0.02]  # fmt: skip
    assert small
    assert f"all filters are at least as good for {sum(small)} of {len(small)} (" in text
    assert "do not clearly differ (Fisher’s exact test, p = " in text
    assert "Size matters" not in text
    assert "No activation follows stem/relu" in text
    assert "net & co: 2 of 24 filters are never on" in text
    assert "no pixel annotation" in text
    assert "toys (60 for training, 60 for validation)" in text
    assert "segment.subsets 1, 2" in text
    assert "Seconds spent by stage, and 1.5 GiB of memory at most" in text


def test_what_hardly_moved_is_marked_wherever_it_is_shown(page, runs):
    text = text_of(page)
    stuck = runs[0].hardly_moved(task="segment")
    assert stuck
    assert f"moved the vectors of {len(stuck)} of 12 concepts" in text
    source = page.read_text("utf-8")
    for concept in stuck - {"<b>boat</b>"}:
        cells = re.findall(rf'<th scope="row" class="text">{re.escape(concept)}( †)?</th>', source)
        assert cells
    nearest = re.findall(r"<li><span>([^<]*)</span>", source)
    assert any(name.endswith(" †") for name in nearest)
    tables = long_tables(source)
    headings = ["concept", "task", "nearest concepts"]
    (near,) = (table["values"] for table in tables if labels(table) == headings)
    rows = [row for row in zip(*near, strict=True) if row[1] == "segmentation"]
    assert {row[0] for row in rows if row[0].endswith(" †")} == {f"{name} †" for name in stuck}
    beside = [name.rsplit(" (", 1)[0] for row in rows for name in row[2].split(", ")]
    assert not stuck & set(beside)
    assert {f"{name} †" for name in stuck} & set(beside)
    (scores,) = (table["values"] for table in tables if "95 % from" in labels(table))
    assert stuck <= {name.removesuffix(" †") for name in scores[3] if name.endswith(" †")}


def labels(table):
    return [column["label"] for column in table["columns"]]


def long_tables(source):
    return [json.loads(text) for text in re.findall(r'application/json">(.*?)</script>', source)]


def test_trained_and_random_stand_side_by_side(page):
    text = text_of(page)
    assert "Does it take training?" in text
    assert "net & co is ahead of net, random" in text
    differences = pd.read_csv(page.parent / "tables" / "networks.csv")
    assert set(differences["other"]) == {"net, random"}


def test_numbers_stay_in_one_line_with_their_percent_and_spread(page):
    shown = re.findall(r"<(p|figcaption)\b[^>]*>(.*?)</\1>", page.read_text("utf-8"), re.DOTALL)
    texts = " ".join(text for _, text in shown)
    assert texts.count("\N{NO-BREAK SPACE}%") > 10
    assert not re.findall(r"\d %", texts)
    kept = _unbroken(Markup("<b>a &amp; b</b> in 5 %: 0.30 ± 0.02 of 7 % ± x"))
    assert kept == "<b>a &amp; b</b> in 5\xa0%: 0.30\xa0±\xa00.02 of 7\xa0% ± x"
    assert isinstance(kept, Markup)
    assert not isinstance(_unbroken("5 %"), Markup)


@pytest.mark.usefixtures("unpainted")
def test_two_trained_networks_are_not_called_untrained(tmp_path):
    runs = [open_run(build_run(tmp_path / name, network=name)) for name in ("one", "two")]
    text = text_of(save_report(build_report(runs), tmp_path / "report"))
    assert "How do networks differ?" in text
    assert "untrained" not in text


@pytest.mark.usefixtures("unpainted")
def test_one_run_needs_no_exhibits_and_no_controls(tmp_path):
    run = open_run(build_run(tmp_path / "run", subsets=()))
    path = save_report(build_report([run]), tmp_path / "run" / "report")
    text = text_of(path)
    assert "Does it take training?" not in text
    assert "How many filters does a concept need" not in text
    assert not (path.parent / "pictures").exists()


def test_a_report_replaces_a_report_and_nothing_else(tmp_path):
    report = Report("title", "", [Section("a", "A", [Paragraph("first <i>")])])
    folder = tmp_path / "out"
    save_report(report, folder)
    (folder / "left over.txt").write_text("x")
    path = save_report(Report("title", "", [Section("a", "A", [Paragraph("second")])]), folder)
    assert "second" in path.read_text("utf-8")
    assert sorted(file.name for file in folder.iterdir()) == ["index.html"]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "index.html").write_text("my own page")
    with pytest.raises(ResultsError, match="holds something other than a report"):
        save_report(report, other)
    assert (other / "index.html").read_text() == "my own page"


def test_a_fault_half_way_leaves_the_old_report(tmp_path):
    folder = tmp_path / "out"
    good = Report("title", "", [Section("a", "A", [Paragraph("good")])])
    bad_table = Table(pd.DataFrame({"x": [1]}), (Column("y", "y"),), "no such column")
    save_report(good, folder)
    with pytest.raises(KeyError):
        save_report(Report("title", "", [Section("a", "A", [bad_table])]), folder)
    assert "good" in (folder / "index.html").read_text("utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


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


def test_every_question_of_the_paper_has_a_section_and_every_table_a_link(page, runs):
    source = page.read_text("utf-8")
    sections = re.findall(r'<section id="([a-z-]+)">', source)
    assert sections == [
        "probed", "sufficient", "needed", "shared", "weights", "masks", "space", "chance",
        "networks", "left-out", "tables",
    ]  # fmt: skip
    assert re.findall(r'<li><a href="#([a-z-]+)">', source) == sections
    saved = {path.stem for path in (page.parent / "tables").iterdir()}
    assert saved == set(re.findall(r'<li><a href="tables/(\w+)\.csv">', source))
    assert saved >= set(TABLES)
    drawn = set(re.findall(r'src="figures/(\w+)-light\.svg"', source))
    assert {
        "failures_segment", "filters_needed_classify", "filter_sharing_segment", "weight_iou",
        "significant_correlation", "contribution", "individual_iou", "map_segment", "map_classify",
        "distances", "network_distances", "network_distances_by_category",
    } <= drawn  # fmt: skip


def test_tables_of_several_runs_stand_one_below_the_other(page, runs):
    table = pd.read_csv(page.parent / "tables" / "failures.csv", keep_default_na=False)
    assert table["network"].value_counts().to_dict() == dict.fromkeys(
        ["net & co", "net, random"], 2 * (2 * len(CONCEPTS) + len(SCENES))
    )
    one = make_tables(runs[1], ["failures"])["failures"]
    mine = table[table["network"] == "net, random"].reset_index(drop=True)
    np.testing.assert_allclose(mine["difference"], one["difference"])


def test_filters_are_shown_with_the_concepts_they_serve(page, exhibits):
    text = text_of(page)
    shown = [exhibit.request for exhibit in exhibits if isinstance(exhibit, FilterExhibit)]
    assert shown
    for request in shown:
        assert f"Filter {request.filter} of blocks.6: the images of highest activation" in text
        for found in request.concepts:
            assert f"{found.concept} ({found.set_iou:.2f})" in text
    pictures = {path.name for path in (page.parent / "pictures").glob("filter*")}
    wanted = sum(
        len(request.highest) + sum(len(found.images) for found in request.concepts)
        for request in shown
    )
    assert len(pictures) == wanted


def test_boxes_and_tables_have_names_and_rows_have_headings(page):
    source = page.read_text("utf-8")
    ids = re.findall(r'id="(label\d+)"', source)
    assert len(ids) == len(set(ids)) > 10
    used = re.findall(r'(?:aria-labelledby|data-label)="(\w+)"', source)
    assert set(used) == set(ids)
    boxes = re.findall(r'<div [^>]*class="scroll[^>]*>', source)
    assert len(boxes) > 20
    for box in boxes:
        assert 'tabindex="0" role="region" aria-label' in box
    assert len(re.findall(r"<table(?! aria-labelledby)", source)) == 0
    for row in re.findall(r"<tbody>\s*<tr>(.*?)</tr>", source, re.DOTALL):
        assert row.startswith('<th scope="row"')
    named = re.findall(r'class="source" href="tables/([^"]+)">([^<]*)</a>', source)
    assert named
    assert all(file == text for file, text in named)
    assert source.index('href="#main"') < source.index("<header>") < source.index('id="main"')


def test_a_folded_table_has_one_heading_and_its_link(tmp_path):
    table = Table(
        pd.DataFrame({"x": ["a"]}), (Column("x", "x"),), "handle", csv="numbers", folded=True
    )
    long = dataclasses.replace(table, searchable=True, caption="other")
    tables = {"numbers": table.frame}
    report = Report("title", "", [Section("a", "A", [table, long])], tables)
    source = save_report(report, tmp_path / "report").read_text("utf-8")
    assert source.count("handle") == source.count(">other<") == 1
    assert source.count('href="tables/numbers.csv"') == 2
    assert "figcaption { display: none" not in source


def test_paints_are_seen_on_their_page():
    """What is no text needs a contrast of 3 to 1 (WCAG 1.4.11)."""

    def luminance(color):
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        parts = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for theme, paper in ((LIGHT, "#ffffff"), (DARK, "#14181c")):
        for paint in (theme.text, theme.muted, theme.single, theme.combined, *theme.series):
            low, high = sorted((luminance(paint), luminance(paper)))
            assert (high + 0.05) / (low + 0.05) >= 3, (theme.name, paint)


@pytest.mark.usefixtures("unpainted")
def test_a_report_of_classification_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "tasks", lambda run, layer=None: ("classify",))
    run = open_run(build_run(tmp_path / "run", subsets=()))
    scores = run.scores
    run.__dict__["scores"] = scores[scores["task"] == "classify"]
    source = save_report(build_report([run]), tmp_path / "report").read_text("utf-8")
    assert 'id="masks"' not in source
    assert 'id="weights"' not in source
    assert "map_classify" in source
