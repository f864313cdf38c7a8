"""A seed for what is random within one step of a training."""

from __future__ import annotations

import hashlib

from payoff.adapt.engine.batches import Packed


def batch_seed(batch: Packed, seed: int) -> int:
    """A number drawn from the texts of a batch, in their order, and a seed: 0 to 2^63 - 1.

    An objective is called without the number of the step, so its random draws follow from the
    batch. A training that is resumed sees the same batches, and so draws the same.

    Args:
        batch: The texts of the step; their order changes from epoch to epoch.
        seed: Of the training.
    """
    key = (seed % (1 << 64)).to_bytes(8, "little")
    digest = hashlib.blake2b(batch.rows.tobytes(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little") >> 1
