"""A run on disk: `results.zarr`, `scores.csv`, `skipped.csv` and `provenance.json`.

Functions here turn plain arrays into labelled ones, and labelled ones into files and back. Nothing
is computed.
"""

from net2vec.results.arrays import check_dataset, make_dataset
from net2vec.results.files import (
    load_json,
    load_table,
    load_tree,
    save_json,
    save_table,
    save_text,
    save_tree,
)
from net2vec.results.provenance import (
    PROVENANCE,
    check_file,
    check_settings,
    load_provenance,
    save_provenance,
)
from net2vec.results.run_table import LAYER_TASK, SCORE_GROUP, RunTable, TableInput
from net2vec.results.schema import METHODS, SCHEMA, SPLITS, declared
from net2vec.results.seeds import at_seed, seeds_in
from net2vec.results.stored_array import StoredArray
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
from net2vec.results.update import PARTS, exchanging, settle

__all__ = [
    "LAYER_TASK",
    "METHODS",
    "PARTS",
    "PROVENANCE",
    "SCHEMA",
    "SCORE_COLUMNS",
    "SCORE_GROUP",
    "SKIPPED_COLUMNS",
    "SPLITS",
    "RunTable",
    "StoredArray",
    "TableInput",
    "at_seed",
    "check_dataset",
    "check_file",
    "check_settings",
    "declared",
    "exchanging",
    "fits_of",
    "group_name",
    "layer_of",
    "layers_of",
    "load_json",
    "load_provenance",
    "load_table",
    "load_tree",
    "make_dataset",
    "results_tree",
    "save_json",
    "save_provenance",
    "save_table",
    "save_text",
    "save_tree",
    "scores_table",
    "seeds_in",
    "settle",
    "task_of",
    "tasks_of",
]
