"""The page as a viewer sees it, and what the program prints meanwhile."""

import json
import threading

from browser import Browser, opener
from seen import TALKER, Clip, Facemark, until

TEXTS = """
const text = id => document.getElementById(id).innerText;
const numbers = ["p50", "p95", "p99", "max", "rate", "track", "dropped", "frame"].map(id => [id, text(id)]);
const rows = [...document.querySelectorAll("#faces tr")].map(row => [...row.cells].map(cell => cell.innerText));
return {...Object.fromEntries(numbers), faces: rows};
"""
# Records every state, however briefly it was shown.
RECORD = """
window.states = [];
const state = document.getElementById("state");
new MutationObserver(() => window.states.push(state.textContent)).observe(state, {childList: true});
"""


class View:
    """A program that serves the page, and a browser that watches it."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        self.clip = Clip(TALKER, folder)
        self.serve("127.0.0.1:0")
        self.events = Events(self.address)
        self.browser = Browser(folder, stack)

    def serve(self, address, *args):
        self.program = Facemark(self.folder, self.clip.path, "--serve", address, *args)
        self.stack.callback(self.program.kill)
        said = until(lambda: self.program.said(r"watch at http://(\S+)/"))
        if not said:
            raise RuntimeError("the program says no address: " + self.program.log.read_text())
        self.address = said[1]

    def watch(self, _=""):
        """Reloads the page and waits for its picture."""
        self.open()
        if not until(self.shows_clip):
            raise RuntimeError(f"no picture comes: {self.state()}")
        return self

    def open(self):
        """Reloads the page."""
        # The previous page can stay for a while.
        self.browser.script("window.old = true")
        self.browser.open(f"http://{self.address}/")
        if not until(lambda: self.browser.script("return !window.old && document.readyState === 'complete'")):
            raise RuntimeError("the page is not loaded")
        self.browser.script(RECORD)

    def state(self):
        """The words over the picture."""
        return self.browser.text("#state")

    def texts(self):
        """All numbers and the table of faces at a single moment."""
        return self.browser.script(TEXTS)

    def frame(self):
        text = self.texts()["frame"]
        return int(text) if text.isdigit() else -1

    def picture(self):
        return self.browser.picture("#picture")

    def shows_clip(self):
        return self.state() == "" and self.clip.shows(self.picture())

    def moves(self):
        """Whether the picture and its number change within the patience."""
        frame, picture = self.frame(), self.picture().rgb
        return until(lambda: self.frame() > frame and self.picture().rgb != picture)

    def pause(self):
        """Presses the space bar; returns the picture that is then frozen."""
        self.browser.press(" ")
        picture = self.still()
        if self.state() != "Paused" or not self.clip.shows(picture):
            raise RuntimeError(f"the page is not paused with a picture of the clip: {self.state()}")
        return picture

    def still(self):
        """The picture as soon as it stops changing: one can be on its way when the page is paused."""
        pictures = [self.picture()]

        def settled():
            pictures.append(self.picture())
            return pictures[-1].rgb == pictures[-2].rgb

        if not until(settled):
            raise RuntimeError("the picture goes on changing")
        return pictures[-1]

    def after(self, before):
        """The picture as soon as it is a new one, or the previous one if that does not change."""

        def another():
            picture = self.picture()
            return picture if picture.rgb != before.rgb else None

        return until(another) or before


class Events:
    """What the program sends to clients that only want data, by frame."""

    def __init__(self, address):
        self.by_frame = {}
        stream = opener.open(f"http://{address}/events", timeout=30)
        threading.Thread(target=self.collect, args=[stream], daemon=True).start()

    def collect(self, stream):
        try:
            for line in stream:
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    self.by_frame[event["data"]["frame"]] = event
        except OSError:
            # The program has ended.
            pass

    def newest(self):
        return max(list(self.by_frame), default=-1)

    def wait(self, n_frames):
        """Waits until the program is this many frames further; returns whether it is."""
        end = self.newest() + n_frames
        return until(lambda: self.newest() >= end)
