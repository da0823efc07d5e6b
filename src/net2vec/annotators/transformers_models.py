"""Segmentation models of transformers: `hf:ORG/NAME` on the Hugging Face hub, or `hf:FOLDER`.

Outputs become masks by transformers' own post-processing. Code in a repository is never run.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from torch import nn

from net2vec.annotators.base import Annotator, AnnotatorSource, ClassTable, Masks, Request
from net2vec.annotators.hub_model import HubModel, named_concepts
from net2vec.data.labels import concept_name
from net2vec.errors import DataError, NetworkError
from net2vec.networks.sources.transformers_files import PREFIX, ModelFiles, open_model

# The names that transformers gives classes which have none.
_UNNAMED = re.compile(r"LABEL_\d+")


class SegmentationModels(AnnotatorSource):
    """Semantic and panoptic models, which have classes of their own, and CLIPSeg, which has not."""

    usage = f"{PREFIX}ORG/NAME"
    install = 'pip install "net2vec[hf]"'

    def recognises(self, name: str) -> bool:
        """Whether the name begins with `hf:`."""
        return name.startswith(PREFIX)

    def open(self, name: str, request: Request) -> SegmentationModel:
        """Open a model, of the kind that its configuration says."""
        files = ModelFiles(open_model(name))
        known: Any = files.library.models.auto.modeling_auto
        if files.kind == "clipseg":
            return PromptedModel(files, request)
        if files.kind in known.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES:
            return PanopticModel(files, request)
        if files.kind in known.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES:
            return SemanticModel(files, request)
        raise NetworkError(
            f"{name} is a model of the kind {files.kind!r}, which makes no masks with class names; "
            f"wanted a semantic or panoptic one (SegFormer, Mask2Former, OneFormer, ...) or CLIPSeg"
        )


class SegmentationModel(HubModel, Annotator):
    """A model of transformers that makes masks."""

    def annotate(self, image: Image.Image) -> Masks:
        """The masks of an image."""
        with self.running(image):
            return self.masks(image, (image.height, image.width))

    @abstractmethod
    def masks(self, image: Image.Image, size: tuple[int, int]) -> Masks:
        """The masks of an image of (height, width)."""

    def class_names(self) -> ClassTable:
        """The concepts of its classes, as its configuration names them.

        Raises:
            DataError: if it names none, or lacks one that is wanted.
        """
        names: Mapping[int, str] = self.model.config.id2label
        if all(_UNNAMED.fullmatch(name) or not concept_name(name) for name in names.values()):
            raise DataError(
                f"{self.label} has no class names: its config.json has no id2label; write it there"
            )
        listed = [names.get(number, "") for number in range(max(names) + 1)]
        return ClassTable(listed, self.request.concepts, self.label)


class SemanticModel(SegmentationModel):
    """A model that gives every pixel a class: SegFormer, DPT, BEiT, UperNet, ..."""

    head = "AutoModelForSemanticSegmentation"

    def __init__(self, files: ModelFiles, request: Request) -> None:
        super().__init__(files, request)
        self._table = self.class_names()

    def masks(self, image: Image.Image, size: tuple[int, int]) -> Masks:
        """A pixel is sure where the probability of its class is high enough."""
        outputs = self.forward(**self.processor(images=image, return_tensors="pt"))
        (classes,) = self.processor.post_process_semantic_segmentation(outputs, [size])
        # As the post-processing resizes, which keeps no probabilities.
        logits = nn.functional.interpolate(outputs.logits.float(), size, mode="bilinear")
        chosen = logits.softmax(1)[0].gather(0, classes[None].to(logits.device))[0]
        sure = chosen >= self.request.confidence
        return self._table.masks(classes.cpu().int().numpy(), sure.cpu().numpy())


class PanopticModel(SegmentationModel):
    """A model of segments, each of a class: Mask2Former, MaskFormer, OneFormer, DETR, EoMT."""

    head = "AutoModelForUniversalSegmentation"

    def __init__(self, files: ModelFiles, request: Request) -> None:
        super().__init__(files, request)
        self._table = self.class_names()

    def masks(self, image: Image.Image, size: tuple[int, int]) -> Masks:
        """A pixel is sure where it is in a segment whose score is high enough."""
        task = {"task_inputs": ["panoptic"]} if self.files.kind == "oneformer" else {}
        outputs = self.forward(**self.processor(images=[image], return_tensors="pt", **task))
        # OneFormer's processor hands this on to the one of images.
        processor = getattr(self.processor, "image_processor", self.processor)
        (segmentation,) = processor.post_process_panoptic_segmentation(
            outputs, threshold=self.request.confidence, target_sizes=[size]
        )
        segments = segmentation["segmentation"].cpu()
        classes = torch.full(size, -1, dtype=torch.int32)
        for segment in segmentation["segments_info"]:
            classes[segments == segment["id"]] = segment["label_id"]
        return self._table.masks(classes.numpy(), (classes >= 0).numpy())

    def _read_processor(self) -> Any:
        library = self.files.library
        if self.files.kind != "oneformer":
            return super()._read_processor()
        # Its class file, of another repository, is needed for training alone.
        images = self.files.read(library.AutoImageProcessor, class_info_file=None)
        tokens = self.files.read(library.AutoTokenizer)
        return library.OneFormerProcessor(images, tokens)


class PromptedModel(SegmentationModel):
    """CLIPSeg: a mask for each concept that is named, whatever the others are."""

    head = "CLIPSegForImageSegmentation"

    def __init__(self, files: ModelFiles, request: Request) -> None:
        concepts = named_concepts(files, request)
        super().__init__(files, request)
        self._concepts = concepts

    def masks(self, image: Image.Image, size: tuple[int, int]) -> Masks:
        """A pixel is of a concept where its probability is high enough."""
        fed = self.processor(
            text=list(self._concepts),
            images=[image] * len(self._concepts),
            padding="max_length",
            return_tensors="pt",
        )
        logits = self.forward(**fed).logits.float().reshape(1, len(self._concepts), *_sides(fed))
        likely = nn.functional.interpolate(logits, size, mode="bilinear").sigmoid()[0]
        on = (likely >= self.request.confidence).int().cpu().numpy()
        planes = tuple(mask * number for number, mask in enumerate(on, start=1))
        return Masks(self._concepts, planes, judged=True)

    def _read_processor(self) -> Any:
        return self.files.read(self.files.library.AutoProcessor)


def _sides(fed: Mapping[str, torch.Tensor]) -> tuple[int, int]:
    """Height and width of the images as they are fed, which are those of the logits."""
    rows, columns = fed["pixel_values"].shape[-2:]
    return int(rows), int(columns)
