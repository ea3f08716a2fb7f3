"""Chromium, driven by WebDriver (https://www.w3.org/TR/webdriver2/) over plain HTTP."""

import base64
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from seen import Picture

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1", "--window-size=1000,640",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


# Not through a proxy.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """A browser with its own profile in `folder`. It works with one window at a time."""

    def __init__(self, folder, stack):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        stack.callback(self.driver.wait)
        stack.callback(self.driver.terminate)
        port = next(filter(None, (re.search(r"successfully on port (\d+)", line) for line in self.driver.stdout)))[1]
        self.url = f"http://127.0.0.1:{port}/session"
        options = {"args": [*ARGUMENTS, f"--user-data-dir={folder / 'profile'}"]}
        # A stream opened as a page never finishes loading.
        wanted = {"browserName": "chrome", "pageLoadStrategy": "none", "goog:chromeOptions": options}
        self.url += "/" + self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        stack.callback(self.ask, "DELETE", "")

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def window(self):
        """The handle of the current window."""
        return self.ask("GET", "/window")

    def new_window(self):
        self.switch(self.ask("POST", "/window/new", {"type": "window"})["handle"])

    def close_window(self):
        """Closes the current window; the next call must switch to another one."""
        self.ask("DELETE", "/window")

    def switch(self, handle):
        self.ask("POST", "/window", {"handle": handle})

    def script(self, code, *args):
        """What a function with this body returns."""
        return self.ask("POST", "/execute/sync", {"script": code, "args": args})

    def find(self, selector):
        return self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.ask("POST", f"/element/{self.find(selector)}/click", {})

    def press(self, *keys):
        """Presses the keys together, and releases them in turn."""
        downs = [{"type": "keyDown", "value": key} for key in keys]
        ups = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": downs + ups}]})

    def text(self, selector):
        """The text there."""
        return self.ask("GET", f"/element/{self.find(selector)}/text")

    def attribute(self, selector, name):
        return self.ask("GET", f"/element/{self.find(selector)}/attribute/{name}")

    def picture(self, selector):
        """A screenshot of an element."""
        return Picture.read(base64.b64decode(self.ask("GET", f"/element/{self.find(selector)}/screenshot")))
