"""Image towers of open_clip: `open_clip:NAME` and `open_clip:NAME/PRETRAINED`.

The library is imported when a network of it is asked for; that takes seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from net2vec.core.messages import first_line
from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.base import NetworkSource, build_network, unknown_model
from net2vec.networks.weights.checkpoints import fit_state_dict, read_state_dict

_PREFIX = "open_clip:"
_QUICK = "quick_gelu"
# The image tower in the keys of a whole model, and what data-parallel training puts before it.
_TOWER, _OUTSIDE = "visual.", ("", "module.")


class OpenClipModels(NetworkSource):
    """The part of open_clip's models that takes images."""

    usage = "open_clip:NAME"
    install = 'pip install "net2vec[clip]"'

    def recognises(self, name: str) -> bool:
        """Whether the name begins with `open_clip:`."""
        return name.startswith(_PREFIX)

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build an image tower.

        Raises:
            NetworkError: also if no weights are named where there are several.
        """
        architecture = OpenClipArchitecture(name)
        if weights is None and not architecture.named and len(architecture.published) > 1:
            raise NetworkError(
                f"{name} has several weights: name them, {architecture.source}/TAG, with a TAG of "
                f"{', '.join(architecture.published)}"
            )
        return build_network(name, architecture, weights, seed)


class OpenClipArchitecture:
    """A model of open_clip by its name there, with or without the name of weights behind it.

    Attributes:
        named: the weights in the name; empty without any.
        source: where the architecture comes from.
    """

    def __init__(self, name: str) -> None:
        import open_clip

        self._open_clip = open_clip
        model, known = name.removeprefix(_PREFIX), open_clip.list_models()
        # Its authors write ViT-B/32, the library ViT-B-32.
        base, tag = model.replace("/", "-"), ""
        if base not in known:
            head, _, tag = model.rpartition("/")
            base = head.replace("/", "-")
        if base not in known:
            raise unknown_model("open_clip", model, known, "model")
        self.name, self.source = base, f"{_PREFIX}{base}"
        tags = open_clip.list_pretrained_tags_by_model(base)
        if tag and tag not in tags:
            raise NetworkError(
                f"open_clip has no weights {tag!r} for {base}; it has {', '.join(tags) or 'none'}"
            )
        self.named, self._tags = tag, tags

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published weights, the named ones first."""
        return tuple(sorted(self._tags, key=lambda tag: tag != self.named))

    @property
    def licence(self) -> str:
        """The terms of the published weights."""
        return "see open_clip"

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        return self._create(None)

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file, of the image tower or of the whole model."""
        module, state = self._create(None), read_state_dict(path)
        # A whole model's text tower has keys like those that an image tower has alone.
        split = {key.partition(_TOWER): tensor for key, tensor in state.items() if _TOWER in key}
        tower = {key: tensor for (before, _, key), tensor in split.items() if before in _OUTSIDE}
        fit_state_dict(module, tower or state, str(path))
        return module

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights."""
        return self._create(weights)

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the weights expect, or the library's usual one."""
        stated = [self._config(tag) for tag in ([weights] if weights else self._tags)]
        # For weights in a file, what all published ones of the model have.
        config = stated[0] if stated and all(_fed(one) == _fed(stated[0]) for one in stated) else {}
        usual = self._open_clip.transform.PreprocessCfg()
        size = getattr(module, "image_size", 224)
        sides = {size} if isinstance(size, int) else set(size)
        if len(sides) != 1:
            raise NetworkError(f"{self.source} takes images of {size}, not a square")
        return Preprocessing.from_unit_scale(
            sides.pop(), tuple(config.get("mean", usual.mean)), tuple(config.get("std", usual.std))
        )

    def _create(self, tag: str | None) -> nn.Module:
        # An activation function is no weight: under another one the same weights are another net.
        quick = bool(tag and self._config(tag).get(_QUICK))
        if tag and not quick and self._open_clip.get_model_config(self.name).get(_QUICK):
            raise NetworkError(
                f"the weights {tag} were trained without QuickGELU, which {self.name} has: take "
                f"{_PREFIX}{self.name.removesuffix('-quickgelu')}/{tag}"
            )
        try:
            with _quietly():
                model = self._open_clip.create_model(
                    self.name,
                    pretrained=tag,
                    force_quick_gelu=quick,
                    pretrained_text=False,
                )
        except Exception as error:  # every layer of a download has errors of its own
            if tag is None:
                raise NetworkError(f"{self.source} cannot be built: {first_line(error)}") from error
            config = self._config(tag)
            hub = (
                f"https://huggingface.co/{config['hf_hub'].strip('/')}"
                if config.get("hf_hub")
                else ""
            )
            raise NetworkError(
                f"cannot download the weights {tag} of {self.source}: {first_line(error)}; fetch "
                f"{hub or config.get('url', '')} by other means and name the file "
                f"with --weights FILE"
            ) from error
        module: nn.Module = model.visual
        return module

    def _config(self, tag: str) -> dict[str, Any]:
        return dict(self._open_clip.get_pretrained_cfg(self.name, tag))


def _fed(config: dict[str, Any]) -> tuple[Any, Any]:
    return config.get("mean"), config.get("std")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's messages, which it sends to the root logger."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(disabled)
