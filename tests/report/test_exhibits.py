import pandas as pd
import pytest

from net2vec.analysis import choose_deciles, individual_ious
from net2vec.errors import ResultsError
from net2vec.report import (
    DecileRequest,
    FilterRequest,
    filter_concepts,
    fits_shown,
    plan_concept,
    plan_exhibits,
    plan_filter,
)
from net2vec.runs import open_run
from net2vec.spaces import SpaceError

from builders import build_run


def deciles_of(runs, concepts=3):
    requests = plan_exhibits(runs, concepts=concepts, filters=0, cards=0)
    assert all(isinstance(request, DecileRequest) for request in requests)
    return requests


def test_the_plan_names_images_with_their_ious(runs):
    requests = deciles_of(runs)
    assert len(requests) == 3
    ious = individual_ious(runs[0].arrays())
    best = runs[0].arrays()["best_filter"].to_series()
    scores = runs[0].scores
    for request in requests:
        assert request.layer == "blocks.6"
        assert request.best_filter == best[request.concept]
        wanted = choose_deciles(ious, request.concept)
        wanted = wanted[wanted["decile"] % 2 == 0]
        assert [image.name for image in request.images] == wanted["image"].tolist()
        assert [image.decile for image in request.images] == [2, 4, 6, 8, 10]
        assert [image.iou for image in request.images] == [(iou,) for iou in wanted["iou"]]
        assert request.fits == ("paper",)
        fit = scores[
            (scores["concept"] == request.concept)
            & (scores["layer"] == "blocks.6")
            & (scores["task"] == "segment")
        ].set_index("method")["val"]
        assert request.scores == (fit["combined"],)
        assert request.score_single == fit["single"]


def test_both_ious_of_an_image_are_of_that_image(runs):
    (request,) = deciles_of(runs, 1)
    ious = individual_ious(runs[0].arrays())
    table = ious[ious["concept"] == request.concept].set_index(["method", "image"])["iou"]
    for image in request.images:
        assert image.iou_single == table["single", image.name]
        assert image.iou == (table["combined", image.name],)


def test_each_image_is_rendered_once(runs):
    for request in plan_exhibits(runs, concepts=1, filters=2):
        assert len(set(request.names)) == len(request.names)
    (request,) = deciles_of(runs, 1)
    assert set(request.names) == {image.name for image in request.images}


def test_few_images_are_enough_where_no_concept_has_more(tmp_path):
    run = open_run(build_run(tmp_path / "run", pairs=3))
    requests = deciles_of([run], 2)
    assert [0 < len(request.names) <= 3 for request in requests] == [True, True]
    assert len({request.concept for request in requests}) == 2


def test_every_other_concept_has_two_images_for_its_card(runs):
    requests = plan_exhibits(runs, concepts=2, filters=0)
    large = [request for request in requests if request.large]
    assert len(large) == 2
    assert len(requests) == len(runs[0].arrays()["concept"])
    assert len({request.concept for request in requests}) == len(requests)
    for request in requests:
        assert [image.decile for image in request.images] == ([2, 4, 6, 8, 10] if request.large
                                                              else [5, 10])  # fmt: skip
    few = plan_exhibits(runs, concepts=2, filters=0, cards=3)
    scores = [request.scores[-1] for request in requests if not request.large]
    assert [request.scores[-1] for request in few if not request.large] == [max(scores)]


def test_masks_are_of_the_papers_fit_the_best_and_those_asked_for(tmp_path):
    run = open_run(build_run(tmp_path / "run", fits=("paper", "converged", "lda")))
    assert fits_shown([run]) == ("paper", "lda")
    assert fits_shown([run], ["converged"]) == ("paper", "converged", "lda")
    with pytest.raises(ResultsError, match="fit 'ridge' is not in this run"):
        fits_shown([run], ["ridge"])
    request = plan_concept(run, "blocks.6", "dog")
    scores = [run.arrays(fit=fit)["score"].sel(split="val", concept="dog") for fit in request.fits]
    assert request.scores == tuple(map(float, scores))
    ious = individual_ious(run.arrays(fit="lda"))
    wanted = choose_deciles(ious, "dog").set_index("image")["iou"]
    assert [image.iou[-1] for image in request.images] == [
        wanted[image.name] for image in request.images
    ]


def test_the_layer_shown_has_the_highest_mean(tmp_path):
    run = open_run(build_run(tmp_path / "run", gain=0.1))
    assert run.best_layer("segment") == "blocks.6"
    worse = open_run(build_run(tmp_path / "worse", layers={"a": 6, "b": 6}, subsets=()))
    for task in ("segment", "classify"):
        worse.tree[f"b/{task}"]["score"][:] = 0
    assert [worse.best_layer(task) for task in ("segment", "classify")] == ["a", "a"]
    turned = open_run(build_run(tmp_path / "turned", layers={"a@pca": 6, "a": 6, "b": 6}))
    turned.tree["a@pca/segment"]["score"][:] = 1
    assert turned.best_layer("segment") in ("a", "b")  # a basis is a control
    alone = open_run(build_run(tmp_path / "alone", layers={"a@pca": 6}))
    assert alone.best_layer("segment") == "a@pca"


def test_no_segmentation_no_pictures(runs, monkeypatch):
    monkeypatch.setattr(type(runs[0]), "tasks", lambda run, layer=None: ("classify",))
    assert plan_exhibits(runs) == []


@pytest.mark.parametrize("concepts", [1, 5, 12])
def test_as_many_concepts_as_asked_for(runs, concepts):
    assert len(deciles_of(runs, concepts)) == concepts


def test_a_concept_asked_for_is_found_without_its_suffix(runs):
    request = plan_concept(runs[0], "stem/relu", "red")
    assert (request.concept, request.layer) == ("red-c", "stem/relu")
    with pytest.raises(SpaceError, match=r"no concept 'traffc'.*traffic"):
        plan_concept(runs[0], "stem/relu", "traffc")
    with pytest.raises(ResultsError, match="layer 'conv9' is not in this run"):
        plan_concept(runs[0], "conv9", "red")


def test_the_plan_shows_the_filters_that_serve_most_concepts(runs):
    requests = [
        request for request in plan_exhibits(runs, filters=2) if isinstance(request, FilterRequest)
    ]
    best = runs[0].arrays()["best_filter"].to_series()
    served = best.value_counts()
    first = served[served == served.max()].index.min()
    assert requests[0].filter == first
    set_iou = runs[0].arrays()["single_iou"].sel(split="val").values
    for request in requests:
        concepts = [found.concept for found in request.concepts]
        assert set(concepts) <= set(best.index[best == request.filter])
        scores = [found.set_iou for found in request.concepts]
        assert scores == sorted(scores, reverse=True)
        row = list(best.index).index(concepts[0])
        assert scores[0] == set_iou[row, request.filter]


def test_a_filters_images_are_the_highest_of_the_table(runs):
    run = runs[0]
    ious = pd.DataFrame(
        {
            "concept": ["dog"] * 4 + ["wood"] * 2 + ["brick"],
            "image": ["a", "b", "c", "d", "e", "f", "g"],
            "iou": [0.2, 0.0, 0.9, 0.5, 0.1, 0.1, 0.0],
        }
    )
    request = plan_filter(run, "stem/relu", 3, ious, images=2)
    recorded = run.layer("stem/relu").isel({"filter": 3})
    assert [name for name, _ in request.highest] == recorded["top_image"].values.tolist()
    assert [value for _, value in request.highest] == recorded["top_activation"].values.tolist()
    images = {found.concept: found.images for found in request.concepts}
    assert images == {"dog": (("c", 0.9), ("d", 0.5)), "wood": (("e", 0.1), ("f", 0.1))}
    assert set(request.names) >= set("cdef")


def test_a_filter_asked_for_is_shown_with_what_it_finds_best(runs):
    iou = runs[0].arrays("stem/relu")["single_iou"].sel(split="val").values[:, 5]
    names = runs[0].arrays("stem/relu")["concept"].values
    assert filter_concepts(runs[0], "stem/relu", 5, 3) == names[(-iou).argsort()[:3]].tolist()
    for index in (-1, 8):
        with pytest.raises(ResultsError, match=f"no filter {index}; its filters are 0 to 7"):
            filter_concepts(runs[0], "stem/relu", index)
