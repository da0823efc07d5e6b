"""Images of any origin as a network is fed them: files, Pillow images, tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from net2vec.data.files import list_files
from net2vec.data.images import IMAGE_SUFFIXES, read_image, read_image_size, upright_rgb
from net2vec.errors import DataError
from net2vec.networks import Network

Picture = str | PathLike[str] | Image.Image | np.ndarray | Tensor
"""An image in any form, a folder of images, or a tensor of several."""
Images = Picture | Iterable[Picture]
"""One or several of these."""


@dataclass(frozen=True)
class NewImage:
    """An image that a network is applied to.

    Attributes:
        name: its path as it was given, the file that a Pillow image came from, or its number.
        source: its file, or its pixels.
    """

    name: str
    source: Path | Image.Image | Tensor

    def check(self) -> None:
        """Refuse a file that is no image, from its header alone.

        Raises:
            DataError: if it is missing, or not an image.
        """
        if isinstance(self.source, Path):
            read_image_size(self.source)

    def picture(self) -> Image.Image:
        """The image upright and in RGB, as the probe reads its own (see `net2vec.data.images`).

        Raises:
            DataError: if it cannot be read, or is a tensor.
        """
        if isinstance(self.source, Tensor):
            raise DataError(f"{self.name}: a tensor is no picture; give its file or Pillow image")
        if isinstance(self.source, Path):
            return read_image(self.source)
        return upright_rgb(self.source, self.name)

    def network_input(self, network: Network) -> tuple[Tensor, tuple[int, int]]:
        """The network's input [channel, size, size], and the image's own height and width.

        Raises:
            DataError: if it cannot be read, or is a tensor of another shape or not finite.
        """
        shape = network.input_shape
        if not isinstance(self.source, Tensor):
            picture = self.picture()
            return network.preprocessing(picture), (picture.height, picture.width)
        if self.source.shape != shape or not self.source.is_floating_point():
            raise DataError(
                f"{self.name}: a tensor must be of floats, of shape {shape} and "
                f"preprocessed; got {tuple(self.source.shape)} of {self.source.dtype}"
            )
        if not bool(torch.isfinite(self.source).all()):
            raise DataError(f"{self.name}: the tensor has values that are NaN or infinite")
        return self.source.float().cpu(), (shape[1], shape[2])


def gather_images(images: object) -> list[NewImage]:
    """The images that are meant: one or several, a folder standing for all images under it.

    Args:
        images: one or a sequence of files, folders, Pillow images and tensors [3, size, size] that
            are preprocessed already, a tensor [image, 3, size, size] standing for several; and
            NumPy arrays of unsigned bytes, [row, column] or [row, column, 3].

    Raises:
        DataError: if a folder has none, or there is something else among them.
    """
    if isinstance(images, str | PathLike | Image.Image | Tensor | np.ndarray):
        images = [images]
    elif not isinstance(images, Iterable):
        raise DataError(_refusal(images))
    new_images: list[NewImage] = []
    for image in images:
        new_images += _expand(image, len(new_images))
    return new_images


def _expand(image: object, place: int) -> list[NewImage]:
    if isinstance(image, Tensor):
        rows = image if image.ndim == 4 else image[None]
        return [NewImage(f"image {place + row}", rows[row]) for row in range(len(rows))]
    if isinstance(image, Image.Image):
        return [NewImage(str(getattr(image, "filename", "")) or f"image {place}", image)]
    if isinstance(image, np.ndarray):
        return [NewImage(f"image {place}", _picture(image, place))]
    if not isinstance(image, str | PathLike):
        raise DataError(_refusal(image))
    path = Path(image)
    if not path.is_dir():
        return [NewImage(str(image), path)]
    inside = [path / name for name in list_files(path, IMAGE_SUFFIXES)]
    if not inside:
        raise DataError(f"{path}: no image in this folder; wanted {', '.join(_SUFFIXES)}")
    return [NewImage(str(file), file) for file in inside]


def _picture(image: np.ndarray, place: int) -> Image.Image:
    if image.dtype == np.uint8 and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        return Image.fromarray(image)
    raise DataError(
        f"image {place}: an array must be of unsigned bytes (uint8), of shape (row, column) or "
        f"(row, column, 3); got {image.shape} of {image.dtype}; of several give a list"
    )


def _refusal(image: object) -> str:
    return (
        f"an image must be a path, a Pillow image, an array or a tensor, not {type(image).__name__}"
    )


_SUFFIXES = sorted(IMAGE_SUFFIXES)
