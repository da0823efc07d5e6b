"""The plan of a run: the concepts and subsets to learn on each layer, and what is left out."""

from __future__ import annotations

from net2vec.config import Settings
from net2vec.core.storage import Say
from net2vec.data.annotations import Annotations
from net2vec.errors import DataError, NetworkError
from net2vec.pipeline.inputs import Inputs
from net2vec.recording import LayerRecording
from net2vec.tasks.choice import Skipped, choose_concepts, choose_subset_layers, split_sizes
from net2vec.tasks.kinds import TASKS, Task


class Plan:
    """The concepts of each task, and the subset sizes of each layer.

    Attributes:
        skipped: layer (empty for all), task and reason of what is left out so far.

    Raises:
        ConfigError: if the settings name a layer for subsets that the task cannot be learned on.
    """

    def __init__(self, settings: Settings, inputs: Inputs, say: Say) -> None:
        self.settings = settings
        self.inputs = inputs
        self.say = say
        self.skipped: list[tuple[str, str, Skipped]] = []
        self._subset_layers = {
            task.name: self._layers_with_subsets(task)
            for task in TASKS
            if task.name in settings.tasks
        }

    def choose_concepts(self, annotations: Annotations) -> dict[str, list[int]]:
        """By task, the concepts that can be learned; a task without any is left out.

        Raises:
            DataError: if there is none for any task.
            NetworkError: if there is nothing but segmentation to do, and no layer has a grid.
        """
        choices = {}
        for name in self.settings.tasks:
            choices[name] = choose_concepts(
                annotations,
                name,
                min_train=self.settings.min_train,
                names=self.settings.concepts or None,
            )
            self.skipped += [("", name, skipped) for skipped in choices[name].skipped]
        if not any(choice.labels for choice in choices.values()):
            reasons = [
                f"{skipped.concept}: {skipped.reason}"
                for choice in choices.values()
                for skipped in choice.skipped[:3]
            ]
            splits = "; --split says which images validate" if "validation" in str(reasons) else ""
            raise DataError(
                f"{self.inputs.dataset.name} has no concept that can be learned "
                f"({'; '.join(dict.fromkeys(reasons))}); each needs training and validation "
                f"images, and to be classified also such without it{splits}"
            )
        for name, choice in choices.items():
            if not choice.labels:
                self.say(f"no concept can be learned to {name}; skipped.csv says why")
        labels = {name: choice.labels for name, choice in choices.items() if choice.labels}
        grids = [self.inputs.info(layer).is_grid for layer in self.inputs.layers]
        if list(labels) == ["segment"] and not any(grids):
            raise NetworkError(
                f"no layer of {', '.join(self.inputs.layers)} has a grid to segment with; choose "
                f"another (see `net2vec layers`), or classify with these"
            )
        return labels

    def can_learn(self, recording: LayerRecording, task: Task) -> bool:
        """Whether a layer can be used for a task; the layer is listed as left out if it cannot."""
        if not task.needs_grid or recording.grid is not None:
            return True
        reason = "a layer without a grid can be classified with, not segmented with"
        self.skipped.append((recording.layer, task.name, Skipped("", None, reason)))
        return False

    def subset_sizes(self, recording: LayerRecording, task: Task) -> list[int]:
        """The subset sizes of a layer, below its number of filters; others are listed."""
        wanted = getattr(self.settings, task.name).subsets
        wanted = [size for size in wanted if size not in task.sizes_always_learned]
        chosen = self._subset_layers[task.name]
        if recording.layer not in chosen:
            if wanted:
                reason = f"subsets of filters are learned on {', '.join(chosen)} alone"
                self.skipped.append((recording.layer, task.name, Skipped("", None, reason)))
            return []
        fitting, skipped = split_sizes(wanted, recording.filters)
        self.skipped += [(recording.layer, task.name, item) for item in skipped]
        return fitting

    def _layers_with_subsets(self, task: Task) -> list[str]:
        """The layers on which subsets are learned, of those that the task can be learned on."""
        layers = [
            layer
            for layer in self.inputs.layers
            if self.inputs.info(layer).is_grid or not task.needs_grid
        ]
        named = getattr(self.settings, task.name).subset_layers
        return choose_subset_layers(layers, named if layers else (), task.subset_layers)
