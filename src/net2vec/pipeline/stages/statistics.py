"""Batch-norm statistics and fitted bases, taken from the probe images once for a run.

Another number of threads may move the last bits of statistics, and with them everything after: so
they are kept, for all sessions of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from net2vec.core.cache import digest_of
from net2vec.core.storage import load_tensors, save_tensors
from net2vec.networks import (
    Basis,
    Network,
    batch_norm_statistics,
    with_batch_norm_statistics,
)
from net2vec.pipeline.folder import CACHE, FITTED_BASES, STATISTICS, is_finished
from net2vec.pipeline.inputs import (
    Inputs,
    sample_images,
    wants_batch_norm,
    with_batch_norm,
    with_fitted_bases,
)
from net2vec.pipeline.provenance import refuse_other_inputs
from net2vec.pipeline.stages.context import NetworkStage
from net2vec.prediction import BATCH_NORM, restore_bases, restore_batch_norm


class StatisticsStage(NetworkStage):
    """Takes batch-norm statistics and bases from the images, or finds those of the run."""

    def settle(self) -> Inputs:
        """The inputs, with the network as it is probed."""
        if wants_batch_norm(self.settings, self.inputs.network):
            self._settle_batch_norm()
            if is_finished(self.out):
                refuse_other_inputs(self.out, self.inputs.network, None)
        if is_finished(self.out):
            return replace(self.inputs, network=restore_bases(self.inputs.network, self.out))
        self._settle_bases()
        return self.inputs

    def _settle_batch_norm(self) -> None:
        network = self.inputs.network
        images = len(sample_images(self.inputs.dataset))
        path = self._cache_path("batch_norm", STATISTICS)

        def restore(statistics: dict[str, Tensor]) -> Network:
            return with_batch_norm_statistics(network, statistics, images)

        if is_finished(self.out) and (self.out / BATCH_NORM).is_file():
            restored: Network | None = restore_batch_norm(network, self.out, images)
        else:
            restored = load_tensors(path, restore, self.progress.say)
        if restored is not None:
            self.inputs = replace(self.inputs, network=restored)
            return
        advance = self.progress.stage("estimating batch norm", images)
        with self.ledger.stage("batch norm"):
            self.inputs = with_batch_norm(self.inputs, self.workers, advance)
        save_tensors(path, batch_norm_statistics(self.inputs.network.module))

    def _settle_bases(self) -> None:
        network = self.inputs.network
        unfitted = [layer for layer, basis in network.bases.items() if not basis.is_fitted]
        if not unfitted:
            return
        path = self._cache_path("bases", FITTED_BASES, layers=unfitted)

        def restore(tensors: dict[str, dict[str, Tensor]]) -> Mapping[str, Basis]:
            return {layer: type(network.bases[layer])(own) for layer, own in tensors.items()}

        restored = load_tensors(path, restore, self.progress.say)
        if restored is not None:
            fitted = MappingProxyType({**network.bases, **restored})
            self.inputs = replace(self.inputs, network=network.changed(bases=fitted))
            return
        advance = self.progress.stage("fitting bases", len(sample_images(self.inputs.dataset)))
        with self.ledger.stage("bases"):
            self.inputs = with_fitted_bases(self.inputs, self.workers, advance)
        bases = self.inputs.network.bases
        save_tensors(path, {layer: bases[layer].tensors for layer in unfitted})

    def _cache_path(self, kind: str, name: str, **keys: object) -> Path:
        """The file in the cache of what is taken from these images with this network."""
        network, data = self.inputs.network, self.inputs.dataset.digest
        of = digest_of(network=network.digest, fed=network.input_digest, data=data, **keys)
        return self.out / CACHE / kind / of / name
