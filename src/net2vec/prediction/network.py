"""The network of a run, opened again: as it was probed, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from net2vec.core.image_size import parse_size
from net2vec.core.storage import replacing
from net2vec.errors import NetworkError, ResultsError
from net2vec.networks import (
    DIGEST_VERSION,
    CustomPreprocessing,
    Network,
    Preprocessing,
    at_revision,
    batch_norm_statistics,
    load_bases,
    load_network,
    network_from_module,
    network_source,
    with_batch_norm_statistics,
    with_input_size,
)
from net2vec.results import check_file

Transform = Callable[[Image.Image], Tensor]
"""The preprocessing of a network given in Python."""

BATCH_NORM = "batch_norm.safetensors"
"""The file of a run with batch-norm statistics that were estimated on its probe images."""

BASES = "bases.safetensors"
"""The file of a run with the bases of its layers."""

GIVEN = "python:"
"""The prefix in the settings of the name of a network or dataset given in Python."""


def save_batch_norm(network: Network, folder: Path) -> None:
    """Keep a network's batch-norm statistics in a run's folder."""
    with replacing(folder / BATCH_NORM) as temporary:
        save_file(batch_norm_statistics(network.module), temporary)


def restore_batch_norm(network: Network, folder: Path, images: int | None = None) -> Network:
    """A copy of a network with the batch-norm statistics that a folder keeps.

    Args:
        network: is left as it was.
        folder: a run's.
        images: of how many the statistics are, noted in the network's `weights`.

    Raises:
        ResultsError: if it keeps none, or they are damaged or cannot be read.
        NetworkError: if they are those of another architecture.
    """
    check_file(folder, BATCH_NORM)
    path = folder / BATCH_NORM
    try:
        statistics = load_file(path)
    except FileNotFoundError as error:
        raise ResultsError(f"{folder} keeps no {BATCH_NORM}; make the run again") from error
    except (OSError, SafetensorError) as error:
        raise ResultsError(f"{path} cannot be read as batch-norm statistics: {error}") from error
    return with_batch_norm_statistics(network, statistics, images)


def restore_bases(network: Network, folder: Path) -> Network:
    """The network with the bases of layers that a run keeps, if it keeps any.

    Args:
        network: is left as it was; bases that it has already must be those of the run.
        folder: the run's.

    Raises:
        ResultsError: if they are damaged or cannot be read.
        NetworkError: if a basis of the network is another one than that of the run.
    """
    if not (folder / BASES).is_file():
        return network
    check_file(folder, BASES)
    bases = load_bases(folder / BASES)
    for layer, basis in network.bases.items():
        if layer in bases and basis.is_fitted and basis.digest != bases[layer].digest:
            raise NetworkError(
                f"the basis of {layer} is not what it was when {folder} was made; wanted is the "
                f"file that was used then, or another --out"
            )
    return network.changed(bases=MappingProxyType({**network.bases, **bases}))


def open_network(
    folder: Path,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    python_network: nn.Module | Network | None = None,
    transform: Transform | None = None,
    *,
    trust: bool = False,
) -> Network:
    """The network that a run probed: loaded again by its name, or the one that is given.

    Args:
        folder: the run's.
        settings: the run's, as `run.toml` has them.
        provenance: the run's; it holds the digests that are checked.
        python_network: the network itself, where the run was made with one given in Python.
        transform: its preprocessing, likewise.
        trust: whether code that the run names may be run.

    Raises:
        NetworkError: if it cannot be had, would run code of an untrusted run, or is not the network
            that was probed.
        ResultsError: if the run does not say what it probed.
    """
    probed = provenance.get("network", {})
    if "digest" not in probed:
        raise ResultsError(f"{folder} does not say which network it probed; make the run again")
    side = settings.get("input")
    wrapped = (
        None
        if python_network is None
        else _wrap(python_network, transform, probed, resized=side is not None)
    )
    network = wrapped or _load(folder, settings, str(probed.get("source", "")), trust)
    if side is not None:
        network = with_input_size(network, parse_size(side, "input"))
    if (folder / BATCH_NORM).is_file():
        network = restore_batch_norm(network, folder)
    network = restore_bases(network, folder)
    if network.digest != probed["digest"]:
        raise NetworkError(
            f"{network.name} is not the network that {folder} probed (weights or architecture of "
            f"digest {network.digest[:8]}, there {probed['digest'][:8]}); {_advice(probed, folder)}"
        )
    checked = not isinstance(network.preprocessing, CustomPreprocessing) or (
        network.preprocessing.transform is not _no_transform
    )
    if checked and network.input_digest != probed.get("input_digest", network.input_digest):
        raise NetworkError(
            f"images would be fed to {network.name} otherwise than in {folder}, which says "
            f"{probed.get('preprocessing')}; pass the transform of the run"
        )
    return network


def refuse_code(name: str, folder: Path, *, trust: bool) -> None:
    """Refuse the network of a run whose name leads to code, unless the run is trusted.

    Args:
        name: the network's, as `run.toml` has it.
        folder: the run's, for the message.
        trust: whether the user trusts the run.

    Raises:
        NetworkError: if the name leads to code and the run is not trusted.
    """
    # A network given in Python is not loaded by its name.
    source = None if name.startswith(GIVEN) else network_source(name)
    if source is not None and source.runs_code and not trust:
        raise NetworkError(
            f"{folder} names the network {name}, whose code would run on this machine: if you "
            f"trust this run, say so with --trust (in Python trust=True)"
        )


def _load(folder: Path, settings: Mapping[str, Any], source: str, trust: bool) -> Network:
    name = settings.get("network")
    if name is None:
        raise ResultsError(f"{folder} has no run.toml that names its network; pass the network")
    if str(name).startswith(GIVEN):
        raise NetworkError(
            f"the network of {folder} was given in Python ({name}); use the run in Python and pass "
            f"the module as network="
        )
    refuse_code(str(name), folder, trust=trust)
    return load_network(
        # A repository's branch may have moved since.
        at_revision(str(name), source),
        weights=settings.get("weights"),
        seed=int(settings.get("seed", 0)),
    )


def _wrap(
    module: nn.Module | Network,
    transform: Transform | None,
    probed: Mapping[str, Any],
    *,
    resized: bool,
) -> Network:
    """A network given in Python as the run was given it, before another size was asked for."""
    if isinstance(module, Network):
        return module
    name = str(probed.get("name", type(module).__name__))
    if transform is not None:
        return network_from_module(module, transform, name=name)
    described = dict(probed.get("preprocessing", {}))
    bare = network_from_module(module, name=name)
    if resized:
        described["size"] = bare.preprocessing.size
    if "mean" in described:
        return network_from_module(module, Preprocessing.from_dict(described), name=name)
    size = int(described.get("size", bare.preprocessing.size))
    own = CustomPreprocessing(_no_transform, size, int(described.get("channel_count", 3)))
    return replace(bare, preprocessing=own)


def _no_transform(image: Image.Image) -> Tensor:
    raise NetworkError(
        "the images of this run went through a transform given in Python; pass it as transform=, "
        "or give tensors that are preprocessed already"
    )


def _advice(probed: Mapping[str, Any], folder: Path) -> str:
    if probed.get("digest_version") != DIGEST_VERSION:
        return "the run was made by a version whose digests cover less or more: make it again"
    estimated = "batch norm from" in str(probed.get("weights"))
    if estimated and not (folder / BATCH_NORM).is_file():
        return f"its batch-norm statistics are not kept in {BATCH_NORM}: make the run again"
    return f"wanted are its weights, {probed.get('weights', 'of the run')}"
