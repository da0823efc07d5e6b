import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from net2vec.report import FilterExhibit, build_report, save_report
from net2vec.report.build import explore_command
from net2vec.report.content import Report, Section
from net2vec.report.figures.style import DARK, LIGHT
from net2vec.report.formats import cosine_text, percent, score_text
from net2vec.report.sections.findings import minute_facts
from net2vec.report.study import Study
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


def test_the_page_says_what_was_seen(page, runs):
    text = text_of(page)
    scores = runs[0].scores
    last = scores[(scores["layer"] == "blocks.6") & (scores["task"] == "segment")]
    mean = last.groupby("method")["val"].mean()
    paired = last.pivot_table(index="concept", columns="method", values="val")
    wins = paired["combined"] >= paired["single"]
    whole = last["baseline"].mean()
    shown = f"{whole:.3f} {mean['single']:.3f} {mean['combined']:.3f} {100 * wins.mean():.1f} %"
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
    beside = set(re.findall(r"<li><span><a [^>]*>([^<]*)</a>", source_of(page, "concepts.html")))
    assert {f"{name} †" for name in stuck} & beside


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
    twin = twin.pivot_table(index="concept", columns="method", values="val")
    share = percent((twin["combined"] >= twin["single"]).mean())
    assert f"with random weights for {share}".replace("\xa0", " ") in text.replace("\xa0", " ")


def test_the_rival_of_the_first_minute_is_the_single_filter_at_its_own_threshold(runs, tmp_path):
    study = Study(tuple(runs))
    rows = study.tables["combined_vs_single"].assign(
        single=0.05, tuned=0.31, percent=99.0, percent_tuned=[20.0] + [30.0] * 7
    )
    rows.loc[rows["layer"].eq("blocks.6") & rows["network"].eq(study.label), "percent_tuned"] = 40.0
    study.__dict__["tables"] = {**study.tables, "combined_vs_single": rows}
    section = Section("minute", "In one minute", "sections/minute.html", minute_facts(study, {}))
    saved = save_report(Report("net", sections=[section]), tmp_path / "report")
    text = " ".join(text_of(saved).replace("\xa0", " ").split())
    assert "at its own threshold, chosen for the concept, with 0.31 (0.05 at the paper’s" in text
    assert "at its own threshold for 40 % of the concepts (at the paper’s: 99 %)" in text
    assert "with random weights for 30 % (at the paper’s: 99 %)" in text


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


def test_the_command_to_explore_can_be_pasted_where_the_folder_of_the_runs_is(tmp_path):
    runs = [object.__new__(Run) for _ in range(2)]  # only their paths are asked for
    for run, name in zip(runs, ("trained", "random"), strict=True):
        run.path = tmp_path / "my demo" / name
    command, folder = explore_command(runs)
    assert command == "net2vec explore 'my demo/trained' 'my demo/random'"
    assert folder == "my demo"
    assert explore_command(runs[:1])[0] == "net2vec explore 'my demo/trained'"
