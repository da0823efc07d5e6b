"""Images of a finished run's dataset, shown to its network once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from net2vec.config import Settings
from net2vec.core.storage import Say, cache_folder
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.data.checked import image_of
from net2vec.networks import Network
from net2vec.pipeline.folder import SETTINGS
from net2vec.pipeline.inputs import (
    Inputs,
    as_probed,
    default_workers,
    open_data,
    open_inputs,
    probe_batch,
    wants_batch_norm,
)
from net2vec.pipeline.provenance import refuse_other_inputs
from net2vec.prediction import ForwardPass, NewImage, restore_bases, restore_batch_norm
from net2vec.prediction.network import refuse_code
from net2vec.runs import Run

AS_PROBED = "pictures and masks need what the run was made of"
"""The advice where a run's network or dataset is another one by now."""

AnyViewer = TypeVar("AnyViewer", bound="Viewer")


def open_probed_data(run: Run, data: ProbeDataset | str | Path | None = None) -> ProbeDataset:
    """The probe dataset of a run, checked to be what was probed.

    Args:
        run: the run.
        data: the dataset, or where it is: a folder, or `hf:ORG/NAME`, which is downloaded. By
            default where the run says; nothing is downloaded then.

    Raises:
        Net2VecError: if it cannot be had, or is another one.
    """
    if data is None or isinstance(data, str | Path):
        settings = Settings.from_toml(run.path / SETTINGS)
        if data is not None:
            settings = replace(settings, data=(str(data),))
        settings = as_probed(settings, run.provenance)
        data = open_data(settings, cached_only=data is None)
    refuse_other_inputs(run.path, None, data, advice=AS_PROBED)
    return data


class Viewer:
    """The network of a run with its probe dataset and annotations.

    Attributes:
        run: the run.
        inputs: the network and the dataset, checked to be those of the run.
        annotations: at the size of the run's masks.
        forward: passes images through the network as the probe did.
        place: the place of every image in the dataset, by name.
    """

    def __init__(
        self, run: Run, inputs: Inputs, annotations: Annotations, forward: ForwardPass
    ) -> None:
        self.run = run
        self.inputs = inputs
        self.annotations = annotations
        self.forward = forward
        self.place = {name: index for index, name in enumerate(inputs.dataset.images)}

    @classmethod
    def of(
        cls: type[AnyViewer],
        run: Run,
        folder: Path,
        network: Network | None,
        dataset: ProbeDataset | None,
        trust: bool,
        say: Say,
    ) -> AnyViewer:
        """Open what a run was made of.

        Args:
            run: the run.
            folder: its folder.
            network: the network as it was probed, where it is there already.
            dataset: likewise.
            trust: whether code that the run names may be run.
            say: told what goes on.

        Raises:
            Net2VecError: if the network or the dataset cannot be had, would run code of an
                untrusted run, or is not that of the run.
        """
        settings = as_probed(Settings.from_toml(folder / SETTINGS), run.provenance)
        if network is None:
            refuse_code(settings.network, folder, trust=trust)
        if dataset is None:
            dataset = open_data(settings, cached_only=True)
        inputs = open_inputs(settings, network, dataset)
        if network is None and wants_batch_norm(settings, inputs.network):
            inputs = replace(inputs, network=restore_batch_norm(inputs.network, folder))
        inputs = replace(inputs, network=restore_bases(inputs.network, folder))
        refuse_other_inputs(folder, inputs.network, inputs.dataset, advice=AS_PROBED)
        forward = ForwardPass(
            inputs.network,
            inputs.device,
            probe_batch(settings, inputs.device),
            settings.mixed_precision,
        )
        annotations = compile_annotations(
            inputs.dataset,
            inputs.mask_size,
            cache_folder() / "annotations",
            workers=default_workers(),
            say=say,
        )
        return cls(run, inputs, annotations, forward)

    def image(self, name: str) -> Image.Image:
        """An image of the dataset, in its own size.

        Raises:
            DataError: if it cannot be read.
        """
        return image_of(self.inputs.dataset, self.place[name])

    def outputs(
        self, names: Sequence[str], layers: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, Float[Tensor, "filter y x"]]]]:
        """The outputs of the network on some images, on the CPU, one image after the other."""
        batch = self.forward.batch
        for first in range(0, len(names), batch):
            images = [NewImage(name, self.image(name)) for name in names[first : first + batch]]
            for chunk in self.forward.layer_outputs(images, layers):
                on_cpu = {layer: output.cpu() for layer, output in chunk.outputs.items()}
                for row, image in enumerate(chunk.images):
                    yield image.name, {layer: on_cpu[layer][row] for layer in layers}

    def threshold(self, layer: str) -> Float[Tensor, "filter"]:
        """The thresholds of a layer's filters (T_k)."""
        return torch.from_numpy(self.run.layer(layer)["threshold"].to_numpy())

    def truth(self, concept: str, name: str) -> Bool[np.ndarray, "y x"] | None:
        """The annotation of a concept in an image; None where the image does not contain it."""
        pairs = self.annotations.pairs(self.label(concept))
        pair = pairs[self.annotations.image[pairs] == self.place[name]]
        return self.annotations.masks_of(pair)[0] if len(pair) else None

    def label(self, concept: str) -> int:
        """The number of a concept's label in the dataset."""
        return self._labels[concept]

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.annotations.names)}
