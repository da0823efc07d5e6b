import json
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from jinja2 import ChoiceLoader, DictLoader

from net2vec.errors import ResultsError
from net2vec.report import FilterExhibit, build_report, save_report
from net2vec.report import page as page_module
from net2vec.report.content import Column, Report, Section, Table, columns
from net2vec.report.figures.style import DARK, LIGHT
from net2vec.report.formats import cosine_text, format_cell, fraction, percent, score_text
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


def source_of(page, name):
    return (page.parent / name).read_text("utf-8")


def text_of(path):
    return re.sub(r"\s+", " ", " ".join(Page(path.read_text("utf-8")).text))


def test_every_link_leads_to_a_file_beside_the_page(page):
    links = [
        link.partition("#")
        for name in ("index.html", "concepts.html")
        for link in Page((page.parent / name).read_text("utf-8")).links
        if not link.startswith(("#", "data:"))
    ]
    files = {link for link, *_ in links}
    assert len(files) > 20
    assert [link for link in files if not (page.parent / link).is_file()] == []
    linked = {(page.parent / link).resolve() for link in files} | {page}
    cards = re.findall(r'<section[^>]* id="(c-[^"]*)"', source_of(page, "concepts.html"))
    anchors = {unescape(anchor) for name, _, anchor in links if name == "concepts.html" and anchor}
    assert anchors <= set(map(unescape, cards))
    assert len(cards) == len(set(cards)) == len(CONCEPTS | SCENES)
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
    by_concept = next(
        table
        for table in tables
        if {"network", "training images", "whole image"}
        <= {column["label"] for column in table["columns"]}
    )
    fits = 2 * 2 * (len(CONCEPTS) + len(CONCEPTS | SCENES))
    assert {len(values) for values in by_concept["values"]} == {fits}


def test_the_page_says_what_was_seen(page, runs):
    text = text_of(page)
    scores = runs[0].scores
    last = scores[(scores["layer"] == "blocks.6") & (scores["task"] == "segment")]
    mean = last.groupby("method")["val"].mean()
    paired = last.pivot_table(index="concept", columns="method", values="val")
    wins = paired["combined"] >= paired["single"]
    whole = last["baseline"].mean()
    shown = f"{mean['combined']:.3f} {mean['single']:.3f} {whole:.3f} {100 * wins.mean():.1f} %"
    assert f"segmentation blocks.6 12 {shown}" in text
    size = last.set_index("concept")["concept_size"].groupby(level=0).first()
    small = wins[size < 0.02]
    assert f"< 2 % {len(small)} {100 * small.mean():.1f} %" in text
    assert "which no activation follows: stem/relu." in text
    assert "filters never on 2 of 24 (8 %)" in text.replace("\xa0", " ")
    assert "no pixel annotation" in text
    assert "probe dataset toys toys" in text
    assert "segment.subsets 1, 2" in text
    assert "peak memory 1.5 GiB" in text


def test_what_hardly_moved_is_marked_wherever_it_is_shown(page, runs):
    text = text_of(page)
    stuck = runs[0].hardly_moved(task="segment")
    assert stuck
    assert f"segmentation blocks.6 {len(stuck)} 12" in text
    source = page.read_text("utf-8")
    for concept in stuck - {"<b>boat</b>"}:
        assert re.findall(
            rf'<th scope="row" class="text"><a [^>]*>{re.escape(concept)} †</a>', source
        )
    nearest = re.findall(r"<li><span><a [^>]*>([^<]*)</a></span>", source)
    assert any(name.endswith(" †") for name in nearest)
    tables = long_tables(source)
    beside = set(re.findall(r"<li><span><a [^>]*>([^<]*)</a>", source_of(page, "concepts.html")))
    assert {f"{name} †" for name in stuck} & beside
    (scores,) = (table["values"] for table in tables if "95 % from" in labels(table))
    names = scores[3]
    assert stuck <= {name.removesuffix(" †") for name in names if name.endswith(" †")}


def test_one_minute_says_what_matters(page, runs):
    text = text_of(page).split("In one minute", 2)[-1].split("What was found")[0]
    scores = runs[0].scores
    last = scores[(scores["layer"] == "blocks.6") & (scores["task"] == "segment")]
    combined = last[last["method"] == "combined"].sort_values("val", ascending=False)
    assert f"{combined['val'].mean():.2f} , the best single filter" in text
    assert f"Found best: {combined['concept'].iloc[0]}" in text
    twin = runs[1].scores
    twin = twin[(twin["layer"] == "blocks.6") & (twin["task"] == "segment")]
    mean = twin[twin["method"] == "combined"]["val"].mean()
    assert f"(net, random, random weights) it reaches {mean:.2f}" in text


def test_a_card_has_the_scores_of_a_concept_with_their_intervals(page, runs):
    source = source_of(page, "concepts.html")
    card = source.split('id="c-traffic:20light"')[1].split("</section>")[0]
    found = runs[0].table("intervals")
    row = found.query("layer == 'blocks.6' and task == 'segment' and method == 'combined'")
    row = row[row["concept"] == "traffic light"].iloc[0]
    low, high = (score_text(row[name]) for name in ("low", "high"))
    score = runs[0].arrays()["score"].sel(split="val", concept="traffic light")
    assert f"{score_text(float(score))} ({low} to {high})" in card
    near = runs[0].space().nearest("traffic light")
    listed = re.findall(r"<li><span><a[^>]*>([^<]*)</a></span> <span class=.cosine.>([^<]*)", card)
    names = [name.removesuffix(" †") for name, _ in listed[:5]]
    assert [unescape(name) for name in names] == near["concept"].tolist()
    assert [cosine for _, cosine in listed[:5]] == near["cosine"].map(cosine_text).tolist()
    weight = runs[0].vectors().sel(concept="traffic light")
    filters = [int(index) for index in re.findall(r"<span>filter (\d+)", card)]
    assert filters == abs(weight).argsort().values[::-1][:5].tolist()


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
    main = source.split("<main")[1].split('<div class="long-table"')[0]
    assert "here" in main
    assert "nothing" not in main


def labels(table):
    return [column["label"] for column in table["columns"]]


def long_tables(source):
    return [json.loads(text) for text in re.findall(r'application/json">(.*?)</script>', source)]


def test_trained_and_random_stand_side_by_side(page):
    text = text_of(page)
    assert "Untrained: net, random, random weights." in text
    differences = pd.read_csv(page.parent / "tables" / "networks.csv")
    assert set(differences["other"]) == {"net, random, random weights"}


def test_numbers_stay_in_one_line_with_their_percent(page):
    shown = re.findall(r"<(p|figcaption)\b[^>]*>(.*?)</\1>", page.read_text("utf-8"), re.DOTALL)
    texts = " ".join(text for _, text in shown)
    assert texts.count("&nbsp;%") + texts.count("\xa0%") > 5
    assert not re.findall(r"\d %", texts)


@pytest.mark.usefixtures("unpainted")
def test_two_trained_networks_are_not_called_untrained(shared_run, tmp_path):
    small = {"layers": {"a": 6}, "subsets": ()}
    runs = [shared_run(network=name, **small) for name in ("one", "two")]
    text = text_of(save_report(build_report(runs), tmp_path / "report"))
    assert "How do networks differ?" in text
    assert "ntrained" not in text


@pytest.mark.usefixtures("unpainted")
def test_one_run_needs_no_exhibits_and_no_controls(shared_run, tmp_path):
    run = shared_run(layers={"a": 6}, subsets=())
    path = save_report(build_report([run]), tmp_path / "report")
    text = text_of(path)
    assert "How do networks differ?" not in text
    assert "How many filters does a concept need" not in text
    assert not (path.parent / "pictures").exists()


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
{% call page.table(facts, folded=true) %}handle{% endcall %}
{% call page.table(facts, folded=true, searchable=true) %}other{% endcall %}"""


def test_a_folded_table_has_one_heading_and_its_link(saved):
    table = Table(pd.DataFrame({"x": ["a"]}), columns("x"), "numbers")
    source = saved(TABLE, table, numbers=table.frame).read_text("utf-8")
    assert source.count(">handle<") == source.count(">other<") == 1
    assert source.count('href="tables/numbers.csv"') == 3


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


def test_every_question_of_the_paper_has_a_section_and_every_table_a_link(page, runs):
    source = page.read_text("utf-8")
    sections = re.findall(r'<section id="([a-z-]+)">', source)
    assert sections == [
        "minute", "findings", "masks", "sufficient", "space", "networks", "needed", "shared",
        "weights", "chance", "probed", "left-out", "tables",
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
        ["net & co", "net, random, random weights"], 2 * (2 * len(CONCEPTS) + len(SCENES))
    )
    one = make_tables(runs[1], ["failures"])["failures"]
    mine = table[table["network"] == "net, random, random weights"].reset_index(drop=True)
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
    run = open_run(build_run(tmp_path / "run", layers={"a": 6}, subsets=()))
    scores = run.scores
    run.__dict__["scores"] = scores[scores["task"] == "classify"]
    source = save_report(build_report([run]), tmp_path / "report").read_text("utf-8")
    assert 'id="masks"' not in source
    assert 'id="weights"' not in source
    assert "map_classify" in source
