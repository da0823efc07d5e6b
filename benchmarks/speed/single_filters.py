"""Set IoU of all filters with all concepts."""

from __future__ import annotations

import torch

import plain
import probes
from measure import Line, alternate, threads
from net2vec.tasks.single import count_single_filters

_SAMPLE = 30


def single_filters(*, small: bool, pairs: int) -> list[Line]:
    images = 20 if small else 2000
    labels = probes.Labels(pixel=10 if small else 300, whole=0, an_image=8)
    recording = probes.random_recording(images)
    annotations = probes.random_annotations(images, labels)
    everything = list(range(1, labels.pixel + 1))
    # Every so many of the long tail; concepts are numbered by their frequency.
    sample = everything[:: max(1, labels.pixel // _SAMPLE)]
    masks = sum(len(annotations.pairs(label)) for label in everything)
    part = sum(len(annotations.pairs(label)) for label in sample)

    def theirs() -> list[tuple[torch.Tensor, torch.Tensor]]:
        found = []
        for label in sample:
            for train in (True, False):
                chosen = annotations.pairs(label, train=train)
                maps = recording.maps(annotations.image[chosen]).dense().float()
                truth = torch.from_numpy(annotations.masks_of(chosen)).float()
                found.append(plain.filter_counts(maps, truth))
        return found

    with threads(1):
        found = alternate(
            lambda: count_single_filters(recording, annotations, everything),
            theirs,
            pairs,
        )
    ratio, seconds = found.median(masks / part)
    counts = found.our_result
    equal = all(
        (ours[split, label - 1] == theirs.numpy()).all()
        for i, label in enumerate(sample)
        for split in (0, 1)
        for ours, theirs in zip(
            (counts.intersection, counts.union), found.their_result[2 * i + split], strict=True
        )
    )
    size = f"{images} images, {masks / images:.1f} concepts each, {recording.filters} filters"
    return [
        Line(
            "single filter IoU, all filters and concepts",
            size,
            ratio,
            30,
            True,
            seconds,
            f"counts of {len(sample)} concepts {'equal' if equal else 'differ'}",
            equal,
        )
    ]
