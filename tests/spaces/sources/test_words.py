import gzip
import struct

import numpy as np
import pytest

from net2vec.spaces import SpaceError, load_synonyms, word_space

pytest.importorskip("gensim")

WORDS = {
    "dog": [3.0, 4.0],
    "traffic_light": [1.0, 0.0],
    "livingroom": [0.0, 2.0],
    "green": [5.0, 12.0],
    "nothing": [0.0, 0.0],
}
ASKED = ["green-c", "living room-s", "traffic light", "Dog", "yak", "nothing"]


def text():
    return "".join(f"{word} {x} {y}\n" for word, (x, y) in WORDS.items())


def word2vec_text(path):
    path.write_text(f"{len(WORDS)} 2\n" + text())


def word2vec_zipped(path):
    with gzip.open(path, "wt") as file:
        file.write(f"{len(WORDS)} 2\n" + text())


def word2vec_binary(path):
    rows = [f"{word} ".encode() + struct.pack("<2f", *vector) for word, vector in WORDS.items()]
    path.write_bytes(f"{len(WORDS)} 2\n".encode() + b"".join(rows))


# gensim leaves a file without a header open until it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("vectors.txt", word2vec_text),
        ("vectors.txt.gz", word2vec_zipped),
        ("vectors.bin", word2vec_binary),
        ("glove.txt", lambda path: path.write_text(text())),
    ],
)
def test_every_format_gives_the_same_space(tmp_path, name, write):
    write(tmp_path / name)
    known = word_space(ASKED, tmp_path / name)
    assert known.space.names == ("green-c", "living room-s", "traffic light", "Dog")
    assert known.missing == ("yak", "nothing")
    np.testing.assert_allclose(known.space.vector("Dog"), [0.6, 0.8])
    np.testing.assert_allclose(known.space.vector("living room-s"), [0, 1])
    assert known.space.label == name.split(".")[0]


def test_a_synonym_is_looked_up_instead(tmp_path):
    word2vec_text(tmp_path / "v.txt")
    file = tmp_path / "synonyms.txt"
    file.write_text("# ours\n\nyak = dog\ngreen-c = nothing\nliving room = dog\n")
    known = word_space(ASKED, tmp_path / "v.txt", synonyms=load_synonyms(file))
    np.testing.assert_allclose(known.space.vector("yak"), [0.6, 0.8])
    np.testing.assert_allclose(known.space.vector("living room-s"), [0.6, 0.8])
    assert known.missing == ("green-c", "nothing")


def test_faults_are_said(tmp_path):
    (tmp_path / "synonyms.txt").write_text("a = b\nno equals sign\n")
    with pytest.raises(SpaceError, match="line 2: wanted `name = word`, got 'no equals sign'"):
        load_synonyms(tmp_path / "synonyms.txt")
    with pytest.raises(SpaceError, match="cannot be read as a file of synonyms"):
        load_synonyms(tmp_path / "none.txt")
    with pytest.raises(SpaceError, match="no such file"):
        word_space(["a"], tmp_path / "none.txt")
    (tmp_path / "broken.txt").write_text("3 2\ndog 1.0 x\n")
    with pytest.raises(SpaceError, match="cannot be read as word vectors"):
        word_space(["a"], tmp_path / "broken.txt")
    (tmp_path / "broken.txt.gz").write_text("no archive")
    with pytest.raises(SpaceError, match="cannot be read as word vectors"):
        word_space(["a"], tmp_path / "broken.txt.gz")


def test_without_gensim_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    with pytest.raises(SpaceError, match=r'pip install "net2vec\[words\]"'):
        word_space(["a"], tmp_path / "none.txt")
