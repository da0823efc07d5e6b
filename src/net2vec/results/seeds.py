"""The paper's fit from several starts: what a run would be with another seed."""

from __future__ import annotations

import xarray as xr

from net2vec.errors import ResultsError
from net2vec.results.arrays import METHODS

_PREFIX = "seed_"
# What a seed has no part in: scores of single filters, and what the paper's fit does not learn.
_FREE = {"segment": ("single_iou", "best_filter", "bias", "cut", "l2"), "classify": ("l2",)}


def seeds_in(results: xr.Dataset) -> tuple[int, ...]:
    """The seeds of the paper's fit, the run's own first; none where it was made once."""
    return tuple(int(seed) for seed in results["seed"].values) if "seed" in results else ()


def at_seed(results: xr.Dataset, seed: int) -> xr.Dataset:
    """The arrays of a task as they are with one of its seeds.

    With another seed than the run's own, what was computed for that one alone is not there: the
    weights of subsets, the counts behind individual IoU, the images that classification is judged
    on, nulls.

    Raises:
        ResultsError: there is no fit with this seed.
    """
    known = seeds_in(results)
    if seed not in known:
        having = f"it has {', '.join(map(str, known))}" if known else "the fit was made once"
        raise ResultsError(f"seed {seed} is not in this run; {having} (see `run --seeds`)")
    names = [str(name) for name in results.data_vars if str(name).startswith(_PREFIX)]
    own = results.drop_vars(names)
    if seed != known[0]:
        free = [name for name in _FREE[results.attrs["task"]] if name in results]
        chosen = results.sel(seed=seed)
        seeded = {name.removeprefix(_PREFIX): chosen[name] for name in names}
        if "pair_iou" in seeded:
            combined = results["method"] == METHODS[1]
            seeded["pair_iou"] = results["pair_iou"].where(~combined, seeded["pair_iou"])
        own = own[free].assign(
            {
                name: values.drop_vars("seed")
                .transpose(*own[name].dims)
                .assign_attrs(own[name].attrs)
                for name, values in seeded.items()
            }
        )
    used = {dimension for variable in own.data_vars.values() for dimension in variable.dims}
    return own.drop_vars([name for name, at in own.coords.items() if not used >= set(at.dims)])
