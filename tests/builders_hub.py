"""Small networks of random weights in the layouts of the hub: folders and its cache."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_TRANSFORMER = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 64,
    "patch_size": 8,
}
_STAGES = {"depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]}
_STAGES |= {"hidden_sizes": [8, 16, 32, 64]}
_TEXT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
_TEXT |= {"intermediate_size": 64, "vocab_size": 100, "bos_token_id": 0, "eos_token_id": 1}
_DINO = {key: value for key, value in _TRANSFORMER.items() if key != "intermediate_size"}
_SAM = {key: value for key, value in _TRANSFORMER.items() if key != "intermediate_size"}

# By the name of the configuration and of the class that is saved: their settings, and the number
# of tokens before those of places.
FAMILIES = {
    "ViT": ("ForImageClassification", _TRANSFORMER, 1),
    "DeiT": ("ForImageClassification", _TRANSFORMER, 2),
    "Beit": ("Model", _TRANSFORMER, 1),
    "Dinov2": ("Model", _DINO, 1),
    "Dinov2WithRegisters": ("Model", {**_DINO, "num_register_tokens": 4}, 5),
    "DINOv3ViT": ("Model", {**_TRANSFORMER, "num_register_tokens": 4}, 5),
    "CLIPVision": ("Model", _TRANSFORMER, 1),
    "CLIP": (
        "Model",
        {"vision_config": _TRANSFORMER, "text_config": _TEXT, "projection_dim": 16},
        1,
    ),
    "Siglip": ("Model", {"vision_config": _TRANSFORMER, "text_config": _TEXT}, 0),
    "ConvNext": ("Model", {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1]}, 0),
    "Swin": (
        "Model",
        {
            "embed_dim": 16,
            "image_size": 64,
            "window_size": 2,
            "depths": [1, 1, 2, 1],
            "num_heads": [1, 1, 2, 2],
        },
        0,
    ),
    "Hiera": (
        "Model",
        {
            "embed_dim": 16,
            "image_size": [64, 64],
            "depths": [1, 1, 2, 1],
            "num_heads": [1, 1, 2, 2],
        },
        0,
    ),
    "Segformer": ("ForSemanticSegmentation", _STAGES, 0),
    "Sam": (
        "Model",
        {
            "vision_config": {
                **_SAM,
                "output_channels": 16,
                "window_size": 4,
                "global_attn_indexes": [1, 3],
                "mlp_dim": 64,
            },
            "mask_decoder_config": {"hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 16},
            "prompt_encoder_config": {"hidden_size": 16, "mask_input_channels": 4},
        },
        0,
    ),
    "ResNet": (
        "ForImageClassification",
        {"embedding_size": 8, "hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1]},
        0,
    ),
}


def write_transformer(folder: Path, family: str = "ViT", size: int = 64, **settings) -> Path:
    """Save a model of transformers with random weights as its authors would."""
    import transformers

    torch.manual_seed(0)
    head, usual, _ = FAMILIES[family]
    config = getattr(transformers, f"{family}Config")(**{**usual, **settings})
    model = getattr(transformers, f"{family}{head}")(config)
    _spread_parameters(model)
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    model.save_pretrained(folder)
    bars.enable_progress_bar()
    write_processor(folder, size={"height": size, "width": size})
    (folder / "README.md").write_text("---\nlicense: apache-2.0\ntags: [x]\n---\n# A network\n")
    return folder


def write_processor(folder: Path, kind: str = "ViTImageProcessor", **settings) -> None:
    """Write the settings of an image processor."""
    usual = {
        "image_processor_type": kind,
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.25, 0.2, 0.1],
    }
    text = json.dumps({**usual, **settings})
    (folder / "preprocessor_config.json").write_text(text)


def write_cache(cache: Path, folder: Path, name: str, revision: str = "main") -> Path:
    """Put a folder into a cache of the hub, as a download of a repository would."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / revision).write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(folder, snapshot)
    return snapshot


def _spread_parameters(model: torch.nn.Module) -> None:
    """Parameters far enough from 0 that every block does something, unlike at their start."""
    for name, parameter in model.named_parameters():
        if "norm" not in name and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
