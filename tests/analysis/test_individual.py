import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from net2vec.analysis import choose_concepts, choose_deciles, individual_iou, individual_ious
from net2vec.runs import open_run

import oracle
from builders import build_run


def table(ious, method="combined", concept="dog"):
    return pd.DataFrame(
        {
            "method": method,
            "concept": concept,
            "image": [f"{index}.jpg" for index in range(len(ious))],
            "iou": ious,
        }
    )


def test_deciles_of_twenty_images_by_hand():
    ious = table([0.0, *(step / 100 for step in range(20, 0, -1)), 0.0])
    chosen = choose_deciles(ious, "dog")
    assert chosen["iou"].tolist() == [step / 100 for step in range(2, 21, 2)]
    assert chosen["decile"].tolist() == list(range(1, 11))
    assert chosen["image"].tolist()[-1] == "1.jpg"


def test_three_images_are_shown_once_each():
    chosen = choose_deciles(table([0.3, 0.0, 0.1, 0.2]), "dog")
    # ceil(3 d / 10) is 1 up to d = 3, 2 up to d = 6, 3 up to d = 10.
    assert chosen[["decile", "image"]].values.tolist() == [
        [3, "2.jpg"],
        [6, "3.jpg"],
        [10, "0.jpg"],
    ]


def test_nothing_to_show_is_an_empty_table():
    assert choose_deciles(table([0.0, 0.0]), "dog").empty
    assert choose_deciles(table([0.5]), "cat").empty


@given(st.lists(st.integers(0, 5).map(lambda step: step / 5), max_size=40))
def test_deciles_agree_with_the_oracle(ious):
    chosen = choose_deciles(table(ious), "dog")
    wanted = [f"{index}.jpg" for index in oracle.decile_images(ious)]
    assert chosen["image"].tolist() == list(dict.fromkeys(wanted))


def test_individual_ious_are_those_of_the_validation_images(tmp_path):
    segment = open_run(build_run(tmp_path / "run", pairs=4)).arrays()
    ious = individual_ious(segment)
    assert set(ious["image"]) <= set(segment["pair_image"].values[segment["pair_split"] == "val"])
    assert ious.groupby(["method", "concept"]).size().eq(4).all()
    dog = ious[(ious["method"] == "single") & (ious["concept"] == "dog")]
    here = (segment["pair_concept"] == "dog") & (segment["pair_split"] == "val")
    wanted = segment["pair_iou"].sel({"method": "single"}).values[here.values]
    assert dog["iou"].tolist() == wanted.tolist()
    train = individual_ious(segment, "train")
    assert not set(train["image"]) & set(ious["image"])


def test_concepts_are_chosen_over_the_whole_range_and_over_categories():
    concepts = pd.DataFrame(
        {
            "concept": list("abcdef"),
            "category": ["object", "object", "object", "part", "object", "color"],
            "combined": [0.9, 0.8, 0.6, 0.5, 0.2, 0.1],
        }
    )
    # Parts ab, cd, ef: a leads, then the part d, then the colour f, new categories both.
    assert choose_concepts(concepts, count=3) == ["a", "d", "f"]
    counts = pd.Series({"a": 3, "b": 12, "c": 10, "d": 9})
    assert choose_concepts(concepts, count=3, counts=counts, least=10) == ["b", "c"]


def test_mean_and_spread_are_of_the_images_that_are_found():
    ious = pd.concat([table([0.0, 0.2, 0.4, 0.0]), table([0.0, 0.3], method="single")])
    (combined, single) = individual_iou(ious).itertuples(index=False)
    assert (combined.mean, combined.n, combined.n_zero) == (pytest.approx(0.3), 4, 2)
    assert combined.sd == pytest.approx(0.02**0.5)
    assert (single.method, single.mean, single.n) == ("single", 0.3, 2)
    assert np.isnan(single.sd)
