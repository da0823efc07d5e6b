"""How far filters are shared between concepts (sec. 4.2, Fig. 4 and 5)."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis.sufficiency import COMBINED, SINGLE
from net2vec.results import LAYER_TASK, RunTable, TableInput


def filter_sharing(scores: pd.DataFrame) -> pd.DataFrame:
    """For how many concepts each filter is the best single one (Fig. 5).

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, filter, concepts`, a row for every filter of a layer, so that those
        chosen for nothing are counted too.
    """
    fit = ["network", *LAYER_TASK]
    parts = []
    for key, rows in scores.groupby(fit, sort=False):
        filters = int(rows.loc[rows["method"] == COMBINED, "filters"].max())
        chosen = rows.loc[rows["method"] == SINGLE, "best_filter"]
        counts = chosen.value_counts().reindex(range(filters), fill_value=0)
        part = pd.DataFrame({"filter": counts.index, "concepts": counts.to_numpy()})
        for column, value in zip(fit, key, strict=True):
            part[column] = str(value)
        parts.append(part)
    columns = [*fit, "filter", "concepts"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def choose_filters(sharing: pd.DataFrame, count: int) -> list[int]:
    """The filters that are best for the most concepts; of equals, the lowest index.

    Args:
        sharing: rows of `filter_sharing` of one network, layer and task.
        count: how many to choose; fewer come where fewer are best for any concept.
    """
    used = sharing[sharing["concepts"] > 0]
    ranked = used.sort_values(["concepts", "filter"], ascending=[False, True], kind="stable")
    return [int(index) for index in ranked["filter"].head(count)]


FILTER_SHARING = RunTable(
    name="filter_sharing",
    title="For how many concepts each filter is the best one",
    source="Fig. 5",
    columns=(*LAYER_TASK, "filter", "concepts"),
    keys=(*LAYER_TASK, "filter"),
    made_of=TableInput.SCORES,
    make=filter_sharing,
    values=("concepts",),
)
