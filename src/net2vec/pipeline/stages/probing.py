"""Recordings of a run's layers, with their activations while fits read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from net2vec.core.executors import AnyExecutor
from net2vec.core.fits import load_fit
from net2vec.core.storage import remove
from net2vec.pipeline.folder import CACHE
from net2vec.pipeline.inputs import ActivationPlan, plan_activations, probe_batch
from net2vec.pipeline.stages.context import NetworkStage, recording_digest
from net2vec.recording import LayerRecording, record
from net2vec.recording.activations import report_precision
from net2vec.recording.recomputed import RecomputedActivations


@dataclass
class LayerProbe(NetworkStage):
    """Runs the network: once for all layers, and again for activations that had no room.

    Attributes:
        executor: maps over shards of images; None for one shard.
        keep_gigabytes: see `net2vec.pipeline.inputs.plan_activations`.
    """

    executor: AnyExecutor | None
    keep_gigabytes: float | None
    _group_of_layer: dict[str, Sequence[str]] = field(default_factory=dict, init=False)
    _recordings: dict[str, LayerRecording] = field(default_factory=dict, init=False)

    def record_layers(self) -> Mapping[str, LayerRecording]:
        """The recordings of all layers; see `with_activations` for those that fits read."""
        groups = self._plan.groups
        if len(groups) > 1:
            self.progress.say(
                f"activations of all layers do not fit the disk space that they may take "
                f"(--keep-activations): the network runs {len(groups)} times"
            )
        for layer in (*(layer for group in groups for layer in group), *self._plan.recomputed):
            filters = (self.inputs.info(layer).shape or (0,))[0]
            for text in (load_fit(name).remark(filters) for name in self.settings.fits):
                if text:
                    self.progress.say(f"{layer}: {text}")
        for layer in self._plan.recomputed:
            self.progress.say(
                f"{layer}: its activations alone do not fit the disk space that they may take "
                f"(--keep-activations): the network runs again for the images of every concept"
            )
        first, *rest = groups or [[]]
        self._group_of_layer = {layer: group for group in rest for layer in group}
        return self._record("probing the network", self.inputs.layers, first)

    @cached_property
    def _plan(self) -> ActivationPlan:
        return plan_activations(self.settings, self.inputs, self.out, self.keep_gigabytes)

    @property
    def runs_once(self) -> bool:
        """Whether the activations of all layers are there at a time."""
        return not self._group_of_layer

    def with_activations(self, recording: LayerRecording) -> LayerRecording:
        """The recording of a layer, with its activations if fits read them.

        Layers are asked for in their order: activations of earlier ones are removed where others
        need the room.
        """
        layer = recording.layer
        if layer in self._plan.recomputed:
            return replace(recording, activations=self._recomputed(recording))
        if layer not in self._group_of_layer:
            return recording
        if layer not in self._recordings:
            remove_activations(self.out)
            group = self._group_of_layer[layer]
            title = f"probing the network again for {', '.join(group)}"
            self._recordings = dict(self._record(title, group, group))
        return replace(recording, activations=self._recordings[layer].activations)

    def _recomputed(self, recording: LayerRecording) -> RecomputedActivations:
        inputs, layer = self.inputs, recording.layer
        found = RecomputedActivations(
            shape=recording.shape,
            network=inputs.network,
            dataset=inputs.dataset,
            layer=layer,
            batch=probe_batch(self.settings, inputs.device),
            device=inputs.device,
            mixed_precision=self.settings.mixed_precision,
            workers=self.workers,
            folder=self.out / CACHE,
            room=self._plan.room / self.workers,
        )
        report_precision(layer, found, self.progress.say)
        return found

    def _record(
        self, title: str, layers: Sequence[str], keep: Sequence[str]
    ) -> Mapping[str, LayerRecording]:
        settings, inputs = self.settings, self.inputs
        name = recording_digest(settings, replace(inputs, layers=tuple(layers)))
        advance = self.progress.stage(title, len(inputs.dataset.images))
        with self.ledger.stage("recording"):
            return record(
                inputs.network,
                inputs.dataset,
                layers,
                quantile=settings.quantile,
                batch=probe_batch(settings, inputs.device),
                device=inputs.device,
                mixed_precision=settings.mixed_precision,
                workers=self.workers,
                folder=self.out / CACHE / "recording" / name,
                progress=advance,
                waiting=lambda share: self.progress.say(
                    f"the network waited for images {share:.0%} of the time"
                ),
                say=self.progress.say,
                executor=self.executor,
                keep_activations=keep,
            )


def remove_activations(out: Path) -> None:
    """Remove the activations that are kept in a run's folder."""
    for pattern in ("*/*.activations", "*/*.part"):
        for path in (out / CACHE / "recording").glob(pattern):
            remove(path)
