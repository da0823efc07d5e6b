"""The settings of a run: complete, checked, and the same in a file as on the command line.

Every default is the paper's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any

import tomli_w

from net2vec.core.devices import DEVICES
from net2vec.errors import ConfigError

TASKS = ("segment", "classify")
BATCH_NORMS = ("auto", "stored", "probe")
PAPER, CONVERGED, BOTH = FITS = ("paper", "converged", "both")
SEGMENT_SUBSETS = (1, 2, 4, 8, 16, 32, 64, 128, 160, 192, 224)
CLASSIFY_SUBSETS = (1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 80, 100, 128)
# What torch's generators take.
_SEEDS = (-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class SegmentSettings:
    """Learning to segment (paper, section 3.1.2).

    Attributes:
        learning_rate: step size; the loss is a sum over pixels.
        momentum: share of the last step that is taken again.
        batch: images of a mini-batch.
        epochs: passes over the training images of a concept.
        subsets: numbers of filters to learn again with, on the last layer.
    """

    learning_rate: float = 1e-4
    momentum: float = 0.9
    batch: int = 64
    epochs: int = 30
    subsets: tuple[int, ...] = SEGMENT_SUBSETS

    def __post_init__(self) -> None:
        _check_training("segment", self.learning_rate, self.momentum, self.batch, self.epochs)
        _check_subsets("segment", self.subsets)


@dataclass(frozen=True)
class ClassifySettings:
    """Learning to classify (paper, section 3.2).

    Attributes:
        learning_rate: step size of the first epochs.
        momentum: share of the last step that is taken again.
        batch: images of a mini-batch.
        epochs: passes over a concept's balanced images.
        drop_after: epochs after which the learning rate is divided by 10.
        subsets: numbers of filters to learn again with, on the last layer.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    batch: int = 64
    epochs: int = 30
    drop_after: int = 15
    subsets: tuple[int, ...] = CLASSIFY_SUBSETS

    def __post_init__(self) -> None:
        _check_training("classify", self.learning_rate, self.momentum, self.batch, self.epochs)
        _check(self.drop_after >= 0, "classify.drop_after", "0 or more", self.drop_after, 15)
        _check_subsets("classify", self.subsets)


@dataclass(frozen=True)
class Settings:
    """All that decides a run's numbers.

    Attributes:
        network: as `net2vec run --network` takes it.
        data: datasets, as `--data` takes them; several are joined.
        weights: a file, `random`, a published name, or None for the published weights.
        layers: module paths, aliases or globs; none for the network's own choice.
        tasks: `segment`, `classify` or both.
        concepts: names; none for all.
        min_train: training images that a concept must be in.
        seed: of everything that is drawn.
        fit: `paper` learns by the paper's training, `converged` solves a convex problem to its
            optimum, `both` does both.
        nulls: how often every fit is repeated on shuffled annotations.
        seeds: how often the paper's fit is made: with seed, seed + 1, ...
        device: where to compute; `auto` takes CUDA where there is one.
        quantile: share of a filter's activations above its threshold (tau).
        mask_size: side of the masks in pixels; None for half the network's input.
        probe_batch: images that the network sees at a time, None for as many as suit the device;
            it may move rounding.
        mixed_precision: whether the network runs in half precision where that is safe.
        batch_norm: `probe` estimates batch-norm statistics on the probe images, `stored` takes
            the network's; `auto` estimates them where the weights are random.
        category: what the classes of a dataset are whose layout does not say it.
        synonyms: a file of labels that mean the same.
        ignore: labels to leave out.
        colors: whether colours are added as concepts where a dataset has none.
        segment, classify: how to learn.
    """

    network: str
    data: tuple[str, ...]
    weights: str | None = None
    layers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = TASKS
    concepts: tuple[str, ...] = ()
    min_train: int = 1
    seed: int = 0
    fit: str = PAPER
    nulls: int = 0
    seeds: int = 1
    device: str = "auto"
    quantile: float = 0.005
    mask_size: int | None = None
    probe_batch: int | None = None
    mixed_precision: bool = False
    batch_norm: str = "auto"
    category: str | None = None
    synonyms: str | None = None
    ignore: tuple[str, ...] = ()
    colors: bool = False
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    classify: ClassifySettings = field(default_factory=ClassifySettings)

    def __post_init__(self) -> None:
        _check(0 < self.quantile < 1, "quantile", "in (0, 1)", self.quantile, 0.005)
        if self.probe_batch is not None:
            _check(self.probe_batch >= 1, "probe_batch", "1 or more", self.probe_batch, 16)
        _check(self.min_train >= 1, "min_train", "1 or more", self.min_train, 1)
        if self.mask_size is not None:
            _check(self.mask_size >= 1, "mask_size", "1 or more", self.mask_size, 112)
        if not self.data:
            raise ConfigError("no probe dataset given; name one with --data, for instance diorama")
        if not self.tasks:
            raise ConfigError(f"no task given; wanted {' or '.join(TASKS)}")
        for task in self.tasks:
            _check_choice("task", task, TASKS)
        _check_choice("device", self.device, DEVICES)
        _check_choice("fit", self.fit, FITS)
        _check(self.nulls >= 0, "nulls", "0 or more", self.nulls, 0)
        _check(self.seeds >= 1, "seeds", "1 or more", self.seeds, 1)
        low, high = _SEEDS
        below = f"in {low} to {high}"
        _check(low <= self.seed <= high - self.seeds + 1, "seed", below, self.seed, 0)
        if self.seeds > 1 and self.fit == CONVERGED:
            raise ConfigError(
                f"seeds repeats the paper's fit from other starts, got {self.seeds} with fit "
                f"converged, which has none; use fit both or paper"
            )
        _check_choice("batch_norm", self.batch_norm, BATCH_NORMS)

    @property
    def fits(self) -> tuple[str, ...]:
        """The fits to make, the paper's first."""
        return (PAPER, CONVERGED) if self.fit == BOTH else (self.fit,)

    def to_toml(self) -> str:
        """The settings as the text of `run.toml`; what is None is left out."""
        return tomli_w.dumps(_plain(asdict(self)))

    @classmethod
    def from_toml(cls, path: Path) -> Settings:
        """Read settings from a file that `to_toml` wrote, or a person.

        Raises:
            ConfigError: there is no such file, it is not TOML, or it holds something else.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"{path}: no such file of settings") from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
        return cls.from_dict(values, str(path))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "settings") -> Settings:
        """Settings from plain values.

        Raises:
            ConfigError: a key is unknown or missing, or a value is of the wrong kind.
        """
        plain = dict(values)
        plain["segment"] = _part(SegmentSettings, plain.get("segment", {}), f"{source}: segment")
        plain["classify"] = _part(
            ClassifySettings, plain.get("classify", {}), f"{source}: classify"
        )
        settings: Settings = _part(cls, plain, source)
        return settings


def differences(one: Settings, other: Settings) -> list[str]:
    """Where two settings differ, as `seed (0 and 1)`."""
    first, second = _flat(asdict(one)), _flat(asdict(other))
    return [
        f"{key} ({_shown(first[key])} and {_shown(second[key])})"
        for key in first
        if first[key] != second[key]
    ]


def _shown(value: object) -> str:
    listed = value if isinstance(value, tuple) else () if value is None else (value,)
    return ", ".join(map(str, listed)) or "none"


def may_follow(settings: Settings, before: Settings, *, finished: bool) -> bool:
    """Whether a run may go on in the folder of one with other settings.

    It may where they differ in nothing but what only adds to a run; to a finished one they must
    not ask for less than what is there.
    """
    adding = {"fit": before.fit, "nulls": before.nulls, "seeds": before.seeds}
    if asdict(settings) | adding != asdict(before):
        return False
    kept = settings.fits[: len(before.fits)] == before.fits
    more = kept and settings.nulls >= before.nulls and settings.seeds >= before.seeds
    return more or not finished


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (float, int),
    "bool": (bool,),
}


def _part(kind: Any, values: Mapping[str, Any], source: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source} must be a table, got {values!r}")
    known = {entry.name: str(entry.type) for entry in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{source} has unknown {', '.join(unknown)}; known are {', '.join(known)}"
        )
    converted: dict[str, Any] = {}
    for key, value in values.items():
        wanted = known[key]
        if wanted.startswith("tuple["):
            element = (int,) if "int" in wanted else (str,)
            value = (value,) if isinstance(value, str) else value
            if not isinstance(value, list | tuple) or not all(_is(v, element) for v in value):
                raise ConfigError(f"{source}: {key} must be a list, got {value!r}")
            converted[key] = tuple(value)
        elif wanted in _KINDS and not _is(value, _KINDS[wanted]):
            raise ConfigError(f"{source}: {key} must be of type {wanted}, got {value!r}")
        else:
            converted[key] = value
    try:
        return kind(**converted)
    except TypeError as error:
        raise ConfigError(f"{source} lacks a setting: network and data are needed") from error


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            plain[key] = _plain(value)
        elif value is not None:
            plain[key] = list(value) if isinstance(value, tuple) else value
    return plain


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat


def _check(holds: bool, name: str, wanted: str, value: object, paper: object) -> None:
    if not holds:
        raise ConfigError(f"{name} must be {wanted}, got {value}; usual is {paper}")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"unknown {name} {value!r}; wanted one of {', '.join(known)}")


def _check_training(
    task: str, learning_rate: float, momentum: float, batch: int, epochs: int
) -> None:
    usual = 1e-4 if task == "segment" else 0.1
    finite = 0 < learning_rate < inf
    _check(finite, f"{task}.learning_rate", "above 0 and finite", learning_rate, usual)
    _check(0 <= momentum < 1, f"{task}.momentum", "in [0, 1)", momentum, 0.9)
    _check(batch >= 1, f"{task}.batch", "1 or more", batch, 64)
    _check(epochs >= 1, f"{task}.epochs", "1 or more", epochs, 30)


def _check_subsets(task: str, subsets: tuple[int, ...]) -> None:
    _check(
        all(size >= 1 for size in subsets),
        f"{task}.subsets",
        "numbers of filters, 1 or more",
        list(subsets),
        "1, 2, 4, ...",
    )
