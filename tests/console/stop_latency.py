"""STOP pressed in the browser to the last pulse in the pulse log: `python -m tests.console.stop_latency`.

By turns with mouse, Space, Esc and plain HTTP, at whatever moment of the stride; exits 1 where one is late.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page

from tests.console.browser import (
    TABLET,
    Rig,
    arm,
    chromium,
    demo_with_console,
    expect_state,
    open_console,
)

STOP_MS = 100.0  # F11
SETTLE_S = 0.25
SWING_S = 0.4


def by_mouse(page: Page, _: Rig) -> None:
    page.mouse.down()
    page.mouse.up()


def by_space(page: Page, _: Rig) -> None:
    page.keyboard.press("Space")


def by_escape(page: Page, _: Rig) -> None:
    page.keyboard.press("Escape")


def by_http(_: Page, rig: Rig) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{rig.url}/stop", method="POST")).close()


WAYS = {"mouse": by_mouse, "Space": by_space, "Esc": by_escape, "HTTP": by_http}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=50)
    tries: int = parser.parse_args().tries
    chance = random.Random(7)
    late: dict[str, list[float]] = {name: [] for name in WAYS}
    with (
        tempfile.TemporaryDirectory(prefix="dorsi-") as folder,
        demo_with_console(Path(folder)) as rig,
        chromium() as browser,
    ):
        page = open_console(browser.new_context(viewport=TABLET, locale="en-GB"), rig)
        for number in range(tries):
            name = list(WAYS)[number % len(WAYS)]
            arm(page, rig)
            page.locator("#stop").hover()
            time.sleep(chance.uniform(0.0, SWING_S))
            rig.wait_for_pulses()
            pressed_ns = time.monotonic_ns()
            WAYS[name](page, rig)
            time.sleep(SETTLE_S)
            late[name].append(max(0.0, (rig.last_pulse_ns() - pressed_ns) / 1e6))
            expect_state(page, "tripped")
    for name, values_ms in late.items():
        if values_ms:
            print(f"{name}: {len(values_ms)} tries, median {statistics.median(values_ms):.0f} ms, "
                  f"worst {max(values_ms):.0f} ms")  # fmt: skip
    good = sum(value <= STOP_MS for values_ms in late.values() for value in values_ms)
    print(f"{good} of {tries} within {STOP_MS:.0f} ms")
    return 0 if good == tries else 1


if __name__ == "__main__":
    sys.exit(main())
