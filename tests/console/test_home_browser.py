"""The service in a real browser with a real session: from home to armed and to the result, by taps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import BrowserContext, Page, expect

from controller.record.reader import raw_messages
from controller.safety.judgement.contraindications import QUESTION
from tests.console.browser import CHROMIUM, CONTRAST, READY_MS, STEP_MS
from tests.console.fit import SIZES, misfits
from tests.console.test_home import CONFIGS
from tests.process.rigs import pulse_log, start

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

PULSES_S = 60.0  # a machine with other work walks no faster, and is slower to begin
SOME_PULSES = 60  # of two swings or three, at 40 a second


@dataclass
class Service:
    """The running `dorsi console`."""

    process: subprocess.Popen[str]
    folder: Path
    lines: list[str] = field(default_factory=list)

    @property
    def entry(self) -> str:
        found = re.search(r"Home page: (http://\S+)", "".join(self.lines))
        return found.group(1) if found else ""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Of a clinic with one person, whose sessions the virtual patient walks."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("runs", "patients", "sessions"):
        (folder / name).mkdir()
    patient = (CONFIGS / "patients" / "virtual.toml").read_text().replace("P000-virtual", "P017")
    (folder / "patients" / "P017.toml").write_text(patient)
    session = (CONFIGS / "sessions" / "training.toml").read_text()
    (folder / "sessions" / "gait.toml").write_text(session.replace("virtual.toml", "P017.toml"))
    folders = [f"--{name}={folder / name}" for name in ("runs", "patients", "sessions")]
    with patch.dict(os.environ, TMPDIR=str(folder)):
        process = start("console", "--rehearse", "--port", "0", *folders)
    running = Service(process, folder)
    assert process.stdout is not None
    reader = threading.Thread(target=running.lines.extend, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + READY_MS / 1e3
        while not running.entry:
            assert process.poll() is None, "".join(running.lines)
            assert time.monotonic() < deadline, "no address"
            time.sleep(0.05)
        yield running
    finally:
        process.kill()  # a session that is still on or summing up ends with it
        process.wait()
        reader.join(10)
        process.stdout.close()


class Hand:
    """A finger on the screen, whose taps are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.taps = 0

    def tap(self, name: str) -> None:
        """A button or link by its words."""
        self.taps += 1
        self.page.locator("a.button, button, nav a").filter(has_text=name).first.click()

    def hold_to_arm(self) -> None:
        self.taps += 1
        expect(self.page.locator("#arm")).to_have_attribute("aria-disabled", "false", timeout=READY_MS)
        self.page.locator("#arm").hover()
        self.page.mouse.down()
        expect(self.page.locator("#disarm")).to_be_visible(timeout=STEP_MS)
        self.page.mouse.up()


def fits(page: Page, name: str, language: str = "en") -> None:
    assert misfits(page, language, name) == []
    assert page.evaluate(CONTRAST) == [], name


def fits_in_both_languages(page: Page, name: str) -> None:
    fits(page, name)
    page.goto(page.get_by_role("link", name="Deutsch").evaluate("link => link.href"), referer=page.url)
    fits(page, name, "de")
    page.goto(page.get_by_role("link", name="English").evaluate("link => link.href"), referer=page.url)


def test_from_the_home_page_to_armed_in_four_taps_and_back_to_the_result(
    context: BrowserContext, service: Service
) -> None:
    page = context.new_page()
    hand = Hand(page)
    page.goto(service.entry)
    expect(page.locator("#person-P017")).to_be_visible(timeout=STEP_MS)
    for path in ("/persons/P017", "/new-person", "/sessions", "/"):
        page.goto(service.entry.partition("/enter")[0] + path)
        fits_in_both_languages(page, path)
    hand.tap("Start")
    expect(page.locator("#ask")).to_be_visible(timeout=STEP_MS)
    page.fill("input[name=by]", "AB")  # at the first session at this browser
    page.set_viewport_size(SIZES["phone"])
    assert page.locator("#unchanged").is_disabled()
    for _ in range(3 * len(QUESTION)):  # until the last question was on the screen
        page.mouse.wheel(0, 300)
    expect(page.locator("#unchanged")).to_be_enabled(timeout=STEP_MS)
    fits(page, "start")
    hand.tap("nothing has changed")
    hand.hold_to_arm()
    assert hand.taps <= 4

    home = context.new_page()
    home.goto(service.entry)
    expect(home.locator(".running")).to_contain_text("P017", timeout=STEP_MS)
    fits_in_both_languages(home, "running")
    (run,) = (one for one in (service.folder / "runs").iterdir() if (one / "session.mcap").exists())
    told = [json.loads(m.payload) for m in raw_messages(run / "session.mcap") if m.topic == "guard/event"]
    answers = [word["answers"] for word in told if (word["kind"], word["by"]) == ("checklist", "AB")]
    assert answers == [dict.fromkeys(QUESTION, "no")]

    deadline = time.monotonic() + PULSES_S
    while len(pulse_log(run)) < SOME_PULSES:
        assert time.monotonic() < deadline, page.locator("#state").inner_text()
        time.sleep(0.1)
    home.locator(".button.stop").click()  # of the session's own door, from the home page
    expect(page.locator("#state")).to_have_class("state-tripped", timeout=STEP_MS)
    expect(home.frame_locator(".running iframe").locator("p")).to_have_class("stopped", timeout=STEP_MS)

    hand = Hand(home)
    hand.tap("End the session")
    hand.tap("End the session")
    for one in (home, page):  # the session's page goes there by itself
        one.wait_for_url(re.compile(f"/ended/{run.name}$"), timeout=STEP_MS)
        expect(one.locator(".five")).to_be_visible(timeout=READY_MS)
    fits_in_both_languages(home, "ended")
    assert home.get_by_role("link", name="PDF").get_attribute("href") == f"/sessions/{run.name}/report.pdf"
    assert home.locator("form[action='/persons/P017/begin']").count() == 1
    home.goto(service.entry.partition("/enter")[0] + "/persons/P017/start")
    expect(home.locator("#ask")).to_be_visible(timeout=STEP_MS)
    assert home.locator("input[name=by]").input_value() == "AB"
    assert home.locator("input:checked").count() == 0
    page.close()
    home.close()
