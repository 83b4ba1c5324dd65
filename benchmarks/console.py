"""What the console costs the loop: lateness of ticks with five browsers on it and without, in one run.

A real demo with its console and Chromium, turn about, in real time. Prints medians over the rounds and the
ratio; no limits, as the machine may be busy with something else. Skips, and says so, without a browser.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.record.reader import messages
from controller.record.records import Tick
from tests.console.browser import CHROMIUM, TABLET, chromium, demo_with_console, open_console

BROWSERS = 5
ROUNDS = 4
SECONDS = 10.0
SETTLE_S = 2.0  # after opening and closing
Window = tuple[int, int]


def rounds(folder: Path) -> tuple[Path, list[Window], list[Window]]:
    """The recording, and when nobody looked and when five did (CLOCK_MONOTONIC)."""
    alone: list[Window] = []
    watched: list[Window] = []
    with demo_with_console(folder) as rig, chromium() as browser:
        open_console(browser.new_context(viewport=TABLET), rig).context.close()  # the rig is up
        for _ in range(ROUNDS):
            alone.append(window())
            contexts = [browser.new_context(viewport=TABLET) for _ in range(BROWSERS)]
            for context in contexts:
                open_console(context, rig)
            watched.append(window())
            for context in contexts:
                context.close()
    return folder / "run" / "session.mcap", alone, watched


def window() -> Window:
    time.sleep(SETTLE_S)
    begin_ns = time.monotonic_ns()
    time.sleep(SECONDS)
    return begin_ns, time.monotonic_ns()


def p99_us(ticks: list[Tick], window: Window) -> float:
    """Start of a tick after its deadline or arrival."""
    late_us = [tick.lateness_us for tick in ticks if window[0] <= tick.now_ns < window[1]]
    return statistics.quantiles(late_us, n=100)[98]


def main() -> None:
    if not CHROMIUM.exists():
        print(f"skipped: no browser at {CHROMIUM} (Debian package chromium)")
        return
    with tempfile.TemporaryDirectory() as folder:
        recording, alone, watched = rounds(Path(folder))
        ticks = [m.record for m in messages(recording, ("tick",)) if isinstance(m.record, Tick)]
        without = [p99_us(ticks, each) for each in alone]
        looked_at = [p99_us(ticks, each) for each in watched]
    for number, (one, other) in enumerate(zip(without, looked_at, strict=True), start=1):
        print(f"round {number}: tick p99 {one:8.0f} us without, {other:8.0f} us with {BROWSERS} browsers")
    middle, middle_watched = statistics.median(without), statistics.median(looked_at)
    print(
        f"tick p99, median of {ROUNDS} rounds: {middle:.0f} us without, {middle_watched:.0f} us with"
        f" {BROWSERS} browsers: ratio {middle_watched / middle:.2f}"
    )


if __name__ == "__main__":
    main()
