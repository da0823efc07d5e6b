"""A run of what is given in Python: a module, a dataset of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PIL import Image
from torch import Tensor, nn

from net2vec.config import Settings
from net2vec.core.executors import AnyExecutor
from net2vec.data import ProbeDataset
from net2vec.errors import ConfigError
from net2vec.networks import Network, device_restored, network_from_module
from net2vec.pipeline.progress import Progress, TqdmProgress
from net2vec.pipeline.runner import probe
from net2vec.prediction import GIVEN
from net2vec.runs import Run, open_run

if TYPE_CHECKING:
    import distributed


def analyze(
    model: nn.Module | Network,
    data: str | Path | Sequence[str | Path] | ProbeDataset = "diorama",
    out: str | Path = "run",
    *,
    layers: str | Sequence[str] = (),
    transform: Callable[[Image.Image], Tensor] | None = None,
    name: str | None = None,
    workers: int | None = None,
    progress: Progress | bool = True,
    executor: AnyExecutor | distributed.Client | None = None,
    keep_activations: float | None = None,
    **settings: Any,
) -> Run:
    """Probe a network given in Python: all of `net2vec run`, ending with an open run.

    Args:
        model: takes float batches of shape (image, 3, size, size); it is left as it was found.
        data: `diorama`, a folder, several of these to be joined, or a dataset of your own.
        out: the run's folder, new, empty or an interrupted run of the same settings.
        layers: a module path or glob, or several; none for the last layer of each size of grid.
        transform: from a Pillow image to a float tensor (3, size, size), squashing the whole
            image; without it, the usual ImageNet preprocessing at 224 pixels.
        name: what to call the network.
        workers: threads or processes; the numbers do not depend on it.
        progress: whether to show bars in a notebook or terminal, or an object that reports the
            stages otherwise.
        executor: computes all work items: one of `concurrent.futures`, a Dask client, or any with
            the `map` of `net2vec.core.executors.Executor`; by default threads or processes of this
            machine.
        keep_activations: gigabytes on disk for activations while fits read them; by default a
            quarter of what is free.
        **settings: any other setting of `net2vec.config.Settings`.

    Raises:
        Net2VecError: the model, the data, the folder or a setting is at fault.
    """
    network, network_name = _module_network(model, transform, name)
    named = [data] if isinstance(data, str | Path) else data
    dataset: ProbeDataset | None = None
    if isinstance(named, list | tuple) and all(isinstance(one, str | Path) for one in named):
        sources = tuple(str(one) for one in named)
    else:
        dataset = cast(ProbeDataset, data)
        sources = (_dataset_name(dataset),)
    chosen = Settings.from_dict(
        {
            "network": network_name,
            "data": sources,
            "layers": (layers,) if isinstance(layers, str) else tuple(layers),
            "device": "cpu",
            **settings,
        }
    )
    with ExitStack() as ending:
        ending.enter_context(device_restored(network.module))
        if progress is True:
            progress = ending.enter_context(TqdmProgress())
        folder = probe(
            chosen,
            Path(out),
            network=network,
            dataset=dataset,
            workers=workers,
            progress=progress or None,
            executor=executor,
            keep_activations=keep_activations,
        )
    return open_run(folder, network=network)


def _module_network(
    model: nn.Module | Network,
    transform: Callable[[Image.Image], Tensor] | None,
    name: str | None,
) -> tuple[Network, str]:
    """A network given in Python, and what stands for it in the settings.

    Raises:
        ConfigError: it is no module.
        NetworkError: if it cannot be probed.
    """
    if not isinstance(model, nn.Module | Network):
        raise ConfigError(
            f"a network given in Python must be a torch.nn.Module, got {model!r}; networks by name "
            f"are opened by net2vec.networks.load_network"
        )
    if isinstance(model, Network):
        network = model if name is None else replace(model, name=name)
        if transform is not None:
            fed = network_from_module(model.module, transform).preprocessing
            network = replace(network, preprocessing=fed)
    else:
        network = network_from_module(model, transform, name=name)
    return network, f"{GIVEN}{type(network.module).__qualname__}@{network.digest}"


def _dataset_name(dataset: ProbeDataset) -> str:
    """The name in the settings of a dataset given in Python.

    Raises:
        ConfigError: it lacks what a probe dataset offers.
    """
    offered = (name for name in dir(ProbeDataset) if not name.startswith("_"))
    missing = [name for name in offered if not hasattr(dataset, name)]
    if missing:
        raise ConfigError(
            f"data must be diorama, folders or a probe dataset; {dataset!r} has no "
            f"{', '.join(missing)} (see net2vec.data.ProbeDataset)"
        )
    return f"{GIVEN}{dataset.name}@{dataset.digest}"
