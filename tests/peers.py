#!/usr/bin/env python3
"""Measures facemark and what else people use on one clip in one run, so that anyone can check the ratios.

    pip install mediapipe==0.10.14 'numpy<2' dlib-bin
    pip download --no-deps face-recognition-models && tar xzf face_recognition_models-*.tar.gz
    cargo build --release
    python3 tests/peers.py CLIP --dlib face_recognition_models-*/face_recognition_models/models/shape_predictor_68*.dat

Peers that are not installed are left out; dlib needs its model of 68 points, which that package holds. OpenSeeFace and
other MobileNets run by ONNX Runtime are not here: no package of PyPI has their weights.

The clip is brought to 640x480 first, so that all see the same pictures, one face is followed, and each program runs in a
process of its own, in turn. Milliseconds per frame without decoding and the conversion to RGB that the peers ask for; the
first 30 frames are left out. The peers are pinned to one core; facemark's tracker is one thread, measured by `facemark
bench` (its decoder runs beside it, and counts in its memory). Each figure is the smallest of the rounds, the ratio the
median of the rounds': other load on the machine only adds.

With --data DIR also the error on DIR's photos with 68 points in .pts files (300-W's), each program with its own face
detector: mean distance over that of the outer eye corners. dlib's model has seen all of 300-W, its test photos too.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

WARM_UP = 30
SIZE = (640, 480)
PROGRAM = Path(__file__).resolve().parent.parent / "target/release/facemark"


def small_clip(clip, folder, n_frames):
    """The clip's first frames, small and nearly without loss."""
    small = Path(folder) / "clip.mp4"
    width, height = SIZE
    scale = f"scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    command = ["ffmpeg", "-v", "error", "-i", clip, "-an", "-frames:v", str(n_frames), "-vf", scale, "-crf", "10", small]
    subprocess.run(command, check=True)
    return small


def rgb_frames(clip):
    import numpy

    command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    width, height = SIZE
    with subprocess.Popen(command, stdout=subprocess.PIPE) as decoder:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        while raw := decoder.stdout.read(width * height * 3):
            yield numpy.frombuffer(raw, numpy.uint8).reshape(height, width, 3)


def mediapipe_mesh(_):
    import mediapipe

    mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1)
    return lambda frame: mesh.process(frame).multi_face_landmarks is not None


def dlib_everywhere(model):
    """As its examples do: the detector in every frame."""
    import dlib

    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(model)

    def find(frame):
        boxes = detector(frame)
        return bool(boxes) and predictor(frame, boxes[0]).num_parts == 68

    return find


def dlib_following(model):
    """The detector once; then the box is where the last landmarks were: dlib's share of a tracker."""
    import dlib

    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(model)
    box = None

    def find(frame):
        nonlocal box
        if box is None:
            boxes = detector(frame)
            if not boxes:
                return False
            box = boxes[0]
        box = predictor(frame, box).rect
        return True

    return find


PEERS = {
    "MediaPipe face mesh": mediapipe_mesh,
    "dlib, detector in every frame": dlib_everywhere,
    "dlib, landmarks alone": dlib_following,
}


def run_peer(name, clip, model):
    """In a process of its own: prints what it found as JSON."""
    find = PEERS[name](model)
    times, n_found = [], 0
    for frame in rgb_frames(clip):
        start = time.perf_counter()
        n_found += find(frame)
        times.append(1e3 * (time.perf_counter() - start))
    ordered = sorted(times[WARM_UP:])
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([p50, p99, memory, n_found]))


def peer(name, clip, model):
    command = [sys.executable, __file__, str(clip), "--peer", name, "--dlib", model or ""]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1])


def facemark(clip, model):
    command = [PROGRAM, "--quiet", "bench", clip, "--model", model, "--max-faces", "1", "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    track = report["stages"]["track"]
    return track["p50"], track["p99"], report["rss_peak_mb"], report["frames_with_face"]


def is_usable(name, model):
    module = name.split()[0].strip(",").lower()
    missing = "it is not installed" if find_spec(module) is None else ""
    if module == "dlib" and not (model and Path(model).exists()):
        missing = missing or "--dlib names no model"
    if missing:
        print(f"{name} is left out: {missing}", file=sys.stderr)
    return not missing


def speed(args):
    names = [name for name in PEERS if is_usable(name, args.dlib)]
    runs = {f"facemark, {model}": lambda clip, model=model: facemark(clip, model) for model in args.models.split(",")}
    runs |= {name: lambda clip, name=name: peer(name, clip, args.dlib) for name in names}
    rows = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as folder:
        clip = small_clip(args.clip, folder, args.frames)
        for _ in range(args.rounds):
            for name, run in runs.items():
                rows[name].append(run(clip))
    ours = next(iter(rows.values()))
    width, height = SIZE
    print(f"{args.frames} frames of {Path(args.clip).name} at {width}x{height}, {args.rounds} rounds\n")
    print(f"| | p50, ms | p99, ms | p50 / that of {next(iter(rows))} | memory, MB | frames with a face |")
    print("|---|---|---|---|---|---|")
    for name, rounds in rows.items():
        ratio = statistics.median(row[0] / our[0] for row, our in zip(rounds, ours))
        p50, p99, memory = (min(row[i] for row in rounds) for i in range(3))
        print(f"| {name} | {p50:.2f} | {p99:.2f} | {ratio:.2f} | {memory:.0f} | {rounds[0][3]} |")


def truths(folder):
    """Photos and their 68 points, as iBUG counts."""
    for pts in sorted(Path(folder).rglob("*.pts")):
        numbers = [float(word) for word in pts.read_text().split("{")[1].split("}")[0].split()]
        photos = [pts.with_suffix(ending) for ending in (".png", ".jpg") if pts.with_suffix(ending).exists()]
        if photos and len(numbers) == 136:
            yield photos[0], list(zip(numbers[::2], numbers[1::2]))


def facemark_faces(photos, model):
    lines = []
    for first in range(0, len(photos), 100):
        command = [PROGRAM, "--quiet", "annotate", *photos[first : first + 100], "--model", model, "--jsonl", "-"]
        lines += subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    # iBUG counts from 1 at the picture's edge, we from 0 in the first pixel's middle.
    return [[[(x + 1.5, y + 1.5) for x, y in face["points"]] for face in json.loads(line)["faces"]] for line in lines]


def dlib_faces(photos, model):
    import dlib

    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(model)
    for photo in photos:
        picture = dlib.load_rgb_image(str(photo))
        # Its model was trained on iBUG's points less 1.
        yield [[(p.x + 1, p.y + 1) for p in predictor(picture, box).parts()] for box in detector(picture)]


def error(faces, truth):
    """That of the face nearest to the true one, in per cent of the outer eye corners' distance; None if there is none."""
    import numpy

    truth = numpy.array(truth)
    eyes = numpy.linalg.norm(truth[36] - truth[45])
    errors = [numpy.linalg.norm(numpy.array(face) - truth, axis=1).mean() for face in faces]
    # What is further off than the eyes are apart is another's face.
    return min((100 * error / eyes for error in errors if error < eyes), default=None)


def accuracy(args):
    photos, points = zip(*truths(args.data))
    finders = {f"facemark, {model}": lambda model=model: facemark_faces(photos, model) for model in args.models.split(",")}
    if is_usable("dlib, landmarks alone", args.dlib):
        finders["dlib (trained on these photos)"] = lambda: dlib_faces(photos, args.dlib)
    print(f"\n{len(photos)} photos of {args.data}\n\n| | faces found | NME, % | median, % | above 8 % |\n|---|---|---|---|---|")
    for name, find in finders.items():
        errors = [e for faces, truth in zip(find(), points) if (e := error(faces, truth)) is not None]
        bad = 100 * sum(e > 8 for e in errors) / len(errors)
        print(f"| {name} | {len(errors)} | {statistics.mean(errors):.2f} | {statistics.median(errors):.2f} | {bad:.1f} % |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--models", default="compact", help="facemark's, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--dlib", help="dlib's model of 68 points")
    parser.add_argument("--data", help="folder with photos and .pts files")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.peer:
        return run_peer(args.peer, args.clip, args.dlib)
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing; build it by cargo build --release")
    speed(args)
    if args.data:
        accuracy(args)


if __name__ == "__main__":
    main()
