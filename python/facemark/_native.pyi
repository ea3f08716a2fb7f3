"""The compiled part of the package; `facemark` itself has the documentation."""

from os import PathLike
from typing import Literal, NotRequired, TypedDict, final

from numpy import float32, uint8
from numpy.typing import NDArray

__version__: str

_Measured = tuple[list[float], list[float], bool, float]
_Found = tuple[int, float, list[float], NDArray[float32], str, _Measured | None]

class _Model(TypedDict):
    name: str
    finds: Literal["faces", "landmarks"]
    scheme: NotRequired[str]
    points: NotRequired[int]
    input: tuple[int, int]
    bytes: int
    error: str | None

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
    ) -> Tracker: ...
    def track(self, frame: NDArray[uint8], time: float, bgr: bool) -> list[_Found]: ...
    def find(self, photo: NDArray[uint8], bgr: bool) -> list[_Found]: ...
    def reset(self) -> None: ...

def contours(scheme: str) -> list[tuple[int, int, bool]]: ...
def models() -> list[_Model]: ...
