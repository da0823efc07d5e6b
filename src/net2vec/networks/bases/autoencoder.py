"""The features of a sparse autoencoder, from a file in the layout of SAELens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from net2vec.errors import NetworkError
from net2vec.networks.bases.base import Basis

_SUFFIX = ".safetensors"
_CONFIG = "cfg.json"
# Activation functions that an architecture may name, besides leaving it out.
_ACTIVATIONS = {"standard": ("relu",), "jumprelu": ("jumprelu", "relu"), "topk": ("topk", "relu")}


class SparseAutoencoder(Basis):
    """The encoder of a sparse autoencoder: f(x W + b), with f a ReLU, a jump ReLU or the top k.

    The file holds `W_enc` (channel, feature), `b_enc`, and, as the architecture wants it,
    `b_dec` or `threshold`; `cfg.json` beside it says which architecture it is and whether the bias
    of the decoder is taken from activations first. Nothing of this is guessed.
    """

    kind: ClassVar[str] = "autoencoder"
    usage: ClassVar[str] = "FILE.safetensors"

    @classmethod
    def recognises(cls, name: str) -> bool:
        """See `Basis.recognises`."""
        return name.endswith(_SUFFIX)

    @classmethod
    def make(cls, name: str, layer: str, channels: int, seed: int) -> SparseAutoencoder:
        """See `Basis.make`; reads the file."""
        path = Path(name).expanduser()
        config = _read_config(path)
        tensors = _encoder(path, _read_tensors(path), config)
        wanted = len(tensors["weight"])
        if wanted != channels:
            raise NetworkError(
                f"{path} is an autoencoder of {wanted} channels, and layer {layer} has {channels}; "
                f"name the layer that it was trained on"
            )
        return cls(tensors)

    @property
    def features(self) -> int:
        """Features of the autoencoder."""
        return self.tensors["weight"].shape[1]

    def __call__(self, values: Float[Tensor, "*place channel"]) -> Float[Tensor, "*place feature"]:
        """The activations of the features."""
        own = self.on(values.device)
        features = values @ own["weight"] + own["bias"]
        if "threshold" in own:
            return torch.where(features > own["threshold"], features, 0.0).relu()
        features = features.relu()
        if "k" not in own:
            return features
        highest, place = features.topk(min(int(own["k"]), features.shape[-1]), dim=-1)
        return torch.zeros_like(features).scatter(-1, place, highest)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise NetworkError(f"{path}: no such file of an autoencoder") from error
    except (OSError, SafetensorError) as error:
        raise NetworkError(f"{path} cannot be read as an autoencoder: {error}") from error


def _read_config(path: Path) -> Mapping[str, Any]:
    """The settings beside the file, those of a plain encoder among them.

    Raises:
        NetworkError: there are none, or the encoder does more than can be done here.
    """
    place = path.with_name(_CONFIG)
    try:
        config = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise NetworkError(
            f"{place} cannot be read ({type(error).__name__}): it says what the encoder of "
            f'{path.name} does, as {{"architecture": "standard", "apply_b_dec_to_input": true}}'
        ) from error
    if not isinstance(config, dict):
        raise NetworkError(f"{place} holds no settings of an autoencoder")
    activation = config.get("activation_fn_str", config.get("activation_fn", "relu"))
    # Earlier versions of SAELens knew the top k as an activation function alone.
    is_top = activation == "topk" and config.get("architecture") in (None, "standard")
    wanted = "topk" if is_top else config.get("architecture")
    for key, value, known in (
        ("architecture", wanted, tuple(_ACTIVATIONS)),
        ("apply_b_dec_to_input", config.get("apply_b_dec_to_input"), (True, False)),
        ("activation_fn", activation, _ACTIVATIONS.get(str(wanted), ())),
        ("normalize_activations", config.get("normalize_activations", "none"), ("none", None)),
        ("reshape_activations", config.get("reshape_activations", "none"), ("none", None)),
        ("rescale_acts_by_decoder_norm", config.get("rescale_acts_by_decoder_norm", False),
         (False,)),
    ):  # fmt: skip
        if value not in known:
            choices = ", ".join(json.dumps(each) for each in known)
            raise NetworkError(
                f"{place}: {key} is {json.dumps(value)}; autoencoders with {choices} can be used"
            )
    return {**config, "architecture": wanted}


def _encoder(
    path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weight and bias, with what the activation function needs, of single precision."""

    def part(name: str, *shape: int) -> Tensor:
        tensor = tensors.get(name)
        if tensor is None or not tensor.is_floating_point() or tensor.shape != shape:
            actual = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
            raise NetworkError(f"{path}: {name} is {actual}; wanted are floats {list(shape)}")
        if not bool(torch.isfinite(tensor).all()):
            raise NetworkError(f"{path}: {name} has values that are not finite")
        return tensor.float().contiguous()

    shape = tuple(getattr(tensors.get("W_enc"), "shape", ()))
    if len(shape) != 2 or not all(shape):
        raise NetworkError(
            f"{path} holds {', '.join(sorted(tensors)) or 'nothing'}; wanted are W_enc (channel, "
            f"feature) and b_enc, as SAELens writes them"
        )
    channels, features = shape
    weight, bias = part("W_enc", channels, features), part("b_enc", features)
    if config["apply_b_dec_to_input"]:
        bias = (bias.double() - part("b_dec", channels).double() @ weight.double()).float()
    encoder = {"weight": weight, "bias": bias}
    if config["architecture"] == "jumprelu":
        encoder["threshold"] = part("threshold", features)
    if config["architecture"] == "topk":
        more = config.get("activation_fn_kwargs")
        count = config.get("k", more.get("k") if isinstance(more, Mapping) else None)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise NetworkError(f"{path.with_name(_CONFIG)}: k is {count}; wanted is a whole number")
        encoder["k"] = torch.tensor(count)
    return encoder
