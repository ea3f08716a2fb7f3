"""The program under test, and a folder for what a test writes."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / os.environ.get("FACEMARK", "target/release/facemark")
TALKER = ROOT / "media/talker.mp4"

if not PROGRAM.exists():
    sys.exit(f"there is no {PROGRAM}; run 'cargo build --release', or name the program with FACEMARK=")


def work_folder(name):
    """An empty folder under target/."""
    folder = ROOT / "target" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def help_of(command):
    """What `facemark COMMAND --help` prints."""
    return subprocess.run([PROGRAM, command, "--help"], check=True, capture_output=True, text=True).stdout


class Facemark:
    """`facemark live`, working in a folder. Its messages go to a file there."""

    def __init__(self, folder, *args, **env):
        self.log = folder / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "live", *args], cwd=folder, env=os.environ | env, stdin=subprocess.DEVNULL, stderr=log
            )

    def said(self, pattern):
        """The last match in its messages, or None."""
        return next(reversed(list(re.finditer(pattern, self.log.read_text()))), None)

    def signal(self, name):
        self.process.send_signal(getattr(signal, name))

    def code(self, seconds=30):
        """Its exit code, or None if it is still running after that time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """Ends it if it is still running, or stopped."""
        self.process.kill()
        self.process.wait()
