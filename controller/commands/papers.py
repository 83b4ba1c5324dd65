"""The papers of a session that has ended, beside its recording: summary, report, report to print."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console

from controller.analysis.exercise import ExerciseSummary
from controller.analysis.summary import Summary
from controller.commands.results import new_file
from controller.console.recordings.file_jobs import mark
from controller.errors import InputError

Papers = Literal["summary", "report", "print"]  # each with those before it


def asked_for(*, report: bool, console: bool) -> Papers:
    """A session's console offers the report to print: there at once."""
    if not report:
        return "summary"
    return "print" if console else "report"


def write_papers(
    recording: Path, summary: Summary | ExerciseSummary, papers: Papers, console: Console
) -> list[str]:
    """The names of the files made. A place that takes none is told: the recording is kept."""
    out = recording.parent
    made = []
    try:
        with new_file(out / "summary.json", (".json",)) as file:
            file.write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
        made.append("summary.json")
        if papers == "summary":
            return made
        from controller.analysis.report.page import write_pdf, write_report  # it draws: seconds to load

        with new_file(out / "report.html", (".html",)) as file:
            write_report(recording, file)
        made.insert(0, "report.html")
        if papers == "print":
            with new_file(out / "report.pdf", (".pdf",)) as file:
                write_pdf(recording, file)
            mark(out / "report.pdf", recording.stat().st_mtime_ns)
    except InputError as error:
        console.print(
            f"Not reported: {error}. The recording is kept; dorsi report makes it later.", markup=False
        )
    return made
