"""A run on disk: `results.zarr`, `scores.csv`, `skipped.csv` and `provenance.json`.

Functions here turn plain arrays into labelled ones, and labelled ones into files and back. Nothing
is computed.
"""

from net2vec.results.arrays import (
    METHODS,
    SPLITS,
    Concepts,
    classify_dataset,
    layer_dataset,
    segment_dataset,
)
from net2vec.results.files import (
    load_json,
    load_table,
    load_tree,
    save_json,
    save_table,
    save_text,
    save_tree,
)
from net2vec.results.fits import fit_of, fit_title, has_start
from net2vec.results.more import CONVERGED, FITS, MORE, PAPER
from net2vec.results.run_table import LAYER_TASK, RunTable
from net2vec.results.seeds import at_seed, seeds_in
from net2vec.results.tree import (
    SCORE_COLUMNS,
    SKIPPED_COLUMNS,
    fits_of,
    group_name,
    layer_of,
    layers_of,
    results_tree,
    scores_table,
    task_of,
    tasks_of,
)

__all__ = [
    "CONVERGED",
    "FITS",
    "LAYER_TASK",
    "METHODS",
    "MORE",
    "PAPER",
    "SCORE_COLUMNS",
    "SKIPPED_COLUMNS",
    "SPLITS",
    "Concepts",
    "RunTable",
    "at_seed",
    "classify_dataset",
    "fit_of",
    "fit_title",
    "fits_of",
    "group_name",
    "has_start",
    "layer_dataset",
    "layer_of",
    "layers_of",
    "load_json",
    "load_table",
    "load_tree",
    "results_tree",
    "save_json",
    "save_table",
    "save_text",
    "save_tree",
    "scores_table",
    "seeds_in",
    "segment_dataset",
    "task_of",
    "tasks_of",
]
