"""Segmentation models of random weights, in the hub's layout."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from builders_hub import write_processor

CLASSES = ("wall", "background", "dog", "dog", "wheel")
_SWIN = {
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 2,
    "image_size": 64,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
_SWIN_STAGES = ["stage2", "stage3", "stage4"]
_QUERIES = {
    "feature_size": 32,
    "mask_feature_size": 32,
    "hidden_dim": 32,
    "encoder_feedforward_dim": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "num_attention_heads": 2,
    "dim_feedforward": 16,
    "num_queries": 6,
}


def write_segmenter(folder: Path, family: str, classes=CLASSES) -> Path:
    """Save a model of a family as its authors would.

    The seed is one with which models of segments find some in a picture of large squares.
    """
    import transformers

    torch.manual_seed(2)
    named = {"id2label": dict(enumerate(classes))} if classes else {"num_labels": len(CLASSES)}
    config, model, processor = _SEGMENTERS[family](transformers, named)
    made = model(config)
    for name, parameter in made.named_parameters():
        if "norm" not in name and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    _save(made, folder)
    write_processor(folder, processor, size={"height": 64, "width": 64}, **_PROCESSING[family])
    if family in ("OneFormer", "CLIPSeg"):
        _write_tokens(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    return folder


def _save(made, folder: Path) -> None:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    made.save_pretrained(folder)
    transformers.utils.logging.enable_progress_bar()


def _segformer(library, named):
    config = library.SegformerConfig(
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        hidden_sizes=[8, 16, 32, 64],
        decoder_hidden_size=16,
        **named,
    )
    return config, library.SegformerForSemanticSegmentation, "SegformerImageProcessor"


def _mask2former(library, named):
    config = library.Mask2FormerConfig(
        backbone_config=library.SwinConfig(**_SWIN), **_QUERIES, **named
    )
    return config, library.Mask2FormerForUniversalSegmentation, "Mask2FormerImageProcessor"


def _oneformer(library, named):
    sizes = {**_QUERIES, "mask_dim": 32, "conv_dim": 32, "text_encoder_width": 32}
    config = library.OneFormerConfig(
        backbone_config=library.SwinConfig(**_SWIN),
        text_encoder_vocab_size=600,
        text_encoder_context_length=77,
        task_seq_len=77,
        **sizes,
        **named,
    )
    return config, library.OneFormerForUniversalSegmentation, "OneFormerImageProcessor"


def _clipseg(library, _):
    side = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    side |= {"intermediate_size": 32}
    config = library.CLIPSegConfig(
        text_config={**side, "vocab_size": 600, "eos_token_id": 513, "bos_token_id": 512},
        vision_config={**side, "image_size": 64, "patch_size": 16},
        projection_dim=16,
        reduce_dim=16,
        extract_layers=[0, 1],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
        conditional_layer=0,
    )
    return config, library.CLIPSegForImageSegmentation, "ViTImageProcessor"


_SEGMENTERS = {
    "Segformer": _segformer,
    "Mask2Former": _mask2former,
    "OneFormer": _oneformer,
    "CLIPSeg": _clipseg,
}
_PROCESSING = {
    "Segformer": {},
    "Mask2Former": {"size_divisor": 32},
    "OneFormer": {"class_info_file": "of_another_repository.json", "num_labels": len(CLASSES)},
    "CLIPSeg": {"processor_class": "CLIPSegProcessor"},
}


def _write_tokens(folder: Path) -> None:
    """A tokenizer of single letters."""
    letters = [chr(code) for code in range(33, 289)]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_detector(folder: Path) -> Path:
    """Save a Grounding DINO that knows the words dog, front and wheel."""
    import transformers

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "dog", "front", "wheel")
    (folder / "vocab.txt").write_text("\n".join(words))
    side = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(**{**_SWIN, "out_features": _SWIN_STAGES}),
        text_config={**side, "vocab_size": len(words), "intermediate_size": 32},
        d_model=64,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=12,
    )
    made = transformers.GroundingDinoForObjectDetection(config)
    for name, parameter in made.named_parameters():
        if "bbox_embed" in name or "level_embed" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    _save(made, folder)
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    images = transformers.GroundingDinoImageProcessor(size={"height": 64, "width": 64})
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


def write_sam(folder: Path) -> Path:
    """Save a SAM that makes masks of boxes."""
    import transformers

    torch.manual_seed(0)
    side = {"hidden_size": 16, "num_attention_heads": 2, "mlp_dim": 16}
    patches = {"image_size": 64, "patch_size": 16}
    layers = {"num_hidden_layers": 1, "output_channels": 16, "global_attn_indexes": [0]}
    config = transformers.SamConfig(
        vision_config={**side, **patches, **layers, "num_pos_feats": 8},
        prompt_encoder_config={"hidden_size": 16, **patches, "mask_input_channels": 4},
        mask_decoder_config={**side, "num_hidden_layers": 1, "iou_head_hidden_dim": 16},
    )
    made = transformers.SamModel(config)
    for parameter in made.mask_decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    _save(made, folder)
    padded = {"pad_size": {"height": 64, "width": 64}, "mask_pad_size": {"height": 16, "width": 16}}
    sides = {"size": {"longest_edge": 64}, "mask_size": {"longest_edge": 16}}
    images = transformers.SamImageProcessor(**sides, **padded)
    transformers.SamProcessor(images).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder
