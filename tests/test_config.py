"""Settings of a second fit, of nulls and of seeds."""

from math import inf, nan

import pytest

from net2vec.config import ClassifySettings, SegmentSettings, Settings, differences, may_follow
from net2vec.errors import ConfigError


def settings(**more) -> Settings:
    return Settings(network="alexnet", data=("diorama",), **more)


def test_every_fit_once_is_what_a_run_makes():
    assert settings().fits == ("paper", "converged", "lda")
    assert (settings().nulls, settings().seeds) == (0, 1)
    assert settings(fit="both").fits == ("paper", "converged")
    assert settings(fit="converged").fits == ("converged",)
    # However it is spelled, one choice of fits is one value: settings are compared.
    for text in ("paper,converged", "converged, paper", "both,paper"):
        assert settings(fit=text) == settings(fit="both")
    assert settings(fit="lda,both") == settings(fit="all") == settings()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"fit": "paper,best"}, "unknown fit 'best'"),
        ({"fit": ""}, "unknown fit ''"),
        (
            {"mask_size": 0},
            "mask_size must be a number of pixels, or WIDTHxHEIGHT as in 320x240, got 0",
        ),
        ({"quantile": 1.0}, r"quantile must be in \(0, 1\), got 1.0; usual is 0.005"),
        ({"tasks": ("sing",)}, "unknown task 'sing'; wanted one of segment, classify"),
        ({"device": "tpu"}, "unknown device 'tpu'; wanted one of auto, cpu, cuda"),
        ({"fit": "best"}, "unknown fit 'best'; wanted one of paper, converged, lda, both, all"),
        ({"nulls": -1}, "nulls must be 0 or more, got -1"),
        ({"seeds": 0}, "seeds must be 1 or more, got 0"),
        ({"seed": 2**63}, f"seed must be in -{2**63} to {2**63 - 1}, got {2**63}"),
        ({"seed": 2**63 - 2, "seeds": 3}, "seed must be in"),
        (
            {"fit": "converged", "seeds": 2},
            "got 2 with fit converged.*use fit paper or paper,converged",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(given, wanted):
    with pytest.raises(ConfigError, match=wanted):
        settings(**given)


@pytest.mark.parametrize("kind", [SegmentSettings, ClassifySettings])
@pytest.mark.parametrize("rate", [0.0, inf, nan])
def test_steps_of_no_size_are_refused(kind, rate):
    with pytest.raises(ConfigError, match=rf"learning_rate must be above 0 and finite, got {rate}"):
        kind(learning_rate=rate)


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (SegmentSettings, {"momentum": 1.0}, r"segment.momentum must be in \[0, 1\), got 1.0"),
        (ClassifySettings, {"drop_after": -1}, "classify.drop_after must be 0 or more, got -1"),
        (
            ClassifySettings,
            {"subsets": (1, 0)},
            r"classify.subsets must be numbers of filters, 1 or more, got \[1, 0\]; usual is 1, 2,",
        ),
    ],
)
def test_settings_of_a_task_are_checked_by_their_limits(kind, given, wanted):
    with pytest.raises(ConfigError, match=wanted):
        kind(**given)
    assert kind(momentum=0.0, batch=1, epochs=1, subsets=()).batch == 1


def test_they_are_the_same_in_a_file(tmp_path):
    chosen = settings(fit="both", nulls=19, seeds=5)
    path = tmp_path / "run.toml"
    path.write_text(chosen.to_toml())
    assert Settings.from_toml(path) == chosen
    path.write_text('network = "alexnet"\ndata = ["diorama"]\n')  # as an older version wrote it
    assert Settings.from_toml(path) == settings()


@pytest.mark.parametrize(
    ("before", "after", "finished", "unfinished"),
    [
        ({}, {}, True, True),
        ({"fit": "paper"}, {"fit": "both", "nulls": 99, "seeds": 5}, True, True),
        ({"nulls": 99}, {"nulls": 19}, False, True),
        ({"seeds": 5}, {}, False, True),
        ({}, {"fit": "both"}, False, True),
        # The first fit would be another one.
        ({"fit": "converged"}, {"fit": "both"}, False, True),
        ({"fit": "paper"}, {"fit": "converged"}, False, True),
        ({}, {"nulls": 99, "seed": 1}, False, False),
        ({}, {"min_train": 3}, False, False),
    ],
)
def test_more_may_follow_in_the_same_folder(before, after, finished, unfinished):
    before, after = settings(**before), settings(**after)
    assert may_follow(after, before, finished=True) is finished
    assert may_follow(after, before, finished=False) is unfinished


def test_a_single_name_is_a_list_of_one():
    chosen = Settings.from_dict({"network": "alexnet", "data": "diorama", "tasks": "segment"})
    assert (chosen.data, chosen.tasks) == (("diorama",), ("segment",))
    with pytest.raises(ConfigError, match="layers must be a list, got 3"):
        Settings.from_dict({"network": "alexnet", "data": "diorama", "layers": 3})


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("min_train", "3", "settings: min_train must be of type int, got '3'"),
        ("min_train", True, "settings: min_train must be of type int, got True"),
        ("mask_size", 1.5, r"settings: mask_size must be of type int \| str \| None, got 1.5"),
        ("segment", {"epochs": 1.5}, "settings: segment: epochs must be of type int, got 1.5"),
        ("segment", 3, "settings: segment must be a table, got 3"),
        ("classify", {"subsets": [1.5]}, r"classify: subsets must be a list, got \[1.5\]"),
        ("classify", {"rate": 1}, "classify has unknown rate; known are learning_rate, momentum"),
    ],
)
def test_values_of_a_wrong_type_are_refused(key, value, wanted):
    with pytest.raises(ConfigError, match=wanted):
        Settings.from_dict({"network": "alexnet", "data": "diorama", key: value})


def test_the_settings_of_a_task_may_be_given_as_what_they_are():
    part = SegmentSettings(epochs=3)
    chosen = Settings.from_dict({"network": "alexnet", "data": "diorama", "segment": part})
    assert chosen == settings(segment=part)


def test_differences_are_written_as_they_are_asked_for():
    one = settings(layers=("a", "b"), concepts=("dog",))
    other = settings(layers=("a",), weights="x")
    assert differences(one, other) == [
        "weights (none and x)",
        "layers (a, b and a)",
        "concepts (dog and none)",
    ]
