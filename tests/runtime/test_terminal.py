"""The terminal's picture: the staged unlock in its own words, and the key that a person may press."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from controller.record.live import Live, UnlockGlance
from controller.runtime.supervisor import Progress
from controller.runtime.terminal import line, picture
from controller.trial.schedule import ArmPlan

KEY = "U = unlock feedback"


@pytest.mark.parametrize(
    ("unlock", "said", "key"),
    [
        (None, "", False),
        (
            UnlockGlance(2, 3, "strides", 37.5),
            "Staged unlock: open loop at no more than 37.5 mA, 2 of 3 strides answered.",
            False,
        ),
        (
            UnlockGlance(3, 3, "person", 30.0),
            "Staged unlock: open loop at no more than 30 mA, 3 of 3 strides answered; then a person unlocks.",
            True,
        ),
        (
            UnlockGlance(1, 3, "person", 30.0, "contractions"),
            "Staged unlock: open loop at no more than 30 mA, "
            "1 of 3 contractions given; then a person unlocks.",
            True,
        ),
        (UnlockGlance(None, 3, "strides", 30.0), "", False),  # blinded: not how far it is
        (UnlockGlance(None, 3, "person", 30.0), "Staged unlock: then a person unlocks.", True),
    ],
)
def test_the_staged_unlock_is_told_and_its_key_shown_where_a_person_unlocks(
    unlock: UnlockGlance | None, said: str, key: bool
) -> None:
    status = replace(Live().status(0, "ok"), unlock=unlock)
    progress = Progress(ArmPlan("feedback", label="feedback"), 0, 1, 0.0, status, "walking")
    assert line(progress).endswith(f"; {said}" if said else "missed ticks 0")
    console = Console(file=StringIO(), width=200)
    console.print(picture(progress))
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert (said in shown, KEY in shown) == (True, key)
