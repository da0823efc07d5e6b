"""A survey of a probe dataset in the terminal, for `net2vec data info`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from net2vec.cli.display import show_lines, show_table

if TYPE_CHECKING:
    import pandas as pd

    from net2vec.data.left_out import LeftOut
    from net2vec.data.tools import Survey


def show_survey(survey: Survey, n: int) -> None:
    """Show images, categories and concepts, up to `n` concepts of each category."""
    common = list(survey.image_sizes.items())[:3]
    sizes = ", ".join(f"{width}x{height} ({count})" for (height, width), count in common)
    more = f" and {len(survey.image_sizes) - 3} more" if len(survey.image_sizes) > 3 else ""
    show_lines(
        [
            ("dataset", survey.name),
            *([("layout", survey.layout)] if survey.layout else []),
            ("images", ", ".join(f"{count} {split}" for split, count in survey.images.items())),
            ("image sizes", f"{sizes}{more}"),
            ("masks", f"{survey.mask_size[1]}x{survey.mask_size[0]}"),
            ("concepts", len(survey.concepts)),
            ("digest", survey.digest),
        ]
    )
    show_table(survey.categories(), title="Categories (medians over concepts)")
    for category, rows in survey.concepts.groupby("category", sort=False):
        shown = rows.head(n).drop(columns="category")
        if len(shown):
            rest = f", {len(rows) - len(shown)} more" if len(rows) > len(shown) else ""
            title = f"{category}: {len(rows)} concept{'s' if len(rows) > 1 else ''}{rest}"
            show_table(shown, title=title, digits=4)
    if len(survey.sources.columns) > 1:
        _show_sources(survey.sources, n)


def show_left_out(left_out: pd.DataFrame, passed_over: Sequence[LeftOut]) -> None:
    """Show concepts that a task leaves out, and images and annotations that the dataset does."""
    import pandas as pd

    rows = [asdict(item) for item in passed_over]
    for (task, reason), names in left_out.groupby(["task", "reason"], sort=False)["concept"]:
        what = f"concepts of {task}"
        rows.append({"what": what, "reason": reason, "count": len(names), "example": names.iloc[0]})
    if rows:
        show_table(pd.DataFrame(rows), title="What would be left out")


def _show_sources(sources: pd.DataFrame, n: int) -> None:
    places = (sources > 0).sum(axis=1)
    # Concepts in several sources first: they are why datasets are joined.
    shown = sources.loc[places.sort_values(ascending=False, kind="stable").index].head(n)
    show_lines([("in several", f"{(places > 1).sum()} of {len(sources)} concepts")])
    show_table(shown.reset_index(names="concept"), title="Images by source")
