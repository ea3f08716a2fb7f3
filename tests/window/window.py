#!/usr/bin/env -S python3 -B
"""Drives the window of `facemark live` with every key and checks what is seen and saved: `make test-window`.

A clip with two faces plays, in a new window for each section. Screenshots are compared with the clip's frames, and with
one another while the window is paused.
"""

import json
import re
import subprocess
import sys
from contextlib import ExitStack

from desktop import Desktop, Window

# desktop.py has added this module's folder to the path.
from seen import CONTOUR, LANDMARK, Checks, Clip, Picture, drawn, help_of, until, work_folder

KEYS = {
    "q, Esc": "quit",
    "space": "pause",
    "m": "mirror",
    "s": "save a picture",
    "r": "record, and stop recording",
    "o": "overlay: both, points, contours, none",
    "l": "latency panel",
}
WIDTH, HEIGHT = Clip.SIZE
# Notices are below this row.
NOTICE = 330
RECORDING = (255, 60, 60)


def upper(picture):
    return picture.rows(0, NOTICE)


def lower(picture):
    return picture.rows(NOTICE, HEIGHT)


def press(window, *keys):
    """Presses keys while the window is paused; returns the picture as soon as it changes, without notices."""
    before = upper(window.picture()).rgb
    window.press(*keys)
    until(lambda: upper(window.picture()).rgb != before)
    return upper(window.picture())


def opening(checks, window):
    rows = help_of("live").split("Keys in the window:\n")[1].split("\n\n")[0]
    cells = re.split(r"\s{2,}", rows.strip())
    checks.equal("the keys of --help are those tested here", dict(zip(cells[::2], cells[1::2])), KEYS)
    title = "facemark: q quit, space pause, m mirror, s snapshot, r record, o overlay, l latency"
    checks.equal("the title names the keys", window.title(), title)
    checks.equal("the window has the video's size", window.picture().size, Clip.SIZE)
    checks.soon("the picture is the clip's", window.shows_clip)
    checks.that("the picture moves", window.moves())


def pause(checks, window):
    before = window.pause()
    checks.that("space: the program goes on", window.wait(Clip.RATE))
    checks.that("space: the picture stands still", window.picture().rgb == before.rgb)
    window.press("space")
    checks.that("space again: the picture moves", window.moves())
    checks.soon("space again: it is the clip's", window.shows_clip)


def styles(checks, window):
    paused = window.pause()
    points, contours, nothing, both = (press(window, "o") for _ in range(4))
    # Two faces of 68 points, at least three pixels each.
    colors = drawn(nothing, points)
    checks.that("o: points, and nothing else", set(colors) == {"points"} and colors["points"] > 400, colors)
    colors = drawn(nothing, contours)
    checks.that("o: contours, and nothing else", set(colors) == {"contours"} and colors["contours"] > 400, colors)
    colors = drawn(nothing, both)
    checks.that("o: both, with regions", {"points", "contours", "region"} <= set(colors), colors)
    checks.that("o: as before after the fourth time", both.rgb == upper(paused).rgb)
    checks.that("o names the style", lower(window.picture()).rgb != lower(paused).rgb)
    checks.soon("but not for long", lambda: window.picture().rgb == paused.rgb)
    window.desktop.xdotool("keydown", "o")
    window.wait(2 * Clip.RATE)
    window.desktop.xdotool("keyup", "o")
    window.wait(5)
    checks.that("a key that is held counts once", upper(window.picture()).rgb == points.rgb)
    window.press("o", "o")
    checks.soon("two quick presses count twice", lambda: upper(window.picture()).rgb == nothing.rgb)
    window.press("space")
    checks.soon("without overlay it is the clip", window.shows_clip)


def mirror(checks, window):
    both = upper(window.pause())
    # Points only: IDs are not mirrored.
    points = press(window, "o")
    distance = press(window, "m").distance(points.flipped())
    # Landmarks on the wrong side would make a difference of half a level.
    checks.that("m mirrors picture and landmarks", distance < 0.1, distance)
    checks.that("m again shows them as before", press(window, "m").rgb == points.rgb)
    window.press("m", "space")
    checks.soon("m: what follows is mirrored", lambda: window.clip.shows(window.picture().flipped()))


def latencies(checks, window):
    window.wait(Clip.RATE)
    before = upper(window.pause())
    shown = press(window, "l")
    corner = [(x, y) for x in range(6) for y in range(6)]
    dark = all(shown.pixel(*at) == tuple(value >> 2 for value in before.pixel(*at)) for at in corner)
    checks.that("l darkens the upper left corner", dark)
    panel = shown.rows(0, 105).columns(0, WIDTH // 2)
    colors = {"bars": panel.count(LANDMARK), "text": panel.count(CONTOUR, 80)}
    checks.that("l: there are bars and numbers", min(colors.values()) > 100, colors)
    rest = WIDTH - 150, WIDTH
    checks.that("l leaves the right side", shown.columns(*rest).rgb == before.columns(*rest).rgb)
    checks.that("l again hides it", press(window, "l").rgb == before.rgb)
    window.press("l", "space")
    checks.that("l: the picture moves", window.moves())
    # Within the panel, only bars and numbers are bright.
    bright = lambda: [value > 128 for value in window.picture().rows(0, 60).columns(0, 200).rgb]
    numbers = bright()
    checks.soon("l: the numbers change", lambda: bright() != numbers)


def snapshot(checks, window):
    paused = window.pause()
    window.press("s")
    checks.soon("s says that it has saved a picture", lambda: window.saved("png"), window.program.log.read_text)
    first = window.saved("png")
    saved = Picture.read(first.read_bytes())
    checks.equal("s: it has the video's size", saved.size, Clip.SIZE)
    checks.that("s: it is what is seen", upper(saved).rgb == upper(paused).rgb, upper(saved).distance(upper(paused)))
    # The text at the bottom edge is not in the file.
    notice = lambda picture: lower(picture).distance(lower(saved))
    checks.that("the window says that it is paused", notice(paused) > 0.5, notice(paused))
    checks.soon("s: the window says what is saved", lambda: notice(window.picture()) > 2 * notice(paused))
    press(window, "m")
    window.press("s")
    checks.soon("s again saves another", lambda: window.saved("png") != first)
    checks.that("s: it is not mirrored when the window is", Picture.read(window.saved("png").read_bytes()).rgb == saved.rgb)


def recording(checks, window):
    dot = lambda: window.picture().rows(0, 40).columns(WIDTH - 40, WIDTH).count(RECORDING)
    # Neither is visible in the file.
    window.press("m")
    window.pause()
    checks.equal("no red dot before r", dot(), 0)
    window.press("r")
    checks.soon("r shows a red dot", lambda: dot() > 20, dot)
    window.wait(2 * Clip.RATE)
    window.press("r")
    checks.soon("r again takes it away", lambda: dot() == 0, dot)
    checks.soon("r says what it has saved", lambda: window.saved("mp4"), window.program.log.read_text)
    video(checks, "r", window)


def video(checks, key, window):
    """Checks the newest recording."""
    path = window.saved("mp4")
    entries = "stream=codec_name,width,height,nb_read_frames"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", path]
    stream = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["streams"][0]
    found = stream["codec_name"], stream["width"], stream["height"]
    checks.equal(f"{key}: ffprobe reads the video", found, ("h264", *Clip.SIZE))
    n_frames = int(window.program.said(r"saved \S+\.mp4, (\d+) frames")[1])
    checks.equal(f"{key}: it has as many frames as was said", int(stream["nb_read_frames"]), n_frames)
    checks.that(f"{key}: all that came meanwhile", n_frames >= Clip.RATE, n_frames)
    checks.that(f"{key}: it shows the clip, not mirrored", window.clip.shows(Picture.first(path)))
    checks.equal(f"{key}: nothing unfinished is left", [path.name for path in window.folder.glob("*.mp4.partial")], [])


def resizing(checks, window):
    checks.that("the window can be made wider", window.resize(900, 480))
    sides = lambda: [window.picture().columns(*side) for side in [(0, 50), (850, 900)]]
    checks.soon("wide: bars at the sides", lambda: all(side.is_black() for side in sides()))
    checks.soon("wide: the clip between", lambda: window.clip.shows(window.picture().columns(50, 850)))
    window.press("s")
    checks.soon("wide: s saves a picture", lambda: window.saved("png"))
    checks.equal("wide: in the video's size", Picture.read(window.saved("png").read_bytes()).size, Clip.SIZE)
    checks.soon("wide: its notice goes", lambda: not any(window.picture().rows(400, 480).columns(0, 50).rgb))
    checks.that("the window can be made higher", window.resize(600, 500))
    ends = lambda: [window.picture().rows(*end) for end in [(0, 70), (430, 500)]]
    checks.soon("high: bars above and below", lambda: all(end.is_black() for end in ends()))
    checks.soon("high: the clip between", lambda: window.clip.shows(window.picture().rows(70, 430)))
    checks.that("the window can be made small", window.resize(150, 90))
    # The overlay would hide too much there.
    window.press("o", "o", "o")
    checks.soon("small: it shows the clip", window.shows_clip)
    checks.that("small: the picture moves", window.moves())


def gone(checks, way, window, key):
    checks.equal(f"{way} quits", window.quit(key), 0)
    checks.equal(f"{way}: the window is gone", window.find(), "")


def quit_while_recording(checks, window):
    window.press("r")
    window.wait(2 * Clip.RATE)
    gone(checks, "q", window, "q")
    video(checks, "q", window)


def escape(checks, window):
    gone(checks, "Esc", window, "Escape")


def close(checks, window):
    gone(checks, "closing the window", window, "alt+F4")


with ExitStack() as stack:
    desktop = Desktop(work_folder("window"), stack)
    sections = [opening, pause, styles, mirror, latencies, snapshot, recording, resizing, quit_while_recording, escape]
    sys.exit(Checks().run([*sections, close], desktop.window))
