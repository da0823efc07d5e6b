import numpy as np
import pytest
from PIL import Image

from net2vec.report import (
    ActiveImage,
    DecileExhibit,
    DecileRequest,
    FilterExhibit,
    MaskedImage,
    build_report,
    plan_exhibits,
    save_report,
)
from net2vec.runs import open_run

from builders import build_run


@pytest.fixture(scope="module", autouse=True)
def _quick_tables():
    """Pages show tables whose numbers are tested elsewhere: few resamples and a plain map do."""

    def first_components(space, **_):
        left, size, _ = np.linalg.svd(space.unit - space.unit.mean(axis=0), full_matrices=False)
        return np.pad(left * size, ((0, 0), (0, 2)))[:, :2]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.spaces.space.Space.map", first_components)
        patch.setattr("net2vec.analysis.statistics._RESAMPLES", 100)
        yield


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained = build_run(folder / "trained", network="net & co", gain=0.3)
    (trained / "run.toml").write_text("seed = 7\n[segment]\nepochs = 30\nsubsets = [1, 2]\n")
    random = build_run(folder / "random", network="net, random", trained=False, seed=1, gain=0.0)
    return [open_run(trained), open_run(random)]


@pytest.fixture(scope="session")
def exhibits(runs):
    return [render(request) for request in plan_exhibits(runs, concepts=2, filters=2)]


@pytest.fixture(scope="session")
def page(runs, exhibits, tmp_path_factory):
    """The saved report of two runs: the path of its `index.html`."""
    return save_report(build_report(runs, exhibits), tmp_path_factory.mktemp("page") / "report")


@pytest.fixture(scope="session")
def shown():
    """What makes an exhibit of a request."""
    return render


def render(request):
    if isinstance(request, DecileRequest):
        return DecileExhibit(request, {name: masked_image(name, request) for name in request.names})
    concepts = [found.concept for found in request.concepts]
    return FilterExhibit(request, {name: active_image(name, concepts) for name in request.names})


def masked_image(name, request):
    truth, single, *combined = random_masks(name, 2 + len(request.fits))
    by_fit = dict(zip(request.fits, combined, strict=True))
    return MaskedImage(Image.new("RGB", (40, 30), "green"), truth, single, by_fit)


def active_image(name, concepts):
    active, *truth = random_masks(name, 1 + len(concepts))
    shown = dict(zip(concepts, truth, strict=True))
    return ActiveImage(Image.new("RGB", (40, 30), "gray"), active, shown)


def random_masks(name, count):
    return np.random.default_rng(sum(map(ord, name))).random((count, 6, 6)) < 0.5
