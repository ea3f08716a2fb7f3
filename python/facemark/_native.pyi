"""The compiled part of the package; `facemark` itself has the documentation."""

from os import PathLike
from typing import Literal, NotRequired, TypedDict, final

from numpy import float32, uint8
from numpy.typing import NDArray

__version__: str

BLENDSHAPES: list[str]

# Pose; eyes; blink; mouth.
_Measured = tuple[list[float], list[float], bool, float]
# Field of view; place; rotation.
_Placed = tuple[float, list[float], list[float]]
# Directions in the camera's axes and in the head's; which eyes are closed; the mean direction's angles.
_Gazing = tuple[NDArray[float32], NDArray[float32], list[bool], list[float]]
# Depths, expected errors, shares of the blendshapes; each empty if the model has none.
_More = tuple[NDArray[float32], NDArray[float32], list[float]]
_Found = tuple[
    int, float, list[float], NDArray[float32], str, _More, _Measured | None, _Placed | None, _Gazing | None
]

class _Model(TypedDict):
    name: str
    finds: Literal["faces", "landmarks"]
    scheme: NotRequired[str]
    points: NotRequired[int]
    input: tuple[int, int]
    bytes: int
    error: str | None
    terms: str

@final
class Tracker:
    def __new__(
        cls,
        *,
        model: str | PathLike[str],
        detector: str | PathLike[str],
        max_faces: int | None,
        smooth: str,
        small_faces: bool,
        redetect_every: int,
        threads: int,
        pixel_aspect: float,
        fov: float,
        as_68: bool,
    ) -> Tracker: ...
    def track(self, frame: NDArray[uint8], time: float, bgr: bool) -> list[_Found]: ...
    def find(self, photo: NDArray[uint8], bgr: bool) -> list[_Found]: ...
    def reset(self) -> None: ...

def contours(scheme: str) -> list[tuple[list[int], bool]]: ...
def models() -> list[_Model]: ...
