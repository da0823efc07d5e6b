"""Randomness by name: every draw has a key, so no result depends on what was drawn before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import numpy as np

_TORCH = RLock()


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """The generator of one draw, named by a key; always on the CPU."""
    digest = hashlib.blake2b(json.dumps([seed, *key]).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest, "little")))


@contextmanager
def seeded_torch(seed: int) -> Iterator[None]:
    """Torch's global generator at a seed, for one thread at a time; afterwards as it was.

    Code of networks draws from it, and two networks may be built at a time, each in its thread.
    """
    import torch

    with _TORCH, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
