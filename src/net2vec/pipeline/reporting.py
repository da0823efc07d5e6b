"""The report of finished runs, with the pictures that it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from net2vec.config import Settings
from net2vec.core.devices import repeatable
from net2vec.core.storage import Say, cache_folder
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.data.checked import image_of
from net2vec.errors import Net2VecError
from net2vec.kernels.geometry.upsample import upsampled, upsampled_is_on
from net2vec.networks import Network
from net2vec.pipeline.folder import SETTINGS
from net2vec.pipeline.inputs import (
    Inputs,
    as_probed,
    default_workers,
    open_inputs,
    probe_batch,
    wants_batch_norm,
)
from net2vec.pipeline.progress import Advance, Progress, SilentProgress
from net2vec.pipeline.provenance import refuse_other_inputs
from net2vec.prediction import (
    Encoding,
    ForwardPass,
    NewImage,
    concept_grids,
    predict,
    restore_batch_norm,
)
from net2vec.prediction.network import refuse_code
from net2vec.report import (
    ActiveImage,
    DecileExhibit,
    DecileRequest,
    Exhibit,
    FilterExhibit,
    FilterRequest,
    MaskedImage,
    Request,
    build_report,
    filter_concepts,
    last_layer,
    plan_concept,
    plan_exhibits,
    plan_filter,
    refuse_other_folders,
    save_report,
)
from net2vec.results import save_table
from net2vec.runs import TABLES, Run, make_tables, open_run, unique_labels
from net2vec.spaces import Lookup


def write_report(
    folders: Sequence[Path],
    out: Path,
    *,
    concepts: Sequence[str] = (),
    filters: Sequence[int] = (),
    layer: str | None = None,
    network: Network | None = None,
    dataset: ProbeDataset | None = None,
    trust: bool = False,
    beside: Sequence[Lookup] = (),
    progress: Progress | None = None,
) -> Path:
    """Write the report of one run, or of several side by side, and return its page.

    Its pictures need the dataset, and the network once more for the images they show. Where either
    cannot be had the report is written without them. The tables of a single run are also written
    to its folder `tables`.

    Args:
        folders: finished runs; the first is the subject.
        out: the report's folder.
        concepts: of the subject, to be shown in pictures besides those that the report chooses.
        filters: likewise; their individual IoU is computed.
        layer: where these are looked for; by default the last that was segmented with.
        network: the first run's network as it was probed, where it is there already.
        dataset: likewise.
        trust: whether code that the first run names may be run for its pictures.
        beside: spaces from elsewhere, such as WordNet, that those of the runs are held against.
        progress: told what is missing.

    Raises:
        Net2VecError: a folder is no finished run, or it has no such layer, concept or filter.
    """
    progress = progress or SilentProgress()
    runs = [open_run(folder) for folder in folders]
    for run in runs:  # before any work: these files are read and checked once
        _ = run.provenance, run.settings, run.skipped
    unique_labels(runs)  # refuses a run that is there twice
    refuse_other_folders(out)
    run = runs[0]
    if layer is not None:
        run.layer(layer)
    layer = layer or last_layer(run, "segment") or run.layers[-1]
    asked = [plan_concept(run, layer, concept) for concept in concepts]
    found = {index: filter_concepts(run, layer, index) for index in filters}
    chosen = plan_exhibits(runs)
    exhibits: list[Exhibit] = []
    ious: list[pd.DataFrame] = []
    if asked or found or chosen:
        try:
            viewer = _Viewer.of(run, folders[0], network, dataset, trust, progress.say)
            with repeatable(viewer.inputs.device):
                ious = [viewer.individual_ious(layer, index, found[index]) for index in found]
                shown = [plan_filter(run, layer, *item) for item in zip(found, ious, strict=True)]
                requests = list(dict.fromkeys([*asked, *shown, *chosen]))
                advance = progress.stage("pictures", len({n for r in requests for n in r.names}))
                exhibits = viewer.show(requests, advance)
        except Exception as error:  # the network may be anybody's code; the results are there
            what = str(error) if isinstance(error, Net2VecError) else f"{error!r}"
            progress.say(f"no pictures in the report: {' '.join(what.split())}")
    report = build_report(
        runs,
        exhibits,
        filter_ious=pd.concat(ious, ignore_index=True) if ious else None,
        beside=beside,
    )
    if len(folders) == 1:
        # With two fits these tables hold both, the report's those of the first.
        tables = report.tables if len(run.fits) == 1 else make_tables(run)
        for name in TABLES:
            save_table(tables[name], folders[0] / "tables" / f"{name}.csv")
    return save_report(report, out)


class _Viewer:
    """Looks once more at some images with the network of a run."""

    def __init__(
        self, run: Run, inputs: Inputs, annotations: Annotations, forward: ForwardPass
    ) -> None:
        self.run = run
        self.inputs = inputs
        self.annotations = annotations
        self.forward = forward
        self.place = {name: index for index, name in enumerate(inputs.dataset.images)}

    @classmethod
    def of(
        cls,
        run: Run,
        folder: Path,
        network: Network | None,
        dataset: ProbeDataset | None,
        trust: bool,
        say: Say,
    ) -> _Viewer:
        settings = as_probed(Settings.from_toml(folder / SETTINGS), run.provenance)
        if network is None:
            refuse_code(settings.network, folder, trust=trust)
        inputs = open_inputs(settings, network, dataset)
        if network is None and wants_batch_norm(settings, inputs.network):
            inputs = replace(inputs, network=restore_batch_norm(inputs.network, folder))
        refuse_other_inputs(folder, inputs.network, inputs.dataset)
        forward = ForwardPass(
            inputs.network,
            inputs.device,
            probe_batch(settings, inputs.device),
            settings.mixed_precision,
        )
        annotations = compile_annotations(
            inputs.dataset,
            inputs.mask_size,
            cache_folder() / "annotations",
            workers=default_workers(),
            say=say,
        )
        return cls(run, inputs, annotations, forward)

    def individual_ious(self, layer: str, index: int, concepts: Sequence[str]) -> pd.DataFrame:
        """Individual IoU of a filter in the validation images of some concepts (eq. 3).

        Returns:
            `network, layer, filter, concept, image, iou`.
        """
        pairs = {
            concept: self.annotations.pairs(self._label(concept), train=False)
            for concept in concepts
        }
        places = {int(place) for pair in pairs.values() for place in self.annotations.image[pair]}
        names = [self.inputs.dataset.images[place] for place in sorted(places)]
        threshold = self._threshold(layer)[index]
        on = {
            name: upsampled_is_on(outputs[layer][index] > threshold, self.annotations.size).numpy()
            for name, outputs in self._look(names, [layer])
        }
        rows = []
        for concept, pair in pairs.items():
            for place, truth in zip(
                self.annotations.image[pair], self.annotations.masks_of(pair), strict=True
            ):
                name = self.inputs.dataset.images[place]
                union = int((on[name] | truth).sum())
                iou = int((on[name] & truth).sum()) / union if union else 0.0
                rows.append((self.run.network, layer, index, concept, name, iou))
        columns = ["network", "layer", "filter", "concept", "image", "iou"]
        return pd.DataFrame(rows, columns=columns)

    def show(self, requests: Sequence[Request], advance: Advance) -> list[Exhibit]:
        """Render what is asked for; every image passes the network once."""
        masked: dict[DecileRequest, dict[str, MaskedImage]] = {
            request: {} for request in requests if isinstance(request, DecileRequest)
        }
        active: dict[FilterRequest, dict[str, ActiveImage]] = {
            request: {} for request in requests if isinstance(request, FilterRequest)
        }
        names = dict.fromkeys(name for request in requests for name in request.names)
        for name, outputs in self._look(list(names), sorted({r.layer for r in requests})):
            for of_concept, images in masked.items():
                if name in of_concept.names:
                    images[name] = self._masked(of_concept, name, outputs[of_concept.layer])
            for of_filter, shown in active.items():
                if name in of_filter.names:
                    shown[name] = self._active(of_filter, name, outputs[of_filter.layer])
            advance(1)
        return [
            DecileExhibit(request, masked[request])
            if isinstance(request, DecileRequest)
            else FilterExhibit(request, active[request])
            for request in requests
        ]

    def _masked(
        self, request: DecileRequest, name: str, activation: Float[Tensor, "filter y x"]
    ) -> MaskedImage:
        recorded, learned = self.run.layer(request.layer), self.run.arrays(request.layer)
        encoding = Encoding.of(recorded, learned, [request.concept])
        on = activation > encoding.threshold[:, None, None]
        (grid,) = concept_grids(activation[None], encoding)
        size = self.annotations.size
        truth = self._truth(request.concept, name)
        return MaskedImage(
            image=image_of(self.inputs.dataset, self.place[name]),
            truth=np.zeros(size, dtype=bool) if truth is None else truth,
            single=upsampled_is_on(on[request.best_filter], size).numpy(),
            combined=predict(grid, encoding, 0, size)[1][0],
        )

    def _active(
        self, request: FilterRequest, name: str, activation: Float[Tensor, "filter y x"]
    ) -> ActiveImage:
        smooth = upsampled(activation[request.filter], self.annotations.size)
        truth = {found.concept: self._truth(found.concept, name) for found in request.concepts}
        return ActiveImage(
            image=image_of(self.inputs.dataset, self.place[name]),
            active=(smooth > self._threshold(request.layer)[request.filter]).numpy(),
            truth={concept: mask for concept, mask in truth.items() if mask is not None},
        )

    def _look(
        self, names: Sequence[str], layers: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, Float[Tensor, "filter y x"]]]]:
        """The outputs of the network on some images, on the CPU, one image after the other."""
        batch = self.forward.batch
        for first in range(0, len(names), batch):
            images = [
                NewImage(name, image_of(self.inputs.dataset, self.place[name]))
                for name in names[first : first + batch]
            ]
            for chunk in self.forward.layer_outputs(images, layers):
                on_cpu = {layer: output.cpu() for layer, output in chunk.outputs.items()}
                for row, image in enumerate(chunk.images):
                    yield image.name, {layer: on_cpu[layer][row] for layer in layers}

    def _threshold(self, layer: str) -> Float[Tensor, "filter"]:
        return torch.from_numpy(self.run.layer(layer)["threshold"].to_numpy())

    def _truth(self, concept: str, name: str) -> Bool[np.ndarray, "y x"] | None:
        """The annotation of a concept in an image; None where the image does not contain it."""
        pairs = self.annotations.pairs(self._label(concept))
        pair = pairs[self.annotations.image[pairs] == self.place[name]]
        return self.annotations.masks_of(pair)[0] if len(pair) else None

    def _label(self, concept: str) -> int:
        return list(self.annotations.names).index(concept)
