"""Randomness by name: every draw has a key, so no result depends on what was drawn before it."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def generator(seed: int, *key: str | int) -> np.random.Generator:
    """The generator of one draw, named by a key; always on the CPU."""
    digest = hashlib.blake2b(json.dumps([seed, *key]).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest, "little")))
