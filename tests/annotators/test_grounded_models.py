"""Boxes found by text and filled by another model, of random weights in the hub's layout."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from builders_annotators import write_detector, write_sam, write_segmenter
from net2vec.annotators import Request, open_annotator
from net2vec.annotators.grounded_models import GroundedModel
from net2vec.cli import main
from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.opening import open_dataset
from net2vec.errors import DataError, NetworkError

transformers = pytest.importorskip("transformers")

CONCEPTS = ("Front wheel", "dog")


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    place = tmp_path_factory.mktemp("hub")
    return f"hf:{write_detector(place / 'dino')}+hf:{write_sam(place / 'sam')}"


@pytest.fixture(scope="module")
def photograph():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (3, 4, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    return Image.fromarray(pixels)


def _expected(name, image, threshold):
    """The labels by transformers' own means; concepts begin at the tokens 1 and 4."""
    dino, sam = (place.removeprefix("hf:") for place in name.split("+"))
    processor = transformers.AutoProcessor.from_pretrained(dino)
    model = transformers.GroundingDinoForObjectDetection.from_pretrained(dino).eval()
    with torch.inference_mode():
        fed = processor(images=image, text="front wheel. dog.", return_tensors="pt")
        outputs = model(**fed)
    (found,) = processor.post_process_grounded_object_detection(
        outputs, fed["input_ids"], threshold=-1, target_sizes=[image.size[::-1]]
    )
    likely = outputs.logits[0].sigmoid()
    scores = torch.stack([likely[:, 1:3].max(1).values, likely[:, 4]], dim=1)
    segmenter = transformers.SamProcessor.from_pretrained(sam)
    model = transformers.SamModel.from_pretrained(sam).eval()
    labels = np.zeros(image.size[::-1], int)
    best = np.zeros(image.size[::-1])
    for box, of_concepts in zip(found["boxes"], scores.tolist(), strict=True):
        if max(of_concepts) < threshold:
            continue
        prompt = segmenter(images=image, input_boxes=[[box.tolist()]], return_tensors="pt")
        sizes = prompt.pop("original_sizes"), prompt.pop("reshaped_input_sizes")
        with torch.inference_mode():
            masks = model(**prompt, multimask_output=False).pred_masks
        mask = segmenter.post_process_masks(masks, *sizes)[0][0, 0].numpy()
        surer = mask & (max(of_concepts) > best)
        labels[surer] = 1 + int(np.argmax(of_concepts))
        best[surer] = max(of_concepts)
    return labels, scores.max(1).values


@pytest.mark.slow
def test_masks_are_those_of_the_surest_boxes(name, photograph):
    _, scores = _expected(name, photograph, 2)
    middle = float(scores.median())
    wanted, _ = _expected(name, photograph, middle)
    found = open_annotator(name, Request(CONCEPTS, middle)).annotate(photograph)
    assert (found.names, found.judged) == (CONCEPTS, True)
    (plane,) = found.planes
    np.testing.assert_array_equal(plane, wanted)
    assert 0 < (plane > 0).mean() < 1
    surer = float(scores.max()) + 0.001
    (none,) = open_annotator(name, Request(CONCEPTS, surer)).annotate(photograph).planes
    assert not none.any()


def test_of_overlapping_boxes_the_surer_has_the_pixel():
    class Detector:
        concepts = ("dog", "wheel")
        record = AnnotatorRecord("hf:a", "A", "a", "mit", "1", 0.3)

        def boxes(self, _image):
            corners = torch.tensor([[0, 0, 2, 1], [1, 0, 3, 1], [0, 0, 1, 1.0]])
            return torch.tensor([0.9, 0.5, 0.4]), corners, torch.tensor([0, 1, 1])

    class Segmenter:
        record = AnnotatorRecord("hf:b", "B", "b", "mit", "2", 0.3)

        def masks(self, image, boxes):
            columns = torch.arange(image.width)[None, None].expand(-1, image.height, -1)
            return (columns >= boxes[:, :1, None]) & (columns < boxes[:, 2:3, None])

    made = GroundedModel(Detector(), Segmenter())
    (plane,) = made.annotate(Image.new("RGB", (4, 1))).planes
    assert plane.tolist() == [[1, 1, 2, 0]]
    assert (made.record.model, made.record.licence) == ("hf:a+hf:b", "mit")


def test_one_command_writes_the_dataset(name, photograph, tmp_path):
    for number in range(3):
        (tmp_path / "photos").mkdir(exist_ok=True)
        photograph.rotate(90 * number, expand=True).save(tmp_path / f"photos/{number}.png")
    out = tmp_path / "out"
    asked = ("--with", name, "--concepts", "dog, front wheel", "--confidence", "0.01")
    with pytest.raises(SystemExit) as ended:
        main(["data", "annotate", str(tmp_path / "photos"), *asked, "--out", str(out)])
    assert not ended.value.code
    assert set(open_dataset(out).labels[1:]) <= {"dog", "front wheel"}
    record = json.loads((out / "annotator.json").read_text())["annotators"][0]
    assert record["model"] == "hf:dino+hf:sam"
    assert record["architecture"] == "GroundingDinoForObjectDetection with SamModel"
    assert record["licence"] == "apache-2.0, mit"


def test_other_models_and_unknown_words_are_refused_in_one_line(name, photograph, tmp_path):
    dino, _, sam = name.partition("+")
    with pytest.raises(DataError, match="name it with --concepts"):
        open_annotator(name, Request())
    with pytest.raises(NetworkError, match="'sam'; wanted is Grounding DINO"):
        open_annotator(f"{sam}+{dino}", Request(CONCEPTS))
    segformer = write_segmenter(tmp_path / "s", "Segformer")
    with pytest.raises(NetworkError, match="'segformer'; wanted is SAM"):
        open_annotator(f"{dino}+hf:{segformer}", Request(CONCEPTS))
    with pytest.raises(DataError, match="reads 1 of 2 concepts; name fewer, in words"):
        open_annotator(name, Request(("dog", "zebra"))).annotate(photograph)
