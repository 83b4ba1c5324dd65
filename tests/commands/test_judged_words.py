"""At the end of a run nothing is called kept that was not put to the test."""

from __future__ import annotations

from controller.analysis.judge import Finding, as_table
from controller.commands.conduct import judged_words

KEPT = Finding("F1", "sensor silent", True, 3, 150.0, 170.0, "ms")
IDLE = Finding("current_max_ma", "current at most 40 mA", True, 0, None, 40.0, "mA")
BROKEN = Finding("F3", "controller killed", False, 1, 12.0, 10.0, "ms", "at 5 s")


def test_what_had_no_occasion_is_counted_apart() -> None:
    (line,) = judged_words([KEPT, IDLE, IDLE])
    assert "1 safety limits and deadlines put to the test and kept, 2 not put to the test" in line


def test_where_nothing_had_an_occasion_nothing_is_kept() -> None:
    for findings in ([], [IDLE, IDLE]):
        (line,) = judged_words(findings)
        assert "kept" not in line
        assert "no safety limit or deadline was put to the test" in line


def test_what_is_broken_is_told_with_its_figure_and_no_all_clear() -> None:
    (line,) = judged_words([KEPT, BROKEN, IDLE])
    assert "Broken" in line
    assert "F3, controller killed: 12 ms at 5 s" in line


def test_the_table_of_judge_says_so_for_each_rule() -> None:
    assert [row[0] for row in as_table([KEPT, IDLE, BROKEN])] == ["kept", "not put to the test", "broken"]
