"""The report's colours as variables of the page's style sheet."""

from __future__ import annotations

from net2vec.report.figures.style import DARK, LIGHT, Theme


def theme_css() -> str:
    """Variables for a light page, and for a dark one by the user's or the system's choice."""
    light, dark = _variables(LIGHT), _variables(DARK)
    return (
        f":root {{ {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f":root[data-theme=dark] {{ {dark} }}\n"
    )


def _variables(theme: Theme) -> str:
    colors = {
        "color-scheme": theme.name,
        "--text": theme.text,
        "--muted": theme.muted,
        "--line": theme.grid,
        "--single": theme.single,
        "--combined": theme.combined,
        **{f"--series-{place}": color for place, color in enumerate(theme.series)},
    }
    return " ".join(f"{name}: {color};" for name, color in colors.items())
