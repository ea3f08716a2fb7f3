"""Faces as rows of a table."""

from __future__ import annotations

from math import radians
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._tracker import Face

Row = dict[str, "int | float | str"]
_MEASURES = ("pose_Rx", "pose_Ry", "pose_Rz", "eye_left", "eye_right", "blink", "mouth")


def rows(faces: Iterable[Face], frame: int, time: float, file: str = "", *, points: int = 68) -> list[Row]:
    """The rows of one frame, with the columns of the program's ``--csv --measures``: one per face, or one with ``success`` 0
    and zeros if there is none. Collect the rows of all frames and pass them to ``pandas.DataFrame`` or
    ``polars.DataFrame``.

    Args:
        faces: What `Tracker.track` or `find` returned.
        frame: The frame's number, from 0 on.
        time: When it is shown, in seconds.
        file: Where it is from.
        points: How many points the model has; only needed if there are no faces. Measures are for 68 points only.

    Returns:
        One dictionary per row: frame, timestamp in seconds, face_id, confidence, success; pose_Rx, pose_Ry and pose_Rz in
        radians, eye_left, eye_right, blink and mouth; x_0 … and y_0 … in pixels; file.
    """
    return [_row(face, frame, time, file, points) for face in faces] or [_row(None, frame, time, file, points)]


def _row(face: Face | None, frame: int, time: float, file: str, n: int) -> Row:
    row: Row = {"frame": frame, "timestamp": time, "face_id": 0, "confidence": 0.0, "success": 0}
    if face is not None:
        n = len(face.points)
        row |= {"face_id": face.id, "confidence": face.score, "success": 1}
    if n == 68:
        row |= _measures(face)
    for axis, name in enumerate("xy"):
        values = [0.0] * n if face is None else face.points[:, axis].tolist()
        row |= {f"{name}_{i}": value for i, value in enumerate(values)}
    row["file"] = file
    return row


def _measures(face: Face | None) -> Row:
    values: tuple[int | float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0)
    if face is not None and face.pose is not None and face.eyes is not None and face.mouth is not None:
        values = (*map(radians, face.pose), *face.eyes, int(bool(face.blink)), face.mouth)
    return dict(zip(_MEASURES, values))
