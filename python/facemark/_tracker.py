"""The tracker and the faces that it finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from os import fspath
from typing import TYPE_CHECKING, Literal, NamedTuple

from . import _native

if TYPE_CHECKING:
    from os import PathLike

    from numpy import float32, uint8
    from numpy.typing import NDArray


class Pose(NamedTuple):
    """How a head is turned, in degrees; all zero for one that looks into the camera.

    The rotation is Rx(pitch)·Ry(yaw)·Rz(roll), with x to the right, y downwards and z away from the camera, as in
    OpenFace. It is relative to the line of sight to the head.
    """

    pitch: float
    """Nodding: positive looks down. -180 to 180."""
    yaw: float
    """Shaking the head: positive turns to the picture's left. -90 to 90."""
    roll: float
    """Tilting: positive is clockwise in the picture. -180 to 180."""


@dataclass(slots=True, eq=False)
class Head:
    """Where a head is. The camera is at the origin; x is to the picture's right, y downwards, z away from the camera."""

    position: tuple[float, float, float]
    """The nose's root in millimetres, for an adult's head of mean size."""
    rotation: Pose
    """How the head is turned in the camera's axes."""
    fov: float
    """The camera's horizontal field of view in degrees, which this holds for."""


@dataclass(slots=True, eq=False)
class Gaze:
    """Where the eyes look; the picture's left eye comes first."""

    eyes: NDArray[float32]
    """Shape (2, 3): unit vectors in the camera's axes, as `Head` has them. z is -1 for an eye that looks straight back
    along the camera's axis."""
    in_head: NDArray[float32]
    """Shape (2, 3): the same in the head's axes. z is -1 for an eye that looks where the nose points."""
    angles: tuple[float, float]
    """How far the mean direction points to the right and downwards, in radians: OpenFace's gaze_angle_x and
    gaze_angle_y."""
    closed: tuple[bool, bool]
    """Whether each eye is closed; its direction then means nothing."""


@dataclass(slots=True, eq=False)
class Face:
    """A face in a picture."""

    id: int
    """Stays the same for as long as the face is followed. The first face has 1, each new one the next number."""
    score: float
    """How sure the detector is, 0 to 1, that there is a face. Says nothing about how accurate the points are."""
    box: tuple[float, float, float, float]
    """The points' bounding box in pixels: left, top, width, height."""
    points: NDArray[float32]
    """The landmarks in pixels: shape (n, 2), each row x and y. The built-in model has the 68 points of 300-W: 0-16 jaw,
    17-26 brows, 27-35 nose, 36-41 left eye, 42-47 right eye, 48-67 lips."""
    scheme: str
    """Which landmark is which: "ibug68" (300-W's), "mesh478" (MediaPipe's), "imm58" or "nose"."""
    pose: Pose | None = None
    """Which way the head is turned; None for schemes other than "ibug68" and "mesh478", as for the following."""
    eyes: tuple[float, float] | None = None
    """Height / width of the eye on the left and on the right of the picture: about 0.3 when open."""
    blink: bool | None = None
    """Whether both eyes are closed: their mean is below 0.2."""
    mouth: float | None = None
    """The gap between the inner lips / the mouth's width: 0 when closed."""
    head: Head | None = None
    """Where the head is in space."""
    gaze: Gaze | None = None
    """Where the eyes look; None for models without irises, as for the following."""
    depths: NDArray[float32] | None = None
    """Shape (n,): how far each point is behind the face's middle, in pixels. Negative is nearer."""
    sigmas: NDArray[float32] | None = None
    """Shape (n,): how far off each point may be, in pixels, as far as the model knows."""
    blendshapes: dict[str, float] | None = None
    """The shares of MediaPipe's 52 blendshapes, 0 to 1, by name: ARKit's without tongueOut, and "_neutral"."""

    def __repr__(self) -> str:
        left, top, width, height = self.box
        return (
            f"Face(id={self.id}, score={self.score:.2f}, box=({left:.1f}, {top:.1f}, {width:.1f}, {height:.1f}), "
            f"{len(self.points)} points)"
        )


def _face(found: _native._Found) -> Face:
    number, score, box, points, scheme, (depths, sigmas, shares), measured, placed, gazing = found
    left, top, width, height = box
    face = Face(number, score, (left, top, width, height), points, scheme)
    if measured is not None:
        pose, (left_eye, right_eye), face.blink, face.mouth = measured
        face.pose, face.eyes = Pose(*pose), (left_eye, right_eye)
    if placed is not None:
        fov, (x, y, z), rotation = placed
        face.head = Head((x, y, z), Pose(*rotation), fov)
    if gazing is not None:
        eyes, in_head, (left_closed, right_closed), (right, down) = gazing
        face.gaze = Gaze(eyes, in_head, (right, down), (left_closed, right_closed))
    face.depths, face.sigmas = (values if len(values) else None for values in (depths, sigmas))
    face.blendshapes = dict(zip(_native.BLENDSHAPES, shares)) if shares else None
    return face


class Tracker:
    """Finds and follows the faces of one video.

    Several trackers may run in threads of their own: the interpreter's lock is released while faces are looked for. Calls
    of one tracker wait for one another.

    Args:
        model: "compact" (68 points), "mesh" (MediaPipe's 478, with depths, irises and blendshapes), or the path of a landmark
            model that facemark-train has exported.
        max_faces: How many faces to follow at most; None for all.
        smooth: How much to smooth the landmarks over time: "off", "low" (hardly any lag) or "high" (for still faces).
        detector: "face", or the path of a face detector that facemark-train has exported.
        small_faces: Whether to look for small faces, too: 15 px and more in a picture of 640x480 instead of 30 px.
            Looking for faces then takes seven times as long.
        redetect_every: While all known faces are in view, new ones are looked for once in this many frames.
        threads: How many threads the nets may use; 1 is best for the built-in models.
        pixel_aspect: A pixel's width / height, 0.25 to 4.
        fov: What the camera sees from left to right in degrees, 1 to 179. A head's place in space depends on it.
        as_68: Whether a model of MediaPipe's 478 points gives 300-W's 68 in their place.

    Raises:
        ValueError: For a value that is not allowed, and for a file that is not a model of ours.
        OSError: If a model's file cannot be read.
    """

    def __init__(
        self,
        model: str | PathLike[str] = "compact",
        *,
        max_faces: int | None = 4,
        smooth: Literal["off", "low", "high"] = "low",
        detector: str | PathLike[str] = "face",
        small_faces: bool = False,
        redetect_every: int = 10,
        threads: int = 1,
        pixel_aspect: float = 1.0,
        fov: float = 60.0,
        as_68: bool = False,
    ) -> None:
        self._tracker = _native.Tracker(
            model=model,
            detector=detector,
            max_faces=max_faces,
            smooth=smooth,
            small_faces=small_faces,
            redetect_every=redetect_every,
            threads=threads,
            pixel_aspect=pixel_aspect,
            fov=fov,
            as_68=as_68,
        )

    def track(self, frame: NDArray[uint8], time: float, *, bgr: bool = False) -> list[Face]:
        """The faces in the next frame of a video, sorted by ID; an empty list if there are none.

        Args:
            frame: uint8, shape (height, width) for grey, (height, width, 3) for RGB, with any strides. Only its
                brightness matters. It must not be changed meanwhile.
            time: When the frame is shown, in seconds. Times should increase: after a step back, smoothing restarts and lost
                faces are forgotten.
            bgr: Whether the colours are in OpenCV's order: blue, green, red.

        Raises:
            ValueError: For a frame of another type or shape or without pixels, and for a time that is not finite.
            TypeError: For a frame that is not a numpy array.
        """
        return [_face(found) for found in self._tracker.track(frame, time, bgr)]

    def find(self, photo: NDArray[uint8], *, bgr: bool = False) -> list[Face]:
        """The faces in a single picture, which has nothing to do with the last one. Faces that were followed are forgotten.

        Args:
            photo: As a frame of `track`.
            bgr: As in `track`.

        Raises:
            ValueError, TypeError: As `track`.
        """
        return [_face(found) for found in self._tracker.find(photo, bgr)]

    def reset(self) -> None:
        """Forgets all faces, and IDs start at 1 again: the next frame belongs to another video."""
        self._tracker.reset()


@lru_cache(maxsize=4)
def _finder(model: str, detector: str, max_faces: int | None, small_faces: bool) -> Tracker:
    return Tracker(model, detector=detector, max_faces=max_faces, small_faces=small_faces)


def find(
    photo: NDArray[uint8],
    *,
    bgr: bool = False,
    model: str | PathLike[str] = "compact",
    max_faces: int | None = None,
    detector: str | PathLike[str] = "face",
    small_faces: bool = False,
) -> list[Face]:
    """The faces in a photo; an empty list if there are none. The models are loaded once and kept.

    Args:
        photo: uint8, shape (height, width) for grey, (height, width, 3) for RGB, with any strides.
        bgr: Whether the colours are in OpenCV's order: blue, green, red.
        model, max_faces, detector, small_faces: As of `Tracker`; all faces are found by default.

    Raises:
        ValueError, TypeError, OSError: As `Tracker` and `Tracker.track`.
    """
    return _finder(fspath(model), fspath(detector), max_faces, small_faces).find(photo, bgr=bgr)
