"""Questions about any picture: the concepts found in it, by `run.segment` and `run.classify`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from net2vec.errors import DataError
from net2vec.explorer.encode import Binary, encoded, numbers, packed, texts
from net2vec.explorer.image_answers import DatasetImages, Found, FoundMap, Uploaded
from net2vec.explorer.pictures import thumbnail
from net2vec.explorer.state import Explorer, Selection, View

if TYPE_CHECKING:
    import xarray as xr

_UPLOAD, _DATASET = "upload:", "image:"


def dataset_images(explorer: Explorer, run: int = 0) -> DatasetImages:
    """The images of a run's probe dataset, in its order."""
    explorer.run(run)
    dataset = explorer.probes[run].dataset()
    return DatasetImages(texts(list(dataset.images)), texts(list(dataset.splits)))


def upload(explorer: Explorer, content: bytes) -> Uploaded:
    """Keep a picture, the body of a POST, so that it can be asked about."""
    name, width, height = explorer.uploads.add(content)
    return Uploaded(_UPLOAD + name, width, height)


def picture(explorer: Explorer, name: str, run: int = 0, side: int = 320) -> Binary:
    """A picture as JPEG: `image:NAME` of the dataset, or the name of an upload.

    `side` is what its longer side should have; the next of 96, 192, 320, 640 and 1280 is sent.
    """
    if name.startswith(_DATASET):
        explorer.run(run)
        content = explorer.probes[run].picture(name.removeprefix(_DATASET), side)
        return Binary(content, "image/jpeg")
    content = explorer.cache.get(
        ("picture", name, side), lambda: thumbnail(_source(explorer, run, name), side), len
    )
    return Binary(content, "image/jpeg")


def found(explorer: Explorer, at: Selection, name: str) -> Found:
    """The concepts found in a picture, in the order of the run's concepts.

    `name` is as for `picture`; the layer and fit are those of `at`, for both tasks.
    """
    view = explorer.view(at)
    tasks = view.run.tasks(view.layer)
    views = {task: explorer.view(replace(at, layer=view.layer, task=task)) for task in tasks}
    names = list(dict.fromkeys(name for each in views.values() for name in each.names))
    category = {
        name: kind
        for each in views.values()
        for name, kind in zip(each.names, each.categories, strict=True)
    }
    columns: dict[str, dict[str, float]] = {"probability": {}, "area": {}, "peak": {}, "score": {}}
    if "classify" in views:
        classified = _classified(views["classify"], name)
        columns["probability"] = dict(
            zip(views["classify"].names, classified.values[0].tolist(), strict=True)
        )
    if "segment" in views:
        segmented, known = _segmented(views["segment"], name), views["segment"].names
        area = segmented["mask"].values[:, 0].mean(axis=(1, 2))
        peak = segmented["probability"].values[:, 0].max(axis=(1, 2))
        columns["area"] = dict(zip(known, area.tolist(), strict=True))
        columns["peak"] = dict(zip(known, peak.tolist(), strict=True))
        scores = views["segment"].values("score")[1]
        columns["score"] = dict(zip(known, scores.tolist(), strict=True))
    filled = {
        column: numbers([values.get(name, np.nan) for name in names])
        for column, values in columns.items()
    }
    return Found(concept=names, category=[category[name] for name in names], **filled)


def found_map(explorer: Explorer, at: Selection, name: str, concept: str) -> FoundMap:
    """The mask and probabilities of a concept in a picture."""
    view = explorer.view(replace(at, task="segment"))
    segmented = _segmented(view, name).isel(concept=view.concept_index(concept), image=0)
    mask = segmented["mask"].to_numpy()
    rows, columns = mask.shape
    return FoundMap(rows, columns, packed(mask), encoded(segmented["probability"].to_numpy()))


def _segmented(view: View, name: str) -> xr.Dataset:
    return _predicted(view, name, "segment")  # type: ignore[no-any-return]


def _classified(view: View, name: str) -> xr.DataArray:
    return _predicted(view, name, "classify")  # type: ignore[no-any-return]


def _predicted(view: View, name: str, task: str) -> Any:
    """The answer of `Run.segment` or `Run.classify` for a picture and all concepts of the layer."""
    explorer, run = view.explorer, view.run

    def make() -> Any:
        source = _source(explorer, view.number, name)
        with explorer.probes[view.number].lock:
            if task == "segment":
                return run.segment([source], None, view.layer, fit=view.fit)
            return run.classify([source], None, view.layer, fit=view.fit)

    key = ("predicted", *view.key, name)
    return explorer.cache.get(key, make, lambda found: int(found.nbytes))


def _source(explorer: Explorer, run: int, name: str) -> Any:
    """A picture as it is given to a run: a file of the user, or an image of the dataset."""
    if name.startswith(_UPLOAD):
        from net2vec.data.images import read_image

        return read_image(explorer.uploads.path(name.removeprefix(_UPLOAD)))
    if name.startswith(_DATASET):
        return explorer.probes[run].image(name.removeprefix(_DATASET))
    raise DataError(f"{name!r} is no picture; wanted image:NAME, or the name of an upload")
