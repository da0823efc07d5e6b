import numpy as np
import pandas as pd
import pytest
import xarray as xr

from net2vec.analysis import contribution, significant_share, weight_iou_correlation
from net2vec.runs import open_run

import oracle
from builders import build_run


def layer(weight, iou, score):
    return xr.Dataset(
        {
            "weight": (("concept", "filter"), np.array(weight, dtype=np.float32)),
            "single_iou": (("split", "concept", "filter"), np.array([np.zeros_like(iou), iou])),
            "score": (("split", "concept"), np.array([np.ones_like(score), score])),
        },
        coords={
            "split": ["train", "val"],
            "concept": np.array([f"c{row}" for row in range(len(weight))], dtype=object),
        },
    )


def test_correlation_by_hand():
    # max(w, 0) = 0, 1, 2 against 0.1, 0.1, 0.4: covariance 0.3, deviations sqrt(2), sqrt(0.06).
    segment = layer([[-5, 1, 2]], np.array([[0.1, 0.1, 0.4]]), [1.0])
    (row,) = weight_iou_correlation(segment).itertuples()
    assert row.r == pytest.approx(0.3 / 0.12**0.5)
    # With three points t has one degree of freedom: p = 1 - 2/pi atan(t), t = r / sqrt(1 - r^2).
    t = row.r / (1 - row.r**2) ** 0.5
    assert row.p == pytest.approx(1 - 2 / np.pi * np.arctan(t))


def test_what_does_not_vary_has_no_correlation_and_is_not_significant():
    segment = layer([[-1, -2, -3], [1, 2, 3]], np.array([[0.1, 0.2, 0.3], [0.1] * 3]), [1.0, 1.0])
    table = weight_iou_correlation(segment)
    assert table[["r", "p"]].isna().all(axis=None)
    share = significant_share(table.assign(network="net", layer="a"))
    assert share.loc[0, ["percent", "n"]].tolist() == [0, 2]


def test_correlations_agree_with_the_oracle(tmp_path):
    segment = open_run(build_run(tmp_path / "run")).arrays()
    table = weight_iou_correlation(segment)
    single = segment["single_iou"].sel(split="val").values
    for row, weight, iou in zip(table.itertuples(), segment["weight"].values, single, strict=True):
        assert (row.r, row.p) == pytest.approx(oracle.weight_iou_correlation(weight, iou))
    share = significant_share(table.assign(network="net", layer="a"))
    assert share["percent"][0] == pytest.approx(100 * (table["p"] < 0.01).mean())


def test_contributions_come_by_weight_whatever_its_sign():
    iou = np.array([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]])
    segment = layer([[1, -4, 3, 0], [2, 2, 0, 0]], iou, [0.5, 0.0])
    table = contribution(segment, first=3)
    first, second = (table[table["concept"] == name] for name in ("c0", "c1"))
    assert first["filter"].tolist() == [1, 2, 0]
    np.testing.assert_allclose(first["weight_share"], [0.5, 0.375, 0.125])
    np.testing.assert_allclose(first["iou_ratio"], [0.4, 0.6, 0.2])
    assert second["filter"].tolist()[:2] == [0, 1]
    assert second["iou_ratio"].isna().all()
    assert len(contribution(segment)) == 8


def test_weights_of_zero_have_no_shares():
    """A warning is an error here."""
    table = contribution(layer([[0, 0, 0]], np.array([[0.1, 0.2, 0.3]]), [0.5]))
    assert table["weight_share"].isna().all()
    np.testing.assert_allclose(table["iou_ratio"], [0.2, 0.4, 0.6])


def test_columns():
    segment = layer([[1, 2, 3]], np.array([[0.1, 0.2, 0.2]]), [1.0])
    assert list(weight_iou_correlation(segment)) == ["concept", "r", "p"]
    wanted = ["concept", "filter", "weight_share", "iou_ratio"]
    assert list(contribution(segment)) == wanted
    assert isinstance(contribution(segment), pd.DataFrame)
