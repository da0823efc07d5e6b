"""Concept vectors in captum: its classifiers, its CAVs, and sensitivities of classes to concepts.

A classifying vector weighs the spatial means of a layer's filters, so as a direction in the layer's
output it is w_k / (h w) at every place: *spread*. The derivative of an output of the network along
it is the change of the output as the layer encodes a little more of the concept (TCAV, Kim et al.
2018). Derivatives are computed by captum; the null that they are compared with is added here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from net2vec.bridges.nulls import p_values, vectors_by_chance
from net2vec.core.devices import torch_device
from net2vec.errors import ConfigError, NetworkError
from net2vec.networks import Network, evaluating, run_layers
from net2vec.prediction import Encoding, ForwardPass, Images, Transform, gather_images
from net2vec.runs import Run
from net2vec.runs.apply import Predictor, concept_names, open_predictor
from net2vec.vocabulary import BASIS_MARK

try:
    from captum.attr import LayerGradientXActivation
    from captum.concept import CAV, TCAV, Classifier, Concept
except ImportError as error:
    raise ConfigError(
        'this needs the package captum; install it: pip install "net2vec[captum]"'
    ) from error

OTHER = "other"
"""The name of the concept that stands for everything else in captum's pairs."""


class ConceptClassifier(Classifier):  # type: ignore[misc]
    """A captum classifier whose weights are a run's vectors: there is nothing to train.

    To be given to `captum.concept.TCAV`, whose concepts must have the numbers given here. A concept
    with another number stands for what is not the concept: its weights are the negative.

    Args:
        spread: the direction of each concept in the layer's flattened output, by its number.
        bias: added to a concept's product with an activation.
    """

    def __init__(
        self, spread: Mapping[int, Float[Tensor, "feature"]], bias: Mapping[int, float]
    ) -> None:
        self._spread = dict(spread)
        self._bias = dict(bias)
        self._classes: list[int] = sorted(spread)

    def train_and_eval(
        self, dataloader: Iterable[tuple[Tensor, Tensor]], **_: Any
    ) -> dict[str, float]:
        """Record the concepts that captum passes, and return the accuracy of the vectors on them.

        Raises:
            ConfigError: if none of them is known.
        """
        batches = [(rows.flatten(1), labels.flatten()) for rows, labels in dataloader]
        rows = torch.cat([batch[0] for batch in batches])
        labels = torch.cat([batch[1] for batch in batches])
        self._classes = [int(number) for number in torch.unique(labels)]
        known = [number for number in self._classes if number in self._spread]
        if not known:
            raise ConfigError(
                f"captum's concepts have the numbers {self._classes}; those of the run's vectors "
                f"are {sorted(self._spread)}"
            )
        right = [
            ((rows @ self._spread[number].to(rows) + self._bias[number] > 0) == (labels == number))
            for number in known
        ]
        return {"accs": float(torch.stack(right).float().mean())}

    def weights(self) -> Float[Tensor, "concept feature"]:
        """The spread vectors of the concepts last shown, by number."""
        known = [self._spread[number] for number in self._classes if number in self._spread]
        rest = -torch.stack(known).mean(0)
        return torch.stack([self._spread.get(number, rest) for number in self._classes])

    def classes(self) -> list[int]:
        """The numbers of the concepts last shown, in the order of `weights`."""
        return list(self._classes)


@dataclass(frozen=True)
class CaptumConcepts:
    """Concepts of a run, ready for captum.

    Attributes:
        tcav: captum's interpreter; it has the vectors of all concepts and trains nothing.
        concepts: captum's concepts by name, without images of their own.
        pairs: the argument `experimental_sets` of `tcav.interpret`: each concept, and all else.
        classifier: for a `TCAV` of your own with concepts that have images.
        network: the network of the run.
    """

    tcav: Any
    concepts: dict[str, Any]
    pairs: list[list[Any]]
    classifier: ConceptClassifier
    network: Network


def captum_concepts(
    run: Run,
    concepts: str | Sequence[str] | None = None,
    *,
    layer: str | None = None,
    task: str = "classify",
    fit: str | None = None,
    network: nn.Module | Network | None = None,
    transform: Transform | None = None,
    device: str = "cpu",
) -> CaptumConcepts:
    """The vectors of a run as captum's classifier and CAVs.

    Args:
        run: the run.
        concepts: names; None for all of the layer.
        layer: by default the last.
        task: whose vectors. Those of `segment` weigh cells, or thresholded maps; as directions they
            are spread over all places alike.
        fit: as for `Run.classify`.
        network: as for `Run.classify`.
        transform: as for `Run.classify`.
        device: as for `Run.classify`.

    Raises:
        Net2VecError: if the run lacks one of these, or captum cannot take the layer.
    """
    predictor = open_predictor(
        run, task, None, layer, fit=fit, network=network, transform=transform, device=device
    )
    encoding, opened = predictor.encodings[0], predictor.forward.network
    names = _chosen(predictor, concepts)
    path = _path(opened, encoding.layer)
    numbers = {name: encoding.names.index(name) for name in names}
    spread = dict(zip(names, _spread(predictor, encoding, list(numbers.values())), strict=True))
    known = {name: Concept(number, name, None) for name, number in numbers.items()}
    other = Concept(len(encoding.names), OTHER, None)
    classifier = ConceptClassifier(
        {numbers[name]: spread[name] for name in names},
        {number: float(encoding.bias[number]) for number in numbers.values()},
    )
    # captum makes a folder for vectors that it trains, and looks in it for none of these.
    opened.module.to(torch_device(device))
    with TemporaryDirectory() as folder:
        tcav = TCAV(opened.module, path, classifier=classifier, save_path=folder)
    pairs = [[concept, other] for concept in known.values()]
    for pair in pairs:
        vector = spread[pair[0].name]
        stats = {"weights": torch.stack([vector, -vector]), "classes": [pair[0].id, other.id]}
        tcav.cavs[f"{pair[0].id}-{other.id}"][path] = CAV(pair, path, stats)
    return CaptumConcepts(tcav, known, pairs, classifier, opened)


def sensitivities(
    run: Run,
    images: Images,
    target: int,
    concepts: str | Sequence[str] | None = None,
    *,
    layer: str | None = None,
    task: str = "classify",
    nulls: int | None = None,
    null_vectors: np.ndarray | None = None,
    seed: int = 0,
    fit: str | None = None,
    network: nn.Module | Network | None = None,
    transform: Transform | None = None,
    device: str = "cpu",
    batch: int | None = None,
) -> xr.Dataset:
    """Derivatives of an output along concept vectors, and whether chance does as well.

    The derivative is that of the output by the layer's activations times the spread vector. Its
    mean over the images is compared with that of random vectors of the same length: what
    the concept's fit gives on shuffled annotations, where the run has learned that. p = (1 + how
    many have as large a mean, of either sign) / (1 + how many there are).

    Args:
        run: the run.
        images: as for `Run.segment`; usually images of the class.
        target: which output of the network, a class.
        concepts: names; None for all of the layer.
        layer: by default the last.
        task: whose vectors, see `captum_concepts`.
        nulls: how many random vectors to draw: mixtures of the vectors of all concepts of the layer
            made unit length, with normally distributed factors. So they lie in the span of the
            concepts, and p asks whether the class follows this concept more than any mixture.
            None for the vectors that the run has learned on shuffled annotations (`net2vec run
            --nulls`, of `classify`), or 999 mixtures where it has none.
        null_vectors: vectors to take in the place of either.
        seed: of the draws.
        fit: as for `Run.classify`.
        network: as for `Run.classify`.
        transform: as for `Run.classify`.
        device: as for `Run.classify`.
        batch: as for `Run.classify`.

    Returns:
        `derivative` (concept, image); `mean` and `positive`, the share of images where it is above
        0 (captum's magnitude and sign count), and `p` (concept). The attribute
        `null` names the null.

    Raises:
        Net2VecError: if the run lacks one of these, captum cannot take the layer, or the network
            has no such output.
    """
    predictor = open_predictor(
        run, task, None, layer, fit=fit, network=network, transform=transform, device=device,
        batch=batch,
    )  # fmt: skip
    encoding = predictor.encodings[0]
    names = _chosen(predictor, concepts)
    new_images = gather_images(images)
    if not new_images:
        raise ConfigError("no image given; sensitivities are means over images, usually of a class")
    gradient = np.concatenate(
        [
            _gradients(predictor.forward, fed, encoding.layer, target)
            for _, _, fed in predictor.forward.batches(new_images)
        ]
    )
    weight = encoding.weight.double().numpy()
    chosen = weight[[encoding.names.index(name) for name in names]]
    arrays = run.arrays(encoding.layer, task=task, fit=encoding.fit)
    learned = None
    if "null_weight" in arrays:
        learned = arrays["null_weight"].sel(concept=names).transpose("null", "concept", "filter")
    shuffled = None if learned is None else learned.values.astype(np.float64)
    null, description = vectors_by_chance(weight, null_vectors, shuffled, nulls, seed)
    derivative = chosen @ gradient.T
    p = p_values(chosen, gradient.mean(axis=0), null)
    return xr.Dataset(
        {
            "derivative": (
                ("concept", "image"),
                derivative,
                {"long_name": "derivative of the output along the spread vector"},
            ),
            "mean": ("concept", derivative.mean(axis=1)),
            "positive": (
                "concept",
                (derivative > 0).mean(axis=1),
                {"long_name": "share of images where the derivative is above 0", "units": "1"},
            ),
            "p": ("concept", p, {"long_name": "share of null vectors with as large a mean"}),
        },
        coords={
            "concept": np.array(names, dtype=object),
            "image": np.array([image.name for image in new_images], dtype=object),
        },
        attrs={
            "network": run.network,
            "layer": encoding.layer,
            "task": task,
            "fit": encoding.fit,
            "target": target,
            "null": description,
            "nulls": len(null),
        },
    )


def _chosen(predictor: Predictor, concepts: str | Sequence[str] | None) -> list[str]:
    """The names of the concepts that are asked for, of those of the layer."""
    encoding = predictor.encodings[0]
    wanted = (concepts,) if isinstance(concepts, str) else concepts
    label = f"{predictor.network} {encoding.layer} {encoding.task}"
    return concept_names(encoding.names, wanted, label)


def _path(network: Network, layer: str) -> str:
    """The module that captum is to hook.

    Raises:
        NetworkError: if it is called several times in a pass, where captum knows no single call, or
            has a basis, which captum does not know.
    """
    if BASIS_MARK in layer:
        raise NetworkError(
            f"the vectors of {layer} are of the features of a basis, and captum looks at channels: "
            f"choose the layer without its basis"
        )
    if "#" in layer or network.trace.calls()[network.trace.duplicates.get(layer, layer)] > 1:
        raise NetworkError(
            f"layer {layer} is a module that is called several times in a pass; captum cannot tell "
            f"the calls apart: choose another layer"
        )
    return layer


def _gradients(
    forward: ForwardPass, batch: Tensor, layer: str, target: int
) -> Float[np.ndarray, "image filter"]:
    """Gradient of an output by the spatial means of the filters: its mean over the places."""
    network = forward.network
    module = network.module.get_submodule(_path(network, layer))
    method = LayerGradientXActivation(network.module, module, multiply_by_inputs=False)
    with evaluating(network.module):
        try:
            gradient = method.attribute(batch.requires_grad_(), target=target)
        except (IndexError, AssertionError) as error:
            raise NetworkError(
                f"{network.name} has no output {target}, or not one for each image: {error}"
            ) from error
    grid = network.to_grid(layer, gradient.detach().float())
    pooled = grid.flatten(2).mean(2) if grid.ndim == 4 else grid
    gradients: Float[np.ndarray, "image filter"] = pooled.cpu().double().numpy()
    return gradients


def _spread(
    predictor: Predictor, encoding: Encoding, chosen: Sequence[int]
) -> list[Float[Tensor, "feature"]]:
    """Vectors as directions in the layer's flattened output, whatever its layout.

    The mean over places is linear: its gradient at any output, times w, is the spread vector.
    """
    network = predictor.forward.network
    # A bare module's output comes as it is, before it is made a grid.
    raw = run_layers(network.module, torch.zeros(1, *network.input_shape), [encoding.layer])
    output = raw[encoding.layer].cpu().requires_grad_()
    grid = network.to_grid(encoding.layer, output)
    means = grid.flatten(2).mean(2) if grid.ndim == 4 else grid
    weight = encoding.weight if encoding.scale is None else encoding.weight * encoding.scale
    return [
        torch.autograd.grad(means[0] @ weight[place], output, retain_graph=True)[0]
        .flatten()
        .clone()
        for place in chosen
    ]
