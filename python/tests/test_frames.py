"""What may be passed as a frame, and what is said of anything else."""

import copy
import math
import pickle
import threading
import time

import numpy
import pytest
from conftest import PHOTO

import facemark


@pytest.fixture(scope="module")
def frame(rgb):
    return rgb[30]


def points(frame, **options):
    (face,) = facemark.find(frame, **options)
    return face.points


def test_any_strides_are_read(frame):
    expected = points(frame)
    padded = numpy.zeros((500, 520, 4), numpy.uint8)[10:490, 20:500, :3]
    padded[...] = frame
    upside_down = frame[::-1].copy()[::-1]
    columns_first = numpy.asfortranarray(frame)
    for same in (padded, upside_down, columns_first, frame[::-1].copy()[::-1]):
        assert (points(same) == expected).all()
    assert (points(frame[..., ::-1], bgr=True) == expected).all()
    grey = frame[..., 1]
    assert not grey.flags.c_contiguous
    assert (points(grey) == points(grey.copy())).all()


def test_frames_may_be_read_only_and_are_not_changed(frame):
    assert not frame.flags.writeable
    before = frame.copy()
    points(frame)
    assert (frame == before).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda frame: frame.astype("float32"), ValueError, "uint8 from 0 to 255, not float32"),
        (lambda frame: frame > 100, ValueError, "uint8 from 0 to 255, not bool"),
        (lambda frame: frame[..., :2], ValueError, r"\(height, width, 3\), not \(480, 480, 2\)"),
        (lambda frame: frame.transpose(2, 0, 1), ValueError, r"not \(3, 480, 480\)"),
        (lambda frame: frame[None], ValueError, r"not \(1, 480, 480, 3\)"),
        (lambda frame: frame.ravel(), ValueError, r"not \(691200,\)"),
        (lambda frame: frame[:0], ValueError, "480×0 has no pixels"),
        (lambda frame: frame.tolist(), TypeError, "numpy array, not list"),
        (lambda frame: None, TypeError, "numpy array, not NoneType"),
    ],
)
def test_other_frames_are_refused_with_what_was_expected(frame, make, error, words):
    wrong = make(frame)
    tracker = facemark.Tracker()
    for call in (lambda: facemark.find(wrong), lambda: tracker.track(wrong, 0.0)):
        with pytest.raises(error, match=words):
            call()
    assert len(tracker.track(frame, 0.0)) == 1, "and the tracker goes on"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": "compat"}, ValueError, 'unknown model "compat"; it has to be "compact", "mesh" or'),
        ({"model": "face.onnx"}, OSError, "cannot read the model face.onnx"),
        ({"model": __file__}, ValueError, "test_frames.py"),
        ({"detector": "compact"}, ValueError, 'it has to be "face"'),
        ({"max_faces": 0}, ValueError, "max_faces has to be at least 1, not 0"),
        ({"max_faces": -1}, ValueError, "not -1"),
        ({"redetect_every": 0}, ValueError, "redetect_every"),
        ({"threads": 0}, ValueError, "threads"),
        ({"smooth": "medium"}, ValueError, '"off", "low" or "high", not "medium"'),
        ({"pixel_aspect": math.nan}, ValueError, "from 0.25 to 4, not NaN"),
    ],
)
def test_wrong_options_are_refused_with_what_was_expected(options, error, words):
    with pytest.raises(error, match=words):
        facemark.Tracker(**options)


def test_times_that_go_backwards_restart_the_smoothing(luma):
    tracker = facemark.Tracker(smooth="high")
    for i in range(20):
        (last,) = tracker.track(luma[i], i / 24)
    (face,) = tracker.track(luma[60], 0.0)
    tracker = facemark.Tracker(smooth="off")
    for i in (*range(20), 60):
        (fresh,) = tracker.track(luma[i], i / 24)
    assert face.id == last.id and numpy.abs(face.points - fresh.points).max() < 1e-3
    for time in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite number of seconds"):
            tracker.track(luma[0], time)


def test_a_photo_has_nothing_to_do_with_the_last_one(rgb):
    tracker = facemark.Tracker()
    tracker.track(rgb[0], 5.0)
    (face,) = tracker.find(rgb[60])
    assert face.id == 1 and (face.points == points(rgb[60])).all()
    tracker.reset()
    assert tracker.track(rgb[60], 0.0)[0].id == 1


def test_the_lock_of_the_interpreter_is_released(frame):
    large = numpy.tile(frame, (12, 12, 1))
    tracker = facemark.Tracker()
    times = []

    def work():
        times.append(time.perf_counter())
        tracker.track(large, 0.0)
        times.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    ticks = []
    while thread.is_alive():
        ticks.append(time.perf_counter())
    thread.join()
    meanwhile = [tick for tick in ticks if times[0] < tick < times[1]]
    # Were it held, the other thread could tick only at the call's ends.
    assert len(meanwhile) > 100


def test_faces_can_be_pickled_and_copied(frame):
    (face,) = facemark.find(frame)
    for same in (pickle.loads(pickle.dumps(face)), copy.deepcopy(face)):
        assert (same.points == face.points).all() and (same.box, same.pose) == (face.box, face.pose)
    assert repr(face).startswith("Face(id=1, score=0.") and "68 points" in repr(face)


def test_models_and_version_are_told():
    compact, mesh, face = facemark.models()
    assert (compact["name"], compact["points"], compact["input"]) == ("compact", 68, (112, 112))
    assert (mesh["name"], mesh["points"]) == ("mesh", 478) and mesh["terms"].startswith("any use")
    assert face["name"] == "face" and face["finds"] == "faces" and compact["terms"] == "research only"
    assert facemark.__version__.count(".") == 2


def test_drawing_changes_a_copy_where_the_points_are(frame):
    faces = facemark.find(frame)
    before = frame.copy()
    drawn = facemark.draw(frame, faces)
    assert (frame == before).all() and drawn.shape == frame.shape and drawn.dtype == numpy.uint8
    for x, y in faces[0].points.round().astype(int):
        assert abs(drawn[y, x].astype(int) - (80, 255, 120)).max() < 40
    assert (facemark.draw(frame[..., ::-1], faces, bgr=True)[..., ::-1] == drawn).all()
    assert facemark.draw(frame[..., 0], faces).shape == frame.shape
    assert (facemark.draw(frame, []) == frame).all()
    faces[0].points += 10_000
    assert (facemark.draw(frame, faces) == frame).all(), "outside the picture"
    with pytest.raises(ValueError, match="height, width, 3"):
        facemark.draw(frame[..., :2], faces)


def test_all_faces_of_a_photo_are_found():
    image = pytest.importorskip("PIL.Image")
    photo = numpy.asarray(image.open(PHOTO).convert("RGB"))
    twice = numpy.concatenate([photo, photo], axis=1)
    assert len(facemark.find(photo)) == 1 and len(facemark.find(twice)) == 2
    assert len(facemark.find(twice, max_faces=1)) == 1
