"""Tuning in a real browser, on the real processes: previewed, applied, undone, in trail and recording."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

from playwright.sync_api import Page, expect

from controller.record.reader import messages
from controller.record.records import Audit, CoreRetuned
from tests.console.browser import CHROMIUM, CONTRAST, TABLET, Rig, shot

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}"),
]

PREVIEW_MS = 60_000  # a few seconds of a processor at low priority
SCRIPT = "foot slaps <script>document.title = 'caught'</script>"
GAIN = "[id='feedback.kp_nm_per_rad']"


def post(rig: Rig, path: str, **fields: str) -> tuple[int, str]:
    """A form as another browser would send it, without this one's page."""
    data = urllib.parse.urlencode(fields).encode()
    try:
        with urllib.request.urlopen(rig.request(path, data)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def propose(page: Page, rig: Rig, gain: str) -> None:
    page.goto(f"{rig.url}/tuning")
    page.locator(GAIN).fill(gain)
    page.get_by_role("button", name="Preview the change").click()


def apply(page: Page, by: str, reason: str) -> None:
    page.locator("#apply").wait_for(timeout=PREVIEW_MS)
    page.fill("input[name=by]", by)
    page.fill("input[name=reason]", reason)
    page.click("#apply")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("31", "Proportional gain: 31 is outside 0 … 30"),
        ("-0.1", "Proportional gain: -0.1 is outside 0 … 30"),
        ("nan", "Proportional gain: nan is outside 0 … 30"),
        ("<b>9", "Proportional gain: “<b>9” is no number."),
        ("8", "Nothing differs from what is in force."),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name_and_range(
    page: Page, rig: Rig, typed: str, said: str
) -> None:
    propose(page, rig, typed)
    expect(page.locator("main")).to_contain_text(said)
    assert page.locator(GAIN).input_value() == typed


def test_a_gain_is_previewed_applied_found_in_the_trail_and_undone(page: Page, rig: Rig) -> None:
    propose(page, rig, "12")
    expect(page.locator("progress, #apply").first).to_be_visible()
    page.locator("#apply").wait_for(timeout=PREVIEW_MS)
    expect(page.locator("#expected")).to_have_text(
        re.compile(r"Expected off target: \d+\.\d°( \(measured now: \d+\.\d°\))?$")
    )
    expect(page.locator("svg.curves")).to_have_count(3)
    page.locator("details.twin summary").first.click()
    expect(page.locator("details.twin table").first).to_contain_text("reference")
    shot(page, "preview")
    apply(page, "AB", SCRIPT)
    expect(page.locator(".notice")).to_contain_text("Applied.")
    assert page.locator(GAIN).input_value() == "12"
    page.goto(f"{rig.url}/audit")
    row = page.locator("main tbody tr").first
    expect(row).to_contain_text("AB")
    expect(row).to_contain_text("Proportional gain 8 → 12")
    expect(row).to_contain_text(SCRIPT)
    expect(row).to_contain_text(re.compile(r"Off target \d"))
    assert "caught" not in page.title()
    page.goto(f"{rig.url}/tuning")
    page.click("#undo")
    expect(page.locator(".notice")).to_contain_text("Taken back.")
    assert page.locator(GAIN).input_value() == "8"
    page.goto(f"{rig.url}/audit")
    expect(page.locator("main tbody tr").first).to_contain_text("taken back")
    shot(page, "audit")


def test_a_nameless_or_unreasoned_or_stale_change_is_refused_and_told(page: Page, rig: Rig) -> None:
    propose(page, rig, "9")
    page.locator("#apply").wait_for(timeout=PREVIEW_MS)
    number = page.url.rsplit("/", 1)[1]
    for by, reason in (("", "a reason"), ("AB", " "), ("A" * 21, "a reason")):
        status, body = post(rig, f"/tuning/proposal/{number}/apply", by=by, reason=reason)
        assert status == 409
        assert "characters, allowed" in body
    page.reload()
    status, _ = post(rig, "/tuning/undo", version="2", by="CD")  # another therapist, meanwhile
    assert status == 200
    apply(page, "AB", "softer")
    expect(page.locator("main [role=alert]")).to_contain_text("Somebody else changed the settings meanwhile")
    assert post(rig, "/tuning/proposal/99999/apply", by="AB", reason="no preview")[0] in (404, 409)
    status, body = post(rig, "/tuning/propose", version="0", **{"feedback.kp_nm_per_rad": "11"})
    assert status == 409
    assert "settings were changed meanwhile" in body
    status, body = post(rig, "/tuning/undo", version="1", by="EF")
    assert status == 409
    assert "Somebody else changed the settings" in body
    page.goto(f"{rig.url}/tuning")
    assert page.locator(GAIN).input_value() == "12"


def test_a_profile_is_saved_compared_exported_and_goes_through_the_preview(page: Page, rig: Rig) -> None:
    page.goto(f"{rig.url}/profiles")
    page.fill("input[name=name]", "walk-1")
    page.fill("input[name=by]", "AB")
    page.fill("input[name=note]", SCRIPT)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("main")).to_contain_text(SCRIPT)
    expect(page.get_by_role("row", name="last-session")).to_contain_text("kept by itself")
    with urllib.request.urlopen(rig.request("/profiles/walk-1.toml")) as answer:
        exported = answer.read().decode()
    assert "[feedback]\nkp_nm_per_rad = 12.0" in exported
    page.goto(f"{rig.url}/tuning")
    page.click("#undo")
    expect(page.locator(".notice")).to_contain_text("Taken back.")
    page.goto(f"{rig.url}/profiles?with=walk-1")
    expect(page.locator("main")).to_contain_text("Proportional gain")
    shot(page, "profiles")
    mine = page.get_by_role("row", name="walk-1")
    mine.get_by_role("button", name="Preview it").click()
    expect(page.locator("h1")).to_have_text("Preview of a change")
    expect(page.locator("main tbody tr").first).to_contain_text("Proportional gain")
    assert post(rig, "/profiles/save", name="../evil", by="AB", note="")[0] == 422
    assert post(rig, "/profiles/..%2Fevil/propose")[0] in (404, 405)


def test_a_foreign_page_may_neither_change_settings_nor_arm(rig: Rig) -> None:
    for path in ("/tuning/undo", "/tuning/propose", "/setup/hold", "/setup/train"):
        request = urllib.request.Request(
            f"{rig.url}{path}", b"x=1", headers={"Origin": "http://evil.example"}
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 403
        caught.value.close()


def test_the_recording_holds_every_change_ahead_of_the_tick_it_begins_with(rig: Rig) -> None:
    time.sleep(0.5)
    recording = rig.folder / "session.mcap"
    trail = [m.record for m in messages(recording, ("audit",)) if isinstance(m.record, Audit)]
    changed = [entry for entry in trail if entry.kind in ("change", "undo")]
    retuned = [m.record for m in messages(recording, ("core/retuned",)) if isinstance(m.record, CoreRetuned)]
    assert [entry.version for entry in changed] == [record.version for record in retuned]
    assert [(entry.by, entry.kind) for entry in changed][:2] == [("AB", "change"), ("AB", "undo")]
    assert changed[0].reason == SCRIPT
    assert changed[0].preview["predicted_error_deg"] > 0
    assert any(entry.kind == "refused" for entry in trail)


@pytest.mark.parametrize(
    "path", ["/tuning", "/audit", "/profiles?with=walk-1", "/setup", "/setup?step=checklist"]
)
def test_every_page_keeps_stop_in_view_and_has_the_contrast_of_wcag_aa(
    page: Page, rig: Rig, path: str
) -> None:
    page.goto(f"{rig.url}{path}")
    for size in (TABLET, {"width": 390, "height": 844}):
        page.set_viewport_size(size)
        page.evaluate("window.scrollTo(0, 100000)")
        expect(page.locator("#stop")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.evaluate(CONTRAST) == []
    page.set_viewport_size(TABLET)
    fields = page.locator("main input:not([type=hidden]), main select")
    for field in fields.all():
        assert field.evaluate("e => e.labels.length > 0 || e.getAttribute('aria-label') !== null")
