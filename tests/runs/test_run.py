import numpy as np
import pytest

from net2vec import results
from net2vec.errors import ResultsError
from net2vec.runs import HARDLY_MOVED, make_tables, open_run, shared_fit, unique_labels

from builders import CONCEPTS, build_run


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run()


def test_layers_keep_the_networks_order_and_the_last_is_the_default(run):
    assert run.layers == ("stem/relu", "blocks.6")
    assert run.vectors().sizes == {"concept": 12, "filter": 16}
    assert run.vectors("stem/relu", task="classify").sizes == {"concept": 14, "filter": 8}
    np.testing.assert_array_equal(run.vectors(), run.vectors("blocks.6", task="segment"))


def test_a_concept_named_null_survives(run):
    assert set(run.scores["concept"]) >= set(CONCEPTS)
    assert "null" in run.space()


def test_space_has_the_directions_of_the_vectors(run):
    vectors = run.vectors(task="classify").values.astype(float)
    unit = run.space(task="classify").unit
    np.testing.assert_allclose(unit * np.linalg.norm(vectors, axis=1)[:, None], vectors)


def test_a_vector_without_direction_is_in_no_space(run):
    run = open_run(run.path)
    weight = run.vectors().copy()
    weight[0] = 0
    weight[1, 3] = np.nan
    run.vectors = lambda *_, **__: weight
    assert run.space().names == tuple(list(CONCEPTS)[2:])


def test_hardly_moved_reads_the_distance_from_the_start(run):
    distance = run.arrays()["start_distance"].to_series()
    assert run.hardly_moved() == set(distance.index[distance < HARDLY_MOVED])
    assert 0 < len(run.hardly_moved()) < len(distance)


def test_answers_say_which_vectors_have_hardly_moved(run, tmp_path):
    stuck = run.hardly_moved()
    near = run.space().nearest("dog", 20)
    assert set(near["concept"][near["hardly_moved"]]) == stuck - {"dog"}
    expression = "wood + wheel"
    solved = run.space().labelled("other").solve(expression, 20)
    assert set(solved["concept"][solved["hardly_moved"]]) == stuck - {"wood", "wheel"}
    found = run.filter(0)
    assert set(found["concept"][found["hardly_moved"]]) == stuck
    # Where a fit has no start, there is nothing to say.
    other = open_run(build_run(tmp_path / "run", fits=("converged",)))
    assert "hardly_moved" not in other.space().nearest("dog")
    assert "hardly_moved" not in other.filter(0)


def test_random_weights_stand_in_titles(tmp_path):
    trained = open_run(build_run(tmp_path / "a", network="net"))
    twin = open_run(build_run(tmp_path / "b", network="net", trained=False))
    assert unique_labels([trained, twin]) == ["net", "net, random weights"]
    assert twin.space().label == "net, random weights blocks.6 segment"


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        (lambda run: run.vectors("conv9"), "'conv9'.*stem/relu, blocks.6"),
        (lambda run: run.tasks("conv9"), "'conv9'.*stem/relu, blocks.6"),
        (lambda run: run.space(task="paint"), "'paint'.*segment, classify"),
    ],
)
def test_what_a_run_lacks_is_said(run, ask, wanted):
    with pytest.raises(ResultsError, match=wanted):
        ask(run)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="not a finished run"):
        open_run(tmp_path)


def test_a_filter_is_seen_with_all_concepts(run):
    iou = run.arrays()["single_iou"].sel(split="val")
    best = int(run.arrays()["best_filter"][0])
    found = run.filter(best)
    assert set(found["concept"]) == set(run.vectors()["concept"].values)
    assert found["iou"].tolist() == sorted(iou.isel(filter=best).values, reverse=True)
    assert found.set_index("concept").loc[str(iou["concept"].values[0]), "best"]
    with pytest.raises(ResultsError, match="has no filter 99; its filters are 0 to"):
        run.filter(99)


def test_tables_go_by_name(run):
    assert run.table("combined_vs_single").equals(make_tables(run)["combined_vs_single"])
    with pytest.raises(ResultsError, match=r"no table 'evidenc'; there are .*evidence"):
        run.table("evidenc")


def test_settings_are_read_or_empty(tmp_path):
    folder = build_run(tmp_path / "run")
    assert open_run(folder).settings == {}
    (folder / "run.toml").write_text("seed = 3\n")
    assert open_run(folder).settings == {"seed": 3}
    (folder / "run.toml").write_text("seed = \n")
    with pytest.raises(ResultsError, match=r"run\.toml cannot be read"):
        _ = open_run(folder).settings


def test_equal_networks_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for path, network in zip(paths, ("net", "net", "other"), strict=True):
        results.save_tree(open_run_tree(network), path / "results.zarr")
    assert unique_labels([open_run(path) for path in paths]) == ["net (a)", "net (b)", "other"]


def test_equal_folders_are_told_apart_by_more_of_their_paths(tmp_path):
    paths = [tmp_path / "one" / "run", tmp_path / "two" / "run", tmp_path / "two" / "a"]
    for path in paths:
        results.save_tree(open_run_tree("net"), path / "results.zarr")
    runs = [open_run(path) for path in paths]
    assert unique_labels(runs) == ["net (one/run)", "net (two/run)", "net (a)"]
    with pytest.raises(ResultsError, match="run is named twice; name each run once"):
        unique_labels([*runs, open_run(tmp_path / "one" / ".." / "one" / "run")])


def open_run_tree(network):
    arrays = {"threshold": np.ones(1), "active_share": np.ones(1)}
    top = {"top_image": [["x.jpg"]], "top_activation": np.ones((1, 1))}
    recorded = results.make_dataset("layer", {**arrays, **top}, {"layer": "a"})
    return results.results_tree(network=network, layers={"a": (recorded, {})})


def test_like_fits_are_compared(tmp_path):
    fits = {"a": ("paper", "converged"), "b": ("paper", "converged"), "c": ("paper",)}
    a, b, c = (open_run(build_run(tmp_path / name, fits=some)) for name, some in fits.items())
    assert shared_fit([a, b]) == "converged"
    assert shared_fit([a, b, c]) == "paper"
    assert shared_fit([a.at(fit="converged"), c]) is None


def test_unknown_kinds_of_vectors_are_refused(run):
    with pytest.raises(ResultsError, match="wanted one of weights, patterns, whitened"):
        run.space(kind="best")
    with pytest.raises(ResultsError, match="paper fit has no patterns of task segment"):
        run.vectors(kind="patterns", fit="paper")
