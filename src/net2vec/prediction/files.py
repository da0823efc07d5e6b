"""Maps, masks and overlays as files with distinct names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy import ndimage

from net2vec.core.storage import replacing
from net2vec.errors import ConfigError
from net2vec.prediction.images import NewImage
from net2vec.prediction.segmentation import FullSize

_BLUE = (0, 99, 160)
_WHITE = (255, 255, 255)
_TINT = 0.45
_KINDS = ("probability", "mask", "overlay")
_HIGHEST = 2**16 - 1
# Bytes of a name: two of them, the rest of a file name and a temporary ending stay below 255.
_LONGEST = 90


@dataclass(frozen=True)
class Written:
    """The files of a concept in an image.

    Attributes:
        image: the image's name, as it was given.
        concept: the concept.
        share: share of the image that the mask covers.
        probability: 16-bit greyscale PNG of the image's size; 65535 stands for 1.
        mask: 1-bit PNG of the image's size.
        overlay: the image with the mask tinted and outlined, PNG.
    """

    image: str
    concept: str
    share: float
    probability: Path
    mask: Path
    overlay: Path


class MapWriter:
    """Writes predictions to a folder, each file whole or not at all.

    A file is `IMAGE.CONCEPT.KIND.png`, where letters that a file name cannot hold are `_`. What
    would get the same name, also where capitals do not count, is numbered in the order given.

    Args:
        folder: made if need be.
        images: all images that will come.
        concepts: all concepts that will come.

    Raises:
        ConfigError: if the folder's name is that of a file.
    """

    def __init__(self, folder: Path, images: Sequence[NewImage], concepts: Sequence[str]) -> None:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is a file; --out wants a folder, new or not")
        self._folder = folder
        stems = distinct([Path(image.name).stem or image.name for image in images])
        self._stem = {id(image): stem for image, stem in zip(images, stems, strict=True)}
        self._concept: Mapping[str, str] = dict(zip(concepts, distinct(concepts), strict=True))

    def write(self, prediction: FullSize) -> Written:
        """Write the three files of a prediction.

        Raises:
            DataError: if the image's file cannot be read any more.
        """
        name = f"{self._stem[id(prediction.image)]}.{self._concept[prediction.concept]}"
        paths = {kind: self._folder / f"{name}.{kind}.png" for kind in _KINDS}
        pictures = {
            "probability": probability_picture(prediction.probability),
            "mask": Image.fromarray(prediction.mask),
            "overlay": overlay(prediction.image.picture(), prediction.mask),
        }
        for kind, picture in pictures.items():
            with replacing(paths[kind]) as temporary:
                picture.save(temporary, format="PNG")
        return Written(
            prediction.image.name, prediction.concept, float(prediction.mask.mean()), **paths
        )


def distinct(names: Sequence[str]) -> list[str]:
    """File names for these names, in their order, none twice."""
    taken: set[str] = set()
    names_so_far = []
    for name in names:
        plain = re.sub(r"[^\w.+-]+", "_", name).strip("._") or "_"
        plain = plain.encode()[:_LONGEST].decode(errors="ignore")
        candidate, number = plain, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{plain}-{number}"
        taken.add(candidate.casefold())
        names_so_far.append(candidate)
    return names_so_far


def probability_picture(probability: Float[np.ndarray, "row column"]) -> Image.Image:
    """Probabilities as 16-bit grey: right to 1 / 131070, and readable by any tool."""
    return Image.fromarray(np.rint(probability * _HIGHEST).astype(np.uint16))


def overlay(picture: Image.Image, mask: Bool[np.ndarray, "row column"]) -> Image.Image:
    """The image with the mask tinted blue, outlined in blue and white, on any ground visible."""
    shown = picture.convert("RGB")
    tinted = Image.blend(shown, Image.new("RGB", shown.size, _BLUE), _TINT)
    shown.paste(tinted, mask=Image.fromarray(mask))
    width = max(1, round(max(mask.shape) / 500))
    inner = eroded(mask, width)
    shown.paste(_WHITE, mask=Image.fromarray(mask & ~inner))
    shown.paste(_BLUE, mask=Image.fromarray(inner & ~eroded(inner, width)))
    return shown


def eroded(mask: Bool[np.ndarray, "row column"], steps: int) -> Bool[np.ndarray, "row column"]:
    """The mask less a rim of some pixels; at the image's own edge there is no rim."""
    return np.asarray(ndimage.binary_erosion(mask, iterations=steps, border_value=1))
