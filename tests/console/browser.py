"""A demo with its console, a real browser, and what a therapist does with both."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as Aborted
from playwright.sync_api import TimeoutError as TooLate

from tests.process.rigs import children, pulse_log, start

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
TABLET = {"width": 1180, "height": 820}
SHOTS = Path(__file__).resolve().parents[2] / "runs" / "console-test"
READY_MS = 60_000  # the first start compiles the patient
STEP_MS = 15_000
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("script, style, noscript, .unseen")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push([element.textContent.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  return poor;
}"""
PULSING_NS = 60_000_000  # a pulse this young: in the middle of a train


@dataclass
class Rig:
    """The running demo."""

    process: subprocess.Popen[str]
    folder: Path
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        found = re.search(r"http://[\d.]+:\d+", self.entry)
        return found.group(0) if found else ""

    @property
    def entry(self) -> str:
        """The address as it is printed, with the token."""
        found = re.search(r"Console: (http://\S+)", "".join(self.lines))
        return found.group(1) if found else ""

    def request(self, path: str, data: bytes | None = None, **headers: str) -> urllib.request.Request:
        """For a program instead of a browser: with the token as a bearer."""
        token = self.entry.rpartition("=")[2]
        return urllib.request.Request(self.url + path, data, {"Authorization": f"Bearer {token}", **headers})

    def pid(self, name: str) -> int:
        return children(self.process.pid)[name]

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """A process of the rig frozen, and let go on whatever happens."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def last_pulse_ns(self) -> int:
        pulses = pulse_log(self.folder)
        return pulses[-1].t_ns if pulses else 0

    def wait_for_pulses(self) -> None:
        """Until current flows; a swing comes every second and a half."""
        deadline = time.monotonic() + STEP_MS / 1e3
        while time.monotonic_ns() - self.last_pulse_ns() > PULSING_NS:
            assert time.monotonic() < deadline, "no pulses"
            time.sleep(0.005)


WALK = ("--mode", "feedback", "--seconds", "600")


@contextmanager
def demo_with_console(folder: Path, *what: str) -> Iterator[Rig]:
    """`dorsi demo --console` until the block ends; ``what`` in place of ten minutes of walking."""
    with patch.dict(os.environ, TMPDIR=str(folder)):  # the rig's folder of sockets goes with the test's
        process = start(
            "demo", "--console", "--console-port", "0", *(what or WALK), "--out", str(folder / "run"),
        )  # fmt: skip
    rig = Rig(process, folder / "run")
    assert process.stdout is not None
    reader = threading.Thread(target=rig.lines.extend, args=(process.stdout,), daemon=True)
    reader.start()
    deadline = time.monotonic() + READY_MS / 1e3
    try:
        while not rig.url:
            assert process.poll() is None, "".join(rig.lines)
            assert time.monotonic() < deadline, "no address"
            time.sleep(0.05)
        yield rig
    finally:
        process.terminate()
        deadline = time.monotonic() + 20
        while "dorsi-guard" in children(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        rest = children(process.pid).values()
        for pid in (process.pid, *rest):  # summing up the recording is not what is tested here
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        reader.join(10)
        process.stdout.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def open_console(context: BrowserContext, rig: Rig) -> Page:
    """The live page with data on it."""
    page = context.new_page()
    deadline = time.monotonic() + READY_MS / 1e3
    while True:
        with suppress(
            Aborted, TooLate
        ):  # the door's own page, STOP alone, tries again by itself every two seconds
            page.goto(rig.entry)
            page.wait_for_url(f"{rig.url}/", timeout=STEP_MS / 5)
        if page.locator("#arm").count() or time.monotonic() > deadline:
            break
        time.sleep(0.2)  # the pages' process is still coming up: the door shows STOP alone
    expect(page.locator("#stale")).to_be_hidden(timeout=READY_MS)  # words stand there until data come
    return page


def press_and_hold(page: Page, seconds: float) -> None:
    page.locator("#arm").hover()
    page.mouse.down()
    time.sleep(seconds)
    page.mouse.up()


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("#state")).to_have_class(f"state-{state}", timeout=STEP_MS)


def make_off(page: Page) -> None:
    """Acknowledge or disarm until the guard is off.

    Again and again: a trip that comes while somebody looks for the button (F12, half a second after a test
    has frozen the recorder) would else be met by a press that is no longer the right one.
    """
    page.locator("body").evaluate("element => element.ownerDocument.activeElement.blur()")
    deadline = time.monotonic() + STEP_MS / 1e3
    while page.locator("#state").get_attribute("class") != "state-off":
        assert time.monotonic() < deadline, page.locator("#state").get_attribute("class")
        for button in (".acknowledge", "#disarm"):
            if page.locator(button).first.is_visible():
                with suppress(TooLate):
                    page.locator(button).first.click(timeout=500)
        time.sleep(0.1)


def arm(page: Page, rig: Rig) -> None:
    """Through to current flowing: the button is held until the guard has armed, in stance."""
    make_off(page)
    page.locator("#arm").hover()
    page.mouse.down()
    expect(page.locator("#disarm")).to_be_visible(timeout=STEP_MS)
    page.mouse.up()
    rig.wait_for_pulses()


def shot(page: Page, name: str, *, whole: bool = False) -> None:
    """A picture of what is in view; of the ``whole`` page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=whole)
