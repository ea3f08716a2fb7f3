"""Finds the faces in videos and photos, follows them, and gives each one's landmarks.

    import facemark

    tracker = facemark.Tracker()
    for time, frame in frames:
        for face in tracker.track(frame, time):
            print(face.id, face.points[30])

Frames and photos are numpy arrays of uint8: ``(height, width)`` for grey ones, ``(height, width, 3)`` for RGB, or for
BGR with ``bgr=True``, which is OpenCV's order. Coordinates are pixels: x to the right, y downwards, and (0, 0) is the
centre of the top left pixel. Left and right are the picture's.

The default model and the detector were trained on photos that may be used for research only, and so may they;
``models()`` lists each model's terms.
"""

from ._draw import draw
from ._native import __version__, models
from ._rows import rows
from ._tracker import Face, Gaze, Head, Pose, Tracker, find

__all__ = ["Face", "Gaze", "Head", "Pose", "Tracker", "__version__", "draw", "find", "models", "rows"]
