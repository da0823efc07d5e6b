"""The diorama as a probe dataset: the plan of its pictures, and each one rendered on demand."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from threading import Lock

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from net2vec.data.colors import name_colors
from net2vec.data.diorama.canvas import IMAGE_SIZE, MASK_SIZE, RGB, Channels, channels
from net2vec.data.diorama.grains import TILE, grain
from net2vec.data.diorama.labels import CATEGORIES, LABELS, LABELS_BY_CATEGORY, NUMBERS
from net2vec.data.diorama.scenes import SCENES
from net2vec.data.diorama.textures import texture_picture
from net2vec.data.protocol import TRAIN, VAL, Annotation, Plane
from net2vec.errors import ConfigError

RENDERER = 1
"""Raised whenever the same size and seed give other pictures or masks than before."""

SHARES: dict[str, int] = {
    "street-s": 170,
    "pasture-s": 150,
    "living_room-s": 140,
    "beach-s": 130,
    "forest-s": 105,
    "kitchen-s": 100,
    "harbor-s": 90,
    "garden-s": 90,
    "mountain-s": 70,
    "desert-s": 60,
    "aquarium-s": 60,
    "airfield-s": 25,
    **dict.fromkeys(LABELS_BY_CATEGORY["texture"], 14),
}
"""Number of pictures, of 1,400, that show each scene or texture."""

GUESTS: dict[str, dict[str, float]] = {
    "street-s": {"bus": 0.3},
    "pasture-s": {"windmill": 0.12},
    "beach-s": {"lighthouse": 0.06},
    "harbor-s": {"lighthouse": 0.12},
    "forest-s": {"bicycle": 0.1},
    "desert-s": {"palm": 0.2},
    "garden-s": {"bicycle": 0.1, "chair": 0.15},
    "living_room-s": {"clock": 0.1},
    "kitchen-s": {"clock": 0.12},
}
"""Objects that a share of a scene's pictures is sure to show; some are shown nowhere else."""

_VAL_SHARE = 0.3
_KEPT = 1536  # rendered pictures kept, about 0.3 MB each: all of the default


@dataclass(frozen=True)
class Shot:
    """Plan of one picture.

    Attributes:
        label: its scene or texture.
        guest: a rare object that it must contain; None if there is none.
        split: "train" or "val".
    """

    label: str
    guest: str | None
    split: str


class Diorama:
    """Rendered scenes and textures, annotated exactly in all six of Broden's categories.

    Pictures are 224x224, masks 112x112. A picture depends on `seed`, its index and its `Shot`
    alone, never on what was rendered before.

    Args:
        size: number of pictures.
        seed: seed of all random draws.

    Raises:
        ConfigError: if `size` is not positive or `seed` is negative.
    """

    name = "diorama"
    labels = LABELS
    categories = CATEGORIES

    def __init__(self, size: int = 1200, seed: int = 0) -> None:
        if size < 1:
            raise ConfigError(f"diorama: size must be at least 1 picture, got {size}")
        if seed < 0:
            raise ConfigError(f"diorama: seed must not be negative, got {seed}")
        self.size, self.seed = size, seed
        self._kept: OrderedDict[int, tuple[Image.Image, Annotation]] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[Diorama], tuple[int, int]]:
        return Diorama, (self.size, self.seed)

    def __repr__(self) -> str:
        return f"Diorama(size={self.size}, seed={self.seed})"

    @cached_property
    def digest(self) -> str:
        """Digest of the renderer's version, the size and the seed."""
        key = f"{self.name} renderer={RENDERER} size={self.size} seed={self.seed}"
        return blake2b(key.encode(), digest_size=16).hexdigest()

    @cached_property
    def shots(self) -> tuple[Shot, ...]:
        """The plan of every picture."""
        return plan(self.size, self.seed)

    @cached_property
    def images(self) -> tuple[str, ...]:
        """File names, which begin with the scene or texture."""
        return tuple(
            f"{shot.label.removesuffix('-s')}_{index:05d}.png"
            for index, shot in enumerate(self.shots)
        )

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The split of every picture: 70 % train, 30 % val, of every scene, texture and guest."""
        return tuple(shot.split for shot in self.shots)

    def image(self, index: int) -> Image.Image:
        """The picture at `index`, mode RGB, 224x224."""
        return self._sample(index)[0].copy()

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the picture at `index`, without rendering it."""
        return IMAGE_SIZE, IMAGE_SIZE

    def annotation(self, index: int) -> Annotation:
        """The annotation of the picture at `index`, masks 112x112.

        Planes: `color`, and for scenes `object`, `part` and `material`; a second plane of `part`
        holds parts of parts (a handle on a door).
        """
        return self._sample(index)[1]

    def _sample(self, index: int) -> tuple[Image.Image, Annotation]:
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        # Outside the lock: two threads may render the same picture, which costs time alone.
        sample = render(self.shots[index], self.seed, index)
        with self._lock:
            self._kept[index] = sample
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return sample


def plan(size: int, seed: int) -> tuple[Shot, ...]:
    """Deals scenes, textures, guests and splits over the pictures.

    The counts follow `SHARES` and `GUESTS` as closely as whole numbers can; every group of equal
    pictures is split alike.
    """
    wanted: list[tuple[str, str | None]] = []
    for label, count in zip(SHARES, _apportion(list(SHARES.values()), size), strict=True):
        guests = GUESTS.get(label, {})
        shares = [*guests.values(), 1 - sum(guests.values())]
        for guest, number in zip([*guests, None], _apportion(shares, count), strict=True):
            wanted += [(label, guest)] * number
    place = np.arange(size)
    # Neighbours are alike, so val takes evenly from each group.
    in_val = np.floor((place + 1) * _VAL_SHARE + 0.5) > np.floor(place * _VAL_SHARE + 0.5)
    order = np.random.default_rng(seed).permutation(size).tolist()
    return tuple(Shot(wanted[i][0], wanted[i][1], VAL if in_val[i] else TRAIN) for i in order)


def _apportion(shares: list[float] | list[int], total: int) -> list[int]:
    """Whole numbers in proportion to the shares, by largest remainder."""
    exact = np.asarray(shares, dtype=np.float64) * total / sum(shares)
    counts = np.floor(exact + 1e-9).astype(int)
    left = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:left]] += 1
    return [int(count) for count in counts]


def render(shot: Shot, seed: int, index: int) -> tuple[Image.Image, Annotation]:
    """Renders one picture with its annotation."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, index])))
    if shot.label not in SCENES:
        picture = _develop(texture_picture(shot.label, rng), (1.0, 1.0, 1.0), rng)
        planes = [Plane("color", _colors(picture))]
        return _finished(picture, planes, "texture", shot.label)
    canvas = SCENES[shot.label](rng, shot.guest)
    picture = _develop(canvas.rgb, canvas.light.tint, rng)
    planes = [Plane("color", _colors(picture))]
    for name, labels in canvas.maps.items():
        if labels.any():
            planes.append(Plane("part" if name == "subpart" else name, labels))
    return _finished(picture, planes, "scene", shot.label)


def _finished(
    picture: UInt8[np.ndarray, "y x 3"], planes: list[Plane], category: str, label: str
) -> tuple[Image.Image, Annotation]:
    for plane in planes:
        plane.labels.flags.writeable = False
    return Image.fromarray(picture), Annotation(tuple(planes), ((category, NUMBERS[label]),))


def _develop(rgb: Channels, tint: RGB, rng: np.random.Generator) -> UInt8[np.ndarray, "y x rgb"]:
    """Camera effects on a scene: exposure, tint, darker corners, sensor noise."""
    exposed = rgb * (channels(tint) * np.float32(rng.uniform(0.9, 1.1)))
    axis = np.linspace(-1, 1, IMAGE_SIZE, dtype=np.float32)
    exposed *= 1 - np.float32(rng.uniform(0.01, 0.07)) * (axis[:, None] ** 2 + axis**2)
    top, left = rng.integers(TILE - IMAGE_SIZE, size=2).tolist()
    noise = grain("sensor")[top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]
    exposed += np.float32(rng.uniform(0.8, 3.2)) * noise
    return np.ascontiguousarray(np.moveaxis(exposed.clip(0, 255).astype(np.uint8), 0, -1))


def _colors(picture: UInt8[np.ndarray, "y x 3"]) -> np.ndarray:
    """Label numbers of the named colours of the picture at the masks' size."""
    small = Image.fromarray(picture).reduce(IMAGE_SIZE // MASK_SIZE)
    return name_colors(np.asarray(small)).astype(np.uint16)
