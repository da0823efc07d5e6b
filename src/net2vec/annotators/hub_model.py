"""A model of transformers with its processor, from a repository of the hub or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import nn

from net2vec.annotators.base import Request
from net2vec.annotators.likeness import weights_of
from net2vec.core.cache import digest_of
from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.labels import concept_name
from net2vec.errors import DataError
from net2vec.networks.digest import module_digest
from net2vec.networks.sources.transformers_files import PREFIX, ModelFiles, refuse_missing

# How images and prompts are fed: what a repository has of these is downloaded.
_PROCESSOR = (
    *("preprocessor_config.json", "processor_config.json", "tokenizer_config.json"),
    *("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "special_tokens_map.json"),
)


class HubModel:
    """A model with its processor.

    Args:
        files: of the model; weights are fetched.
        request: device, and settings that the record repeats.

    Attributes:
        files, request: as given.
        label: its name, for messages.
        processor, model: of transformers; the model is on the device.
        record: where it comes from, and all that decides its outputs.

    Raises:
        NetworkError: if it cannot be had, or lacks weights.
    """

    head: str
    """The automatic class that loads it."""

    def __init__(self, files: ModelFiles, request: Request) -> None:
        self.files, self.request = files, request
        repository = files.repository
        self.label = repository.label
        for file in _PROCESSOR:
            repository.find(file)
        repository.fetch_weights()
        with files.quietly():
            self.processor = self._read_processor()
            self.model: Any = self._read_model().eval().to(request.device)
        fed = digest_of(processor=getattr(self.processor, "to_dict", dict)())
        self.record = AnnotatorRecord(
            model=repository.network_name(PREFIX),
            architecture=type(self.model).__name__,
            source=repository.source,
            licence=repository.licence,
            digest=digest_of(module=module_digest(self.model), fed=fed),
            confidence=request.confidence,
            concepts=request.concepts,
            weights=weights_of(self.model),
            versions=(("torch", torch.__version__), ("transformers", files.library.__version__)),
        )

    def forward(self, **inputs: Any) -> Any:
        """The model's outputs."""
        device = self.request.device
        return self.model(
            **{
                name: value.to(device) if isinstance(value, torch.Tensor) else value
                for name, value in inputs.items()
            }
        )

    @contextmanager
    def running(self, image: Image.Image) -> Iterator[None]:
        """Without gradients and messages; what fails on the image is raised as `DataError`."""
        try:
            with self.files.quietly(), torch.inference_mode():
                yield
        except (RuntimeError, ValueError, IndexError) as error:
            what = " ".join(str(error).split())
            raise DataError(f"{self.label} fails on an image of {image.size}: {what}") from error

    def _read_processor(self) -> Any:
        return self.files.read(self.files.library.AutoImageProcessor)

    def _read_model(self) -> nn.Module:
        model, loading_info = self.files.read(
            getattr(self.files.library, self.head), dtype=torch.float32, output_loading_info=True
        )
        missing = sorted(
            {*loading_info["missing_keys"], *map(str, loading_info["mismatched_keys"])}
        )
        refuse_missing(self.label, type(model).__name__, missing)
        module: nn.Module = model
        return module


def named_concepts(files: ModelFiles, request: Request) -> tuple[str, ...]:
    """The concepts that a text-prompted model is asked for.

    Raises:
        DataError: if there are none.
    """
    concepts = tuple(filter(None, map(concept_name, request.concepts)))
    if not concepts:
        label = files.repository.label
        raise DataError(f"{label} finds what is named: name it with --concepts")
    return concepts
