import json

from net2vec.report import build_report
from net2vec.report.content import Table
from net2vec.runs import open_run

from builders import build_run


def blocks_of(run):
    return next(
        section for section in build_report([run]).sections if section.anchor == "probed"
    ).blocks


def sources_table(run):
    found = [
        block
        for block in blocks_of(run)
        if isinstance(block, Table) and "dataset that they come from" in str(block.caption)
    ]
    return found[0] if found else None


def test_the_page_says_from_which_dataset_a_concepts_images_come(tmp_path):
    build_run(tmp_path)
    told = json.loads((tmp_path / "provenance.json").read_text())
    told["data"] = {"sources": {"dog": {"voc": 3, "coco": 4}, "wood": {"voc": 2}}}
    (tmp_path / "provenance.json").write_text(json.dumps(told))
    table = sources_table(open_run(tmp_path))
    rows = table.frame.set_index("concept")
    assert rows.loc["dog"].to_dict() == {"voc": 3, "coco": 4}
    assert rows.loc["wood"].to_dict() == {"voc": 2, "coco": 0}
    assert "1 of 2 concepts" in table.caption


def test_a_single_dataset_needs_no_such_table(tmp_path):
    assert sources_table(open_run(build_run(tmp_path))) is None
