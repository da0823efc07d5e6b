"""The network and the probe dataset of a run, opened when a picture is asked for.

Nothing else of the explorer loads PyTorch. Where one of them cannot be had, the reason is kept and
all that needs neither works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from net2vec.errors import DataError, Net2VecError
from net2vec.explorer.cache import LimitedCache
from net2vec.explorer.pictures import thumbnail
from net2vec.runs import Run

if TYPE_CHECKING:
    from torch import Tensor

    from net2vec.data import ProbeDataset
    from net2vec.pipeline.viewing import Viewer

Data = Any
"""A folder's path, a `ProbeDataset`, or None for the dataset that a run names."""

Opened = TypeVar("Opened")

_THUMBNAIL_BYTES = 64 << 20
_OUTPUT_BYTES = 192 << 20
_COUNTS = 20_000


class Probe:
    """The network and the probe dataset of a run.

    Attributes:
        run: the run.
        lock: held while the network runs.
        results: what was computed of single images, a value an item.
    """

    def __init__(self, run: Run, data: Data = None) -> None:
        self.run = run
        self.lock = RLock()
        self.results = LimitedCache(_COUNTS)
        self._data = data
        self._opened: dict[str, Any] = {}
        self._thumbnails = LimitedCache(_THUMBNAIL_BYTES)
        self._outputs = LimitedCache(_OUTPUT_BYTES)

    def dataset(self) -> ProbeDataset:
        """The probe dataset, checked to be that of the run.

        Raises:
            Net2VecError: if it cannot be had, or is another one.
        """
        return self._open("dataset", self._open_dataset)

    def viewer(self) -> Viewer:
        """Dataset, annotations and network, checked to be those of the run.

        Raises:
            Net2VecError: if one cannot be had, is another one, or would run code of a run that is
                not trusted.
        """
        return self._open("viewer", self._open_viewer)

    def image_indices(self) -> dict[str, int]:
        """The index of every image of the dataset, by name."""
        return self._open(
            "places", lambda: {name: at for at, name in enumerate(self.dataset().images)}
        )

    def image(self, name: str) -> Image.Image:
        """An image of the dataset.

        Raises:
            Net2VecError: if the dataset cannot be had, or has no such image.
        """
        from net2vec.data.checked import image_of

        place = self.image_indices().get(name)
        if place is None:
            raise DataError(f"the probe dataset has no image {name!r}")
        return image_of(self.dataset(), place)

    def picture(self, name: str, side: int) -> bytes:
        """An image of the dataset as a small JPEG.

        Raises:
            Net2VecError: as `image`.
        """
        return self._thumbnails.get((name, side), lambda: thumbnail(self.image(name), side), len)

    def outputs(self, names: Sequence[str], layer: str) -> Iterator[tuple[str, Tensor]]:
        """The outputs [filter, y, x] of a layer on some images, those known already first.

        Batches are filled up to the probe's size: rounding, and with it a pixel here and there,
        depends on the shape of a batch, and must not depend on which other images are asked for.

        Raises:
            Net2VecError: as `viewer`, or if an image cannot be read.
        """
        viewer = self.viewer()
        unknown = [name for name in dict.fromkeys(names) if name not in viewer.place]
        if unknown:
            raise DataError(f"the probe dataset has no image {unknown[0]!r}")
        with self.lock:
            missing = []
            for name in dict.fromkeys(names):
                cached = self._outputs.peek((name, layer))
                if cached is None:
                    missing.append(name)
                else:
                    yield name, cached
            filled = missing + missing[-1:] * (-len(missing) % viewer.forward.batch)
            for name, outputs in islice(viewer.outputs(filled, [layer]), len(missing)):
                output = outputs[layer].clone()  # not a view of the whole batch
                self._outputs.put((name, layer), output, output.numel() * output.element_size())
                yield name, output

    def _open(self, name: str, opening: Callable[[], Opened]) -> Opened:
        with self.lock:
            if name not in self._opened:
                try:
                    self._opened[name] = opening()
                # The network may be anybody's code, and the results are there without it.
                except Exception as error:
                    self._opened[name] = _refusal(error)
            opened = self._opened[name]
        if isinstance(opened, Net2VecError):
            raise opened
        return opened  # type: ignore[no-any-return]

    def _open_dataset(self) -> ProbeDataset:
        from net2vec.pipeline.viewing import open_probed_data

        return open_probed_data(self.run, self._data)

    def _open_viewer(self) -> Viewer:
        from net2vec.core.storage import log
        from net2vec.pipeline.viewing import Viewer

        dataset = self.dataset()
        network = self.run.opened_network
        return Viewer.of(self.run, self.run.path, network, dataset, trust=False, say=log)


def _refusal(error: Exception) -> Net2VecError:
    if isinstance(error, Net2VecError):
        return error
    return DataError(" ".join(repr(error).split()))
