"""Draws faces into a picture, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy import float32, uint8
    from numpy.typing import NDArray

    from ._tracker import Face

# The program's colours, in RGB.
_POINT = (80, 255, 120)
_CONTOUR = (255, 255, 255)


def draw(frame: NDArray[uint8], faces: Iterable[Face], *, bgr: bool = False) -> NDArray[uint8]:
    """A copy of the frame with the faces' contours and points, which scale with the face.

    Args:
        frame: uint8, shape (height, width) for grey, (height, width, 3) for RGB.
        faces: What `Tracker.track` or `find` returned for it.
        bgr: Whether the colours are in OpenCV's order: blue, green, red. The result's are, then, too.

    Returns:
        uint8, shape (height, width, 3).

    Raises:
        ValueError: For a frame of another shape.
    """
    import numpy

    if frame.ndim != 2 and (frame.ndim != 3 or frame.shape[2] != 3):
        message = f"a frame has to have the shape (height, width) or (height, width, 3), not {frame.shape}"
        raise ValueError(message)
    picture = numpy.array(frame if frame.ndim == 3 else numpy.repeat(frame[..., None], 3, axis=2), numpy.uint8, order="C")
    line_color, point_color = (color[::-1] if bgr else color for color in (_CONTOUR, _POINT))
    for face in faces:
        size = max(face.box[2:])
        for indices, closed in _native.contours(face.scheme):
            line = face.points[indices]
            for a, b in zip(line, numpy.roll(line, -1, axis=0) if closed else line[1:]):
                _stroke(picture, a, b, max(size / 500, 0.5), line_color)
        for point in face.points:
            _stroke(picture, point, point, max(size / 110, 1.0), point_color)
    return picture


def _stroke(
    picture: NDArray[uint8], a: NDArray[float32], b: NDArray[float32], radius: float, color: tuple[int, ...]
) -> None:
    """A line with round ends from a to b, smooth at its edges; what is outside the picture is left out."""
    import numpy

    height, width = picture.shape[:2]
    lowest = numpy.floor(numpy.minimum(a, b) - radius - 1)
    highest = numpy.ceil(numpy.maximum(a, b) + radius + 2)
    left, top = numpy.clip(lowest, 0, (width, height)).astype(int)
    right, bottom = numpy.clip(highest, 0, (width, height)).astype(int)
    y, x = numpy.mgrid[top:bottom, left:right]
    along, length = b - a, float((b - a) @ (b - a))
    share = numpy.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / (length or 1.0), 0, 1)
    distance = numpy.hypot(x - a[0] - share * along[0], y - a[1] - share * along[1])
    cover = numpy.clip(radius + 0.5 - distance, 0, 1)[..., None]
    part = picture[top:bottom, left:right]
    part[...] = numpy.rint(part + cover * (numpy.array(color) - part)).astype(numpy.uint8)
