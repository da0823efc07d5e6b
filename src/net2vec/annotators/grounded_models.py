"""Boxes found by text and filled by another model: Grounding DINO with SAM, `hf:DINO+hf:SAM`.

Liu et al. 2023 (Grounding DINO), Kirillov et al. 2023 (SAM). Both are transformers' own classes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from net2vec.annotators.base import Annotator, AnnotatorSource, Masks, Request
from net2vec.annotators.hub_model import HubModel, named_concepts
from net2vec.core.cache import digest_of
from net2vec.errors import DataError, NetworkError
from net2vec.networks.sources.transformers_files import PREFIX, ModelFiles, open_model

_JOIN = f"+{PREFIX}"
_DETECTORS = ("grounding-dino", "mm-grounding-dino")
_MAX_BOXES = 100  # as in COCO's evaluation


class GroundedModels(AnnotatorSource):
    """A detector that is prompted by text, and a model that makes masks of boxes."""

    usage = f"{PREFIX}DETECTOR{_JOIN}SEGMENTER"
    install = 'pip install "net2vec[hf]"'

    def recognises(self, name: str) -> bool:
        """Whether the name is of two models of the hub."""
        return name.startswith(PREFIX) and _JOIN in name

    def open(self, name: str, request: Request) -> GroundedModel:
        """Open both models."""
        first, _, second = name.partition(_JOIN)
        detector, segmenter = (ModelFiles(open_model(n)) for n in (first, f"{PREFIX}{second}"))
        known = segmenter.library.models.auto.modeling_auto.MODEL_FOR_MASK_GENERATION_MAPPING_NAMES
        for files, kinds, wanted in (
            (detector, _DETECTORS, "Grounding DINO, which finds boxes by text"),
            (segmenter, known, "SAM or SAM 2, which makes masks of boxes"),
        ):
            if files.kind not in kinds:
                label = files.repository.label
                raise NetworkError(f"{label} is of the kind {files.kind!r}; wanted is {wanted}")
        return GroundedModel(_Detector(detector, request), _BoxSegmenter(segmenter, request))


class GroundedModel(Annotator):
    """Masks of the boxes in which a detector finds the concepts that are named.

    Args:
        detector, segmenter: the two models.
    """

    def __init__(self, detector: _Detector, segmenter: _BoxSegmenter) -> None:
        self._detector, self._segmenter = detector, segmenter
        one, two = detector.record, segmenter.record
        self.record = replace(
            one,
            model=f"{one.model}+{two.model}",
            architecture=f"{one.architecture} with {two.architecture}",
            source=f"{one.source} with {two.source}",
            licence=one.licence if one.licence == two.licence else f"{one.licence}, {two.licence}",
            digest=digest_of(detector=one.digest, segmenter=two.digest),
            weights=(*one.weights, *two.weights),
        )

    def annotate(self, image: Image.Image) -> Masks:
        """A pixel is of the surest box whose mask it is in, void where no box is sure enough."""
        concepts = self._detector.concepts
        labels = np.zeros((image.height, image.width), np.int32)
        scores, boxes, found = self._detector.boxes(image)
        if len(boxes):
            masks = self._segmenter.masks(image, boxes)
            for box in scores.argsort(stable=True).tolist():  # the surest last
                labels[masks[box].numpy()] = 1 + int(found[box])
        return Masks(concepts, (labels,), judged=True)


class _Detector(HubModel):
    """Grounding DINO: the score of a box for a concept is that of the surest of its tokens."""

    head = "AutoModelForZeroShotObjectDetection"

    def __init__(self, files: ModelFiles, request: Request) -> None:
        self.concepts = named_concepts(files, request)
        super().__init__(files, request)
        # The models were trained on phrases in lower case that end with full stops.
        phrases = (" ".join(name.lower().replace(".", " ").split()) for name in self.concepts)
        self._text = " ".join(f"{phrase}." for phrase in phrases)

    def boxes(
        self, image: Image.Image
    ) -> tuple[Float[Tensor, "box"], Float[Tensor, "box 4"], Int[Tensor, "box"]]:
        """Scores, corners (x, y, x, y in pixels) and concepts of the boxes that are sure enough."""
        with self.running(image):
            fed = self.processor(images=image, text=self._text, return_tensors="pt")
            outputs = self.forward(**fed)
            (every,) = self.processor.post_process_grounded_object_detection(
                outputs,
                fed["input_ids"],
                threshold=-1,
                text_threshold=2,
                target_sizes=[(image.height, image.width)],
            )
            likely = outputs.logits[0].sigmoid()
            of_concepts = [likely[:, span].amax(1) for span in self._spans(fed["input_ids"][0])]
            scores, concepts = torch.stack(of_concepts, dim=1).cpu().max(dim=1)
            sure = scores.argsort(descending=True, stable=True)[:_MAX_BOXES]
            sure = sure[scores[sure] >= self.request.confidence]
            return scores[sure], every["boxes"].cpu()[sure], concepts[sure]

    def _spans(self, tokens: Int[Tensor, "token"]) -> list[list[int]]:
        """Places of the tokens of every concept.

        Raises:
            DataError: if the concepts are more than the model reads.
        """
        tokenizer = self.processor.tokenizer
        outside = {*tokenizer.all_special_ids, tokenizer.convert_tokens_to_ids(".")}
        runs = groupby(enumerate(tokens.tolist()), lambda one: one[1] in outside)
        spans = [[place for place, _ in run] for is_outside, run in runs if not is_outside]
        limit = getattr(self.model.config, "max_text_len", len(tokens))
        if len(spans) != len(self.concepts) or len(tokens) > limit:
            raise DataError(
                f"{self.label} reads {len(spans)} of {len(self.concepts)} concepts; name fewer, in "
                "words that it knows"
            )
        return spans

    def _read_processor(self) -> Any:
        return self.files.read(self.files.library.AutoProcessor)


class _BoxSegmenter(HubModel):
    """SAM: the mask of what is in a box."""

    head = "AutoModelForMaskGeneration"

    def masks(self, image: Image.Image, boxes: Float[Tensor, "box 4"]) -> Tensor:
        """Masks of boxes [box, y, x] at the size of the image."""
        with self.running(image):
            fed = self.processor(images=image, input_boxes=[boxes.tolist()], return_tensors="pt")
            sizes = [fed.pop(n) for n in ("original_sizes", "reshaped_input_sizes") if n in fed]
            outputs = self.forward(**fed, multimask_output=False)
            masks: list[Tensor]
            masks = self.processor.post_process_masks(outputs.pred_masks.cpu(), *sizes)
            return masks[0][:, 0]

    def _read_processor(self) -> Any:
        return self.files.read(self.files.library.AutoProcessor)
