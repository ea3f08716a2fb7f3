"""Twelve clips in forty copies, what one machine makes of them, and how a cluster's outputs are checked against that."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from seen import TALKER
from seen.program import PROGRAM, ROOT

CLIPS = 12
COPIES = int(os.environ.get("COPIES", 40))
ENDINGS = ["mp4", "jsonl", "csv"]
OPTIONS = ["--model", "nose"]


def outputs(folder):
    return ["-o", folder, "--jsonl", folder, "--csv", folder, *OPTIONS]


class Videos:
    """A folder with the videos, `list.txt` which names them, and `one/` with what one machine makes of them."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "in").mkdir()
        for clip in range(CLIPS):
            self.make(clip)
        self.names = sorted(path.stem for path in (folder / "in").iterdir())
        (folder / "list.txt").write_text("".join(f"in/{name}.mp4\n" for name in self.names))
        start = time.monotonic()
        self.facemark("annotate", "in/", *outputs("one/"), "--jobs", "1", "--quiet")
        self.seconds = time.monotonic() - start

    def make(self, clip):
        """Each clip is another part of the talking head, of another length and size."""
        first = self.folder / f"in/clip {clip:02}, copy 00.mp4"
        scale = f"scale={240 + 16 * clip}:-2" + (",hflip" if clip % 2 else "")
        cut = ["-ss", str(clip / 10), "-i", TALKER, "-frames:v", str(8 + clip), "-an", "-vf", scale]
        subprocess.run(["ffmpeg", "-v", "error", *cut, "-c:v", "libx264", "-pix_fmt", "yuv420p", first], check=True)
        for copy in range(1, COPIES):
            os.link(first, first.with_name(f"clip {clip:02}, copy {copy:02}.mp4"))

    def facemark(self, *arguments):
        """Runs facemark, which must succeed."""
        return subprocess.run([PROGRAM, *arguments], cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def shard(self, shard, folder):
        """Runs a shard of the list; returns how long that takes and what is said."""
        start = time.monotonic()
        command = [PROGRAM, "annotate", "--list", "list.txt", *outputs(folder), "--shard", shard]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return time.monotonic() - start, done.stderr

    def status(self, folder):
        return json.loads(self.facemark("status", folder, "--json"))

    def complete(self, folder):
        """The videos all of whose outputs are there."""
        found = {path.name for path in (self.folder / folder).glob("clip*")}
        return {name for name in self.names if all(f"{name}.{ending}" in found for ending in ENDINGS)}

    def differences(self, folder):
        """What is missing, or not to the byte what one machine makes, or too much."""
        there = {path.name for path in (self.folder / folder).glob("clip*")}
        expected = {f"{name}.{ending}" for name in self.names for ending in ENDINGS}
        states = {f"{name}.state.json" for name in self.names}
        wrong = sorted((there ^ (expected | states)))
        same = lambda name: (self.folder / folder / name).read_bytes() == (self.folder / "one" / name).read_bytes()
        return wrong + sorted(name for name in expected & there if not same(name))


class Watch(threading.Thread):
    """Asks `facemark status` again and again, and compares the answer with what is in the folder."""

    def __init__(self, videos, folder, processes):
        super().__init__(daemon=True)
        self.videos, self.folder, self.processes = videos, folder, processes
        self.lies, self.asked, self.seen = [], 0, set()
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.2):
            before = self.videos.complete(self.folder)
            if not (self.videos.folder / self.folder / "facemark.list.json").exists():
                continue
            status = self.videos.status(self.folder)
            after = self.videos.complete(self.folder)
            self.asked += 1
            standing = {video["video"][3:-4]: video["standing"] for video in status["videos"]}
            done = {name for name, how in standing.items() if how == "done"}
            self.seen |= set(standing.values())
            # A video whose outputs are all there is running until its state says so, a moment later.
            late = {name for name in before - done if standing[name] != "running"}
            if late or not done <= after or len(standing) != len(self.videos.names):
                self.lies.append(f"{sorted(late)} and {sorted(done - after)} of {len(standing)}")
            if status["running"] > self.processes:
                self.lies.append(f"{status['running']} running")

    def end(self, checks):
        """Stops, and checks the answers and what is there at the end. Returns each video's attempts."""
        self.over.set()
        self.join()
        checks.equal(f"status told the truth, {self.asked} times", self.lies, [])
        checks.that("it was asked meanwhile", self.asked > 10 and {"done", "running", "waiting"} <= self.seen, self.seen)
        checks.equal("every output is there once, as one machine writes it", self.videos.differences(self.folder), [])
        status = self.videos.status(self.folder)
        checks.equal("all are done", (status["done"], status["all"]), (len(self.videos.names),) * 2)
        return [video["attempts"] for video in status["videos"]]
