"""Results as they are with another seed of the fit."""

from __future__ import annotations

import xarray as xr

from net2vec.errors import ResultsError
from net2vec.results.schema import METHODS, declared
from net2vec.results.stored_array import SEED_PREFIX


def seeds_in(results: xr.Dataset) -> tuple[int, ...]:
    """The seeds of the fit, the run's own first; none where it was made once."""
    return tuple(int(seed) for seed in results["seed"].values) if "seed" in results else ()


def at_seed(results: xr.Dataset, seed: int) -> xr.Dataset:
    """The arrays of a task as they are with one of its seeds.

    With another seed than the run's own, what was computed for that one alone is not there: the
    weights of subsets, the counts behind individual IoU, the images that classification is judged
    on, nulls.

    Raises:
        ResultsError: if there is no fit with this seed.
    """
    known = seeds_in(results)
    if seed not in known:
        available = f"it has {', '.join(map(str, known))}" if known else "the fit was made once"
        raise ResultsError(f"seed {seed} is not in this run; {available} (see `run --seeds`)")
    stored = [name for name in results.data_vars if str(name).startswith(SEED_PREFIX)]
    own = results.drop_vars(stored)
    if seed != known[0]:
        task = results.attrs["task"]
        arrays = {}
        for array in declared(task).values():
            if array.name not in own.data_vars:
                continue
            array_of_seeds = own[array.name]
            if array.seed_name in stored:
                chosen = results[array.seed_name].sel(seed=seed, drop=True)
                if "method" in array.dims:  # the single filter is the same with every seed
                    chosen = array_of_seeds.where(array_of_seeds["method"] != METHODS[1], chosen)
                arrays[array.name] = chosen.transpose(*array.dims).assign_attrs(
                    array_of_seeds.attrs
                )
            elif task in array.seed_free:
                arrays[array.name] = array_of_seeds
        own = own.drop_vars(own.data_vars).assign(arrays)
    return without_unused(own)


def without_unused(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset without coordinates along dimensions that none of its arrays has."""
    used = {dimension for variable in dataset.data_vars.values() for dimension in variable.dims}
    return dataset.drop_vars(
        [name for name, at in dataset.coords.items() if not used >= set(at.dims)]
    )
