"""A run: probe a network with a dataset, learn every concept's vectors, write the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import xarray as xr

from net2vec import results
from net2vec.analysis import LEAST_NULLS
from net2vec.config import Settings
from net2vec.core.devices import repeatable
from net2vec.core.executors import (
    AnyExecutor,
    local_or_cluster,
    maps_at_once,
    run_stages,
)
from net2vec.core.storage import cache_folder, refuse_url, writing_into
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.errors import Net2VecError
from net2vec.networks import (
    Network,
    save_bases,
)
from net2vec.pipeline.collect import layer_results
from net2vec.pipeline.folder import (
    CACHE,
    LEDGER,
    SETTINGS,
    claim,
    is_finished,
    is_made,
    release,
)
from net2vec.pipeline.inputs import (
    Inputs,
    absolute,
    default_workers,
    open_inputs,
    probe_batch,
    wants_batch_norm,
    with_input,
)
from net2vec.pipeline.plan import Plan
from net2vec.pipeline.progress import Ledger, Progress, SilentProgress
from net2vec.pipeline.provenance import provenance, refuse_other_inputs
from net2vec.pipeline.reporting import write_report
from net2vec.pipeline.stages.context import LayerContext
from net2vec.pipeline.stages.learning import learn_task
from net2vec.pipeline.stages.probing import LayerProbe, remove_activations
from net2vec.pipeline.stages.statistics import StatisticsStage
from net2vec.pipeline.stages.truth import TruthCounter
from net2vec.pipeline.truth import open_truth
from net2vec.prediction import (
    BASES,
    ForwardPass,
    save_batch_norm,
)
from net2vec.tasks.choice import Skipped
from net2vec.tasks.kinds import TASKS

if TYPE_CHECKING:
    import distributed

LayerAndTasks = tuple[xr.Dataset, dict[str, list[xr.Dataset]]]
"""The arrays of a layer, and by task those of its fits."""


def probe(
    settings: Settings,
    out: Path,
    *,
    network: Network | None = None,
    dataset: ProbeDataset | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    report: bool = True,
    executor: AnyExecutor | distributed.Client | None = None,
    keep_activations: float | None = None,
) -> Path:
    """Make a run, continue an interrupted one, or find it finished.

    Args:
        settings: all that decides its numbers.
        out: its folder.
        network: replaces the one that the settings name.
        dataset: replaces those that the settings name.
        workers: threads or processes; the numbers do not depend on it.
        progress: reports the stages to the user.
        report: whether to write its report, unless it exists.
        executor: computes all work items: one of `concurrent.futures`, a Dask client, or any with
            the `map` of `net2vec.core.executors.Executor`; by default threads or processes of this
            machine, as suits each stage. The numbers do not depend on it.
        keep_activations: gigabytes on disk that activations may take while fits read them, by
            default a quarter of what is free. The network runs again for layers that they do not
            suffice for at once. They are removed when the run is finished.

    Returns:
        The run's folder.

    Raises:
        Net2VecError: something that the user gave is at fault; existing results are left alone.
    """
    refuse_url(out)
    settings = absolute(settings)
    network = None if network is None else with_input(network, settings)
    progress = progress or SilentProgress()
    if out.is_dir():
        with writing_into(out):  # removes what killed runs have left
            results.settle(out)
    if is_finished(out):
        claim(out, settings)
    if is_made(out, settings):
        estimated = network is not None and wants_batch_norm(settings, network)
        refuse_other_inputs(out, network, dataset, weights=not estimated)
        progress.say(
            f"{out} is finished already; where files of its network or dataset have changed since, "
            f"choose another --out"
        )
        if report and not has_report(out):
            known = None if estimated else network
            write_report(
                [out],
                out / "report",
                network=known,
                dataset=dataset,
                trust=True,
                progress=progress,
            )
        return out
    inputs = open_inputs(settings, network, dataset)
    if settings.truth is not None:
        truth = open_truth(settings.truth, inputs.dataset)
        progress.say(truth.sentence)
        inputs = replace(inputs, truth=truth)
    if inputs.network.uncovered:
        progress.say(
            f"{inputs.network.uncovered} would go unnoticed when this run is continued or its "
            f"vectors are used: after one choose another --out"
        )
    for maker in inputs.makers:
        progress.say(f"masks by {maker.record.sentence}, not by people")
        if maker.kinship:
            progress.say(maker.kinship)
    claim(out, settings)
    if is_finished(out):
        estimated = wants_batch_norm(settings, inputs.network)
        refuse_other_inputs(out, inputs.network, inputs.dataset, weights=not estimated)
    # To what is there already, results and report are added at once.
    reported = report and is_finished(out)
    try:
        # Tensors of a caller's inference mode could not be written to by other threads.
        with (
            writing_into(out),
            torch.inference_mode(False),
            repeatable(inputs.device),
            local_or_cluster(executor, out / CACHE, progress.say) as chosen,
        ):
            probed = _Run(
                settings, inputs, out, workers or default_workers(), progress, chosen, reported,
                keep_activations,
            ).make()  # fmt: skip
    except Net2VecError:
        release(out)
        raise
    if report and not reported:
        write_report(
            [out], out / "report", network=probed.network, dataset=probed.dataset, progress=progress
        )
    return out


def has_report(folder: Path) -> bool:
    """Whether a run's own report is there."""
    return (folder / "report" / "index.html").is_file()


class _Run:
    def __init__(
        self,
        settings: Settings,
        inputs: Inputs,
        out: Path,
        workers: int,
        progress: Progress,
        executor: AnyExecutor | None,
        report: bool,
        keep_gigabytes: float | None,
    ) -> None:
        self.settings = settings
        self.inputs = inputs
        self.out = out
        self.workers = workers
        self.progress = progress
        self.executor = executor
        self.report = report
        self.keep_gigabytes = keep_gigabytes
        self.ledger = Ledger(out / CACHE / LEDGER, say=progress.say)

    def make(self) -> Inputs:
        """Compute and write all results; return the inputs with the network as it was probed."""
        begun = datetime.now(UTC)
        plan = Plan(self.settings, self.inputs, self.progress.say)
        annotations = self._annotations(self.inputs.dataset)
        labels = plan.choose_concepts(annotations)
        if 0 < self.settings.nulls < LEAST_NULLS:
            self.progress.say(
                f"with {self.settings.nulls} nulls no concept can be told from chance: ask for at "
                f"least {LEAST_NULLS}, better for 99"
            )
        probe = self._probe()
        recordings = probe.record_layers()
        context = LayerContext(
            self.settings, self.inputs, annotations, self.out, self.workers, self.progress,
            self.ledger, self.executor,
        )  # fmt: skip
        sizes = {
            layer: {
                task: plan.subset_sizes(recorded, task)
                for task in TASKS
                if task.name in labels and plan.can_learn(recorded, task)
            }
            for layer, recorded in recordings.items()
        }

        def learn(layer: str) -> LayerAndTasks:
            recording = probe.with_activations(recordings[layer])
            tasks = {
                task.name: learn_task(context, task, recording, labels[task.name], subsets)
                for task, subsets in sizes[layer].items()
            }
            self._report_divergence(layer, tasks)
            return layer_results(recording, self.inputs, layer), tasks

        # Activations that are there for one layer after the other are read by one at a time.
        at_once = maps_at_once(self.executor) if probe.runs_once else 1
        layers = dict(zip(recordings, run_stages(learn, list(recordings), at_once), strict=True))
        self._count_truth(layers, annotations)
        self._save(layers, plan.skipped, annotations, begun)
        return self.inputs

    def _report_divergence(self, layer: str, tasks: dict[str, list[xr.Dataset]]) -> None:
        """Report vectors that are not finite, as after steps that are too large."""
        for task, fits in tasks.items():
            for learned in fits:
                diverged = int((~np.isfinite(learned["weight"].values).all(axis=1)).sum())
                if diverged:
                    self.progress.say(
                        f"{layer}, {task}: {diverged} of {learned.sizes['concept']} vectors are "
                        f"not finite; a smaller {task}.learning_rate may help"
                    )

    def _count_truth(
        self,
        layers: dict[str, LayerAndTasks],
        annotations: Annotations,
    ) -> None:
        """Add counts against masks by people to the segmentations of all layers."""
        truth, device = self.inputs.truth, self.inputs.device
        segmented = {layer: (of, tasks["segment"]) for layer, (of, tasks) in layers.items()
                     if "segment" in tasks}  # fmt: skip
        if truth is None or not segmented:
            return
        true = self._annotations(truth.dataset)
        batch, mixed = probe_batch(self.settings, device), self.settings.mixed_precision
        forward = ForwardPass(self.inputs.network, device, batch, mixed, self.workers)
        advance = self.progress.stage("counting masks by people", len(truth.probed))
        with self.ledger.stage("truth"):
            counter = TruthCounter(self.inputs, truth, annotations, true)
            for layer, fits in counter.count(forward, segmented, advance).items():
                layers[layer][1]["segment"] = fits

    def _annotations(self, dataset: ProbeDataset) -> Annotations:
        advance = self.progress.stage("compiling annotations", len(dataset.images))
        with self.ledger.stage("annotations"):
            return compile_annotations(
                dataset,
                self.inputs.mask_size,
                cache_folder() / "annotations",
                workers=self.workers,
                progress=advance,
                say=self.progress.say,
                executor=self.executor,
            )

    def _probe(self) -> LayerProbe:
        self.inputs = StatisticsStage(
            self.settings, self.inputs, self.out, self.workers, self.progress, self.ledger
        ).settle()
        return LayerProbe(
            self.settings, self.inputs, self.out, self.workers, self.progress, self.ledger,
            self.executor, self.keep_gigabytes,
        )  # fmt: skip

    def _scores(self, tree: xr.DataTree) -> pd.DataFrame:
        """The scores, with the models that made the masks, if any did."""
        models = "; ".join(maker.record.model for maker in self.inputs.makers)
        table = results.scores_table(tree)
        return table.assign(annotator=models) if models else table

    def _save(
        self,
        layers: dict[str, LayerAndTasks],
        skipped: Sequence[tuple[str, str, Skipped]],
        annotations: Annotations,
        begun: datetime,
    ) -> None:
        network, dataset = self.inputs.network, self.inputs.dataset
        with results.exchanging(self.out, lambda: claim(self.out, self.settings)) as out:
            with self.ledger.stage("results"):
                tree = results.results_tree(
                    network=network.name, layers=layers, attrs={"data": dataset.name}
                )
                results.save_tree(tree, out / "results.zarr")
                results.save_table(self._scores(tree), out / "scores.csv")
                rows = [
                    (network.name, layer, task, item.concept, item.filters, item.reason)
                    for layer, task, item in skipped
                ]
                table = pd.DataFrame(rows, columns=list(results.SKIPPED_COLUMNS))
                table["filters"] = table["filters"].astype("Int64")
                results.save_table(table, out / "skipped.csv")
                if wants_batch_norm(self.settings, network):
                    save_batch_norm(network, out)
                if network.bases:
                    save_bases(network.bases, out / BASES)
            results.save_text(self.settings.to_toml(), out / SETTINGS)
            document = provenance(self.inputs, annotations, self.workers, self.ledger, begun)
            results.save_provenance(document, out)
            if self.report:
                write_report(
                    [out], out / "report", network=network, dataset=dataset, progress=self.progress
                )
        remove_activations(self.out)
