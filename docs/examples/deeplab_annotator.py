"""DeepLab for LiteRT as an annotator: `data annotate ... --with deeplab_annotator.py:deeplab`.

Set DEEPLAB to a folder with the model and its list of class names, and install `ai-edge-litert`.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

FOLDER = Path(os.environ["DEEPLAB"])
MODEL = FOLDER / "deeplabv3_mnv2_pascal_quant.tflite"
NAMES = (FOLDER / "pascal_voc_segmentation_labels.txt").read_text().splitlines()[:21]


def deeplab(image: Image.Image) -> tuple[np.ndarray, list[str]]:
    """Class numbers [y, x] at the image's own size, and the class names by number."""
    model = interpreter()
    fed, found = model.get_input_details()[0], model.get_output_details()[0]
    side = int(fed["shape"][1])
    model.set_tensor(fed["index"], np.asarray(image.resize((side, side)))[None])
    model.invoke()
    classes = Image.fromarray(model.get_tensor(found["index"])[0].astype(np.uint8))
    return np.asarray(classes.resize(image.size, Image.Resampling.NEAREST)), NAMES


# These stand in the dataset and in everything that is made of it.
deeplab.licence = "Apache-2.0"
deeplab.files = [MODEL]


@cache
def interpreter() -> Interpreter:
    """The model, loaded once."""
    model = Interpreter(str(MODEL), num_threads=1)
    model.allocate_tensors()
    return model
