"""A WordNet of a few words in the format of its database, and the real one where there is one."""

import sys

import numpy as np
import pytest

from net2vec.spaces import SpaceError, wordnet_space
from net2vec.spaces.sources import find_wordnet

pytest.importorskip("nltk")

NOUNS = {  # synset: (words, the synset above)
    "thing": (["thing"], None),
    "animal": (["animal"], "thing"),
    "dog": (["dog"], "animal"),
    "light": (["traffic_light"], "thing"),
    "bird": (["crane"], "animal"),
    "machine": (["crane"], "thing"),
    "gray": (["gray", "grey"], "thing"),
}
LICENCE = "  1 These lines stand for the licence.  \n"


def data_line(words, above, offsets, offset):
    listed = " ".join(f"{word} 0" for word in words)
    pointers = f"001 @ {offsets[above]:08} n 0000" if above else "000"
    return f"{offset:08} 03 n {len(words):02x} {listed} {pointers} | a gloss  \n"


def build_wordnet(folder):
    folder.mkdir()
    offsets = dict.fromkeys(NOUNS, 0)
    for _ in range(2):  # once to learn the offsets, once to write them
        text = LICENCE
        for synset, (words, above) in NOUNS.items():
            offsets[synset] = len(text)
            text += data_line(words, above, offsets, len(text))
    (folder / "data.noun").write_text(text)
    senses = {}
    for synset, (words, _) in NOUNS.items():
        for word in words:
            senses.setdefault(word, []).append(offsets[synset])
    index = LICENCE
    for word, places in sorted(senses.items()):
        listed = " ".join(f"{place:08}" for place in places)
        index += f"{word} n {len(places)} 1 @ {len(places)} 0 {listed}  \n"
    (folder / "index.noun").write_text(index)
    for part in ("verb", "adj", "adv"):
        (folder / f"data.{part}").write_text(LICENCE)
        (folder / f"index.{part}").write_text(LICENCE)
    for part in ("noun", "verb", "adj", "adv"):
        (folder / f"{part}.exc").write_text("")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_wordnet(tmp_path_factory.mktemp("wordnet") / "dict")


def test_a_vector_is_the_line_up_to_the_root(folder):
    known = wordnet_space(["dog", "traffic light", "animal", "yak"], folder)
    assert known.missing == ("yak",)
    # dog, animal, thing; traffic light, thing; animal, thing.
    cosine = known.space.cosines()
    np.testing.assert_allclose(cosine[0, 1], 1 / 6**0.5)
    np.testing.assert_allclose(cosine[0, 2], 2 / 6**0.5)
    np.testing.assert_allclose(cosine[1, 2], 1 / 2)
    assert known.space.unit.shape == (3, 4)
    assert known.space.label == "wordnet"


def test_names_lose_their_suffix_and_take_the_chosen_sense(folder):
    known = wordnet_space(["grey-c", "dog-s", "crane", "hound"], folder, senses={
        "crane": "crane.n.02", "hound": "dog"})  # fmt: skip
    assert known.missing == ()
    np.testing.assert_allclose(known.space.vector("hound"), known.space.vector("dog-s"))
    # The machine is a thing and no animal; the built-in fourth sense is not in this WordNet.
    assert known.space.vector("crane") @ known.space.vector("dog-s") == pytest.approx(1 / 6**0.5)
    assert wordnet_space(["crane", "waffled"], folder).missing == ("crane", "waffled")


def test_faults_are_said(folder, tmp_path, monkeypatch):
    with pytest.raises(SpaceError, match=r"no synset 'dog\.n\.09'"):
        wordnet_space(["dog"], folder, senses={"dog": "dog.n.09"})
    with pytest.raises(SpaceError, match=r"no synset 'dog\.n\.09'"):
        wordnet_space(["dog-s"], folder, senses={"dog": "dog.n.09"})
    with pytest.raises(SpaceError, match="holds no WordNet database"):
        wordnet_space(["dog"], tmp_path)
    (tmp_path / "index.noun").write_text("dog n one\n")
    with pytest.raises(SpaceError, match="cannot be read as a WordNet database"):
        wordnet_space(["dog"], tmp_path)


def test_without_nltk_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(SpaceError, match=r'pip install "net2vec\[words\]"'):
        wordnet_space(["dog"], tmp_path)


def test_the_environment_says_where(folder, monkeypatch):
    monkeypatch.setenv("WNSEARCHDIR", str(folder))
    assert find_wordnet() == folder
    assert wordnet_space(["dog"]).missing == ()


def test_the_real_one():
    try:
        find_wordnet()
    except SpaceError:
        pytest.skip("no WordNet database is installed")
    known = wordnet_space(["dog", "cat", "car", "bumpy", "blotchy", "porous", "meshed", "orange-c"])
    assert known.missing == ()
    assert known.space.nearest("dog", 1)["concept"].tolist() == ["cat"]
