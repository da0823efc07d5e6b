"""A run: probe a network with a dataset, learn every concept's vectors, write the results."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import xarray as xr
from PIL import Image
from torch import Tensor, nn

from net2vec import results
from net2vec.config import Settings
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations, annotations_digest, compile_annotations
from net2vec.data.views import count_sources, sources_as_json
from net2vec.errors import DataError
from net2vec.networks import Network
from net2vec.pipeline.collect import classify_results, layer_results, segment_results
from net2vec.pipeline.folder import (
    CACHE,
    PROVENANCE,
    Shelf,
    cache_folder,
    claim,
    digest_of,
    is_finished,
    is_made,
)
from net2vec.pipeline.inputs import (
    Inputs,
    absolute,
    batch_norm_images,
    dataset_name,
    default_workers,
    module_network,
    open_inputs,
    wants_batch_norm,
    with_batch_norm,
)
from net2vec.pipeline.progress import Ledger, Progress, SilentProgress
from net2vec.pipeline.reporting import write_report
from net2vec.prediction import save_batch_norm
from net2vec.recording import LayerRecording, record
from net2vec.runs import Run, open_run
from net2vec.tasks import (
    Choice,
    Classified,
    Segmented,
    SingleCounts,
    Skipped,
    Training,
    choose_concepts,
    classify_concepts,
    count_single_filters,
    draw_sample,
    map_in_threads,
    segment_concept,
    split_sizes,
)

_PACKAGES = ("net2vec", "torch", "torchvision", "timm", "numpy", "xarray", "zarr", "pillow")
# What the numbers of a work item depend on besides its inputs; raised when the method changes.
_METHOD = 1


def analyze(
    model: nn.Module | Network,
    data: str | Path | ProbeDataset = "diorama",
    out: str | Path = "run",
    *,
    layers: Sequence[str] = (),
    transform: Callable[[Image.Image], Tensor] | None = None,
    name: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Probe a network given in Python: all of `net2vec run`, ending with an open run.

    Args:
        model: takes float batches of shape (image, 3, size, size); it is left as it was found.
        data: `diorama`, a folder, or a dataset of your own.
        out: the run's folder, new, empty or an interrupted run of the same settings.
        layers: module paths or globs; none for the last layer of each size of grid.
        transform: from a Pillow image to a float tensor (3, size, size), squashing the whole
            image; without it, the usual ImageNet preprocessing at 224 pixels.
        name: what to call the network.
        workers: threads; the numbers do not depend on it.
        progress: told of stages.
        **settings: any other setting of `net2vec.config.Settings`.

    Raises:
        Net2VecError: the model, the data, the folder or a setting is at fault.
    """
    network, network_name = module_network(model, transform, name)
    dataset = None if isinstance(data, str | Path) else data
    chosen = Settings.from_dict(
        {
            "network": network_name,
            "data": (str(data),) if dataset is None else (dataset_name(dataset),),
            "layers": tuple(layers),
            "device": "cpu",
            **settings,
        }
    )
    folder = probe(
        chosen, Path(out), network=network, dataset=dataset, workers=workers, progress=progress
    )
    return open_run(folder)


def probe(
    settings: Settings,
    out: Path,
    *,
    network: Network | None = None,
    dataset: ProbeDataset | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make a run, go on with an interrupted one, or find it finished.

    Args:
        settings: all that decides its numbers.
        out: its folder.
        network: in the place of the one that the settings name.
        dataset: likewise.
        workers: threads; the numbers do not depend on it.
        progress: told of stages.

    Returns:
        The run's folder.

    Raises:
        Net2VecError: something that the user gave is at fault; existing results are left alone.
    """
    settings = absolute(settings)
    progress = progress or SilentProgress()
    if is_finished(out):
        claim(out, settings)
    if is_made(out, settings):
        progress.say(f"{out} is finished already")
        if not (out / "report" / "index.html").is_file():
            known = network if network and not wants_batch_norm(settings, network) else None
            write_report([out], out / "report", network=known, dataset=dataset, progress=progress)
        return out
    inputs = open_inputs(settings, network, dataset)
    claim(out, settings)
    probed = _Run(settings, inputs, out, workers or default_workers(), progress).make()
    write_report(
        [out], out / "report", network=probed.network, dataset=probed.dataset, progress=progress
    )
    return out


@dataclass(frozen=True)
class _Plan:
    """What one layer is asked."""

    layer: str
    segment_sizes: list[int]
    classify_sizes: list[int]


class _Run:
    def __init__(
        self, settings: Settings, inputs: Inputs, out: Path, workers: int, progress: Progress
    ) -> None:
        self.settings = settings
        self.inputs = inputs
        self.out = out
        self.workers = workers
        self.progress = progress
        self.ledger = Ledger(out / CACHE / "ledger.json")
        self.skipped: list[tuple[str, str, Skipped]] = []

    def make(self) -> Inputs:
        """Do all the work, and return the inputs with the network as it was probed."""
        begun = datetime.now(UTC)
        annotations = self._annotations()
        choices = {task: self._choose(annotations, task) for task in self.settings.tasks}
        if not any(choice.labels for choice in choices.values()):
            reasons = "; ".join(
                f"{skipped.concept}: {skipped.reason}"
                for choice in choices.values()
                for skipped in choice.skipped[:3]
            )
            raise DataError(
                f"{self.inputs.dataset.name} has no concept that can be learned ({reasons}); "
                f"each needs training and validation images"
            )
        recordings = self._record()
        layers: dict[str, tuple[xr.Dataset, dict[str, xr.Dataset]]] = {}
        for layer, recording in recordings.items():
            tasks: dict[str, xr.Dataset] = {}
            if "segment" in choices and self._has_places(recording):
                tasks["segment"] = self._segment(recording, annotations, choices["segment"])
            if "classify" in choices:
                tasks["classify"] = self._classify(recording, annotations, choices["classify"])
            group = layer_results(recording, self.inputs, layer)
            layers[layer] = (group, tasks)
        self._save(layers, annotations, begun)
        return self.inputs

    def _annotations(self) -> Annotations:
        dataset = self.inputs.dataset
        advance = self.progress.stage("compiling annotations", len(dataset.images))
        with self.ledger.stage("annotations"):
            return compile_annotations(
                dataset,
                self.inputs.mask_size,
                cache_folder() / "annotations",
                workers=self.workers,
                progress=advance,
            )

    def _choose(self, annotations: Annotations, task: Any) -> Choice:
        choice = choose_concepts(
            annotations,
            task,
            min_train=self.settings.min_train,
            wanted=self.settings.concepts or None,
        )
        self.skipped += [("", task, skipped) for skipped in choice.skipped]
        return choice

    def _record(self) -> dict[str, LayerRecording]:
        settings, total = self.settings, len(self.inputs.dataset.images)
        if wants_batch_norm(settings, self.inputs.network):
            images = batch_norm_images(self.inputs.dataset, settings.probe_batch)
            advance = self.progress.stage("estimating batch norm", len(images))
            with self.ledger.stage("batch norm"):
                self.inputs = with_batch_norm(
                    self.inputs, settings.probe_batch, self.workers, advance
                )
        advance = self.progress.stage("probing the network", total)
        with self.ledger.stage("recording"):
            return record(
                self.inputs.network,
                self.inputs.dataset,
                self.inputs.layers,
                quantile=settings.quantile,
                batch=settings.probe_batch,
                device=self.inputs.device,
                mixed_precision=settings.mixed_precision,
                workers=self.workers,
                folder=self.out / CACHE / "recording" / self._recording_digest(),
                progress=advance,
            )

    def _recording_digest(self) -> str:
        network, dataset = self.inputs.network, self.inputs.dataset
        return digest_of(
            method=_METHOD,
            network=network.digest,
            input=network.input_digest,
            dataset=dataset.digest,
            layers=self.inputs.layers,
            quantile=self.settings.quantile,
            batch=self.settings.probe_batch,
            mixed_precision=self.settings.mixed_precision,
            device=self.inputs.device.type,
        )

    def _shelf(self, task: str, layer: str, **parts: Any) -> Shelf:
        digest = digest_of(
            recording=self._recording_digest(),
            annotations=annotations_digest(self.inputs.dataset, self.inputs.mask_size),
            layer=layer,
            task=task,
            seed=self.settings.seed,
            **parts,
        )
        return Shelf(self.out / CACHE / task, digest)

    def _has_places(self, recording: LayerRecording) -> bool:
        if recording.grid is not None:
            return True
        reason = "a layer without a grid can be classified with, not segmented with"
        self.skipped.append((recording.layer, "segment", Skipped("", None, reason)))
        return False

    def _sizes(self, recording: LayerRecording, task: str, sizes: Sequence[int]) -> list[int]:
        """The subset sizes of a layer: of the last one, those below its number of filters."""
        if recording.layer != self.inputs.layers[-1]:
            return []
        fitting, skipped = split_sizes(sizes, recording.filters)
        self.skipped += [(recording.layer, task, item) for item in skipped]
        return fitting

    def _segment(
        self, recording: LayerRecording, annotations: Annotations, choice: Choice
    ) -> xr.Dataset:
        settings, layer = self.settings.segment, recording.layer
        sizes = self._sizes(recording, "segment", settings.subsets)
        training = Training(
            settings.learning_rate, settings.momentum, settings.batch, settings.epochs
        )
        images = len(self.inputs.dataset.images)
        advance = self.progress.stage(f"{layer}: single filters", images)
        with self.ledger.stage("single filters"):
            counts: SingleCounts = count_single_filters(
                recording, annotations, choice.labels, workers=self.workers, progress=advance
            )
        best = dict(zip(choice.labels, counts.best_filter.tolist(), strict=True))
        shelf = self._shelf("segment", layer, training=vars(training), sizes=sizes)

        def learn(label: int) -> Segmented:
            known = shelf.get(str(label), Segmented)
            if known is not None:
                return known
            found = segment_concept(
                recording,
                annotations,
                label,
                best_filter=best[label],
                subset_sizes=sizes,
                training=training,
                seed=self.settings.seed,
                device=self.inputs.device,
            )
            shelf.put(str(label), found)
            return found

        work = {label: len(annotations.pairs(label, train=True)) for label in choice.labels}
        advance = self.progress.stage(f"{layer}: learning to segment", sum(work.values()))
        learned = {}
        with self.ledger.stage("segment"):
            # The longest first, so that no worker is left with one at the end.
            order = sorted(work, key=lambda label: -work[label])
            for label, found in map_in_threads(learn, order, self.workers):
                learned[label] = found
                advance(work[label])
        return segment_results(
            annotations, self.inputs.dataset, choice.labels, counts, learned, sizes
        )

    def _classify(
        self, recording: LayerRecording, annotations: Annotations, choice: Choice
    ) -> xr.Dataset:
        settings, layer = self.settings.classify, recording.layer
        wanted = [size for size in settings.subsets if size != 1]  # one filter is always learned
        sizes = self._sizes(recording, "classify", wanted)
        training = Training(
            settings.learning_rate,
            settings.momentum,
            settings.batch,
            settings.epochs,
            settings.drop_after,
        )
        shelf = self._shelf("classify", layer, training=vars(training), sizes=sizes)
        work = {label: len(annotations.pairs(label, train=True)) for label in choice.labels}
        learned: dict[int, Classified] = {}
        for label in choice.labels:
            known = shelf.get(str(label), Classified)
            if known is not None:
                learned[label] = known

        def learn(labels: tuple[int, ...]) -> list[Classified]:
            samples = [
                draw_sample(
                    annotations,
                    label,
                    epochs=training.epochs,
                    seed=self.settings.seed,
                    dataset=self.inputs.dataset.digest,
                )
                for label in labels
            ]
            found = classify_concepts(
                recording,
                [annotations.names[label] for label in labels],
                samples,
                subset_sizes=sizes,
                training=training,
                seed=self.settings.seed,
                device=self.inputs.device,
            )
            for label, item in zip(labels, found, strict=True):
                shelf.put(str(label), item)
            return found

        advance = self.progress.stage(f"{layer}: learning to classify", sum(work.values()))
        advance(sum(work[label] for label in learned))
        with self.ledger.stage("classify"):
            # Concepts side by side should have about as many steps to take.
            order = sorted(set(work) - set(learned), key=lambda label: (-work[label], label))
            blocks = concept_blocks(order, recording, training, self.inputs.device)
            for labels, found in map_in_threads(learn, blocks, self.workers):
                learned.update(zip(labels, found, strict=True))
                advance(sum(work[label] for label in labels))
        return classify_results(annotations, choice.labels, learned, sizes, recording.filters)

    def _save(
        self,
        layers: dict[str, tuple[xr.Dataset, dict[str, xr.Dataset]]],
        annotations: Annotations,
        begun: datetime,
    ) -> None:
        network, dataset = self.inputs.network, self.inputs.dataset
        with self.ledger.stage("results"):
            tree = results.results_tree(
                network=network.name, layers=layers, attrs={"data": dataset.name}
            )
            results.save_tree(tree, self.out / "results.zarr")
            results.save_table(results.scores_table(tree), self.out / "scores.csv")
            rows = [
                (network.name, layer, task, item.concept, item.filters, item.reason)
                for layer, task, item in self.skipped
            ]
            skipped = pd.DataFrame(rows, columns=list(results.SKIPPED_COLUMNS))
            skipped["filters"] = skipped["filters"].astype("Int64")
            results.save_table(skipped, self.out / "skipped.csv")
            if wants_batch_norm(self.settings, network):
                save_batch_norm(network, self.out)
        results.save_json(self._provenance(annotations, begun), self.out / PROVENANCE)

    def _provenance(self, annotations: Annotations, begun: datetime) -> dict[str, Any]:
        network, dataset = self.inputs.network, self.inputs.dataset
        train = int(annotations.is_train.sum())
        sources = count_sources(dataset, annotations)
        return {
            "begun": begun.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"python": platform.python_version(), **_versions()},
            "machine": {
                "system": platform.platform(),
                "processor": platform.machine(),
                "device": str(self.inputs.device),
                "gpu": torch.cuda.get_device_name() if self.inputs.device.type == "cuda" else None,
                "workers": self.workers,
                "threads": torch.get_num_threads(),
            },
            "network": {
                "name": network.name,
                "weights": network.weights,
                "trained": network.trained,
                "source": network.source,
                "licence": network.licence,
                "preprocessing": network.preprocessing.to_dict(),
                "digest": network.digest,
                "input_digest": network.input_digest,
            },
            "data": {
                "name": dataset.name,
                "digest": dataset.digest,
                "images": len(dataset.images),
                "train_images": train,
                "val_images": len(dataset.images) - train,
                "mask_size": list(annotations.size),
                "sources": sources_as_json(sources) if len(sources.columns) > 1 else {},
            },
            "seconds": self.ledger.seconds,
            "peak_memory_bytes": self.ledger.peak_memory,
        }


def concept_blocks(
    labels: Sequence[int], recording: LayerRecording, training: Training, device: torch.device
) -> list[tuple[int, ...]]:
    """Labels in the blocks in which they are learned side by side."""
    from net2vec.kernels.logistic import concepts_in_block

    size = concepts_in_block(recording.filters, training.batch, device)
    return [tuple(labels[first : first + size]) for first in range(0, len(labels), size)]


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
