"""Models of transformers from folders in the hub's layout, and from a cache without a network."""

import json
import math

import pytest
import torch

from builders_hub import COMMIT, FAMILIES, write_cache, write_processor, write_transformer
from net2vec.cli import main
from net2vec.errors import NetworkError
from net2vec.networks import (
    at_revision,
    list_layers,
    load_network,
    refuse_dependence,
    run_layers,
)
from net2vec.prediction.network import open_network

pytestmark = pytest.mark.slow

transformers = pytest.importorskip("transformers")

BLOCKS = ("Layer", "Block", "Stage", "Encoder")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_transformer(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache, and no way to the hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_painted_square_lights_up_where_it_is(family, tmp_path):
    """Default layers are the blocks of each family, and their grids are the image."""
    size = 128 if family == "ConvNext" else 64
    write_transformer(tmp_path / family, family, size)
    network = load_network(f"hf:{tmp_path / family}")
    assert (network.name, network.trained) == (f"hf:{family}", True)
    assert network.prefix_tokens == FAMILIES[family][2]
    kinds = {info.path: info for info in list_layers(network, decided=network.layers)}
    assert len(network.layers) >= 3
    assert any(part in kinds[network.layers[-1]].kind for part in BLOCKS)
    refuse_dependence(network, network.layers)
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(1, 3, size, size, generator=generator).repeat(4, 1, 1, 1)
    painted = plain.clone()
    half = size // 2
    for image in range(4):  # another quarter in each
        rows, columns = (slice(half * at, half * (at + 1)) for at in divmod(image, 2))
        painted[image, :, rows, columns] += 2
    before, after = (run_layers(network, batch, network.layers) for batch in (plain, painted))
    for layer in network.layers:
        side = kinds[layer].shape[-1]
        if side < 8:
            continue  # in a few places of random weights a neighbour may change more
        change = (after[layer] - before[layer]).abs().mean(1)
        quarters = change.view(4, 2, side // 2, 2, side // 2).mean((2, 4)).flatten(1)
        assert quarters.argmax(1).tolist() == [0, 1, 2, 3], layer


@pytest.mark.parametrize("family", FAMILIES)
def test_grids_are_the_librarys_hidden_states(family, tmp_path, capsys):
    size = 128 if family == "ConvNext" else 64
    network = load_network(f"hf:{write_transformer(tmp_path / family, family, size)}")
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = network.module(pixel_values=images, output_hidden_states=True)
    reshaped = getattr(outputs, "reshaped_hidden_states", None) or ()
    wanted = []
    for state in (*reshaped, *outputs.hidden_states):
        tokens = state[:, network.prefix_tokens :]
        side = math.isqrt(tokens.shape[1])
        if state.ndim == 4:
            wanted += [state, state.movedim(3, 1)]
        elif side**2 == tokens.shape[1]:
            wanted.append(tokens.movedim(2, 1).unflatten(2, (side, side)))
    blocks = [layer for layer in network.layers if "embed" not in layer]
    assert len(blocks) >= 3
    for layer, grid in run_layers(network, images, blocks).items():
        close = [one for one in wanted if one.shape == grid.shape]
        assert any(torch.allclose(one, grid, atol=1e-4) for one in close), layer
    with pytest.raises(SystemExit) as ended:
        main(["layers", f"hf:{tmp_path / family}"])
    assert not ended.value.code
    assert blocks[-1] in capsys.readouterr().out


def test_size_and_normalisation_are_the_processors(folder):
    network = load_network(f"hf:{folder}")
    assert network.preprocessing.size == 64
    assert network.preprocessing.mean == pytest.approx((127.5, 102.0, 76.5))
    assert network.preprocessing.std == pytest.approx((63.75, 51.0, 25.5))
    assert (network.licence, network.source) == ("apache-2.0", "the folder tiny")


@pytest.mark.parametrize(
    ("settings", "size", "channels", "mean"),
    [
        ({"size": {"shortest_edge": 72}, "do_center_crop": True}, 64, "RGB", 127.5),
        ({"do_normalize": False, "size": {"height": 64, "width": 64}}, 64, "RGB", 0.0),
        ({"do_rescale": False, "size": {"shortest_edge": 64}}, 64, "RGB", 0.5),
        (
            {"do_flip_channel_order": True, "do_normalize": False, "size": {"shortest_edge": 72}},
            64,
            "BGR",
            0.0,
        ),
    ],
)
def test_processors_of_other_kinds_are_read(tmp_path, folder, settings, size, channels, mean):
    write_transformer(tmp_path)
    kind = {
        "do_center_crop": "CLIPImageProcessor",
        "do_flip_channel_order": "MobileViTImageProcessor",
    }
    named = next((kind[key] for key in settings if key in kind), "ViTImageProcessor")
    crop = {"crop_size": {"height": 64, "width": 64}} if named != "ViTImageProcessor" else {}
    write_processor(tmp_path, named, **settings, **crop)
    fed = load_network(f"hf:{tmp_path}", weights="random").preprocessing
    assert (fed.size, fed.channels) == (size, channels)
    assert fed.mean[0] == pytest.approx(mean)


def test_weights_are_the_folders_or_random_or_a_files(folder, tmp_path):
    first, again = (load_network(f"hf:{folder}", seed=seed) for seed in (0, 1))
    assert first.digest == again.digest  # no part of it is random
    assert first.weights == "as in the folder"
    assert next(first.module.parameters()).dtype == torch.float32
    drawn = load_network(f"hf:{folder}", weights="random", seed=3)
    assert (drawn.weights, drawn.trained) == ("random (seed 3)", False)
    assert drawn.digest == load_network(f"hf:{folder}", weights="random", seed=3).digest
    torch.save(drawn.module.state_dict(), tmp_path / "w.pth")
    filed = load_network(f"hf:{folder}", weights=str(tmp_path / "w.pth"))
    assert (filed.digest, filed.weights) == (drawn.digest, "file:w.pth")


def test_weights_in_half_precision_are_probed_in_single(tmp_path, folder):
    write_transformer(tmp_path)
    half = transformers.AutoModel.from_pretrained(tmp_path, dtype=torch.float16)
    half.save_pretrained(tmp_path)
    module = load_network(f"hf:{tmp_path}").module
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_a_repository_in_the_cache_is_found_offline_and_its_commit_is_kept(offline, folder):
    write_cache(offline, folder, "org/tiny")
    network = load_network("hf:org/tiny")
    assert network.name == "hf:org/tiny"
    assert network.source == f"huggingface.co/org/tiny@{COMMIT}"
    assert network.weights == f"revision {COMMIT}"
    for revision in ("main", COMMIT):
        pinned = load_network(f"hf:org/tiny@{revision}")
        assert (pinned.digest, pinned.source) == (network.digest, network.source)
    assert network.digest == load_network(f"hf:{folder}").digest


def test_a_run_is_opened_at_the_commit_that_it_probed(offline, folder):
    source = f"huggingface.co/org/tiny@{COMMIT}"
    assert at_revision("hf:org/tiny", source) == f"hf:org/tiny@{COMMIT}"
    assert at_revision("timm:hf-hub:org/tiny", source) == f"timm:hf-hub:org/tiny@{COMMIT}"
    for name in ("hf:org/tiny@main", "hf:./org/tiny", "hf:other/tiny", "timm:resnet18"):
        assert at_revision(name, source) == name
    assert at_revision("hf:./tiny", "the folder tiny") == "hf:./tiny"
    write_cache(offline, folder, "org/tiny")
    probed = load_network("hf:org/tiny")
    # The branch moves on: the cache has a later commit without files.
    (offline / "models--org--tiny" / "refs" / "main").write_text("f" * 40)
    told = {"digest": probed.digest, "input_digest": probed.input_digest, "source": probed.source}
    again = open_network(offline, {"network": "hf:org/tiny"}, {"network": told})
    assert again.digest == probed.digest


def test_what_a_configuration_alone_says_is_part_of_the_digest(folder, tmp_path):
    write_transformer(tmp_path / "same")
    write_transformer(tmp_path / "other", num_attention_heads=4)
    same, other = (load_network(f"hf:{tmp_path / name}") for name in ("same", "other"))
    assert load_network(f"hf:{folder}").digest == same.digest != other.digest


def _refused(name, message, **keywords):
    with pytest.raises(NetworkError, match=message) as told:
        load_network(name, **keywords)
    assert "\n" not in str(told.value)


def test_what_is_not_in_the_cache_is_told_offline(offline, folder):
    _refused("hf:org/tiny", r"hf:org/tiny is not in this machine's cache.*hf download org/tiny")
    write_cache(offline, folder, "org/tiny")
    _refused("hf:org/tiny@other", "not in this machine's cache")
    (offline / "models--org--tiny" / "snapshots" / COMMIT / "model.safetensors").unlink()
    _refused("hf:org/tiny", "no weights under a usual name .*; offline")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            "GatedRepoError",
            r"is gated: accept its terms at https://huggingface.co/org/tiny and log",
        ),
        ("RepositoryNotFoundError", "the hub has no repository org/tiny, or it is private"),
        ("RevisionNotFoundError", "has no such revision"),
        ("RemoteEntryNotFoundError", "has no config.json"),
    ],
)
def test_what_the_hub_refuses_is_told_in_one_line(monkeypatch, error, message):
    from huggingface_hub import errors

    kind = getattr(errors, error)

    def refuse(*_args, **_keywords):
        raise kind.__new__(kind)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    _refused("hf:org/tiny", message)


def test_a_failing_download_is_told_in_one_line(monkeypatch):
    def fail(*_args, **_keywords):
        raise OSError("no route to host\nand more")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    _refused("hf:org/tiny", "cannot download hf:org/tiny: no route to host; download it by other")


def _with_config(folder, tmp_path, **changes):
    write_transformer(tmp_path)
    held = json.loads((tmp_path / "config.json").read_text())
    held |= changes
    held = {key: value for key, value in held.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(held))
    return f"hf:{tmp_path}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "mine", "auto_map": {"AutoModel": "modeling.Net"}},
            r"code of its own \(modeling.Net\), which is not run.*file.py:function",
        ),
        ({"model_type": "mine"}, r"the kind 'mine', which transformers .* does not know"),
        ({"model_type": None}, "without model_type"),
        ({"model_type": None, "architecture": "resnet18"}, "name it timm:local-dir:"),
        ({"num_hidden_layers": 6}, r"lacks \d+ of the weights of ViTModel, which would be random"),
        ({"hidden_size": 40}, "hf:.*(lacks|cannot be loaded)"),
    ],
)
def test_folders_that_cannot_be_used_are_told_in_one_line(folder, tmp_path, changes, message):
    _refused(_with_config(folder, tmp_path, **changes), message)


def test_code_in_a_repository_is_not_run_where_a_class_of_the_library_will_do(folder, tmp_path):
    name = _with_config(folder, tmp_path, auto_map={"AutoModel": "modeling.Net"})
    (tmp_path / "modeling.py").write_text("raise SystemExit('the code ran')\n")
    assert load_network(name).digest == load_network(f"hf:{folder}").digest


def test_other_faults_of_folders_are_told_in_one_line(folder, tmp_path, monkeypatch):
    _refused(f"hf:{tmp_path}", "has no config.json")
    _refused("hf:./nothing", "there is no folder nothing")
    _refused("hf:org", "there is no folder org")
    write_transformer(tmp_path / "org" / "tiny")
    monkeypatch.chdir(tmp_path)
    _refused("hf:org/tiny", r"hf:\./org/tiny for the folder, hf:org/tiny@main")
    assert load_network("hf:./org/tiny").digest == load_network(f"hf:{folder}").digest
    (tmp_path / "org/tiny/preprocessor_config.json").unlink()
    _refused("hf:./org/tiny", "no preprocessor_config.json, which says how images are fed")
    weights = tmp_path / "org/tiny/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    _refused("hf:./org/tiny", "cannot be loaded")
    weights.unlink()
    _refused("hf:./org/tiny", "no weights under a usual name")
    (tmp_path / "org/tiny/config.json").write_text("[1]")
    _refused("hf:./org/tiny", "must be a JSON object")


def test_a_model_of_text_is_refused(tmp_path):
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    config.save_pretrained(tmp_path)
    _refused(f"hf:{tmp_path}", "a BertModel, which takes input_ids, not images", weights="random")
