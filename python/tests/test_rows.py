"""Rows have the columns and the values of the program's CSV."""

import csv

import pytest
from conftest import CLIP, RATE

import facemark

MILLIMETRES = ("pose_Tx", "pose_Ty", "pose_Tz")


def test_rows_are_those_of_the_programs_csv(luma, program):
    theirs = list(csv.DictReader(program("annotate", CLIP, "--csv", "-", "--measures").splitlines()))
    tracker = facemark.Tracker()
    ours = [
        row
        for i, frame in enumerate(luma)
        for row in facemark.rows(tracker.track(frame, i / RATE), i, i / RATE, str(CLIP))
    ]
    assert len(ours) == len(theirs) == 120 and list(ours[0]) == list(theirs[0])
    for our, their in zip(ours, theirs):
        assert our["file"] == their["file"]
        for name in list(our)[:-1]:
            tolerance = 0.051 if name in MILLIMETRES else 0.0051 if name.startswith(("x_", "y_", "sigma_")) else 0.00051
            assert abs(our[name] - float(their[name])) < tolerance, name


def test_a_frame_without_a_face_has_a_row_of_zeros(program, tmp_path):
    (row,) = facemark.rows([], 7, 0.25, "a.mp4")
    assert {row[name] for name in row if name not in ("frame", "timestamp", "file")} == {0}
    assert (row["frame"], row["timestamp"], row["file"]) == (7, 0.25, "a.mp4")
    assert "pose_Rx" not in facemark.rows([], 0, 0.0, points=58)[0]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_rows_become_a_table(library, luma):
    tables = pytest.importorskip(library)
    tracker = facemark.Tracker()
    rows = facemark.rows([], 0, 0.0) + facemark.rows(tracker.track(luma[0], 0.04), 1, 0.04)
    table = tables.DataFrame(rows)
    assert table.shape == (2, 153 + 68) and list(table["success"]) == [0, 1] and table["x_30"][1] > 100
