"""Faces as rows of a table."""

from __future__ import annotations

from math import radians
from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._tracker import Face

Row = dict[str, "int | float | str"]
_MEASURES = (
    *("fov", "pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    *("eye_left", "eye_right", "blink", "mouth"),
)
_GAZE = (
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y", "closed_0", "closed_1"),
)


def rows(
    faces: Iterable[Face], frame: int, time: float, file: str = "", *, points: int = 68, sigmas: bool | None = None
) -> list[Row]:
    """The rows of one frame, with the columns of the program's ``--csv --measures``: one per face, or one with ``success`` 0
    and zeros if there is none. Collect the rows of all frames and pass them to ``pandas.DataFrame`` or
    ``polars.DataFrame``.

    Args:
        faces: What `Tracker.track` or `find` returned.
        frame: The frame's number, from 0 on.
        time: When it is shown, in seconds.
        file: Where it is from.
        points: How many points the model has; only needed if there are no faces. Measures are for 68 and 478 points only.
        sigmas: Whether the model says how far off its points may be; only needed if there are no faces. By default, models
            of 68 and 478 points do, as ``compact`` and ``mesh``.

    Returns:
        One dictionary per row: frame, timestamp in seconds, face_id, confidence, success; gaze_0_x … closed_1 of a mesh; fov
        in degrees, pose_Tx, pose_Ty and pose_Tz in millimetres, pose_Rx, pose_Ry and pose_Rz in radians, eye_left,
        eye_right, blink and mouth; the blendshapes of a mesh; x_0 … and y_0 …, of a mesh z_0 …, and sigma_0 … if the model
        has them, in pixels; file.
    """
    if sigmas is None:
        sigmas = points in (68, 478)
    found = [_row(face, frame, time, file, points, sigmas) for face in faces]
    return found or [_row(None, frame, time, file, points, sigmas)]


def _row(face: Face | None, frame: int, time: float, file: str, n: int, has_sigmas: bool) -> Row:
    row: Row = {"frame": frame, "timestamp": time, "face_id": 0, "confidence": 0.0, "success": 0}
    if face is None:
        is_mesh = n == 478
        zeros = [0.0] * n
        x, y, z, sigma = zeros, zeros, zeros if is_mesh else [], zeros if has_sigmas else []
    else:
        is_mesh, n = face.gaze is not None, len(face.points)
        row |= {"face_id": face.id, "confidence": face.score, "success": 1}
        x, y = face.points.T.tolist()
        z, sigma = ([] if values is None else values.tolist() for values in (face.depths, face.sigmas))
    if is_mesh:
        row |= _gaze(face)
    if n in (68, 478):
        row |= _measures(face)
    if is_mesh:
        row |= dict.fromkeys(_native.BLENDSHAPES, 0.0) | ((face and face.blendshapes) or {})
    for name, values in zip(("x", "y", "z", "sigma"), (x, y, z, sigma)):
        row |= {f"{name}_{i}": value for i, value in enumerate(values)}
    row["file"] = file
    return row


def _measures(face: Face | None) -> Row:
    row: Row = dict.fromkeys(_MEASURES, 0.0) | {"blink": 0}
    if face is not None and face.pose is not None and face.eyes is not None and face.mouth is not None:
        values = (*map(radians, face.pose), *face.eyes, int(bool(face.blink)), face.mouth)
        row |= dict(zip(_MEASURES[4:], values))
    if face is not None and face.head is not None:
        row |= dict(zip(_MEASURES, (face.head.fov, *face.head.position)))
    return row


def _gaze(face: Face | None) -> Row:
    if face is None or face.gaze is None:
        return dict.fromkeys(_GAZE, 0.0) | {"closed_0": 0, "closed_1": 0}
    gaze = face.gaze
    return dict(zip(_GAZE, (*gaze.eyes.ravel().tolist(), *gaze.angles, *map(int, gaze.closed))))
