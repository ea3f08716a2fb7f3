"""A display without a screen, with a window manager, and the program's window on it."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from seen import TALKER, Clip, Facemark, Picture, until


class Desktop:
    """Xvfb and openbox with its own settings, where Alt-F4 closes windows."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        self.clip, self.open = Clip(TALKER, folder), None
        xvfb = ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
        number = self.start(xvfb, dict(os.environ), stdout=subprocess.PIPE).stdout.readline().decode().strip()
        if not number:
            raise RuntimeError("Xvfb does not start")
        self.env = os.environ | {"DISPLAY": f":{number}", "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
        self.start(["openbox"], self.env, stdout=subprocess.DEVNULL)
        # Without a window manager there are no desktops.
        if not until(lambda: self.xdotool("get_num_desktops")):
            raise RuntimeError("openbox does not start")

    def start(self, command, env, **streams):
        process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, **streams)
        self.stack.callback(process.wait)
        self.stack.callback(process.terminate)
        return process

    def window(self, name):
        """A new window; the previous one is closed."""
        if self.open:
            self.open.program.kill()
            until(lambda: not self.open.find())
        self.open = Window(self, name)
        if not until(self.open.shows_clip):
            raise RuntimeError("the window shows no picture of the clip")
        return self.open

    def xdotool(self, *args):
        """What it prints; nothing if it fails."""
        command = ["xdotool", *map(str, args)]
        done = subprocess.run(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return "" if done.returncode else done.stdout.strip()


class Window:
    """`facemark live` with its window, which has the focus. It saves into its own folder."""

    def __init__(self, desktop, name):
        self.desktop, self.clip = desktop, desktop.clip
        self.folder = desktop.folder / name
        self.folder.mkdir()
        self.program = Facemark(self.folder, self.clip.path, "--jsonl", "data.jsonl", DISPLAY=desktop.env["DISPLAY"])
        desktop.stack.callback(self.program.kill)
        self.id = until(self.find)
        if not self.id:
            raise RuntimeError("no window: " + self.program.log.read_text())
        if not until(lambda: desktop.xdotool("getwindowfocus") == self.id):
            raise RuntimeError("the window does not get the focus")

    def find(self):
        return self.desktop.xdotool("search", "--onlyvisible", "--name", "^facemark:")

    def title(self):
        return self.desktop.xdotool("getwindowname", self.id)

    def press(self, *keys):
        self.desktop.xdotool("key", "--delay", 0, *keys)

    def quit(self, key):
        """Its exit code after that key, or None if it keeps running."""
        self.press(key)
        return self.program.code()

    def resize(self, width, height):
        """Returns whether the window now has that size."""
        self.desktop.xdotool("windowsize", self.id, width, height)
        return until(lambda: self.picture().size == (width, height))

    def picture(self):
        """A screenshot of the window without its frame."""
        command = ["import", "-silent", "-window", self.id, "-depth", "8", "ppm:-"]
        return Picture.read(subprocess.run(command, env=self.desktop.env, check=True, stdout=subprocess.PIPE).stdout)

    def shows_clip(self):
        return self.clip.shows(self.picture())

    def moves(self):
        """Whether the picture changes within the patience."""
        before = self.picture().rgb
        return until(lambda: self.picture().rgb != before)

    def pause(self):
        """Presses the space bar; returns the picture that is then frozen."""
        self.press("space")
        if not until(self.stands):
            raise RuntimeError("the picture goes on changing")
        return self.picture()

    def stands(self):
        """Whether the picture is unchanged some frames later."""
        before = self.picture().rgb
        return self.wait(5) and self.picture().rgb == before

    def wait(self, n_frames):
        """Waits until the program has written the data of this many more frames; returns whether it has."""
        data = self.folder / "data.jsonl.partial"
        n_lines = lambda: data.read_bytes().count(b"\n") if data.exists() else 0
        end = n_lines() + n_frames
        return until(lambda: n_lines() >= end)

    def saved(self, ending):
        """The newest file that it reports as saved."""
        match = self.program.said(rf"saved (facemark-\S+\.{ending})")
        return self.folder / match[1] if match else None
