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


@pytest.fixture(
    scope="module", params=[("index.html", 1280), ("index.html", 500), ("concepts.html", 500)]
)
def visit(page, request, tmp_path_factory):
    name, width = request.param
    folder = shutil.copytree(page.parent, tmp_path_factory.mktemp("visit") / "report")
    index = folder / name
    source = index.read_text("utf-8").replace("<head>", "<head>" + WATCH, 1)
    index.write_text(source.replace("</body>", VISIT + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
            f"--window-size={width},900", "--virtual-time-budget=20000", "--dump-dom",
            index.as_uri(),
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    note = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert note, done.stderr
    unescaped = note[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(unescaped) | {
        "console": re.findall(r"CONSOLE.*", done.stderr),
        "page": name,
    }


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
    assert visit["images"] > 20
    assert visit["broken"] == []


def test_the_page_is_no_wider_than_its_window(visit):
    assert visit["wide"] <= 0


def test_search_finds_cards_that_have_every_word(visit):
    if visit["page"] != "concepts.html":
        return
    assert visit["found"] == ["traffic light"]
    assert visit["tally"] == "1 concepts"
    assert visit["markup"] == ["<b>boat</b>"]
