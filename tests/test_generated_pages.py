"""Pages that are written by programs are those that the programs write today."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("name", ["settings", "commands"])
def test_the_page_is_current(name):
    page = runpy.run_path(str(DOCS / f"{name}.py"))["page"]
    assert (DOCS / f"{name}.md").read_text() == page(), f"write it: python docs/{name}.py"


def test_the_words_of_the_evidence_are_those_of_its_template():
    """Its numbers take a quarter of an hour; its words can be compared at once."""
    template = (DOCS.parent / "benchmarks" / "evidence.md.jinja").read_text()
    written = set((DOCS / "evidence.md").read_text().splitlines())
    fixed = [line for line in template.splitlines() if "{{" not in line and "{%" not in line]
    assert [line for line in fixed if line not in written] == []
    assert "{{" not in "".join(written)
