"""Arrays of a run go on to other formats and libraries, without a warning."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import xarray as xr

import net2vec
from net2vec import results

from builders_runs import small_network
from builders_whole import make, squash

pytestmark = [pytest.mark.usefixtures("unreported"), pytest.mark.slow]
TASKS = ("segment", "classify")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        out = tmp_path_factory.mktemp("run") / "run"
        return make(out, layers=("3",), fit="both", seeds=2, nulls=2, workers=1).path


@pytest.fixture
def run(folder):
    return net2vec.open_run(folder)


def datasets(run: net2vec.Run) -> dict[str, xr.Dataset]:
    """All that a run, and a view of another seed of it, has of a layer."""
    found = {}
    for layer in run.layers:
        found[layer] = run.layer(layer)
        for task in run.tasks(layer):
            for fit in run.fits:
                found[f"{layer} {task} {fit}"] = run.arrays(layer, task=task, fit=fit)
            found[f"{layer} {task} seed"] = run.at(seed=1).arrays(layer, task=task)
    return found


def applied(run: net2vec.Run) -> dict[str, xr.Dataset]:
    """What a run finds in a new image."""
    image = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    probability = run.classify(image)
    return {"segment": run.segment(image), "classify": probability.to_dataset(name="probability")}


@pytest.mark.parametrize("kind", ["zarr 2", "zarr 3", "netcdf"])
def test_arrays_are_written_in_other_formats(run, tmp_path, kind):
    opened = net2vec.open_run(run.path, network=small_network(), transform=squash)
    for name, found in {**datasets(run), **applied(opened)}.items():
        wanted = copy.deepcopy(found).load()
        path = tmp_path / name.replace(" ", "_")
        if kind == "netcdf":
            # A dimension of length 0 is one without limit in NetCDF's format 3.
            empty = [name for name, size in wanted.sizes.items() if size == 0]
            found, wanted = found.drop_dims(empty), wanted.drop_dims(empty)
            found.to_netcdf(path)
            again = xr.open_dataset(path)
        else:
            version = int(kind[-1])
            found.to_zarr(path, zarr_format=version, consolidated=version == 2)
            again = xr.open_zarr(path, consolidated=version == 2)
        assert set(again.variables) == set(wanted.variables)
        for each, values in wanted.variables.items():
            stored = again[each].to_numpy()
            if values.dtype == object:
                stored = stored.astype(object)
            np.testing.assert_array_equal(stored, values.to_numpy())
        again.close()


@pytest.mark.parametrize("version", [2, 3])
def test_vectors_alone_are_written(run, tmp_path, version):
    for task in TASKS:
        vectors = run.vectors(task=task)
        options = {"zarr_format": version, "consolidated": False}
        vectors.to_dataset(name="w").to_zarr(tmp_path / task, **options)
        again = xr.open_zarr(tmp_path / task, consolidated=False)["w"]
        np.testing.assert_array_equal(again, vectors)


def test_every_array_becomes_a_table_and_its_text_strings(run):
    for found in datasets(run).values():
        for name, array in {**found.data_vars, **found.coords}.items():
            assert array.dtype.kind in "biufO"  # none is of numpy's StringDType
            if array.dtype == object:
                assert array.astype(str).dtype.kind == "U"
                assert {type(value) for value in array.to_numpy().ravel()} <= {str}
            if array.ndim:
                assert len(array.rename(None).to_dataframe("value")) == array.size
            assert not {"chunks", "compressors", "filters"} & set(array.encoding), name


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))])
def test_arrays_are_copied_before_and_after_they_are_read(run, copied):
    for found in datasets(run).values():
        lazy = copied(found)
        assert lazy.identical(found.load())
        assert copied(found).identical(found)
    for task in TASKS:
        space = run.space(task=task)
        again = copied(space)
        assert again.names == space.names
        np.testing.assert_array_equal(again.cosines(), space.cosines())
    assert copied(run.scores).equals(run.scores)
    assert copied(run).scores.equals(run.scores)


def test_the_whole_tree_is_written_again(run, tmp_path):
    results.save_tree(run.tree, tmp_path / "results.zarr")
    again = results.load_tree(tmp_path / "results.zarr")
    assert again.identical(run.tree)


def test_text_is_read_in_parts(run):
    images = run.arrays()["pair_image"]
    whole = images.copy().load()
    assert len(whole) > 3
    for chosen in (slice(1, 3), [2, 0], 1, whole.to_numpy() == whole.to_numpy()[1]):
        part = run.arrays()["pair_image"].isel(pair=chosen)
        assert part.dtype == object
        np.testing.assert_array_equal(part.to_numpy(), whole.to_numpy()[chosen])
