"""The pages in a headless Chromium without WebGL and WebGPU, used as a reader would use them."""

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from queue import Queue

import pytest
from PIL import Image

from net2vec.explorer import start

from builders_runs import small_dataset

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

VISIT = Path(__file__).with_name("visit.js")


@contextmanager
def serving(runs, folder, data=None):
    """Runs whose page also loads the visitor; what it saw comes back as an upload."""
    application = import_module("net2vec.explorer.application")
    static = Path(shutil.copytree(application._STATIC, folder / "static"))
    shutil.copy(VISIT, static)
    index = static / "index.html"
    module = '<script type="module" src="static/visit.js"></script></body>'
    index.write_text(index.read_text("utf-8").replace("</body>", module), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "_STATIC", static)
        shown = start(runs, data=data)
        yield shown
        shown.stop()


def visit(shown, page, width, folder):
    """The notes of the visitor, in real time: with virtual time no frames are drawn."""
    notes = Queue()
    add = shown.explorer.uploads.add

    def taken(content):
        if not content.startswith(b'{"faults"'):
            return add(content)
        notes.put(json.loads(content))
        return "", 0, 0

    shown.explorer.uploads.add = taken
    log = folder / "console"
    with log.open("w") as console:
        browser = subprocess.Popen(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-3d-apis",
                "--disable-features=WebGPU", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
                f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900",
                "--remote-debugging-port=0", shown.url + page,
            ],
            stdout=console, stderr=console,
        )  # fmt: skip
        try:
            seen = notes.get(timeout=150)
        finally:
            browser.terminate()
            browser.wait(20)
    return seen | {"console": re.findall(r"CONSOLE.*", log.read_text()), "url": shown.url}


@pytest.fixture(scope="module", params=[1280, 500])
def seen(built, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("visit")
    with serving([built], folder) as shown:
        return visit(shown, "", request.param, folder)


def test_every_page_opens_and_nothing_fails(seen):
    assert seen["faults"] == []
    assert seen["console"] == []
    assert list(seen["shown"]) == [
        "overview", "concepts", "concept", "filters", "filter", "space", "beside", "two spaces",
        "try",
    ]  # fmt: skip
    for name, page in seen["shown"].items():
        assert page["failure"] == "", name
        assert page["wide"] <= 0, name


def test_nothing_is_asked_of_anybody_else(seen):
    base = seen["url"]
    assert [name for name in seen["resources"] if not name.startswith((base, "blob:"))] == []


def test_search_keys_and_lasso_act(seen):
    assert seen["rows"] == 12
    assert seen["found"].startswith("<b>boat</b>")
    assert "find=boat" in seen["address"]
    assert seen["focused"]
    assert "filter" in seen["cell"]
    assert "dog" in seen["offered"]
    assert len(seen["sum"]) == 8
    assert seen["chosen"] == 12
    assert seen["beside"] >= 5


def test_names_are_never_markup(seen):
    assert seen["shown"]["concept"]["heading"].startswith("<b>boat</b>")
    assert seen["bold"] == 0
    assert seen["scripts"] == 2


def test_a_picture_gets_the_concepts_of_the_run(probed, tmp_path):
    with serving([probed], tmp_path, small_dataset()) as shown:
        seen = visit(shown, "try", 1280, tmp_path)
    assert seen["faults"] == seen["console"] == []
    told = probed.classify(Image.new("RGB", (40, 30), "#c02020")).isel(image=0)
    assert seen["ranked"] == told.sortby(-told)["concept"].values.tolist()
    assert seen["picture"] == 40
