"""Runs on masks that a model made: what they say of it, and which networks it may not judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from net2vec.annotators import Likeness, likeness
from net2vec.data import ProbeDataset
from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.optional import annotators_of
from net2vec.errors import ConfigError
from net2vec.networks import Network

# Less may be tables of positions, which networks of any origin share.
_SHARED = 0.05


@dataclass(frozen=True)
class MaskMaker:
    """A model that made masks of a dataset, beside the network that is probed with it.

    Attributes:
        record: of the model.
        network: the network's name.
        likeness: what both have in common.
    """

    record: AnnotatorRecord
    network: str
    likeness: Likeness

    @property
    def kinship(self) -> str:
        """A sentence on the likeness; empty where there is none."""
        model = self.record.model
        if not self.likeness.known:
            return f"whether {self.network} shares weights with {model} is not known"
        if self.likeness.is_family:
            return (
                f"{self.network} is built like {model}: {self.likeness.shapes:.0%} of its large "
                f"weights have the shape of one there, so that they may agree for that reason"
            )
        return ""

    def as_json(self) -> dict[str, Any]:
        """The entry of `provenance.json`."""
        return {
            **self.record.as_json(weights=False),
            "sentence": self.record.sentence,
            "kinship": self.kinship,
        }


def mask_makers(network: Network, dataset: ProbeDataset) -> list[MaskMaker]:
    """The models that made masks of a dataset, none of which is the network.

    Raises:
        ConfigError: if the network has weights of one of them.
    """
    makers = [
        MaskMaker(record, network.name, likeness(network.module, record.weights))
        for record in annotators_of(dataset)
    ]
    for maker in makers:
        if maker.likeness.shared > _SHARED or network.name == maker.record.model:
            raise ConfigError(
                f"{network.name} would be judged by itself: {maker.likeness.shared:.0%} of its "
                f"large weights are those of {maker.record.model}, which made the masks of "
                f"{dataset.name}; choose another network or another annotator"
            )
    return makers
