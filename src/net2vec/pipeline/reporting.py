"""The report of finished runs, with the pictures that it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from net2vec.core.devices import repeatable
from net2vec.data import ProbeDataset
from net2vec.errors import Net2VecError
from net2vec.kernels.geometry.upsample import upsampled, upsampled_is_on
from net2vec.networks import Network
from net2vec.pipeline.progress import Advance, Progress, SilentProgress
from net2vec.pipeline.viewing import Viewer
from net2vec.prediction import (
    Encoding,
    concept_grids,
    predict,
)
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
    fits_shown,
    plan_concept,
    plan_exhibits,
    plan_filter,
    refuse_other_folders,
    save_report,
    with_annotators,
)
from net2vec.results import save_table
from net2vec.runs import Run, best_views, make_tables, open_run, unique_labels
from net2vec.spaces import Lookup


def write_report(
    folders: Sequence[Path],
    out: Path,
    *,
    concepts: Sequence[str] = (),
    filters: Sequence[int] = (),
    layer: str | None = None,
    fits: Sequence[str] = (),
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
        layer: where these are looked for; by default the best that was segmented with.
        fits: of the subject, whose masks are shown besides those of the paper's and the best one.
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
    layer = layer or best_views(runs)[0].best_layer("segment") or run.layers[-1]
    concept_requests = [
        plan_concept(run, layer, concept, fits_shown(runs, fits)) for concept in concepts
    ]
    filter_requests = {index: filter_concepts(run, layer, index) for index in filters}
    chosen = plan_exhibits(runs, fits=fits)
    exhibits: list[Exhibit] = []
    ious: list[pd.DataFrame] = []
    if concept_requests or filter_requests or chosen:
        try:
            viewer = _Viewer.of(run, folders[0], network, dataset, trust, progress.say)
            with repeatable(viewer.inputs.device):
                ious = [
                    viewer.individual_ious(layer, index, filter_requests[index])
                    for index in filter_requests
                ]
                shown = [
                    plan_filter(run, layer, *item)
                    for item in zip(filter_requests, ious, strict=True)
                ]
                requests = list(dict.fromkeys([*concept_requests, *shown, *chosen]))
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
        write_tables(run)
    return save_report(report, out)


def write_tables(run: Run) -> None:
    """Write the tables of a run, of all of its fits, to its folder `tables`."""
    tables = with_annotators(make_tables(run), {run.network: run.annotators})
    for name, table in tables.items():
        save_table(table, run.path / "tables" / f"{name}.csv")


class _Viewer(Viewer):
    """Makes the pictures of a report."""

    def individual_ious(self, layer: str, index: int, concepts: Sequence[str]) -> pd.DataFrame:
        """Individual IoU of a filter in the validation images of some concepts (eq. 3).

        Returns:
            `network, layer, filter, concept, image, iou`.
        """
        pairs = {
            concept: self.annotations.pairs(self.label(concept), train=False)
            for concept in concepts
        }
        places = {int(place) for pair in pairs.values() for place in self.annotations.image[pair]}
        names = [self.inputs.dataset.images[place] for place in sorted(places)]
        threshold = self.threshold(layer)[index]
        on = {
            name: upsampled_is_on(outputs[layer][index] > threshold, self.annotations.size).numpy()
            for name, outputs in self.outputs(names, [layer])
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
        encodings = self._encodings(masked)
        active: dict[FilterRequest, dict[str, ActiveImage]] = {
            request: {} for request in requests if isinstance(request, FilterRequest)
        }
        names = dict.fromkeys(name for request in requests for name in request.names)
        for name, outputs in self.outputs(list(names), sorted({r.layer for r in requests})):
            for of_concept, images in masked.items():
                if name in of_concept.names:
                    images[name] = self._masked(
                        of_concept, name, outputs[of_concept.layer], encodings[of_concept]
                    )
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

    def _encodings(
        self, requests: Iterable[DecileRequest]
    ) -> dict[DecileRequest, dict[str, Encoding]]:
        """The vector of every request's concept, by fit."""
        learned: dict[tuple[str, str], xr.Dataset] = {}  # read once for all concepts
        encodings: dict[DecileRequest, dict[str, Encoding]] = {}
        for request in requests:
            layer = request.layer
            for fit in request.fits:
                if (layer, fit) not in learned:
                    learned[layer, fit] = self.run.arrays(layer, fit=fit)
                encodings.setdefault(request, {})[fit] = Encoding.of(
                    self.run.layer(layer), learned[layer, fit], [request.concept]
                )
        return encodings

    def _masked(
        self,
        request: DecileRequest,
        name: str,
        activation: Float[Tensor, "filter y x"],
        encodings: Mapping[str, Encoding],
    ) -> MaskedImage:
        size = self.annotations.size
        on = activation[request.best_filter] > self.threshold(request.layer)[request.best_filter]
        combined = {}
        for fit, encoding in encodings.items():
            (grid,) = concept_grids(activation[None], encoding)
            combined[fit] = predict(grid, encoding, 0, size)[1][0]
        truth = self.truth(request.concept, name)
        return MaskedImage(
            image=self.image(name),
            truth=np.zeros(size, dtype=bool) if truth is None else truth,
            single=upsampled_is_on(on, size).numpy(),
            combined=combined,
        )

    def _active(
        self, request: FilterRequest, name: str, activation: Float[Tensor, "filter y x"]
    ) -> ActiveImage:
        smooth = upsampled(activation[request.filter], self.annotations.size)
        truth = {found.concept: self.truth(found.concept, name) for found in request.concepts}
        return ActiveImage(
            image=self.image(name),
            active=(smooth > self.threshold(request.layer)[request.filter]).numpy(),
            truth={concept: mask for concept, mask in truth.items() if mask is not None},
        )
