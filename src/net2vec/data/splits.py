"""Splits of images: read off names of folders, stated by the user, or drawn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from net2vec.data.protocol import SPLITS, TRAIN, VAL
from net2vec.errors import DataError

VAL_SHARE = 0.3
TEST = "test"

OF_TEST = "of a split for testing"
"""Why an image is left out."""

_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
_AFFIX = r"(?:(?:data)?set|split|data|images?|imgs?)"
# As in `train2017`, `train_set`, `trainingset`, `val-images`, `images_val` and `train1`.
_SPLIT_NAME = re.compile(
    rf"(?:{_AFFIX}[-_ ])?({'|'.join(sorted(_SPLIT_NAMES, key=len, reverse=True))})"
    rf"(?:[-_ ]?{_AFFIX})?[-_ ]?\d*"
)
_DRAWN = re.compile(r"draw(?:=([0-9.]+)(?:,([0-9]+))?)?")


def hashed_split(name: str, share: float = VAL_SHARE, seed: int = 0) -> str:
    """Assigns an image to "train" (70 %) or "val" (30 %) by a hash of its name alone.

    The split of an image therefore does not depend on the order or presence of other images.

    Args:
        name: of the image.
        share: share of "val".
        seed: another seed gives another assignment.
    """
    text = f"{seed}:{name}" if seed else name
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return TRAIN if number < (1 - share) * 2**64 else VAL


def split_in_path(name: str) -> str | None:
    """The split in the name of a folder on a path: "train", "val" or "test"; None if none.

    All readers recognise splits by this function. A name may also hold a year or a number, and one
    of the words set, dataset, split, data, images (`train2017`, `val_set`, `images_train`).
    """
    for part in PurePosixPath(name).parts:
        if match := _SPLIT_NAME.fullmatch(part.lower()):
            return _SPLIT_NAMES[match[1]]
    return None


@dataclass(frozen=True)
class SplitRule:
    """A rule by which images train or validate, for all readers whose layout leaves it open.

    Without settings the usual names of splits decide (`split_in_path`), and images under none of
    them are drawn.

    Attributes:
        train, val: folders whose images train or validate: names, or several parts of a path. With
            `val` alone all other images train, but those of other splits, which are left out; with
            both all images in neither are left out.
        listed: split by image, from lists. Images on none of them are left out, or train if there
            is no list of training images.
        draws: whether validation images are drawn from those that would train; other splits are
            left out.
        share: share of the validation images where they are drawn.
        seed: seed of drawing.
    """

    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    listed: Mapping[str, str] = field(default_factory=dict)
    draws: bool = False
    share: float = VAL_SHARE
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> SplitRule:
        """The rule of `--split`: `draw`, `draw=SHARE`, `draw=SHARE,SEED`, or a folder's name.

        Raises:
            DataError: if it is empty, or the share is not between 0 and 1.
        """
        if match := _DRAWN.fullmatch(text):
            return cls.drawn(match[1] or VAL_SHARE, int(match[2] or 0))
        if not text.strip("/"):
            raise DataError("--split is empty; wanted the folder that validates, or draw")
        return cls(val=(text.strip("/"),))

    @classmethod
    def drawn(cls, share: str | float, seed: int) -> SplitRule:
        """A rule that draws validation images.

        Raises:
            DataError: if the share is not between 0 and 1.
        """
        try:
            number = float(share)
        except ValueError:
            number = 0.0
        if not 0 < number < 1:
            raise DataError(f"the share of validation images is {share}; wanted one within 0 to 1")
        return cls(draws=True, share=number, seed=seed)

    def __bool__(self) -> bool:
        return self != SplitRule()

    def stated_split(self, path: str) -> str | None:
        """The split that the settings state for a path: "train", "val" or None."""
        if self.listed:
            pure = PurePosixPath(path)
            names = (path, str(pure.with_suffix("")), pure.name, pure.stem)
            return next((self.listed[name] for name in names if name in self.listed), None)
        for split, folders in ((VAL, self.val), (TRAIN, self.train)):
            if any(f"/{name}/".lower() in f"/{path}/".lower() for name in folders):
                return split
        return None

    def split_of(self, path: str) -> str | None:
        """The split of an image by its path: "train", "val", "test" for none; None to be drawn.

        Args:
            path: the image's, or any text of parts separated by slashes that may name a split.
        """
        if self.listed:
            return self.stated_split(path) or (TEST if TRAIN in self.listed.values() else TRAIN)
        if self.train and self.val:
            return self.stated_split(path) or TEST
        if stated := self.stated_split(path):
            return stated
        split = split_in_path(path)
        if self.draws:
            return None if split in (TRAIN, None) else TEST
        if self.val and split == VAL:
            return TEST
        return split

    def draw(self, image: str) -> str:
        """The split of an image that stands in none."""
        return TRAIN if self.val else hashed_split(image, self.share, self.seed)

    def check_used(self, paths: Iterable[str], where: str) -> None:
        """Checks that some image is of every split that the settings state.

        Args:
            paths: the images and other texts that the rule was asked about.
            where: the dataset, for the message.

        Raises:
            DataError: if a stated folder or list has no image.
        """
        if not (self.listed or self.train or self.val):
            return
        known = list(paths)
        for name in (*self.train, *self.val):
            if not any(f"/{name}/".lower() in f"/{path}/".lower() for path in known):
                parts = {part for path in known for part in PurePosixPath(path).parts[:-1]}
                folders = ", ".join(sorted(parts)[:12]) or "none"
                raise DataError(f"{where}: no image is in a folder {name!r}; folders are {folders}")
        if self.listed and not any(map(self.stated_split, known)):
            listed, example = next(iter(self.listed)), next(iter(known), "none")
            raise DataError(
                f"{where}: no image is on the lists of splits; they hold {listed!r}, an image is "
                f"{example}"
            )


@dataclass
class SplitChoice:
    """The images of a dataset that are used, with their splits, and those that are left out.

    Attributes:
        rule: draws the split of images that are in none.
        splits: "train" or "val" by image.
        unused: images by the reason why they are left out.
        drawn: number of images in `splits` whose split was drawn.
    """

    rule: SplitRule
    splits: dict[str, str] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=dict)
    drawn: int = 0

    def add(self, image: str, split_name: str | None, reason: str | None = None) -> bool:
        """Adds an image, and says whether it is used.

        Args:
            image: its name.
            split_name: its split; None to draw one.
            reason: why it is left out; None if it may be used.
        """
        split = split_name or self.rule.draw(image)
        if split not in SPLITS:
            reason = OF_TEST
        if reason is not None:
            self.unused.setdefault(reason, []).append(image)
            return False
        self.splits[image] = split
        self.drawn += split_name is None
        return True
