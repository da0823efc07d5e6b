"""An opened run as a notebook shows it."""

from __future__ import annotations

from markupsafe import Markup

from net2vec.runs.data import RunData

_ROW = Markup("<tr><th style='text-align: left'>{}</th><td style='text-align: left'>{}</td></tr>")


def describe_run(run: RunData) -> str:
    """The content of a run as a table in HTML; names from data are escaped."""
    network, data = (run.provenance.get(part, {}) for part in ("network", "data"))
    images = " and ".join(
        f"{data[key]:,} {title}"
        for key, title in (("train_images", "training"), ("val_images", "validation images"))
        if key in data
    )
    learned = run.scores.groupby("task", sort=False)["concept"].nunique()
    rows = {
        "network": ", ".join(filter(None, [run.network, network.get("weights")])),
        "data": ", ".join(filter(None, [data.get("name"), images])),
        "layers": ", ".join(run.layers),
        "fits": ", ".join(run.fits),
        "seed": "" if run.seed is None else str(run.seed),
        "concepts": ", ".join(f"{count:,} to {task}" for task, count in learned.items()),
        "folder": str(run.path),
    }
    body = Markup("").join(_ROW.format(*row) for row in rows.items() if row[1])
    return str(Markup("<table><caption>net2vec run</caption>{}</table>").format(body))
