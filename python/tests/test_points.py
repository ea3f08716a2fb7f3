"""Faces are those that the program finds."""

import json

import numpy
from conftest import CLIP, RATE

import facemark


def tracked(frames, **options):
    tracker = facemark.Tracker(**options)
    return [tracker.track(frame, i / RATE) for i, frame in enumerate(frames)]


def distance(a, b):
    """The mean distance between two faces' points, in pixels; the eyes are 118 px apart."""
    return numpy.hypot(*(a.points - b.points).T).mean()


def test_faces_are_the_programs_own(luma, program):
    lines = [json.loads(line) for line in program("annotate", CLIP, "--jsonl", "-", "--measures").splitlines()]
    found = tracked(luma)
    assert len(lines) == len(found) == 120
    for line, faces in zip(lines, found):
        assert [face["id"] for face in line["faces"]] == [face.id for face in faces] == [1]
        for theirs, face in zip(line["faces"], faces):
            assert face.points.shape == (68, 2) and face.points.dtype == numpy.float32
            # The program writes hundredths of pixels and degrees, and thousandths of the rest.
            assert numpy.abs(face.points - theirs["points"]).max() < 0.0051
            assert numpy.allclose(face.box, theirs["box"], atol=0.0051)
            assert numpy.allclose(face.pose, [theirs["pose"][name] for name in face.pose._fields], atol=0.0051)
            measures = [face.score, *face.eyes, face.mouth]
            assert numpy.allclose(measures, [theirs["score"], *theirs["eyes"], theirs["mouth"]], atol=0.00051)
            assert face.blink is theirs["blink"]


def distances(some, others):
    faces = list(zip(some, others))
    assert all([face.id for face in a] == [face.id for face in b] == [1] for a, b in faces)
    return [distance(a, b) for pair in faces for a, b in zip(*pair)]


def test_colours_and_grey_give_the_same_faces(luma, rgb):
    colors = tracked(rgb)
    grey = numpy.rint(rgb @ numpy.array([0.299, 0.587, 0.114])).astype(numpy.uint8)  # BT.601, as the package computes it
    off = distances(tracked(grey), colors)
    assert numpy.median(off) < 0.5 and max(off) < 2.0
    # The clip's own luma is from 16 to 235, and was rounded before the colours were: where the head is turned furthest,
    # that alone moves the points by more.
    assert numpy.median(distances(tracked(luma), colors)) < 0.5
