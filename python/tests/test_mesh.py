"""What the model of a mesh gives beyond 68 points."""

import csv
import json

import numpy
from conftest import CLIP, RATE

import facemark

MILLIMETRES = ("pose_Tx", "pose_Ty", "pose_Tz")
PIXELS = ("x_", "y_", "z_", "sigma_")


def tracked(frames, **options):
    tracker = facemark.Tracker("mesh", **options)
    return [tracker.track(frame, i / RATE) for i, frame in enumerate(frames)]


def test_a_mesh_is_the_programs_own(luma, program):
    same = ("--model", "mesh", "--measures", "--fov", "50")
    lines = [json.loads(line) for line in program("annotate", CLIP, "--jsonl", "-", *same).splitlines()]
    for line, faces in zip(lines, tracked(luma[:30], fov=50)):
        (theirs,), (face,) = line["faces"], faces
        assert face.points.shape == (478, 2) and face.scheme == "mesh478"
        assert numpy.abs(face.points - theirs["points"]).max() < 0.0051
        assert numpy.abs(face.depths - theirs["depths"]).max() < 0.0051
        assert numpy.abs(face.sigmas - theirs["sigma"]).max() < 0.0051 and face.sigmas.min() > 0
        assert list(face.blendshapes) == list(theirs["blendshapes"]) and len(face.blendshapes) == 52
        assert all(abs(share - theirs["blendshapes"][name]) < 0.00051 for name, share in face.blendshapes.items())
        assert numpy.allclose(face.head.position, [theirs["head"][axis] for axis in "xyz"], atol=0.051)
        assert numpy.allclose(face.head.rotation, [theirs["head"][name] for name in face.pose._fields], atol=0.0051)
        assert abs(face.head.fov - 50) < 0.01
        assert numpy.allclose(face.gaze.eyes, [theirs["gaze"][side] for side in ("left", "right")], atol=0.00006)
        assert numpy.allclose(face.gaze.in_head, theirs["gaze"]["in_head"], atol=0.00006)
        assert list(face.gaze.closed) == theirs["gaze"]["closed"]
        assert numpy.allclose(numpy.linalg.norm(face.gaze.eyes, axis=1), 1, atol=1e-4)


def test_its_rows_are_those_of_the_programs_csv(luma, program):
    same = ("--model", "mesh", "--measures")
    theirs = list(csv.DictReader(program("annotate", CLIP, "--csv", "-", *same).splitlines()))
    faces = tracked(luma[:20])
    for i, their in enumerate(theirs[:20]):
        (our,) = facemark.rows(faces[i], i, i / RATE, str(CLIP))
        assert list(our) == list(their)
        for name in list(our)[:-1]:
            tolerance = 0.051 if name in MILLIMETRES else 0.0051 if name.startswith(PIXELS) else 0.00051
            assert abs(our[name] - float(their[name])) < tolerance, name
    (empty,) = facemark.rows([], 0, 0.0, points=478)
    assert list(empty) == list(theirs[0]) and set(list(empty.values())[:-1]) == {0}


def test_a_mesh_shows_68_points_too(luma):
    (face,) = tracked(luma[:1], as_68=True)[0]
    (other,) = facemark.find(luma[0])
    assert face.scheme == other.scheme == "ibug68" and len(face.depths) == len(face.sigmas) == 68
    assert face.gaze is not None and other.gaze is None and other.blendshapes is None and other.depths is None
    eyes = numpy.hypot(*(other.points[36] - other.points[45]))
    assert numpy.hypot(*(face.points - other.points).T).mean() < 0.08 * eyes


def test_a_mesh_is_drawn(luma):
    faces = tracked(luma[:1])[0]
    assert (facemark.draw(luma[0], faces) != luma[0][..., None]).any(axis=2).sum() > 2000
