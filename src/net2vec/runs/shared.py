"""The state that all views of an opened run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

if TYPE_CHECKING:  # they load PyTorch, which no question about results needs
    from torch import nn

    from net2vec.networks import Network
    from net2vec.prediction import Transform


@dataclass
class Shared:
    """State that all views of a run share.

    Attributes:
        python_network: the network that was probed and its preprocessing, where the run was opened
            with them.
        network: the network, once it has been opened.
        trust: whether code that the run names may be run.
        tables: tables by fit, seed and name.
        pairs: tables that compare two fits, by both and by name.
        arrays: results by layer, task, fit and seed.
    """

    python_network: tuple[nn.Module | Network | None, Transform | None] = (None, None)
    network: Network | None = None
    trust: bool = False
    tables: dict[tuple[str, int | None, str], pd.DataFrame] = field(default_factory=dict)
    pairs: dict[tuple[str, str], dict[str, pd.DataFrame]] = field(default_factory=dict)
    arrays: dict[tuple[str, str, str, int | None], xr.Dataset] = field(default_factory=dict)
