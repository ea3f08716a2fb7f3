"""The examples in docs/python.md run."""

import re
import shutil

import pytest
from conftest import CLIP, PHOTO, ROOT

PAGE = (ROOT / "docs/python.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n\n```python\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    shutil.copy(CLIP, tmp_path / "talk.mp4")
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_has_the_examples():
    assert set(EXAMPLES) == {"opencv", "pyav", "jupyter"}


def test_opencv(folder, capsys):
    pytest.importorskip("cv2")
    exec(EXAMPLES["opencv"], {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 120 and lines[24].startswith("1.00 s: face 1 looks ")
    assert (folder / "drawn.png").stat().st_size > 10_000


def test_pyav(folder, program):
    pytest.importorskip("av")
    pandas = pytest.importorskip("pandas")
    exec(EXAMPLES["pyav"], {})
    program("annotate", "talk.mp4", "--csv", "own.csv", "--measures")
    ours, own = (pandas.read_csv(folder / name) for name in ("talk.csv", "own.csv"))
    millimetres = ["pose_Tx", "pose_Ty", "pose_Tz"]
    for columns, digits in ((millimetres, 0.051), (own.columns.drop(millimetres), 0.0051)):
        pandas.testing.assert_frame_equal(ours[columns], own[columns], check_dtype=False, rtol=0, atol=digits)
    assert list(ours) == list(own)


def test_jupyter():
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cell = nbformat.v4.new_code_cell(EXAMPLES["jupyter"])
    nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[cell]), kernel_name="python3", timeout=120).execute()
    (output,) = cell["outputs"]
    assert len(output["data"]["image/png"]) > 10_000
