"""Judges a finished session from its recording: every limit and deadline kept or broken, with the figure.

One judge for simulation, replay and hardware. It works from time stamps and its own arithmetic and shares
no code with the guard; what a recording cannot show it calls not put to the test, never kept.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from controller.analysis.judge.faults import fault_findings
from controller.analysis.judge.findings import Finding, as_table
from controller.analysis.judge.limits import limit_findings
from controller.analysis.judge.pulse_log import read_pulse_log
from controller.analysis.judge.runs import read_runs
from controller.analysis.judge.stimulator_log import log_findings
from controller.record.reader import unreadable

__all__ = ["Finding", "as_table", "judge_recording"]


def judge_recording(path: Path, pulse_log: Path | None = None) -> list[Finding]:
    """All findings on the recording at ``path``, and on the stimulator's pulse log where there is one.

    Raises InputError where a file is no recording, no pulse log, or holds nothing the guard said.
    """
    runs = read_runs(path)
    logged = None if pulse_log is None else read_pulse_log(pulse_log)
    findings: list[Finding] = []
    for number, run in enumerate(runs):
        label = f"arm {number + 1} of {len(runs)}" if len(runs) > 1 else ""
        findings.extend(_labelled(finding, label) for finding in [*limit_findings(run), *fault_findings(run)])
    if logged is not None:
        findings.extend(log_findings(runs, logged))
    if bad := unreadable(path):
        promise, first = "every message of the recording can be read", bad[0]
        detail = f"first {first.topic!r} at {first.t_ns} ns: {first.why}"
        count = len(bad)
        findings.append(Finding("recording", promise, False, count, float(count), 0.0, "messages", detail))
    return findings


def _labelled(finding: Finding, label: str) -> Finding:
    return replace(finding, detail=": ".join(part for part in (label, finding.detail) if part))
