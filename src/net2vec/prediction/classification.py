"""Which concepts are in new images: sigmoid(b + w.f), f the spatial means of the filters.

Source: paper, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr

from net2vec.prediction.encodings import Encoding
from net2vec.prediction.forward import ForwardPass
from net2vec.prediction.images import NewImage


def classify_images(
    forward: ForwardPass, images: Sequence[NewImage], encodings: Sequence[Encoding]
) -> xr.DataArray:
    """Probabilities that images contain concepts, of dimensions (layer, image, concept).

    They are those of balanced sets, half of whose images contain the concept; above 1/2 the
    concept is predicted.

    Args:
        forward: passes images through the network.
        images: the images.
        encodings: one a layer, all of the same concepts.
    """
    names, category = encodings[0].names, encodings[0].category
    probabilities = np.zeros((len(encodings), len(images), len(names)), np.float32)
    done = 0
    for chunk in forward.layer_outputs(images, [encoding.layer for encoding in encodings]):
        here = slice(done, done + len(chunk.images))
        for place, encoding in enumerate(encodings):
            means = chunk.outputs[encoding.layer].float()
            if means.ndim == 4:
                means = means.flatten(2).mean(2)
            value = means.cpu() @ encoding.weight.T + encoding.bias
            probabilities[place, here] = torch.sigmoid(value).numpy()
        done = here.stop
    return xr.DataArray(
        probabilities,
        dims=("layer", "image", "concept"),
        coords={
            "layer": np.array([encoding.layer for encoding in encodings], dtype=object),
            "image": np.array([image.name for image in images], dtype=object),
            "concept": np.array(names, dtype=object),
            "category": ("concept", np.array(category, dtype=object)),
        },
        name="probability",
        attrs={"long_name": "sigmoid(z + bias)", "task": "classify", "fit": encodings[0].fit},
    )
