import pandas as pd
import pytest

from builders import build_run
from net2vec.analysis import choose_deciles, individual_ious
from net2vec.report import plan_exhibits
from net2vec.runs import open_run


def test_the_plan_names_images_with_their_ious(runs):
    requests = plan_exhibits(runs, concepts=3)
    assert len(requests) == 3
    ious = individual_ious(runs[0].arrays())
    best = runs[0].arrays()["best_filter"].to_series()
    scores = runs[0].scores
    for request in requests:
        assert (request.run, request.layer) == (0, "blocks.6")
        assert request.best_filter == best[request.concept]
        for method in ("single", "combined"):
            images = [image for image in request.images if image.method == method]
            wanted = choose_deciles(ious, request.concept, method=method)
            assert [image.name for image in images] == wanted["image"].tolist()
            assert [image.decile for image in images] == wanted["decile"].tolist()
            shown = [getattr(image, f"iou_{method}") for image in images]
            assert shown == wanted["iou"].tolist()
        fit = scores[
            (scores["concept"] == request.concept)
            & (scores["layer"] == "blocks.6")
            & (scores["task"] == "segment")
        ].set_index("method")["val"]
        assert request.score_combined == fit["combined"]
        assert request.score_single == fit["single"]


def test_both_ious_of_an_image_are_of_that_image(runs):
    request = plan_exhibits(runs, concepts=1)[0]
    ious = individual_ious(runs[0].arrays())
    table = ious[ious["concept"] == request.concept].set_index(["method", "image"])["iou"]
    for image in request.images:
        assert image.iou_single == table["single", image.name]
        assert image.iou_combined == table["combined", image.name]


def test_each_image_is_rendered_once(runs):
    request = plan_exhibits(runs, concepts=1)[0]
    assert len(set(request.names)) == len(request.names)
    assert set(request.names) == {image.name for image in request.images}


def test_few_images_are_enough_where_no_concept_has_more(tmp_path):
    run = open_run(build_run(tmp_path / "run", pairs=3))
    requests = plan_exhibits([run], concepts=2)
    assert [len(request.names) <= 6 for request in requests] == [True, True]
    found = pd.DataFrame(request.concept for request in requests)
    assert found[0].is_unique


def test_no_segmentation_no_pictures(runs, monkeypatch):
    monkeypatch.setattr(type(runs[0]), "tasks", lambda run, layer=None: ("classify",))
    assert plan_exhibits(runs) == []


@pytest.mark.parametrize("concepts", [1, 5, 12])
def test_as_many_concepts_as_asked_for(runs, concepts):
    assert len(plan_exhibits(runs, concepts=concepts)) == concepts
