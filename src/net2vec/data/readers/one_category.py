"""The base class of readers whose images have one mask of classes each, or classes as wholes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from net2vec.data.description import DATASET_FILE
from net2vec.data.image_files import ImageSource
from net2vec.data.images import read_mask, read_orientation, read_palette, same_shape
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.base import Reader
from net2vec.data.readers.mask_classes import NAME_FILES, VOID_VALUES, MaskClasses
from net2vec.errors import DataError

_SAMPLE_PALETTES, _SAMPLE_ORIENTATIONS, _ORIENTATIONS_IN_ORDER = 8, 1000, 64


class OneCategoryReader(Reader):
    """A reader of masks whose pixels are class numbers or colours, or of classes of whole images.

    A subclass sets one of the two attributes below, and implements `_mask_source` if it has masks.

    Attributes:
        reads_at_random: whether one image is read without reading those around it.
        mask_classes: meaning of the masks' pixels; None if there are no masks.
        image_labels: label numbers of each image, where there are no masks.
    """

    reads_at_random: ClassVar[bool] = True

    mask_classes: MaskClasses | None = None
    image_labels: Sequence[tuple[int, ...]] = ()

    @abstractmethod
    def _mask_source(self, index: int) -> ImageSource:
        """The file of the mask of the image at `index`, which may be within another file."""

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        (category,) = self.categories
        if self.mask_classes is None:
            return Annotation(image_labels=tuple((category, n) for n in self.image_labels[index]))
        mask, size = self._mask_source(index), partial(self.image_size, index)
        labels = self.mask_classes.label_map(mask, size, self._palette)
        return Annotation((Plane(category, labels),))

    @cached_property
    def _palette(self) -> UInt8[np.ndarray, "value 3"] | None:
        """Colours by value of a mask with a palette, unless the user states what values mean."""
        if self.description.classes is not None:
            return None
        sample = range(min(_SAMPLE_PALETTES, len(self.images)))
        palettes = (read_palette(self._mask_source(index)) for index in sample)
        return next((palette for palette in palettes if palette is not None), None)

    @cached_property
    def notes(self) -> Sequence[tuple[str, str]]:
        """Images that EXIF turns so that their shape does not tell whether their masks are turned.

        All of a small dataset are looked at, and some of a large one.
        """
        if self.mask_classes is None:
            return super().notes
        if self.reads_at_random:
            sample = range(0, len(self.images), -(-len(self.images) // _SAMPLE_ORIENTATIONS))
        else:
            sample = range(min(_ORIENTATIONS_IN_ORDER, len(self.images)))
        turned = [self.images[index] for index in sample if self._is_turned(index)]
        if not turned:
            return super().notes
        count = f"{len(turned)} of {len(sample)} images, as {turned[0]}"
        return [
            *super().notes,
            ("turned by EXIF", f"{count}; their masks are taken to be of the upright image"),
        ]

    def _is_turned(self, index: int) -> bool:
        try:
            turns = read_orientation(self._image_source(index))
            height, width = self.image_size(index)
        except DataError:  # told when the image is read
            return False
        return turns in (2, 3, 4) or (turns > 1 and same_shape((height, width), (width, height)))

    def classes_taken(self, masks: str, classes: str) -> Iterator[tuple[str, str]]:
        """Pairs of `taken`: where classes are from, what the masks hold and what is void.

        Args:
            masks: where the masks are, if there are any.
            classes: where the classes of whole images are otherwise.
        """
        concepts = f"{len(self.labels) - 1} concepts"
        if self.mask_classes is None:
            yield "classes", f"{classes} ({concepts})"
            return
        kind = self.mask_classes.kind
        # Lists that leave out the background shift all names by one.
        zero = f"; the value 0 is {name}" if (name := self.mask_classes.names.get(0)) else ""
        yield "masks", f"{masks} ({kind})"
        yield "names", f"{self.mask_classes.source} ({concepts}{zero})"
        if kind == "class numbers":
            yield "void values", ", ".join(map(str, self.mask_classes.void_values))

    def why_empty(self) -> str:
        """A hint that all masks are 0, or that a void value could be given a name; else empty."""
        if self.mask_classes is None:
            return ""
        present: set[int] = set()
        for index in range(len(self.images)):
            mask = read_mask(self._mask_source(index), palettes=False)
            present.update(np.unique(mask).tolist() if mask.ndim == 2 else ())
        for value in VOID_VALUES:
            if value in present and value not in self.mask_classes.names:
                source = self.mask_classes.source
                named = DATASET_FILE not in source and "published" not in source
                return (
                    f"value {value} counts as void; name it in "
                    f"{source if named else NAME_FILES[0]} to make it a concept, each line "
                    f"with its number, as in `{value} cat`"
                )
        return "all masks are 0" if present == {0} else ""
