"""Counts of predictions against masks by people, on the images that have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec import results
from net2vec.data.annotations import Annotations
from net2vec.data.checked import image_of
from net2vec.kernels.geometry.upsample import upsampled_is_on
from net2vec.pipeline.inputs import Inputs
from net2vec.pipeline.truth import Truth
from net2vec.prediction import Encoding, ForwardPass, NewImage, concept_grids, predict


@dataclass(frozen=True)
class TruthCounter:
    """Passes the images that have masks by people through the network once more.

    Attributes:
        inputs: the network and the probe dataset.
        truth: the images and where their masks are.
        model: annotations of the probe dataset, which a model made.
        true: annotations of the dataset with masks by people.
    """

    inputs: Inputs
    truth: Truth
    model: Annotations
    true: Annotations

    def count(
        self,
        forward: ForwardPass,
        layers: Mapping[str, tuple[xr.Dataset, Sequence[xr.Dataset]]],
        advance: Callable[[int], object],
    ) -> dict[str, list[xr.Dataset]]:
        """The arrays of segmentation of every layer and fit, with counts against true masks added.

        Args:
            forward: passes images through the network.
            layers: by layer its own arrays, and those of segmentation by every fit.
            advance: called with the number of images done since the last call.
        """
        counted: dict[tuple[str, int], list[_Pair]] = {}
        names = self.inputs.dataset.images
        for first in range(0, len(self.truth.probed), forward.batch):
            places = range(len(self.truth.probed))[first : first + forward.batch]
            images = [
                NewImage(names[index], image_of(self.inputs.dataset, index))
                for index in self.truth.probed[places].tolist()
            ]
            for chunk in forward.layer_outputs(images, list(layers)):
                for layer, (recorded, fits) in layers.items():
                    for number, learned in enumerate(fits):
                        pairs = self._pairs(chunk.outputs[layer], recorded, learned, places)
                        counted.setdefault((layer, number), []).extend(pairs)
            advance(len(images))
        return {
            layer: [
                self._with_counts(learned, counted[layer, number])
                for number, learned in enumerate(fits)
            ]
            for layer, (_, fits) in layers.items()
        }

    def _pairs(
        self,
        output: Float[Tensor, "image filter y x"],
        recorded: xr.Dataset,
        learned: xr.Dataset,
        places: Sequence[int],
    ) -> list[_Pair]:
        """The counts of some images, concept by concept."""
        concepts = [str(name) for name in learned["concept"].values]
        encoding = Encoding.of(recorded, learned, concepts)
        grids = concept_grids(output, encoding)
        on = output > encoding.threshold.to(output.device)[:, None, None]
        best = learned["best_filter"].values.tolist()
        size, pairs = self.model.size, []
        for concept, name in enumerate(concepts):
            if name not in self._true_label:
                continue
            for row, place in enumerate(places):
                true, model = self._masks(name, place)
                if true is None and model is None:
                    continue
                single = upsampled_is_on(on[row, best[concept]].cpu(), size).numpy()
                (combined,) = predict(grids[concept][row : row + 1], encoding, concept, size)[1]
                pairs.append(_Pair.of(concept, place, (single, combined), true, model))
        return pairs

    def _masks(
        self, concept: str, place: int
    ) -> tuple[Bool[np.ndarray, "y x"] | None, Bool[np.ndarray, "y x"] | None]:
        """The true and the made mask of a concept; None where it is not in the image."""
        of_true = self.true, self._true_label[concept], int(self.truth.indices[place])
        of_made = self.model, self._made_label[concept], int(self.truth.probed[place])
        return _mask(*of_true), _mask(*of_made)

    def _with_counts(self, learned: xr.Dataset, pairs: Sequence[_Pair]) -> xr.Dataset:
        """The arrays of a fit with those of pairs, concepts one after the other."""
        concepts = learned["concept"].values
        ordered = sorted(pairs, key=lambda pair: (pair.concept, pair.place))
        images = self.truth.probed[[pair.place for pair in ordered]]
        names = np.array(self.inputs.dataset.images, dtype=object)
        validates = ~self.model.is_train
        stored: dict[str, Any] = {str(name): v.values for name, v in learned.variables.items()}
        stored |= {
            "truth_concept": concepts[[pair.concept for pair in ordered]],
            "truth_image": names[images],
            "truth_split": np.where(validates[images], *reversed(results.SPLITS)),
            "truth_intersection": np.array([pair.shared for pair in ordered]).reshape(-1, 2).T,
            "truth_union": np.array([pair.joined for pair in ordered]).reshape(-1, 2).T,
            "annotator_intersection": [pair.agreed for pair in ordered],
            "annotator_union": [pair.either for pair in ordered],
            "has_truth": [str(name) in self._true_label for name in concepts],
        }
        counted = {
            "validation_images": int(validates.sum()),
            "truth_images": int(validates[self.truth.probed].sum()),
        }
        return results.make_dataset("segment", stored, {**learned.attrs, **counted})

    @cached_property
    def _true_label(self) -> Mapping[str, int]:
        return {name: label for label, name in enumerate(self.true.names) if label}

    @cached_property
    def _made_label(self) -> Mapping[str, int]:
        return {name: label for label, name in enumerate(self.model.names) if label}


@dataclass(frozen=True)
class _Pair:
    """Pixels of a concept in an image.

    Attributes:
        concept, place: of the concept among those learned, and of the image among those counted.
        shared, joined: of the prediction and the true mask, by method; 0 in an image that does not
            contain the concept (eq. 1).
        agreed, either: of the made and the true mask.
    """

    concept: int
    place: int
    shared: tuple[int, ...]
    joined: tuple[int, ...]
    agreed: int
    either: int

    @classmethod
    def of(
        cls,
        concept: int,
        place: int,
        predicted: Sequence[Bool[np.ndarray, "y x"]],
        true: Bool[np.ndarray, "y x"] | None,
        model: Bool[np.ndarray, "y x"] | None,
    ) -> _Pair:
        """Count a pair, of whose two masks one may be missing."""
        present = [mask for mask in (true, model) if mask is not None]
        either, agreed = int(np.logical_or.reduce(present).sum()), 0
        shared, joined = [0] * len(predicted), [0] * len(predicted)
        if true is not None:
            shared = [int((mask & true).sum()) for mask in predicted]
            joined = [int((mask | true).sum()) for mask in predicted]
            agreed = 0 if model is None else int((model & true).sum())
        return cls(concept, place, tuple(shared), tuple(joined), agreed, either)


def _mask(annotations: Annotations, label: int, image: int) -> Bool[np.ndarray, "y x"] | None:
    pairs = annotations.pairs(label)
    here: Int[np.ndarray, "_"] = pairs[annotations.image[pairs] == image]
    return annotations.masks_of(here)[0] if len(here) else None
