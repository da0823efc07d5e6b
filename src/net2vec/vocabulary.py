"""Names that the whole package shares: of tasks, splits, methods, devices and fits.

Importing this module loads nothing else, so that options and settings can be read without PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

TASKS = ("segment", "classify")
SPLITS = ("train", "val")
METHODS = ("single", "combined")
DEVICES = ("auto", "cpu", "cuda")
BATCH_NORMS = ("auto", "stored", "probe")
PUBLISHED_DATASETS = (
    "broden1_224",
    "broden1_227",
    "broden1_384",
    "ade20k",
    "ade20k_scene_parsing",
    "voc2012",
    "dtd",
)
"""Names that `net2vec data fetch` takes."""

BASIS_MARK = "@"
"""The sign between the path of a layer and the name of its basis, as in layer4@pca."""

PAPER, CONVERGED, LDA, BOTH, ALL = "paper", "converged", "lda", "both", "all"


@dataclass(frozen=True)
class FitProperties:
    """Properties of a fit that are known before its code is loaded.

    Attributes:
        target: where its class is, as `module:class`; see `net2vec.tasks.fits.base.Fit`.
        title: name of the fit in running text.
        about: how it fits, for the help of an option.
        has_start: whether its result depends on a random start, so that seeds repeat it.
        classifies_by: the fit whose vectors classify, where it only segments itself.
        entry: the order of entry by which it chooses subsets of filters, where it has one.
    """

    target: str
    title: str
    about: str
    has_start: bool
    classifies_by: str = ""
    entry: str = ""


FITS: dict[str, FitProperties] = {
    PAPER: FitProperties(
        "net2vec.tasks.fits.paper:PaperFit",
        "paper’s training",
        "training as in the paper",
        has_start=True,
    ),
    CONVERGED: FitProperties(
        "net2vec.tasks.fits.converged:ConvergedFit",
        "converged fit",
        "a convex problem solved to its optimum",
        has_start=False,
        entry="along an L1 path",
    ),
    LDA: FitProperties(
        "net2vec.tasks.fits.lda:LdaFit",
        "linear discriminant",
        "Fisher's discriminant and steps from it, on activations as they are",
        has_start=False,
        classifies_by=CONVERGED,
        entry="by forward selection",
    ),
}
"""Fits by name, in the order in which a run makes them; more may be added."""

BEST_FITS = (LDA, CONVERGED, PAPER)
"""Fits by how well their vectors do on images that they were not learned on, the best first."""

VECTORS = {"weights": "weight", "patterns": "pattern", "whitened": "whitened"}
"""Vectors that concepts can be compared by, with the names of their arrays. Weights predict; a
pattern is how a layer's mean activations differ where a concept is; whitened patterns have filters
made uncorrelated."""

FIT_SETS: dict[str, tuple[str, ...]] = {BOTH: (PAPER, CONVERGED)}
"""Names that stand for several fits; `all` stands for every known one."""
