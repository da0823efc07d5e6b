"""The learning rate of every epoch."""

from __future__ import annotations

import pytest

from net2vec.tasks.fits.training import Training


@pytest.mark.parametrize(
    ("epochs", "drop_after", "rates"),
    [
        (4, None, [0.5] * 4),
        (4, 2, [0.5, 0.5, 0.05, 0.05]),
        (4, 0, [0.05] * 4),
        (2, 15, [0.5, 0.5]),
        (0, None, []),
    ],
)
def test_the_rate_is_a_tenth_after_the_drop(epochs, drop_after, rates):
    training = Training(0.5, 0.9, 64, epochs, drop_after)
    assert training.rates == pytest.approx(rates)
