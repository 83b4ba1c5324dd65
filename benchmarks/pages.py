"""What the console's pages weigh, and how soon they are there: bytes, first paint, answer to a tap.

A real demo with its console and Chromium on the same machine, armed by nobody. Exits with 1 where a median is
above what was wanted; skips, and says so, without a browser.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Page, Response

from tests.console.browser import CHROMIUM, TABLET, Rig, chromium, demo_with_console, open_console

PAGES = ("/", "/walker", "/tuning", "/setup", "/test", "/sessions")
TIMES = 7
PAINT_MS, TAP_MS = 1500.0, 200.0  # wanted, at the median
ASKED_AGAIN = ("/now", "/stop/screen")  # by the page, ever after
PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  const [paint] = list.getEntriesByName("first-contentful-paint");
  if (paint) done(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
TAPS = """() => new Promise((done) => {
  const summary = document.querySelector("details.details > summary");
  const took = [];
  const tap = () => {
    const begun = performance.now();
    summary.click();
    requestAnimationFrame(() => setTimeout(() => { // the frame is on the screen
      took.push(performance.now() - begun);
      if (took.length < 20) setTimeout(tap, 150); else done(took);
    }));
  };
  tap();
})"""  # Details opens with all its charts, and closes


def weight_bytes(page: Page, address: str) -> tuple[int, int]:
    """Of everything that the page asks for to be shown, and how many files that is."""
    taken: dict[str, int] = {}

    def take(answer: Response) -> None:
        if not any(path in answer.url for path in ASKED_AGAIN):
            taken[answer.url] = len(answer.body())

    page.on("response", take)
    page.goto(address, wait_until="load")
    page.wait_for_timeout(500)
    page.remove_listener("response", take)
    return sum(taken.values()), len(taken)


def measured(rig: Rig) -> bool:
    good = True
    with chromium() as browser:
        context = browser.new_context(viewport=TABLET, locale="de-DE")
        live = open_console(context, rig)
        for path in PAGES:
            with browser.new_context(viewport=TABLET, locale="de-DE") as fresh:  # nothing kept from before
                page = open_console(fresh, rig)
                page.close()
                page = fresh.new_page()
                weight, files = weight_bytes(page, rig.url + path)
                paints = []
                for _ in range(TIMES):
                    page.goto(rig.url + path, wait_until="load")
                    page.wait_for_timeout(300)
                    paints.append(float(page.evaluate(PAINT)))
            middle = statistics.median(paints)
            good = good and middle <= PAINT_MS
            print(
                f"{path:10} {weight / 1e3:5.0f} kB in {files:2} files; first paint {middle:5.0f} ms (median)"
            )
        taps = [float(took) for took in live.evaluate(TAPS)]
    middle = statistics.median(taps)
    print(f"a tap on Details to its frame: median {middle:.0f} ms, worst {max(taps):.0f} ms")
    return good and middle <= TAP_MS


def main() -> int:
    if not CHROMIUM.exists():
        print(f"skipped: no browser at {CHROMIUM} (Debian package chromium)")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="dorsi-", ignore_cleanup_errors=True) as folder,
        demo_with_console(Path(folder)) as rig,
    ):
        return 0 if measured(rig) else 1


if __name__ == "__main__":
    sys.exit(main())
