"""The settings of a run; every one is declared once, as a field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import tomli_w

from net2vec.config.task_settings import (
    FITTING,
    MACHINE,
    PROBE,
    SEGMENTING,
    STATISTICS,
    ClassifySettings,
    SegmentSettings,
    count,
)
from net2vec.core.fields import (
    Interval,
    check_fields,
    declare,
    documented,
    from_plain,
)
from net2vec.core.fits import fit_has_start, known_fits
from net2vec.core.image_size import parse_size
from net2vec.errors import ConfigError
from net2vec.vocabulary import (
    ALL,
    BATCH_NORMS,
    BOTH,
    DEVICES,
    FIT_SETS,
    FITS,
    TASKS,
)

_SEEDS = Interval(-(2**63), 2**63 - 1)  # of torch's generators


@documented
@dataclass(frozen=True)
class Settings:
    """The settings that decide a run's numbers; `segment` and `classify` hold those of a task."""

    network: str = declare(
        "Network to probe: a name from `net2vec networks`, torchvision:NAME, timm:NAME, "
        "hf:ORG/NAME, open_clip:NAME, package.module:function, file.py:function or a .pt2 file; "
        "several are probed one after the other",
        PROBE,
        unit="name",
        repeated=True,
    )
    data: tuple[str, ...] = declare(
        "Probe dataset: diorama, a folder of annotated images, or hf:ORG/NAME[:SPLIT] of the "
        "Hugging Face hub; several are joined",
        PROBE,
        unit="data",
        repeated=True,
    )
    truth: str | None = declare(
        "Probe dataset that has masks by people of some of the images, by the same names, where a "
        "model made those of --data: segmentation scores are corrected by them",
        PROBE,
        default=None,
        unit="data",
        unset="none",
    )
    weights: str | None = declare(
        "Weights: a file, random, or a published name",
        PROBE,
        default=None,
        unit="name",
        unset="the published weights",
    )
    layers: tuple[str, ...] = declare(
        "Layers: module paths, aliases or globs, separated by commas, or last; each also in a "
        "basis, as layer4@pca",
        PROBE,
        default=(),
        unit="names",
        unset="the network's own choice",
    )
    tasks: tuple[str, ...] = declare(
        f"Tasks, separated by commas: {', '.join(TASKS)}",
        PROBE,
        default=TASKS,
        unit="names",
        choices=TASKS,
        noun="task",
    )
    concepts: tuple[str, ...] = declare(
        "Names of concepts, separated by commas; a name with a comma stands in double quotes: "
        "'\"door, glass\",cup'",
        PROBE,
        default=(),
        unit="names",
        unset="all",
    )
    min_train: int = count("Training images that a concept must be in", PROBE, "images", 1)
    max_images_per_concept: int | None = count(
        "Images of a concept, of each split, that segmentation learns from and is scored on, at "
        "most; drawn by the seed",
        SEGMENTING,
        "images",
        None,
        unset="all",
    )
    seed: int = declare("Seed of everything that is drawn", STATISTICS, default=0, limits=_SEEDS)
    fit: str = declare(
        "Fits, separated by commas: "
        + ", ".join(f"{name} ({known.about})" for name, known in FITS.items())
        + f"; {BOTH} means {' and '.join(FIT_SETS[BOTH])}, {ALL} every known fit",
        FITTING,
        default=ALL,
        unit="names",
    )
    nulls: int = count(
        "How often every fit is repeated on shuffled annotations", STATISTICS, "times", 0, low=0
    )
    seeds: int = count(
        "Number of random starts of every fit that has one: of seed, seed + 1, and so on",
        STATISTICS,
        "starts",
        1,
    )
    device: str = declare(
        "Device to compute on; auto is CUDA where there is one",
        MACHINE,
        default="auto",
        choices=DEVICES,
    )
    quantile: float = declare(
        "Share of a filter's activations above its threshold (tau)",
        PROBE,
        default=0.005,
        limits=Interval(0, 1, open_low=True, open_high=True),
    )
    input: int | str | None = declare(
        "Size of the images that the network is fed, where it takes more than one: the side of a "
        "square, or WIDTHxHEIGHT as in 320x240; embeddings of positions are adapted by its library",
        PROBE,
        default=None,
        unit="pixels",
        unset="the network's own",
    )
    mask_size: int | str | None = declare(
        "Size of the masks, as that of the input",
        PROBE,
        default=None,
        unit="pixels",
        unset="half the network's input",
    )
    probe_batch: int | None = count(
        "Images that the network processes at a time; may change how results are rounded",
        MACHINE,
        "images",
        None,
        unset="what suits the device",
        usual=16,
    )
    mixed_precision: bool = declare(
        "Run the network in half precision where that is safe",
        MACHINE,
        default=False,
        negation="full_precision",
    )
    batch_norm: str = declare(
        "Batch-norm statistics: probe estimates them on the probe images, stored takes the "
        "network's own, auto estimates them for random weights",
        PROBE,
        default="auto",
        unit="mode",
        choices=BATCH_NORMS,
    )
    category: str | None = declare(
        "Category of the classes of masks or class folders",
        PROBE,
        default=None,
        unit="name",
        unset="as the layout says",
    )
    reader: str | None = declare(
        "Layout of the dataset, where it is not clear: one of those that the message names",
        PROBE,
        default=None,
        unit="name",
        unset="as the folder shows",
    )
    dataset: str | None = declare(
        "Description of the dataset, as dataset.toml in its folder",
        PROBE,
        default=None,
        unit="file",
        is_path=True,
    )
    split: str | None = declare(
        "Folder whose images validate, or draw, draw=SHARE, draw=SHARE,SEED to draw validation "
        "images from those that train",
        PROBE,
        default=None,
        unit="folder",
        unset="as the layout says",
    )
    skip_missing: bool = declare(
        "Leave out images that an index names and that are not there",
        PROBE,
        default=False,
        negation="no_skip_missing",
    )
    synonyms: str | None = declare(
        "File of labels that mean the same", PROBE, default=None, unit="file", is_path=True
    )
    ignore: tuple[str, ...] = declare(
        "Label to leave out; may be repeated", PROBE, default=(), unit="label", repeated=True
    )
    colors: bool = declare(
        "Add the 11 basic colours as concepts where a dataset has none",
        PROBE,
        default=False,
        negation="no_colors",
    )
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    classify: ClassifySettings = field(default_factory=ClassifySettings)

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("no probe dataset given; name one with --data, for instance diorama")
        if not self.tasks:
            raise ConfigError(f"no task given; wanted {' or '.join(TASKS)}")
        check_fields(self)
        for name in ("input", "mask_size"):
            if (value := getattr(self, name)) is not None:
                size = parse_size(value, name)
                plain = size if isinstance(size, int) else "x".join(map(str, size))
                object.__setattr__(self, name, plain)
        # One spelling for one choice of fits: settings are compared, and an older file says both.
        names = _fit_names(self.fit)
        sets = {chosen: name for name, chosen in FIT_SETS.items()}
        object.__setattr__(self, "fit", sets.get(names, ",".join(names)))
        if self.seed + self.seeds - 1 not in _SEEDS:
            more = f"{self.seed} and {self.seeds - 1} after it"
            raise ConfigError(f"seed must be {_SEEDS}, got {more}; usual is 0")
        if self.seeds > 1 and not any(map(fit_has_start, names)):
            started = next(name for name in known_fits() if fit_has_start(name))
            raise ConfigError(
                f"seeds repeats a fit from other random starts, got {self.seeds} with fit "
                f"{self.fit}, which has none; use fit {started} or {started},{self.fit}"
            )

    @property
    def fits(self) -> tuple[str, ...]:
        """Names of the fits to make, in the order of `known_fits`."""
        return _fit_names(self.fit)

    def to_toml(self) -> str:
        """The settings as the text of `run.toml`; what is None is left out."""
        return tomli_w.dumps(_without_none(asdict(self)))

    @classmethod
    def from_toml(cls, path: Path) -> Settings:
        """Read settings from a file in the form of `to_toml`.

        Raises:
            ConfigError: there is no such file, it is not TOML, or it holds something else.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"{path}: no such file of settings") from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
        except RecursionError:
            raise ConfigError(f"{path} cannot be read as TOML: it is nested too deeply") from None
        return cls.from_dict(values, str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "settings") -> Settings:
        """Settings from plain values.

        Raises:
            ConfigError: a key is unknown or missing, or a value is of the wrong kind.
        """
        try:
            return cast(Settings, from_plain(cls, values, source))
        except TypeError as error:
            raise ConfigError(f"{source} lacks a setting: network and data are needed") from error


def _fit_names(text: str) -> tuple[str, ...]:
    """Fits by the names in a text, in the order of `known_fits`.

    Raises:
        ConfigError: a name is unknown.
    """
    known = known_fits()
    sets = {**FIT_SETS, ALL: known}
    chosen: set[str] = set()
    for name in (part.strip() for part in text.split(",")):
        if name not in known and name not in sets:
            raise ConfigError(f"unknown fit {name!r}; wanted one of {', '.join((*known, *sets))}")
        chosen.update(sets.get(name, (name,)))
    return tuple(name for name in known if name in chosen)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }
