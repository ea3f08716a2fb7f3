"""What the tests share: the demo clip's frames, and the program to compare with."""

import os
import subprocess
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "media/talker.mp4"
PHOTO = ROOT / "media/astronaut.jpg"
SIDE, RATE = 480, 24


def decode(pixel_format):
    command = ["ffmpeg", "-v", "error", "-i", CLIP, "-f", "rawvideo", "-pix_fmt", pixel_format, "-"]
    return numpy.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, numpy.uint8)


@pytest.fixture(scope="session")
def luma():
    """The clip's own luma, which the program tracks on, as it is in the file: (frames, height, width)."""
    planes = decode("yuv420p").reshape(-1, SIDE * 3 // 2, SIDE)
    return planes[:, :SIDE]


@pytest.fixture(scope="session")
def rgb():
    """The clip in RGB: (frames, height, width, 3)."""
    return decode("rgb24").reshape(-1, SIDE, SIDE, 3)


@pytest.fixture(scope="session")
def program():
    """Runs the program and returns what it prints."""
    path = ROOT / os.environ.get("FACEMARK", "target/release/facemark")
    if not path.exists():
        pytest.skip(f"there is no {path} to compare with")

    def run(*args):
        done = subprocess.run([path, "--quiet", *map(str, args)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
