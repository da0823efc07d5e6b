"""The pages of settings and commands are those that the program's declarations give."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("name", ["settings", "commands"])
def test_the_page_is_current(name):
    page = runpy.run_path(str(DOCS / f"{name}.py"))["page"]
    assert (DOCS / f"{name}.md").read_text() == page(), f"write it: python docs/{name}.py"
