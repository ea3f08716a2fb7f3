#!/usr/bin/env -S python3 -B
"""Drives the page of `facemark live --serve` in Chromium and checks what is seen there: `make test-page`.

A clip with two faces plays. Screenshots are compared with its frames, and with one another while the page is paused;
numbers and faces with the program's events of the same frame.
"""

import math
import sys
from contextlib import ExitStack, suppress
from urllib.error import HTTPError

from browser import opener
from view import View

# browser.py has added this module's folder to the path.
from seen import LANDMARK, Checks, Clip, drawn, until, work_folder

CONTROL = "\ue009"
VIEWERS = 8


def picture(checks, view):
    checks.soon("the picture is the clip's", view.shows_clip, view.state)
    checks.that("the picture moves", view.moves())
    checks.equal("the page names the file", view.browser.text("#name"), view.clip.path.name)
    title = view.browser.script("return document.title")
    checks.equal("the tab names the file", title, f"{view.clip.path.name} - facemark")
    list_buttons = "return [...document.querySelectorAll('button')].map(button => [button.id, button.title])"
    known = [["pause", "space"], ["mirror", "m"], ["style", "o"]]
    checks.equal("the buttons and their keys are those tested here", view.browser.script(list_buttons), known)


def sent(view):
    """The page's texts, and the event of the frame they describe."""

    def pair():
        texts = view.texts()
        if "-" in texts.values():
            return None
        event = view.events.by_frame.get(int(texts["frame"]))
        return event and len(event["data"]["faces"]) == 2 and (texts, event)

    found = until(pair)
    if not found:
        raise RuntimeError(f"no event of two faces for {view.texts()}")
    return found


def numbers(checks, view):
    texts, event = sent(view)
    p50, p95, p99, most = (float(texts[name]) for name in ("p50", "p95", "p99", "max"))
    checks.that("latencies are shown and in order", 0 < p50 <= p95 <= p99 <= most, texts)
    checks.that("none is above the highest", event["latency_ms"] <= most + 0.05, (event["latency_ms"], most))
    rate = lambda: view.texts()["rate"]
    checks.soon("frames a second are those of the clip", lambda: 1 < float(rate()) < 1.5 * Clip.RATE, rate)
    checks.equal("tracking takes what was sent", float(texts["track"]), event["track_ms"])
    checks.equal("dropped frames are those sent", int(texts["dropped"]), event["dropped"])
    bars = view.browser.picture("#chart").rgb
    checks.soon("the chart has bars", lambda: view.browser.picture("#chart").count(LANDMARK) > 100)
    checks.soon("the chart changes", lambda: view.browser.picture("#chart").rgb != bars)


def faces(checks, view):
    texts, event = sent(view)
    expected = []
    for face in event["data"]["faces"]:
        left, top, width, height = (math.floor(value + 0.5) for value in face["box"])
        expected.append([str(face["id"]), f"{face['score']:.2f}", f"{left}, {top}", f"{width} × {height}"])
    checks.equal("the table has the faces that were sent", texts["faces"], expected)


def pause(checks, view):
    browser = view.browser
    ways = {"space": lambda: browser.press(" "), "Pause": lambda: browser.click("#pause")}
    for way, act in ways.items():
        act()
        checks.soon(f"{way} pauses", lambda: view.state() == "Paused", view.state)
        checks.equal(f"{way}: the button is pressed", browser.attribute("#pause", "aria-pressed"), "true")
        before, frame = view.still(), view.frame()
        checks.that(f"{way}: the program goes on", view.events.wait(Clip.RATE))
        checks.that(f"{way}: the picture stands still", view.picture().rgb == before.rgb and view.frame() == frame)
        newest = view.events.newest()
        act()
        checks.soon(f"{way} again goes on with the newest frame", lambda: view.frame() >= newest, view.frame)
        checks.soon(f"{way} again: the picture is the clip's", view.shows_clip, view.state)
        checks.equal(f"{way} again: the button is up", browser.attribute("#pause", "aria-pressed"), "false")


def styles(checks, view):
    browser, before = view.browser, view.pause()
    names = ["Points", "Contours", "No overlay", "Points and contours"]
    shown, last = {}, before
    for _ in names:
        browser.press("o")
        last = shown[browser.text("#style")] = view.after(last)
    checks.equal("o goes through the styles", list(shown), names)
    points, contours, nothing, both = (shown[name] for name in names)
    # Two faces of 68 points, at least three pixels each.
    colors = drawn(nothing, points)
    checks.that("o: points, and nothing else", set(colors) == {"points"} and colors["points"] > 400, colors)
    colors = drawn(nothing, contours)
    checks.that("o: contours, and nothing else", set(colors) == {"contours"} and colors["contours"] > 400, colors)
    colors = drawn(nothing, both)
    checks.that("o: both, with regions", {"points", "contours", "region"} <= set(colors), colors)
    checks.that("o: as before after the fourth time", both.rgb == before.rgb)
    checks.that("without overlay it is the clip's frame", view.clip.shows(nothing), view.clip.likeness(nothing))
    for name in names:
        browser.click("#style")
        checks.equal("the button names the style", browser.text("#style"), name)
        checks.soon(f"the button shows {name.lower()}", lambda: view.picture().rgb == shown[name].rgb)


def mirror(checks, view):
    browser = view.browser
    # Points only: numbers are not mirrored.
    before = view.pause()
    browser.press("o")
    before = view.after(before)
    # Neither are the words in the top rows.
    below = lambda picture: picture.rows(60, picture.height)
    flipped = below(before.flipped())
    ways = {"m": lambda: browser.press("m"), "Mirror": lambda: browser.click("#mirror")}
    for way, act in ways.items():
        act()
        checks.equal(f"{way}: the button is pressed", browser.attribute("#mirror", "aria-pressed"), "true")
        distance = below(view.after(before)).distance(flipped)
        # Landmarks on the wrong side would make a difference of half a level.
        checks.that(f"{way} mirrors picture and landmarks", distance < 0.1, distance)
        act()
        checks.equal(f"{way} again: the button is up", browser.attribute("#mirror", "aria-pressed"), "false")
        checks.soon(f"{way} again: the picture is as before", lambda: view.picture().rgb == before.rgb)
    browser.press(CONTROL, "m")
    checks.equal("Ctrl-m is the browser's", browser.attribute("#mirror", "aria-pressed"), "false")


def second_viewer(checks, view):
    browser, first = view.browser, view.browser.window()
    before = view.pause()
    browser.new_window()
    view.open()
    checks.soon("a second viewer sees the clip", view.shows_clip, view.state)
    checks.that("the second moves while the first is paused", view.moves())
    second = browser.window()
    browser.switch(first)
    checks.that("the first still stands", view.picture().rgb == before.rgb)
    browser.press(" ")
    checks.soon("both see the clip", view.shows_clip, view.state)
    checks.that("the first moves", view.moves())
    browser.switch(second)
    checks.that("the second moves, too", view.moves())
    browser.close_window()
    browser.switch(first)
    checks.that("the first goes on when the second has left", view.moves())


def links(checks, view):
    browser = view.browser
    shot = lambda: browser.picture("img")
    read = lambda: browser.script("return document.body ? document.body.innerText.slice(0, 1000) : ''")
    browser.click("a[href='video.mjpeg']")
    until(lambda: browser.script("return document.images[0]?.naturalWidth"))
    checks.soon("video.mjpeg shows the clip", lambda: view.clip.shows(shot()))
    before = shot().rgb
    checks.soon("video.mjpeg moves", lambda: shot().rgb != before)
    view.open()
    browser.click("a[href='events']")
    checks.soon("events can be read", lambda: read().startswith('data: {"data":') and '"faces":' in read(), read)


def full_house(checks, view):
    view.browser.open("about:blank")
    watching = []
    with ExitStack() as stack:

        def watch():
            # A viewer who has just left can still be counted.
            with suppress(HTTPError):
                watching.append(stack.enter_context(opener.open(f"http://{view.address}/video.mjpeg", timeout=30)))
            return len(watching) == VIEWERS - 1

        # The eighth is this script, which has been reading the events all along.
        checks.soon(f"{VIEWERS} viewers are served", watch, lambda: len(watching) + 1)
        view.open()
        words = f"{VIEWERS} streams are being watched already"
        checks.soon("one more is told so", lambda: view.state() == words, view.state)
    checks.soon("and sees the clip when there is room", view.shows_clip, view.state)


def silent(checks, view):
    view.program.signal("SIGSTOP")
    checks.soon("a silent program is noticed", lambda: view.state() == "No new pictures", view.state)
    view.program.signal("SIGCONT")
    checks.soon("and its next picture", lambda: view.state() == "", view.state)
    checks.that("the picture moves", view.moves())


def gone_and_back(checks, view):
    view.program.signal("SIGINT")
    checks.equal("Ctrl-C ends the program", view.program.code(), 130)
    checks.soon("the page notices", lambda: view.state() == "facemark is not running", view.state)
    states = view.browser.script("return window.states")
    checks.that("it has said that the video is over", "The video is over" in states, states)
    view.serve(view.address, "--mirror", "on")
    checks.soon("the page comes back by itself", view.shows_clip, view.state)
    checks.that("the picture moves", view.moves())
    view.open()
    checks.soon("--mirror on presses the button", lambda: view.browser.attribute("#mirror", "aria-pressed") == "true")
    checks.soon("--mirror on mirrors", lambda: view.state() == "" and view.clip.shows(view.picture().flipped()))


with ExitStack() as stack:
    view = View(work_folder("page"), stack)
    sections = [picture, numbers, faces, pause, styles, mirror, second_viewer, links, full_house, silent, gone_and_back]
    sys.exit(Checks().run(sections, view.watch))
