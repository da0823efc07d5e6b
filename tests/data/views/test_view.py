"""What a view hands on as it is."""

from __future__ import annotations

import pytest

from net2vec.data.left_out import LeftOut
from net2vec.data.optional import image_size, image_sources
from net2vec.data.views import RelabelledDataset, with_colors


@pytest.mark.parametrize("view", [with_colors, lambda dataset: RelabelledDataset(dataset, {})])
def test_what_a_view_does_not_change_is_the_datasets_own(street, view):
    street.left_out = [LeftOut("images", "too dark", 2, "night.png")]
    street.sources = ["x", "y", "x"]
    street.image_size = lambda index: (index, 7)
    seen = view(street)
    for name in ("name", "images", "splits", "sources", "left_out"):
        assert getattr(seen, name) == getattr(street, name)
    assert seen.image_size(2) == (2, 7)
    assert seen.image(1).tobytes() == street.image(1).tobytes()
    assert seen.digest != street.digest
    del street.sources, street.image_size  # as in a dataset with the required members only
    assert view(street).sources == image_sources(street) == ["memory"] * 3
    assert view(street).image_size(1) == image_size(street, 1) == (6, 9)
