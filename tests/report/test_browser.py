"""The saved page in a headless Chromium: what a script in the page sees and does there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

WATCH = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message || event.target.src)), true);
</script>"""

# Runs after the page's own script, uses the page as a reader would, and leaves a note in it.
VISIT = f"<script>{Path(__file__).with_name('visit.js').read_text('utf-8')}</script>"


@pytest.fixture(scope="module", params=[1280, 500])
def visit(page, request, tmp_path_factory):
    folder = shutil.copytree(page.parent, tmp_path_factory.mktemp("visit") / "report")
    index = folder / "index.html"
    source = index.read_text("utf-8").replace("<head>", "<head>" + WATCH, 1)
    index.write_text(source.replace("</body>", VISIT + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
            f"--window-size={request.param},900", "--virtual-time-budget=8000", "--dump-dom",
            index.as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    note = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert note, done.stderr
    unescaped = note[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(unescaped) | {"console": re.findall(r"CONSOLE.*", done.stderr)}


def test_what_is_folded_is_not_printed(page, tmp_path):
    folder = shutil.copytree(page.parent, tmp_path / "report")
    index = folder / "index.html"
    source = index.read_text("utf-8")

    def pages_of(name, text):
        (folder / name).write_text(text, encoding="utf-8")
        subprocess.run(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer",
                f"--print-to-pdf={tmp_path / 'page.pdf'}", (folder / name).as_uri(),
            ],
            capture_output=True, timeout=90, check=True,
        )  # fmt: skip
        return len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))

    folded = pages_of("index.html", source)
    assert folded <= 12
    assert pages_of("open.html", source.replace("<details", "<details open")) > folded + 2


def test_nothing_fails_and_nothing_is_asked_from_outside(visit):
    assert visit["faults"] == []
    assert visit["console"] == []
    assert [name for name in visit["resources"] if not name.startswith(("file:", "data:"))] == []


def test_every_image_loads(visit):
    assert visit["images"] > 40
    assert visit["broken"] == []


def test_the_page_is_no_wider_than_its_window(visit):
    assert visit["wide"] <= 0


def test_search_finds_rows_that_have_every_word(visit):
    assert visit["first"] == 50
    assert visit["more"] == 100
    assert len(visit["found"]) == 4
    assert {name.removesuffix(" †") for name in visit["found"]} == {"traffic light"}
    assert {name.removesuffix(" †") for name in visit["markup"]} == {"<b>boat</b>"}


def test_a_long_table_is_named_and_its_rows_too(visit):
    assert visit["name"] == "Every concept on every layer"
    assert visit["rows"] == visit["first"]


def test_a_click_on_a_heading_sorts(visit):
    assert visit["falling"] == sorted(visit["falling"], reverse=True)
    assert visit["rising"] == sorted(visit["rising"])
    assert visit["falling"][0] > visit["rising"][0]
