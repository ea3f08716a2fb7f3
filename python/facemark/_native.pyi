"""The compiled part of the package; `facemark` itself has the documentation."""

from os import PathLike
from typing import Any, Literal, NotRequired, TypedDict

from numpy import float32, uint8
from numpy.typing import NDArray

__version__: str

Measured = tuple[list[float], list[float], bool, float]
Found = tuple[int, float, list[float], NDArray[float32], str, Measured | None]

class Model(TypedDict):
    name: str
    finds: Literal["faces", "landmarks"]
    scheme: NotRequired[str]
    points: NotRequired[int]
    input: tuple[int, int]
    bytes: int
    error: str | None

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
    ) -> Tracker: ...
    def track(self, frame: NDArray[uint8], time: float, bgr: bool) -> list[Found]: ...
    def find(self, photo: NDArray[uint8], bgr: bool) -> list[Found]: ...
    def reset(self) -> None: ...

def contours(scheme: str) -> list[tuple[int, int, bool]]: ...
def models() -> list[Model]: ...
