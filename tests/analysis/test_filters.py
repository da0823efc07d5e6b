"""Concepts seen from one filter."""

import numpy as np
import pytest
import xarray as xr

from net2vec.analysis import FILTER_COLUMNS, concepts_of_filter


def arrays(**more) -> xr.Dataset:
    names = np.array(["dog", "sky", "red-c"], dtype=object)
    return xr.Dataset(
        {
            "weight": (("concept", "filter"), [[1.0, -3.0], [0.5, 0.5], [2.0, 0.1]]),
            "best_filter": ("concept", [1, 0, 0]),
            **more,
        },
        coords={
            "concept": names,
            "category": ("concept", np.array(["object", "object", "color"], dtype=object)),
            "filter": [0, 1],
            "split": ["train", "val"],
        },
    )


def test_by_hand():
    iou = np.zeros((2, 3, 2))
    iou[1] = [[0.1, 0.7], [0.4, 0.2], [0.4, 0.0]]
    found = concepts_of_filter(arrays(single_iou=(("split", "concept", "filter"), iou)), 0)
    assert list(found.columns) == list(FILTER_COLUMNS)
    assert found.values.tolist() == [
        ["sky", "object", 0.4, 0.5, 1, True],
        ["red-c", "color", 0.4, 2.0, 1, True],
        ["dog", "object", 0.1, 1.0, 2, False],
    ]


def test_without_scores_of_its_own_the_weight_decides():
    found = concepts_of_filter(arrays(), 1)
    assert found["concept"].tolist() == ["dog", "sky", "red-c"]
    assert found["rank"].tolist() == [1, 1, 2]
    assert found["iou"].isna().all()
    with pytest.raises(KeyError):
        concepts_of_filter(arrays(), 2)
