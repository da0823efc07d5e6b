"""Masks on the dataset's images, computed when they are asked for and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from net2vec.errors import DataError, Net2VecError, ResultsError
from net2vec.explorer.encode import encoded, integers, number, packed
from net2vec.explorer.image_answers import (
    Activation,
    Confusion,
    FilterMask,
    FilterMasks,
    ImageMasks,
    ImageStatus,
    MaskSet,
)
from net2vec.explorer.state import Explorer, Selection, View

if TYPE_CHECKING:
    from torch import Tensor

    from net2vec.pipeline.viewing import Viewer
    from net2vec.prediction import Encoding

MAX_IMAGES = 32
"""Images of one question; more are asked for in several."""

_CUTS = 253
_CUT_IMAGES = 8
# Values below this share of the pixels of the first images are cuts of no interest.
_LOWEST_SHARE = 0.02
_BINS = 64


def status(explorer: Explorer, run: int = 0) -> ImageStatus:
    """Whether a run's pictures and masks can be had; opens its dataset and network."""
    explorer.run(run)
    probe = explorer.probes[run]
    try:
        probe.dataset()
    except Net2VecError as error:
        return ImageStatus(pictures=False, masks=False, reason=str(error))
    try:
        probe.viewer()
    except Net2VecError as error:
        return ImageStatus(pictures=True, masks=False, reason=str(error))
    return ImageStatus(pictures=True, masks=True, reason="")


def masks(explorer: Explorer, at: Selection, name: str, pairs: str, maps: bool = True) -> MaskSet:
    """Masks of a concept in images that contain it, at every cut.

    `pairs` are numbers of `images`, separated by commas, at most 32. With `maps` false the answer
    has counts alone: `truth`, `single` and `levels` are empty.
    """
    view = _segmenting(explorer, at)
    wanted = _numbers(pairs)
    rows = view.rows_of(name)
    if any(not rows.start <= pair < rows.stop for pair in wanted):
        raise ResultsError(f"pairs of {name!r} in {view.label} are {rows.start} to {rows.stop - 1}")
    cuts, own = _cuts(view, name)
    images = [str(view.values("pair_image")[pair]) for pair in wanted]
    found = _masks_of(view, name, images, cuts)
    grid = _viewer(view).annotations.size
    return MaskSet(
        rows=grid[0],
        columns=grid[1],
        cuts=[float(cut) for cut in cuts],
        own=own,
        images=[
            _answer(found[image], pair, maps) for pair, image in zip(wanted, images, strict=True)
        ],
    )


@dataclass(frozen=True)
class _Masks:
    """Masks of a concept in an image: `level` counts the cuts that a pixel's value exceeds."""

    truth: Bool[np.ndarray, "y x"]
    single: Bool[np.ndarray, "y x"]
    level: UInt8[np.ndarray, "y x"]


def _answer(found: _Masks, pair: int, maps: bool) -> ImageMasks:
    # How many pixels exceed cut i: those of a level above i.
    above = np.bincount(found.level.ravel(), minlength=256)[::-1].cumsum()[::-1]
    true = np.bincount(found.level[found.truth], minlength=256)[::-1].cumsum()[::-1]
    return ImageMasks(
        pair=pair,
        truth=packed(found.truth) if maps else "",
        single=packed(found.single) if maps else "",
        levels=encoded(found.level) if maps else "",
        area=int(found.truth.sum()),
        predicted=integers(above[1:]),
        shared=integers(true[1:]),
    )


def _masks_of(
    view: View, name: str, images: Sequence[str], cuts: Float[np.ndarray, "cut"]
) -> dict[str, _Masks]:
    probe, viewer = view.explorer.probes[view.number], _viewer(view)
    known = {image: probe.results.peek(("masks", *view.key, name, image)) for image in images}
    missing = [image for image, masks in known.items() if masks is None]
    filter_index = int(view.values("best_filter")[view.concept_index(name)])
    for image, output in probe.outputs(missing, view.layer):
        value = values(view, name, output)
        truth = viewer.truth(name, image)
        masks = _Masks(
            truth=np.zeros(value.shape, dtype=bool) if truth is None else truth,
            single=_single(view, output, filter_index),
            level=np.searchsorted(cuts, value, side="left").astype(np.uint8),
        )
        known[image] = masks
        probe.results.put(("masks", *view.key, name, image), masks)
    return {image: masks for image, masks in known.items() if masks is not None}


def values(view: View, name: str, output: Tensor) -> Float[np.ndarray, "y x"]:
    """Z + bias of a concept in an image, on the grid of the masks, from the layer's output."""
    from net2vec.prediction import concept_grids, logits

    encoding = _encoding(view, name)
    (grid,) = concept_grids(output[None], encoding)
    z: np.ndarray = logits(grid, encoding, 0, encoding.mask_size)[0].numpy()
    return z


def _single(view: View, output: Tensor, index: int) -> Bool[np.ndarray, "y x"]:
    from net2vec.kernels.geometry.upsample import upsampled_is_on

    viewer = _viewer(view)
    on = output[index] > viewer.threshold(view.layer)[index]
    is_on: np.ndarray = upsampled_is_on(on, viewer.annotations.size).numpy()
    return is_on


def _encoding(view: View, name: str) -> Encoding:
    from net2vec.prediction import Encoding

    view.concept_index(name)
    return view.explorer.cache.get(
        ("encoding", *view.key, name),
        lambda: Encoding.of(view.recorded(), view.arrays, [name]),
        lambda found: int(found.weight.nbytes),
    )


def _cuts(view: View, name: str) -> tuple[Float[np.ndarray, "cut"], int]:
    """Cuts between which masks are told apart, ascending, and the place of the fit's own.

    They are spread evenly over the values of the first images, so that they do not depend on which
    masks were asked for before.
    """
    probe = view.explorer.probes[view.number]

    def make() -> tuple[np.ndarray, int]:
        rows = view.rows_of(name)
        split = view.values("pair_split")[rows]
        first = np.flatnonzero(split == "val")[:_CUT_IMAGES] + rows.start
        images = [str(image) for image in view.values("pair_image")[first]]
        found = [values(view, name, output) for _, output in probe.outputs(images, view.layer)]
        own = _encoding(view, name).cut.numpy().astype(np.float32)[0]
        flat = np.concatenate([value.ravel() for value in found]) if found else np.zeros(1)
        low, high = float(np.quantile(flat, _LOWEST_SHARE)), float(flat.max())
        spread = np.linspace(min(low, own), max(high, own), _CUTS).astype(np.float32)
        cuts = np.unique(np.append(spread, own))
        return cuts, int(np.searchsorted(cuts, own))

    return probe.results.get(("cuts", *view.key, name), make)


def confusion(
    explorer: Explorer, at: Selection, name: str, first: int = 0, count: int = 16
) -> Confusion:
    """Count what a concept's mask covers where it is wrong, in some of all validation images.

    Images are taken in an order that is spread evenly over the dataset; `first` and `count` choose
    a part of it, at most 32 images. Labels that hold for a whole image are left out.
    """
    view = _segmenting(explorer, at)
    viewer = _viewer(view)
    probe = explorer.probes[at.run]
    annotations = viewer.annotations
    val = np.flatnonzero(~annotations.is_train)
    order = val[_spread(len(val))]
    chosen = order[first : first + min(max(count, 0), MAX_IMAGES)]
    images = [str(viewer.inputs.dataset.images[place]) for place in chosen]
    label, cut = viewer.label(name), _encoding(view, name).cut.numpy()[0]
    counted = [viewer.label(other) for other in view.names]
    covered = np.zeros(len(annotations.names), dtype=np.int64)
    outside = np.zeros_like(covered)
    wrong = background = 0
    for image, output in probe.outputs(images, view.layer):
        predicted = values(view, name, output) > cut
        truths = _truths(view, viewer, image)
        free = ~truths.get(label, np.zeros(predicted.shape, dtype=bool))
        bad = predicted & free
        wrong += int(bad.sum())
        background += int(free.sum())
        for other, truth in truths.items():
            covered[other] += int((truth & bad).sum())
            outside[other] += int((truth & free).sum())
    # Those that never occur there say nothing.
    confused = [
        place for place, number in enumerate(counted) if number != label and outside[number]
    ]
    return Confusion(
        first=first,
        count=len(chosen),
        total=len(val),
        concept=[view.names[place] for place in confused],
        covered=[int(covered[counted[place]]) for place in confused],
        outside=[int(outside[counted[place]]) for place in confused],
        wrong=wrong,
        background=background,
    )


def _truths(view: View, viewer: Viewer, image: str) -> dict[int, Bool[np.ndarray, "y x"]]:
    """The masks of all labels that are drawn in an image, by label."""
    annotations = viewer.annotations

    def index() -> tuple[Int[np.ndarray, "pair"], Int[np.ndarray, "image_and_end"]]:
        order = np.argsort(annotations.image, kind="stable")
        counts = np.bincount(annotations.image, minlength=len(annotations.is_train))
        return order, np.concatenate([[0], np.cumsum(counts)])

    order, starts = view.explorer.cache.get(
        ("by image", view.number), index, lambda found: sum(int(part.nbytes) for part in found)
    )
    place = viewer.place[image]
    pairs = order[starts[place] : starts[place + 1]]
    pairs = pairs[annotations.row[pairs] >= 0]
    labels = np.searchsorted(annotations.starts, pairs, side="right") - 1
    return dict(zip(labels.tolist(), annotations.masks_of(pairs), strict=True))


def filter_masks(explorer: Explorer, at: Selection, index: int, count: int = 16) -> FilterMasks:
    """The masks of a filter in its most active images."""
    from net2vec.kernels.geometry.upsample import upsampled

    view = explorer.view(at)
    viewer = _viewer(view)
    recorded = view.recorded_filter(index)
    images = [str(name) for name in recorded["top_image"].to_numpy()[: min(count, MAX_IMAGES)]]
    threshold = float(recorded["threshold"])
    rows, columns = viewer.annotations.size
    found = {}
    for image, output in explorer.probes[at.run].outputs(images, view.layer):
        _refuse_no_grid(view, output)
        smooth = upsampled(output[index], (rows, columns))
        found[image] = packed((smooth > threshold).numpy())
    return FilterMasks([FilterMask(image, rows, columns, found[image]) for image in images])


def activation(explorer: Explorer, at: Selection, index: int, count: int = 32) -> Activation:
    """The distribution of a filter's activation over the places of some images."""
    view = explorer.view(at)
    viewer = _viewer(view)
    names = viewer.inputs.dataset.images
    chosen = _spread(len(names))[: min(count, 4 * MAX_IMAGES)]
    images = [str(names[place]) for place in chosen]
    threshold = number(view.recorded_filter(index)["threshold"])
    outputs = explorer.probes[at.run].outputs(images, view.layer)
    values_of_images = np.concatenate(
        [output[index].float().numpy().ravel() for _, output in outputs]
    )
    counts, edges = np.histogram(values_of_images, bins=_BINS)
    return Activation(len(images), [float(edge) for edge in edges], integers(counts), threshold)


def _spread(count: int) -> Int[np.ndarray, "place"]:
    """All places in an order whose every beginning is spread evenly: by multiples of the golden
    section, the fractional parts of which never crowd.
    """
    return np.argsort(np.arange(count) * 0.6180339887498949 % 1, kind="stable")


def _segmenting(explorer: Explorer, at: Selection) -> View:
    view = explorer.view(at)
    if view.task != "segment":
        raise ResultsError("masks are of segmentation; choose that task")
    return view


def _viewer(view: View) -> Viewer:
    return view.explorer.probes[view.number].viewer()


def _refuse_no_grid(view: View, output: Tensor) -> None:
    if output.ndim != 3:
        raise ResultsError(f"layer {view.layer} has no grid, so its filters have no masks")


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise DataError(f"wanted numbers separated by commas, got {text!r}") from None
    if len(numbers) > MAX_IMAGES:
        raise DataError(f"{len(numbers)} images at a time; at most {MAX_IMAGES} are taken")
    return numbers
