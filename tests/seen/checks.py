"""Checks that each print a line, and waiting for things that take a while on a busy machine."""

import time
import traceback

PATIENCE = 30


def until(condition, seconds=PATIENCE):
    """Polls until the condition holds or time is up; returns its last result."""
    end = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer


class Checks:
    """Counts what passed and what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, what, holds, found=""):
        """Prints the check; what was found instead matters only if it fails."""
        if holds:
            self.passed += 1
            print(f"ok {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAILED {what}" + (f": {found}" if found != "" else ""), flush=True)

    def equal(self, what, found, expected):
        self.that(what, found == expected, f"{found!r} instead of {expected!r}")

    def soon(self, what, condition, found=lambda: ""):
        """Waits for the condition; `found` returns what there is instead."""
        answer = until(condition)
        self.that(what, answer, "" if answer else found())

    def run(self, sections, prepare):
        """Runs each section with what `prepare` makes for its name; one that raises has failed, and the next one
        still runs. Returns the exit code."""
        for section in sections:
            try:
                section(self, prepare(section.__name__))
            except Exception as error:
                lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
                where = "line " + ", ".join(map(str, lines[1:]))
                self.that(section.__name__, False, f"{type(error).__name__}: {error} ({where})")
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
