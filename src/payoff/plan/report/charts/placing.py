"""Labels beside points, so that none covers a point or another label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LINE_PX = 15.0
_POINT_PX = 6.0
# Where a label may stand, best first: its align, and the shift of its anchor from the point.
_PLACES = (
    ("left", 10, 0),
    ("right", -10, 0),
    ("center", 0, -16),
    ("center", 0, 16),
    ("left", 8, -13),
    ("left", 8, 13),
    ("right", -8, -13),
    ("right", -8, 13),
)


@dataclass(frozen=True, slots=True)
class Spot:
    """A point in pixels from the top left, and how wide its label is.

    Example:
        >>> Spot(10.0, 20.0, 55.0).text_px
        55.0
    """

    x: float
    y: float
    text_px: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label stands: how it is aligned, and its shift in pixels from its point.

    Example:
        >>> Place("left", 10, 0).dx
        10
    """

    align: str
    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels.

    Example:
        >>> Box(0, 0, 10, 10).meets(Box(5, 5, 20, 20)), Box(0, 0, 10, 10).distance(13, 14)
        (True, 5.0)
    """

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies wholly inside."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def distance(self, x: float, y: float) -> float:
        """How far a point is from the rectangle, 0 inside."""
        across = max(self.left - x, 0.0, x - self.right)
        return math.hypot(across, max(self.top - y, 0.0, y - self.bottom))


def place_labels(
    spots: Sequence[Spot],
    width: float,
    height: float,
    *,
    lines: Sequence[Box] = (),
    faint: Sequence[Box] = (),
) -> list[Place | None]:
    """Places for the labels of ``spots``, the most important first; None where none is free.

    A label covers no point, line or other label, and no other point is nearer to it than its own.
    The first one is placed even so, over lines and at last over points.

    Args:
        spots: Points with labels, in order of importance.
        width: Width of the picture in pixels; labels stay inside.
        height: Its height in pixels.
        lines: Lines to keep clear of.
        faint: Lines to keep clear of where that leaves a place.

    Example:
        >>> place_labels([Spot(50, 50, 40), Spot(62, 50, 40)], 200, 100)[0]
        Place(align='right', dx=-10, dy=0)
    """
    frame = Box(0, 0, width, height)
    taken: list[Box] = []
    places: list[Place | None] = []
    for spot in spots:
        others = [other for other in spots if other is not spot]
        points = [_around(other) for other in others]
        solid = [*taken, *points, *lines]
        found = _free(spot, frame, [*solid, *faint], others) or _free(spot, frame, solid, others)
        if spot is spots[0]:
            found = found or _free(spot, frame, points, ()) or _free(spot, frame, (), ())
        places.append(found[0] if found else None)
        if found:
            taken.append(found[1])
    return places


def _around(spot: Spot) -> Box:
    return Box(spot.x - _POINT_PX, spot.y - _POINT_PX, spot.x + _POINT_PX, spot.y + _POINT_PX)


def _free(
    spot: Spot, frame: Box, kept_clear: Sequence[Box], others: Sequence[Spot]
) -> tuple[Place, Box] | None:
    for align, dx, dy in _PLACES:
        box = _label_box(spot, align, dx, dy)
        own = box.distance(spot.x, spot.y)
        # Beside or above a point a label is plainly its own; aslant it must stand well apart.
        apart = own + 6 if dx and dy else own
        nearest = all(box.distance(o.x, o.y) > apart for o in others)
        if frame.holds(box) and nearest and not any(box.meets(other) for other in kept_clear):
            return Place(align, dx, dy), box
    return None


def _label_box(spot: Spot, align: str, dx: int, dy: int) -> Box:
    left = spot.x + dx
    if align != "left":
        left -= spot.text_px if align == "right" else spot.text_px / 2
    top = spot.y + dy - _LINE_PX / 2
    return Box(left, top, left + spot.text_px, top + _LINE_PX)
