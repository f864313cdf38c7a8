"""A bounded sample of a stream, as even over its classes as the stream allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Reservoir:
    """Class-balanced reservoir sampling (Chrysakis & Moens 2020, algorithm 1).

    While there is room, everything is kept. Then an item of a class that was never the largest
    takes the place of one of the largest; one of the others takes a place of its own class with
    the chance that makes each item of that class as likely to be kept.

    Args:
        capacity: Items that are kept, at most.
        seed: Decides which.

    Example:
        >>> reservoir = Reservoir(4, seed=0)
        >>> for item in range(100):
        ...     reservoir.add(item, int(item >= 98))
        >>> kept = reservoir.kept()
        >>> len(kept), int((kept >= 98).sum())  # both of the rare class, two of the other
        (4, 2)
    """

    def __init__(self, capacity: int, *, seed: int = 0) -> None:
        self.capacity = capacity
        self._rng = np.random.default_rng(seed)
        self._items: dict[int, list[int]] = {}
        self._seen: dict[int, int] = {}
        self._once_largest: set[int] = set()

    def add(self, item: int, label: int) -> None:
        """Offer an item of a class."""
        own = self._items.setdefault(label, [])
        self._seen[label] = self._seen.get(label, 0) + 1
        if sum(map(len, self._items.values())) < self.capacity:
            own.append(item)
            return
        most = max(map(len, self._items.values()))
        largest = sorted(c for c, items in self._items.items() if len(items) == most)
        self._once_largest.update(largest)
        if label not in self._once_largest:
            giver = self._items[int(self._rng.choice(largest))]
            giver.pop(int(self._rng.integers(most)))
            own.append(item)
        elif self._rng.random() < len(own) / self._seen[label]:
            own[int(self._rng.integers(len(own)))] = item

    def kept(self) -> NDArray[np.int64]:
        """The items that are kept, sorted."""
        return np.array(sorted(i for items in self._items.values() for i in items), np.int64)
