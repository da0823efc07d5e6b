"""The declaration of one array of `results.zarr`; `schema` lists all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from net2vec.vocabulary import TASKS

SEED_PREFIX = "seed_"


@dataclass(frozen=True)
class StoredArray:
    """A variable of `results.zarr`.

    Attributes:
        name: its name.
        dims: its dimensions.
        meaning: its definition, stored as `long_name`; by task where the tasks differ.
        units: its unit; "1" is a plain number. None where a unit has no meaning, or where it is
            that of the network's activations.
        tasks: the groups that may hold it: `segment`, `classify`, or `layer`.
        required: the tasks whose group always holds it. Another array that is missing was not
            computed.
        dtype: the type that it is stored with; None keeps the type that it is computed in. Text
            is "str": Python strings in an array of objects.
        coordinate: whether it is a coordinate.
        per_seed: the tasks in which a fit with several seeds has an array `seed_NAME` beside it,
            with a dimension `seed`. One with a dimension `method` is of the combination alone.
        seed_free: the tasks in which every seed has the same values, so that it stays in the view
            of another seed. Where they differ for some fit, there is a `seed_NAME` nevertheless.
    """

    name: str
    dims: tuple[str, ...]
    meaning: str | Mapping[str, str] = ""
    units: str | None = None
    tasks: tuple[str, ...] = TASKS
    required: tuple[str, ...] = ()
    dtype: str | None = None
    coordinate: bool = False
    per_seed: tuple[str, ...] = ()
    seed_free: tuple[str, ...] = ()

    def attributes(self, task: str) -> dict[str, str]:
        """The attributes that are stored with it."""
        text = self.meaning if isinstance(self.meaning, str) else self.meaning[task]
        attributes = {"long_name": text, "units": self.units}
        return {name: value for name, value in attributes.items() if value}

    @property
    def seed_name(self) -> str:
        """The name of the array that holds all seeds."""
        return f"{SEED_PREFIX}{self.name}"

    @property
    def seed_dims(self) -> tuple[str, ...]:
        """The dimensions of the array that holds all seeds: `seed` comes after `split`."""
        dims = [dimension for dimension in self.dims if dimension != "method"]
        dims.insert(1 if dims[:1] == ["split"] else 0, "seed")
        return tuple(dims)

    def of_seeds(self) -> StoredArray:
        """The declaration of the array that holds all seeds."""
        tasks = tuple(dict.fromkeys((*self.per_seed, *self.seed_free)))
        meaning = {
            task: f"{self.attributes(task).get('long_name', self.name)}; with every seed"
            for task in tasks
        }
        return StoredArray(
            self.seed_name, self.seed_dims, meaning, self.units, tasks, dtype=self.dtype
        )
