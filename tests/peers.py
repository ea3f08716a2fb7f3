#!/usr/bin/env python3
"""Measures MediaPipe's face mesh and facemark on one clip in one run, so that anyone can check the ratio.

    pip install mediapipe==0.10.14 'numpy<2'
    cargo build --release
    python3 tests/peers.py CLIP [--models compact,resnet18] [--rounds 5] [--frames 300]

The clip is brought to 640x480 first (by ffmpeg), so that both see the same pictures. Milliseconds per frame while
tracking one face, decoding and the conversion to RGB that MediaPipe asks for not counted; the first 30 frames are left
out. MediaPipe is pinned to one core; facemark's tracker is one thread, measured by `facemark bench`. The two take turns,
and each figure is the smallest of the rounds, with the median ratio beside it: other load on the machine only adds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

WARM_UP = 30
PROGRAM = Path(__file__).resolve().parent.parent / "target/release/facemark"


def percentiles(milliseconds):
    ordered = sorted(milliseconds)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def small_clip(clip, folder, n_frames):
    """The clip's first frames at 640x480, nearly without loss."""
    small = Path(folder) / "clip.mp4"
    scale = "scale=640:480:force_original_aspect_ratio=increase,crop=640:480"
    command = ["ffmpeg", "-v", "error", "-i", clip, "-an", "-frames:v", str(n_frames), "-vf", scale, "-crf", "10", small]
    subprocess.run(command, check=True)
    return small


def rgb_frames(clip):
    command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    import numpy

    return numpy.frombuffer(raw, numpy.uint8).reshape(-1, 480, 640, 3)


def mediapipe_times(frames):
    import mediapipe

    own_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(own_cores)})
    times, n_found = [], 0
    with mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1) as mesh:
        for frame in frames:
            start = time.perf_counter()
            result = mesh.process(frame)
            times.append(1e3 * (time.perf_counter() - start))
            n_found += result.multi_face_landmarks is not None
    os.sched_setaffinity(0, own_cores)
    return *percentiles(times[WARM_UP:]), n_found


def facemark_times(clip, model):
    command = [PROGRAM, "--quiet", "bench", clip, "--model", model, "--max-faces", "1", "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    track = report["stages"]["track"]
    return track["p50"], track["p99"], report["frames_with_face"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--models", default="compact")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=300)
    args = parser.parse_args()
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing; build it by cargo build --release")
    warnings.simplefilter("ignore")
    rows = {"MediaPipe face mesh": []}
    with tempfile.TemporaryDirectory() as folder:
        clip = small_clip(args.clip, folder, args.frames)
        frames = rgb_frames(clip)
        for _ in range(args.rounds):
            rows["MediaPipe face mesh"].append(mediapipe_times(frames))
            for model in args.models.split(","):
                rows.setdefault(f"facemark, {model}", []).append(facemark_times(clip, model))
    peer = [p50 for p50, _, _ in rows["MediaPipe face mesh"]]
    print(f"{len(frames)} frames of {Path(args.clip).name} at 640x480, {args.rounds} rounds")
    print("| | p50, ms | p99, ms | p50 / MediaPipe's | frames with a face |\n|---|---|---|---|---|")
    for name, rounds in rows.items():
        ratio = statistics.median(p50 / other for (p50, _, _), other in zip(rounds, peer))
        p50, p99 = (min(row[i] for row in rounds) for i in (0, 1))
        print(f"| {name} | {p50:.2f} | {p99:.2f} | {ratio:.2f} | {rounds[0][2]} |")


if __name__ == "__main__":
    main()
