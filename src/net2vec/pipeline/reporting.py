"""The report of finished runs, with the pictures that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from net2vec.config import Settings
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.errors import Net2VecError
from net2vec.kernels.upsample import aligned_axis, upsampled_is_on
from net2vec.networks import Network, run_layers
from net2vec.pipeline.folder import SETTINGS, cache_folder
from net2vec.pipeline.inputs import (
    Inputs,
    default_workers,
    open_inputs,
    wants_batch_norm,
    with_batch_norm,
)
from net2vec.pipeline.progress import Progress, SilentProgress
from net2vec.report import (
    DecileExhibit,
    DecileRequest,
    MaskedImage,
    build_report,
    plan_exhibits,
    save_report,
)
from net2vec.runs import Run, open_run


def write_report(
    folders: Sequence[Path],
    out: Path,
    *,
    network: Network | None = None,
    dataset: ProbeDataset | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the report of one run, or of several side by side, and return its page.

    Its pictures need the dataset, and the network once more for the images they show. Where either
    cannot be had the report is written without them.

    Args:
        folders: finished runs; the first is the subject.
        out: the report's folder.
        network: the first run's network as it was probed, where it is there already.
        dataset: likewise.
        progress: told what is missing.

    Raises:
        ResultsError: a folder is no finished run.
    """
    progress = progress or SilentProgress()
    runs = [open_run(folder) for folder in folders]
    requests = plan_exhibits(runs)
    exhibits: list[DecileExhibit] = []
    if requests:
        try:
            settings = Settings.from_toml(folders[0] / SETTINGS)
            inputs = open_inputs(settings, network, dataset)
            exhibits = _exhibits(settings, inputs, runs, requests, probed=network is not None)
        except Net2VecError as error:
            progress.say(f"no pictures in the report: {error}")
    return save_report(build_report(runs, exhibits), out)


def _exhibits(
    settings: Settings,
    inputs: Inputs,
    runs: Sequence[Run],
    requests: Sequence[DecileRequest],
    *,
    probed: bool,
) -> list[DecileExhibit]:
    if not probed and wants_batch_norm(settings, inputs.network):
        inputs = with_batch_norm(
            inputs, settings.probe_batch, default_workers(), lambda images: None
        )
    annotations = compile_annotations(
        inputs.dataset, inputs.mask_size, cache_folder() / "annotations", workers=default_workers()
    )
    place = {name: index for index, name in enumerate(inputs.dataset.images)}
    layers = sorted({request.layer for request in requests})
    names = sorted({name for request in requests for name in request.names}, key=place.__getitem__)
    active = _active(inputs, runs[0], layers, [place[name] for name in names], settings.probe_batch)
    row = {name: number for number, name in enumerate(names)}
    return [
        DecileExhibit(
            request,
            {
                name: _masked(
                    inputs, annotations, runs[0], request, place[name],
                    active[request.layer][row[name]],
                )
                for name in request.names
            },
        )
        for request in requests
    ]  # fmt: skip


def _active(
    inputs: Inputs, run: Run, layers: Sequence[str], images: Sequence[int], batch: int
) -> dict[str, Bool[Tensor, "image filter y x"]]:
    """The thresholded maps of some images, with the thresholds of the run."""
    inputs.network.module.to(inputs.device)
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    threshold = {
        layer: torch.from_numpy(run.layer(layer)["threshold"].to_numpy())[:, None, None]
        for layer in layers
    }
    for first in range(0, len(images), batch):
        fed = torch.stack(
            [
                inputs.network.preprocessing(inputs.dataset.image(index))
                for index in images[first : first + batch]
            ]
        )
        outputs = run_layers(inputs.network, fed.to(inputs.device), layers)
        for layer in layers:
            found[layer].append(outputs[layer].float().cpu() > threshold[layer])
    return {layer: torch.cat(parts) for layer, parts in found.items()}


def _masked(
    inputs: Inputs,
    annotations: Annotations,
    run: Run,
    request: DecileRequest,
    image: int,
    active: Bool[Tensor, "filter y x"],
) -> MaskedImage:
    label = list(annotations.names).index(request.concept)
    pairs = annotations.pairs(label)
    pair = pairs[np.searchsorted(annotations.image[pairs], [image])]
    weight = run.vectors(request.layer).sel(concept=request.concept).to_numpy()
    return MaskedImage(
        image=inputs.dataset.image(image),
        truth=annotations.masks_of(pair)[0],
        single=upsampled_is_on(active[request.best_filter], annotations.size).numpy(),
        combined=predicted_mask(torch.from_numpy(weight), active, annotations.size).numpy(),
    )


def predicted_mask(
    weight: Float[Tensor, "filter"], active: Bool[Tensor, "filter y x"], size: tuple[int, int]
) -> Bool[Tensor, "row column"]:
    """Where a concept's vector predicts it: z > 0 (paper, equation 2)."""
    rows = aligned_axis(active.shape[1], size[0]).matrix()
    columns = aligned_axis(active.shape[2], size[1]).matrix()
    summed = torch.einsum("k,kyx->yx", weight.float(), active.float())
    return rows @ summed @ columns.T > 0
