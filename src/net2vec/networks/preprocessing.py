"""From an image to the input of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from net2vec.core.image_size import Size, show_size, width_and_height
from net2vec.errors import NetworkError

Triple = tuple[float, float, float]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

# On a smaller square places cannot be compared.
_MIN_SIDE = 8
# A wide picture, the centres of spots that are put in it, and how far a spot reaches.
_SPOTTED, _SPOT = (480, 320), 0.035
_SPOTS = ((0.08, 0.1), (0.92, 0.12), (0.1, 0.88), (0.9, 0.9), (0.3, 0.6))


@dataclass(frozen=True)
class Preprocessing:
    """Squash the whole image to one size, then shift and scale its channels.

    The masks of a probe dataset are squashed in the same way, so nothing is cropped.

    Attributes:
        size: side of the square in pixels, or (width, height).
        mean: subtracted from each channel, in pixel values (0 to 255), in the order of
            `channels`.
        std: divisor of each channel, in pixel values.
        channels: the order in which the network takes the colours, "RGB" or "BGR", or "L" for one
            channel of brightness, as Pillow weighs the colours.
    """

    size: Size
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: str = "RGB"

    def __post_init__(self) -> None:
        if min(width_and_height(self.size)) < 1:
            raise NetworkError(f"the size of the input must be at least 1 pixel, got {self.size}")
        if self.channels not in ("RGB", "BGR", "L"):
            raise NetworkError(
                f"the channel order must be RGB or BGR, or L for brightness, got {self.channels!r}"
            )
        if {len(self.mean), len(self.std)} != {self.channel_count}:
            raise NetworkError(
                f"{self.channels} needs {self.channel_count} values of mean and std each, "
                f"got {self.mean} and {self.std}"
            )
        if 0 in self.std:
            raise NetworkError(f"the std of a channel must not be 0, got {self.std}")

    @classmethod
    def from_unit_scale(cls, size: Size, mean: Triple, std: Triple) -> Preprocessing:
        """Preprocessing by the mean and std of pixels scaled to [0, 1], as most libraries give."""
        return cls(size, _times_255(mean), _times_255(std))

    @property
    def channel_count(self) -> int:
        """The number of channels that the network takes."""
        return 1 if self.channels == "L" else 3

    def __call__(self, image: Image.Image) -> Float[Tensor, "channel row column"]:
        """The input of the network for an image of any size and mode.

        The resampling is Pillow's bilinear filter, which antialiases when it shrinks.
        """
        mode = "L" if self.channels == "L" else "RGB"
        width, height = width_and_height(self.size)
        squashed = image.convert(mode).resize((width, height), Image.Resampling.BILINEAR)
        values = np.array(squashed, dtype=np.float32).reshape(height, width, -1)
        pixels = torch.from_numpy(values).permute(2, 0, 1)
        if self.channels == "BGR":
            pixels = pixels.flip(0)
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return ((pixels - mean[:, None, None]) / std[:, None, None]).contiguous()

    def __str__(self) -> str:
        """A description in one line."""
        mean, std = (", ".join(f"{value:.6g}" for value in row) for row in (self.mean, self.std))
        return f"{show_size(self.size)} px, {self.channels}, minus ({mean}), over ({std})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a run's provenance; `from_dict` takes them back."""
        return {
            "size": self.size if isinstance(self.size, int) else list(self.size),
            "mean": list(self.mean),
            "std": list(self.std),
            "channels": self.channels,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `to_dict`.

        Raises:
            NetworkError: if a key is missing or unknown, or a value is out of its range.
        """
        try:
            mean, std = (tuple(float(one) for one in values[key]) for key in ("mean", "std"))
            size = values["size"]
            size = tuple(map(int, size)) if isinstance(size, list | tuple) else size
            return cls(**{**values, "size": size, "mean": mean, "std": std})
        except (KeyError, TypeError, ValueError) as error:
            raise NetworkError(
                f"a preprocessing needs size, mean and std (a number for each channel) and "
                f"channels, got {dict(values)}"
            ) from error


@dataclass(frozen=True)
class CustomPreprocessing:
    """A transform given in Python in the place of `Preprocessing`.

    Attributes:
        transform: takes a Pillow image in mode RGB, gives a float tensor of shape (channel, size,
            size). Its output must show the whole image, squashed to the square, as the masks do.
        size: side of the square in pixels.
        channel_count: how many channels the transform gives.
    """

    transform: Callable[[Image.Image], Any]
    size: int
    channel_count: int = 3

    @classmethod
    def wrap(cls, transform: Callable[[Image.Image], Any]) -> CustomPreprocessing:
        """Find the size by trying the transform on a sample picture.

        Raises:
            NetworkError: if the transform fails, gives no square of channels, gives different
                values when it is asked twice, or shows something else than the whole picture.
        """
        try:
            first, second = transform(sample_picture()), transform(sample_picture())
        except Exception as error:
            raise NetworkError(
                f"the transform must take a Pillow image, but it failed: {error!r}"
            ) from error
        if not isinstance(first, Tensor) or not first.is_floating_point():
            raise NetworkError(
                f"the transform must give a float tensor of shape (channels, size, size), "
                f"not {getattr(first, 'dtype', type(first).__name__)}"
            )
        if first.ndim != 3 or first.shape[1] != first.shape[2]:
            raise NetworkError(
                f"the transform must give a tensor of shape (channels, size, size), not "
                f"{tuple(first.shape)}: squash the whole image to a square, without cropping"
            )
        if not bool(torch.isfinite(first).all()):
            raise NetworkError(
                "the transform gives values that are NaN or infinite: does it divide by zero?"
            )
        if not torch.equal(first, second):
            raise NetworkError(
                "the transform gives different values for the same picture: leave out its random "
                "parts"
            )
        if first.shape[1] >= _MIN_SIDE:
            _refuse_other_geometry(transform, int(first.shape[1]))
        return cls(transform, int(first.shape[1]), len(first))

    def __call__(self, image: Image.Image) -> Float[Tensor, "channel size size"]:
        """The input of the network for an image of any size and mode."""
        fed: Tensor = self.transform(image.convert("RGB"))
        return fed

    def __str__(self) -> str:
        """A description in one line."""
        return f"{self.size} x {self.size} px, a transform given in Python"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a run's provenance; the transform itself cannot be restored."""
        description = getattr(self.transform, "__qualname__", type(self.transform).__qualname__)
        described = " ".join(repr(self.transform).split())
        # The default repr of an object has only its address.
        if not hasattr(self.transform, "__qualname__") and " at 0x" not in described:
            description = described
        return {
            "size": self.size,
            "transform": description,
            "channel_count": self.channel_count,
        }


def imagenet_preprocessing(size: int = 224) -> Preprocessing:
    """The usual ImageNet mean and standard deviation, for networks that say nothing else."""
    return Preprocessing.from_unit_scale(size, _IMAGENET_MEAN, _IMAGENET_STD)


def sample_picture() -> Image.Image:
    """A fixed picture with all frequencies and no symmetry, for comparing transforms."""
    pixels = np.random.default_rng(0).integers(0, 256, (61, 89, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((267, 183), Image.Resampling.BICUBIC)


def _refuse_other_geometry(transform: Callable[[Image.Image], Any], side: int) -> None:
    """Refuse a transform that does not squash the whole picture to the square.

    White spots are put into a picture of noise, and must change the output where they are in the
    squashed picture. A transform whose output no spot changes is accepted.
    """
    width, height = _SPOTTED
    noise = np.random.default_rng(0).integers(20, 61, (height, width), dtype=np.uint8)
    # Black and white are in the picture too, for transforms that scale by the extremes.
    middle = slice(int(0.42 * height), int(0.58 * height))
    noise[middle, int(0.42 * width) : width // 2] = 0
    noise[middle, width // 2 : int(0.58 * width)] = 255
    plain = Image.fromarray(noise).convert("RGB")
    before = transform(plain).detach().float().cpu()
    rows = (torch.arange(side) + 0.5) / side
    # Wider than a pixel of the square, or resampling might pass it by.
    reach = max(_SPOT, 0.6 / side)
    seen = []
    for x, y in _SPOTS:
        spotted = plain.copy()
        left, right = (round((x + way * reach) * width) for way in (-1, 1))
        top, bottom = (round((y + way * reach) * height) for way in (-1, 1))
        spotted.paste((255, 255, 255), (left, top, right, bottom))
        changed = (transform(spotted).detach().float().cpu() - before).abs().sum(0)
        # Changes of the whole picture, as through its mean, are far smaller.
        changed = torch.where(changed > changed.max() / 2, changed, 0.0)
        total = changed.sum()
        seen_x, seen_y = (changed.sum(0) @ rows) / total, (changed.sum(1) @ rows) / total
        off = max(abs(float(seen_x) - x), abs(float(seen_y) - y))
        seen.append(off if bool(total > 0) else inf)
    if min(seen) < inf and max(seen) > 0.01 + 1 / side:
        raise NetworkError(
            f"the transform does not show the whole picture squashed to the square: it crops, "
            f"pads, flips or turns, so that masks would not lie over it; use "
            f"Resize(({side}, {side})) alone, without CenterCrop and the like"
        )


def _times_255(values: Triple) -> Triple:
    return _triple(value * 255 for value in values)


def _triple(values: Iterable[float]) -> Triple:
    first, second, third = (float(value) for value in values)
    return (first, second, third)
