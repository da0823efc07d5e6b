"""The page of settings is the one that the declarations give."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_settings_is_current():
    page = runpy.run_path(str(DOCS / "settings.py"))["page"]
    assert (DOCS / "settings.md").read_text() == page(), "write it: python docs/settings.py"
