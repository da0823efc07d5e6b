"""An opened run in a notebook: what it shows of itself, its concepts and its tables by name."""

import pytest

from net2vec.analysis import by_concept
from net2vec.errors import ResultsError
from net2vec.results import save_table

from builders import CONCEPTS, SCENES


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run(network="<i>net</i>")


def test_a_run_shows_what_it_holds_with_names_escaped(run):
    shown = run._repr_html_()
    assert "&lt;i&gt;net&lt;/i&gt;, planted" in shown
    assert "60 training and 60 validation images" in shown
    assert f"{len(CONCEPTS)} to segment, {len(CONCEPTS) + len(SCENES)} to classify" in shown
    assert "<i>" not in shown
    assert "seed" not in shown


def test_a_space_shows_neighbours_with_names_escaped(run):
    space = run.space()
    shown = space._repr_html_()
    assert "&lt;b&gt;boat&lt;/b&gt;" in shown
    assert "<b>" not in shown
    assert ", ".join(space.nearest("dog", 3)["concept"]) in shown
    assert f"and {len(space) - 10} more" in shown
    assert "more" not in space.restrict(["dog", "wood"])._repr_html_()


def test_concepts_have_the_scores_of_the_last_layer(run):
    concepts = run.concepts
    assert set(concepts.index) == {*CONCEPTS, *SCENES}
    assert concepts["category"].to_dict() == CONCEPTS | SCENES
    scores = by_concept(run.scores).query("layer == 'blocks.6'").set_index(["task", "concept"])
    for task in ("segment", "classify"):
        wanted = scores.loc[task]["combined"].reindex(concepts.index)
        assert concepts[task].equals(wanted.rename(task))
    assert concepts.loc["street-s", ["segment"]].isna().all()


def test_tables_are_a_mapping_with_completion(run):
    assert run.tables["filter_sharing"].equals(run.table("filter_sharing"))
    assert run.tables["scores"].equals(run.scores)
    assert set(run.tables) == set(run.tables._ipython_key_completions_())
    assert "fits" not in run.tables  # there is only one
    assert run.tables.get("evidenc") is None
    with pytest.raises(ResultsError, match=r"^no table 'evidenc'; there are .*evidence"):
        run.tables["evidenc"]
    assert "<code>nearest</code>" in run.tables._repr_html_()
    del run.tables["scores"]["val"]
    assert "val" in run.scores


def test_tables_of_several_fits_and_of_the_report_are_there(shared_run, tmp_path):
    run = shared_run(fits=("paper", "converged"))
    assert "fits" in run.tables
    assert len(run.tables["fits"])
    reported = run.path / "report" / "tables" / "weight_iou.csv"
    reported.parent.mkdir(parents=True)
    save_table(run.concepts.reset_index(), reported)
    again = type(run)(run.path)
    assert again.tables["weight_iou"]["concept"].tolist() == run.concepts.index.tolist()
