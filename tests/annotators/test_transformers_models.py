"""Segmentation models of random weights from folders in the hub's layout, without a network."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from builders_annotators import write_segmenter
from builders_hub import COMMIT, write_cache, write_transformer
from net2vec.annotators import Request, likeness, open_annotator
from net2vec.errors import DataError, NetworkError
from net2vec.networks import load_network

pytestmark = pytest.mark.slow

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a family, written once."""
    place, made = tmp_path_factory.mktemp("hub"), {}
    return lambda family: made.setdefault(family, write_segmenter(place / family, family))


@pytest.fixture
def offline(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def photograph():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (3, 4, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    return Image.fromarray(pixels)


def _annotate(folder, image, concepts=(), confidence=0.0):
    return open_annotator(f"hf:{folder}", Request(concepts, confidence)).annotate(image)


def test_semantic_masks_are_those_of_the_librarys_post_processing(folder, photograph):
    place = folder("Segformer")
    model = transformers.SegformerForSemanticSegmentation.from_pretrained(place).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(place)
    with torch.inference_mode():
        outputs = model(**processor(images=photograph, return_tensors="pt"))
    (classes,) = processor.post_process_semantic_segmentation(outputs, [(60, 80)])
    resized = torch.nn.functional.interpolate(outputs.logits, (60, 80), mode="bilinear")
    likely = resized.softmax(1).max(1).values[0].numpy()
    found = _annotate(place, photograph)
    assert found.names == ("wall", "dog", "wheel")  # two classes are dogs, the background is void
    number_of = np.array([1, 0, 2, 2, 3])
    (plane,) = found.planes
    np.testing.assert_array_equal(plane, number_of[classes.numpy()])
    middle = float(np.median(likely))
    (unsure,) = _annotate(place, photograph, confidence=middle).planes
    np.testing.assert_array_equal(unsure, np.where(likely >= middle, plane, 0))
    assert 0 < (likely < middle).mean() < 1


@pytest.mark.parametrize("family", ["Mask2Former", "OneFormer"])
def test_panoptic_masks_are_segments_of_enough_score(folder, photograph, family):
    place = folder(family)
    annotator = open_annotator(f"hf:{place}", Request(confidence=0.1))
    (plane,) = annotator.annotate(photograph).planes
    task = {"task_inputs": ["panoptic"]} if family == "OneFormer" else {}
    with torch.inference_mode():
        fed = annotator.processor(images=[photograph], return_tensors="pt", **task)
        outputs = annotator.model(**fed)
    own = getattr(annotator.processor, "image_processor", annotator.processor)
    (found,) = own.post_process_panoptic_segmentation(
        outputs, threshold=0.1, target_sizes=[(60, 80)]
    )
    number_of = (1, 0, 2, 2, 3)
    wanted = np.zeros((60, 80))
    for segment in found["segments_info"]:
        here = found["segmentation"].numpy() == segment["id"]
        wanted[here] = number_of[segment["label_id"]]
    np.testing.assert_array_equal(plane, wanted)
    assert plane.any()
    (none,) = _annotate(place, photograph, confidence=0.9999).planes
    assert not none.any()


def test_named_concepts_have_masks_of_their_own(folder, photograph):
    place = folder("CLIPSeg")
    both = _annotate(place, photograph, ("dog", "front wheel"), 0.5)
    assert both.names == ("dog", "front wheel")
    dog, wheel = both.planes
    assert set(np.unique(dog)) == {0, 1}
    assert set(np.unique(wheel)) == {0, 2}
    (alone,) = _annotate(place, photograph, ("dog",), 0.5).planes
    np.testing.assert_array_equal(alone, dog)
    (surer,) = _annotate(place, photograph, ("dog",), 0.9).planes
    assert (surer <= dog).all()
    assert surer.sum() < dog.sum()


def test_concepts_choose_among_classes(folder, photograph):
    (everything,) = _annotate(folder("Segformer"), photograph).planes
    chosen = _annotate(folder("Segformer"), photograph, ("wheel",))
    assert chosen.names == ("wheel",)
    np.testing.assert_array_equal(chosen.planes[0] == 1, everything == 3)


def test_the_record_says_what_made_the_masks(offline, folder):
    write_cache(offline, folder("Segformer"), "org/tiny")
    record = open_annotator("hf:org/tiny", Request(("dog",), 0.7)).record
    assert (record.model, record.licence) == ("hf:org/tiny", "mit")
    assert record.source == f"huggingface.co/org/tiny@{COMMIT}"
    assert (record.confidence, record.concepts) == (0.7, ("dog",))
    assert dict(record.versions)["transformers"] == transformers.__version__
    again = open_annotator(f"hf:{folder('Segformer')}", Request()).record
    assert again.digest == record.digest
    assert again.weights == record.weights != ()


def test_a_network_is_held_against_the_annotator(folder, tmp_path):
    """The encoder of the annotator, another of its family, and one of another family."""
    made = open_annotator(f"hf:{folder('Segformer')}", Request()).record.weights
    same = likeness(load_network(f"hf:{folder('Segformer')}").module, made)
    assert (same.known, same.shared) == (True, 1.0)
    drawn = load_network(f"hf:{folder('Segformer')}", weights="random").module
    family = likeness(drawn, made)
    assert (family.shared, family.is_family) == (0.0, True)
    other = likeness(load_network(f"hf:{write_transformer(tmp_path / 'vit')}").module, made)
    assert (other.shared, other.is_family) == (0.0, False)
    half = likeness(load_network(f"hf:{folder('Segformer')}").module.half(), made)
    assert half.shared == 0.0  # rounded values are others
    assert not likeness(torch.nn.ReLU(), made).known


def _refused(kind, message, name, concepts=()):
    with pytest.raises(kind, match=message) as told:
        open_annotator(name, Request(concepts))
    assert "\n" not in str(told.value)


def test_what_makes_no_masks_is_refused_in_one_line(folder, tmp_path, offline):
    _refused(NetworkError, "kind 'vit', which makes no", f"hf:{write_transformer(tmp_path / 'v')}")
    plain = write_segmenter(tmp_path / "plain", "Segformer", classes=())
    _refused(DataError, "has no class names: its config.json has no id2label", f"hf:{plain}")
    _refused(DataError, "name it with --concepts", f"hf:{folder('CLIPSeg')}")
    _refused(
        DataError, r"no class 'whel' .*did you mean wheel\?", f"hf:{folder('Segformer')}", ("whel",)
    )
    encoder = write_transformer(tmp_path / "encoder", "Segformer")
    transformers.SegformerModel.from_pretrained(encoder).save_pretrained(encoder)
    _refused(NetworkError, "lacks .* of the weights of SegformerFor", f"hf:{encoder}")
    _refused(NetworkError, "hf:org/tiny is not in this machine's cache", "hf:org/tiny")
    held = json.loads((plain / "config.json").read_text())
    held |= {"model_type": "mine", "auto_map": {"AutoModel": "mine.Model"}}
    (plain / "config.json").write_text(json.dumps(held))
    _refused(NetworkError, r"has code of its own \(mine.Model\), which is not run", f"hf:{plain}")


def test_a_gated_repository_is_refused_in_one_line(monkeypatch):
    from huggingface_hub.errors import GatedRepoError

    def refuse(*_args, **_keywords):
        raise GatedRepoError.__new__(GatedRepoError)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    _refused(NetworkError, "hf:org/tiny is gated: accept its terms", "hf:org/tiny")
