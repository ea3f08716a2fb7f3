"""Memory stays what it is. FACEMARK_FRAMES=20000 makes it a long run."""

import gc
import os
from pathlib import Path

import facemark

FRAMES = int(os.environ.get("FACEMARK_FRAMES", "600"))
TRACKERS = 200 if FRAMES > 10_000 else 30


def resident():
    """This process's memory in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_frames_leave_nothing_behind(rgb):
    tracker = facemark.Tracker()
    used = []
    for i in range(FRAMES):
        tracker.track(rgb[i % len(rgb)], i / 24)
        if i % (FRAMES // 6) == FRAMES // 6 - 1:
            used.append(resident())
    print(used)
    assert used[-1] - used[1] < 2, used


def test_trackers_leave_nothing_behind(rgb):
    used = []
    for i in range(TRACKERS):
        facemark.Tracker().track(rgb[i % len(rgb)], 0.0)
        used.append(resident())
    print(used[4], used[-1])
    assert used[-1] - used[4] < 5, used
