import json

import numpy as np
import pandas as pd
import pytest

from net2vec.spaces import (
    Space,
    SpaceError,
    file_space,
    save_csv,
    save_projector,
    save_safetensors,
    save_word2vec,
    word_space,
)

NAMES = ["traffic light", "green-c", "null", 'a "quoted", name', "tab\tbed"]
CATEGORIES = ["object", "color", "object", "part", "object"]


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def test_word2vec_opens_in_gensim(tmp_path, vectors):
    models = pytest.importorskip("gensim.models")
    path = tmp_path / "vectors.txt"
    save_word2vec(NAMES, vectors, path)
    opened = models.KeyedVectors.load_word2vec_format(str(path))
    assert opened.index_to_key[:3] == ["traffic_light", "green-c", "null"]
    np.testing.assert_array_equal(opened["traffic_light"], vectors[0])


def test_word2vec_refuses_to_mix_two_concepts_up(tmp_path):
    with pytest.raises(SpaceError, match="'traffic_light'"):
        save_word2vec(["traffic light", "traffic_light"], np.ones((2, 3)), tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["csv", "safetensors"])
def test_what_is_written_is_read_back(tmp_path, vectors, suffix):
    path = tmp_path / f"space.{suffix}"
    if suffix == "csv":
        save_csv(NAMES, vectors, path, categories=CATEGORIES)
    else:
        save_safetensors(NAMES, vectors, path, metadata={"network": "net"})
    known = file_space(["moon", *NAMES[::-1]], path)
    assert known.missing == ("moon",)
    assert known.space.names == tuple(NAMES[::-1])
    wanted = Space(NAMES[::-1], vectors[::-1])
    np.testing.assert_allclose(known.space.unit, wanted.unit, rtol=1e-6)
    assert known.space.label == "space"


def test_csv_has_the_numbers_to_the_last_bit(tmp_path, vectors):
    save_csv(NAMES, vectors, tmp_path / "x.csv", categories=CATEGORIES)
    read = pd.read_csv(tmp_path / "x.csv", keep_default_na=False, engine="python")
    assert read["concept"].tolist() == NAMES
    assert read["category"].tolist() == CATEGORIES
    numbers = read[["0", "1", "2", "3"]].to_numpy()
    np.testing.assert_array_equal(numbers.astype(np.float32), vectors)


def test_safetensors_open_without_us(tmp_path, vectors):
    from safetensors import safe_open

    save_safetensors(NAMES, vectors, tmp_path / "x.safetensors", metadata={"network": "net"})
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as file:
        assert file.metadata()["network"] == "net"
        assert json.loads(file.metadata()["concepts"]) == NAMES
        np.testing.assert_array_equal(file.get_tensor("vectors"), vectors)


def test_the_projectors_two_files_have_a_line_a_concept(tmp_path, vectors):
    save_projector(NAMES, vectors, tmp_path / "vectors.tsv", categories=CATEGORIES)
    read = pd.read_csv(tmp_path / "vectors.tsv", sep="\t", header=None, dtype=np.float32)
    np.testing.assert_array_equal(read.to_numpy(), vectors)
    lines = (tmp_path / "vectors_metadata.tsv").read_text().splitlines()
    assert lines[:2] == ["concept\tcategory", "traffic light\tobject"]
    assert lines[-1] == "tab bed\tobject"
    assert len(lines) == 6


@pytest.mark.parametrize("name", ["broken.csv", "broken.safetensors", "missing.csv"])
def test_files_that_cannot_be_read_are_said(tmp_path, name):
    if name != "missing.csv":
        (tmp_path / name).write_text("concept,x\ndog,red\n")
    with pytest.raises(SpaceError, match=name):
        file_space(["dog"], tmp_path / name)


def test_an_exported_space_is_found_again_as_word_vectors(tmp_path, vectors):
    pytest.importorskip("gensim")
    save_word2vec(NAMES[:3], vectors[:3], tmp_path / "mine.txt")
    known = word_space([*NAMES[:3], "moon"], tmp_path / "mine.txt")
    assert known.space.names == tuple(NAMES[:3])
    assert known.missing == ("moon",)
