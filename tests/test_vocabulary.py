"""Fits are known by name: those of this package, and those that others add."""

import pytest

from net2vec import vocabulary
from net2vec.config import Settings
from net2vec.core import plugins
from net2vec.core.fits import fit_has_start, known_fits, load_fit
from net2vec.data.tools import PUBLICATIONS
from net2vec.errors import ConfigError
from net2vec.vocabulary import FitProperties


def settings(**more) -> Settings:
    return Settings(network="alexnet", data=("diorama",), **more)


def test_a_fit_that_is_added_can_be_chosen(monkeypatch):
    properties = FitProperties(
        "elastic_net:ElasticNet", "elastic net", "an elastic net", has_start=False
    )
    monkeypatch.setitem(vocabulary.FITS, "elastic", properties)
    assert settings(fit="elastic , paper").fits == ("paper", "elastic")
    assert settings(fit="all").fits == ("paper", "converged", "lda", "elastic")
    assert settings(fit="both").fits == ("paper", "converged")
    with pytest.raises(ConfigError, match="with fit elastic, which has none"):
        settings(fit="elastic", seeds=2)


def test_a_fit_of_an_installed_package_is_known_by_its_entry_point(tmp_path, monkeypatch):
    described = tmp_path / "others-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[net2vec.fits]\nridge = fit_of_others:Ridge\nwrong = json:dumps\n"
    )
    (tmp_path / "fit_of_others.py").write_text(
        "from elastic_net import ElasticNet\n\nclass Ridge(ElasticNet):\n    has_start = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins.entry_points_of.cache_clear()
    try:
        assert known_fits() == ("paper", "converged", "lda", "ridge", "wrong")
        assert fit_has_start("ridge")
        assert settings(fit="converged,ridge", seeds=2).fits == ("converged", "ridge")
        with pytest.raises(ConfigError, match=r"the fit 'wrong' of json:dumps is no subclass of"):
            load_fit("wrong")
    finally:
        plugins.entry_points_of.cache_clear()


def test_names_of_published_datasets_are_those_that_can_be_fetched():
    assert tuple(PUBLICATIONS) == vocabulary.PUBLISHED_DATASETS


@pytest.mark.parametrize("name", vocabulary.FITS)
def test_the_table_of_fits_says_what_their_classes_say(name):
    entry, fit = vocabulary.FITS[name], load_fit(name)
    assert (fit.name, fit.title, fit.has_start) == (name, entry.title, entry.has_start)
