"""Vision models of transformers: `hf:ORG/NAME` on the Hugging Face hub, or `hf:FOLDER`.

Only classes of the installed library are used: code in a repository is never run. The library is
imported when a network of it is asked for; that takes seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.base import NetworkSource, absolute_path, build_network
from net2vec.networks.sources.transformers_files import (
    PREFIX,
    ModelFiles,
    open_model,
    refuse_missing,
)
from net2vec.networks.weights.checkpoints import load_checkpoint
from net2vec.networks.weights.hub import names_folder

# What holds the part of a model of several kinds of input that takes images.
_TOWERS = ("vision_model", "vision_encoder", "vision_tower", "visual")
# Comes after all grids; checkpoints of classifiers do not have it.
_POOLER = "pooler"


class TransformersModels(NetworkSource):
    """Vision models of transformers, and the part that takes images of others."""

    usage = "hf:ORG/NAME"
    install = 'pip install "net2vec[hf]"'

    def recognises(self, name: str) -> bool:
        """Whether the name begins with `hf:`."""
        return name.startswith(PREFIX)

    def absolute(self, name: str) -> str:
        """The name with the absolute path of its folder, if it names one."""
        path = name.removeprefix(PREFIX)
        return f"{PREFIX}{absolute_path(path)}" if names_folder(path) else name

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build a model."""
        files = ModelFiles(open_model(name))
        architecture = TransformersArchitecture(files)
        return build_network(files.repository.network_name(PREFIX), architecture, weights, seed)


class TransformersArchitecture:
    """A vision model of transformers in a repository or a folder."""

    def __init__(self, files: ModelFiles) -> None:
        self._files, self._label = files, files.repository.label
        self._repository, self._transformers = files.repository, files.library
        with files.quietly():
            self._config = files.read(self._transformers.AutoConfig)
        self.published = (files.repository.published,)

    @property
    def source(self) -> str:
        """Where the architecture comes from."""
        return self._repository.source

    @property
    def licence(self) -> str:
        """The terms of the published weights."""
        return self._repository.licence

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        with self._files.quietly():
            model = self._transformers.AutoModel.from_config(self._config, trust_remote_code=False)
        return self._vision(model)

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file."""
        module = self.untrained()
        load_checkpoint(module, path)
        return module

    def from_published(self, weights: str) -> nn.Module:
        """The module with the repository's weights, in single precision."""
        self._repository.fetch_weights()
        with self._files.quietly():
            model, loading_info = self._files.read(
                self._transformers.AutoModel,
                config=self._config,
                dtype=torch.float32,
                output_loading_info=True,
            )
        missing = sorted(
            {*loading_info["missing_keys"], *map(str, loading_info["mismatched_keys"])}
        )
        if any(_POOLER in key.split(".") for key in missing):
            missing = [key for key in missing if _POOLER not in key.split(".")]
            _remove_pooler(model)
        module = self._vision(model)
        lacking = [key for key in missing if _is_of(module, model, key)]
        refuse_missing(self._label, type(module).__name__, lacking)
        return module

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the repository states: size, mean and deviation.

        Images are squashed to the size that its image processor crops or resizes to.
        """
        if self._repository.find("preprocessor_config.json") is None:
            raise NetworkError(
                f"{self._label} has no preprocessor_config.json, which says how images are fed; "
                f"load it in a function of your own that returns "
                f"network_from_module(module, Preprocessing(...)), named file.py:function"
            )
        with self._files.quietly():
            processor = self._files.read(self._transformers.AutoImageProcessor)
        scale = processor.rescale_factor if getattr(processor, "do_rescale", True) else 1.0
        mean: tuple[float, ...] = (0.0,) * 3
        std: tuple[float, ...] = (1.0,) * 3
        if getattr(processor, "do_normalize", False):
            mean, std = tuple(processor.image_mean), tuple(processor.image_std)
        flipped = bool(getattr(processor, "do_flip_channel_order", False))
        return Preprocessing(
            self._side(processor),
            tuple(one / scale for one in mean),
            tuple(one / scale for one in std),
            "L" if len(mean) == 1 else "BGR" if flipped else "RGB",
        )

    def _side(self, processor: Any) -> int:
        crop = getattr(processor, "do_center_crop", False) and processor.crop_size
        size = dict(crop or getattr(processor, "size", None) or {})
        sides = {size[key] for key in ("height", "width", "shortest_edge") if size.get(key)}
        sides = sides or {size[key] for key in ("longest_edge",) if size.get(key)}
        if len(sides) != 1:
            raise NetworkError(f"{self._label} is not fed squares of one size, but {size}")
        return int(sides.pop())

    def _vision(self, model: nn.Module) -> nn.Module:
        """The part of a model that takes images: the whole of a vision model."""
        if hasattr(self._config, "vision_config"):
            for name in _TOWERS:
                if isinstance(tower := getattr(model, name, None), nn.Module):
                    return tower
        if getattr(model, "main_input_name", "pixel_values") != "pixel_values":
            raise NetworkError(
                f"{self._label} is a {type(model).__name__}, which takes {model.main_input_name}, "
                f"not images"
            )
        return model


def _remove_pooler(model: nn.Module) -> None:
    """Take a pooler without weights out; transformers' models pass a missing one over."""
    for part in list(model.modules()):
        if isinstance(getattr(part, _POOLER, None), nn.Module):
            setattr(part, _POOLER, None)


def _is_of(module: nn.Module, model: nn.Module, key: str) -> bool:
    """Whether a parameter of the model is in that part of it which is the module."""
    if module is model:
        return True
    path = next(path for path, part in model.named_modules() if part is module)
    return key.startswith(f"{path}.") or f".{path}." in key
