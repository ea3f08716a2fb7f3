"""What `facemark openface` writes, read as OpenFace's users read its tables."""

import json

import numpy
import pytest
from conftest import CLIP, PHOTO

pandas = pytest.importorskip("pandas")

# OpenFace's columns in its order, less those that depend on its models' sizes and come last (p_0 …, AU01_r …).
OPENFACE = [
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
    *(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)),
    *("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    *(f"{axis}_{i}" for axis in "xyXYZ" for i in range(68)),
]


@pytest.fixture(scope="module")
def table(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("openface")
    program("openface", "-f", CLIP, "-out_dir", folder)
    return pandas.read_csv(folder / "talker.csv")


def test_columns_are_openfaces_in_its_order(table):
    indices = [OPENFACE.index(name) for name in table.columns]
    assert indices == sorted(indices) and len(set(indices)) == len(indices)
    assert len(table.columns) == 5 + 8 + 6 + 2 * 68
    whole = ["frame", "face_id", "success"]
    assert all(table[name].dtype == (numpy.int64 if name in whole else numpy.float64) for name in table)


def test_each_column_has_what_openface_documents(table, program):
    same = ("--model", "mesh", "--points", "68", "--fov", "65.24", "--measures")
    lines = [json.loads(line) for line in program("annotate", CLIP, "--jsonl", "-", *same).splitlines()]
    faces = [line["faces"][0] for line in lines]
    assert list(table["frame"]) == list(range(1, 121)), "frames count from 1"
    assert (table["face_id"] == 0).all() and (table["success"] == 1).all()
    assert numpy.allclose(table["timestamp"], [line["time"] for line in lines], atol=0.00051), "seconds"
    assert numpy.allclose(table["confidence"], [face["score"] for face in faces], atol=0.0056)
    for name, angle in (("pose_Rx", "pitch"), ("pose_Ry", "yaw"), ("pose_Rz", "roll")):
        expected = numpy.radians([face["head"][angle] for face in faces])
        assert numpy.allclose(table[name], expected, atol=0.0007), "radians"
    for axis in "xyz":
        expected = [face["head"][axis] for face in faces]
        assert numpy.allclose(table[f"pose_T{axis}"], expected, atol=0.11), "millimetres"
    assert table["pose_Tz"].between(200, 3000).all(), "in front of the camera"
    for eye, side in enumerate(("left", "right")):
        expected = numpy.array([face["gaze"][side] for face in faces])
        columns = table[[f"gaze_{eye}_{axis}" for axis in "xyz"]]
        assert numpy.allclose(columns, expected, atol=0.00006), "unit vectors"
    both = sum(table[[f"gaze_{eye}_{axis}" for axis in "xyz"]].to_numpy() for eye in (0, 1))
    assert numpy.allclose(table["gaze_angle_x"], numpy.arctan2(both[:, 0], -both[:, 2]), atol=0.0006), "radians"
    assert numpy.allclose(table["gaze_angle_y"], numpy.arctan2(both[:, 1], -both[:, 2]), atol=0.0006), "radians"
    points = numpy.array([face["points"] for face in faces])
    for axis, name in enumerate("xy"):
        columns = table[[f"{name}_{i}" for i in range(68)]]
        assert numpy.allclose(columns, points[..., axis], atol=0.056), "pixels"


def test_a_usual_script_works(table):
    """Keeps the certain frames, takes the points of the mouth, and says when the head is turned: as scripts do it."""
    sure = table[(table["success"] == 1) & (table["confidence"] > 0.5)].set_index("timestamp")
    mouth = sure.filter(regex=r"^[xy]_(4[89]|5\d|6[0-7])$")
    assert mouth.shape[1] == 40
    turned = sure.index[sure["pose_Ry"].abs() > numpy.radians(20)]
    assert 0 < len(turned) < len(sure)


def test_a_folder_of_pictures_is_one_table(program, tmp_path):
    pictures = tmp_path / "session"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(PHOTO.read_bytes())
    (pictures / "b.png").write_bytes(grey_png())
    program("openface", "-fdir", pictures, "-out_dir", tmp_path / "out", "-of", "first.csv", "-2Dfp")
    table = pandas.read_csv(tmp_path / "out/first.csv")
    assert list(table["frame"]) == [1, 2] and list(table["success"]) == [1, 0]
    assert "pose_Rx" not in table and (table.loc[1, "x_0":] == 0).all() and table.loc[0, "x_30"] > 0


def grey_png():
    """A picture without a face."""
    import io

    image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    image.new("L", (64, 48), 128).save(file, "PNG")
    return file.getvalue()
