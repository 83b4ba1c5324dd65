"""A recording as a BIDS 1.11 data set: each inertial source and the core's angles as motion, each EMG as EMG.

Promises that a folder may hold many persons' sessions, that none takes another's place, and that what was in
the data set stays as it was.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from controller.analysis.export import bids_sidecars as beside
from controller.analysis.export.edf import Source, edf_labels, edf_session, write_file
from controller.analysis.export.folder import Owners, private
from controller.analysis.export.signals import Signals, apart
from controller.analysis.export.sources import Sources
from controller.errors import InputError
from controller.untrusted import clean

VERSION = "1.11.0"  # of BIDS
WALK, EXERCISE = "walk", "exercise"  # tasks
LABEL_MAX = 60
README = """Sessions of functional electrical stimulation, recorded by Dorsi.

motion/ has a tracking system for each inertial sensor, samples in the sensor's own axes at their own times
(the latency channel), and one for the control core: the angles that it believed and the current that it asked
for. emg/ has the muscle signals as EDF+, in microvolts. Each data file has its events: of the gait, of the
guard, and every pulse of stimulation that was delivered. What is n/a was not received, not valid, not known,
or a current that was off. No EMG electrode's place is in a recording, and no institution: write them in where
you know them. Authors and License of dataset_description.json are yours to fill in; a later export leaves
them as they are.
"""


def write_bids(
    recording: Path, signals: Signals, folder: Path, owners: Owners, sources: Sources
) -> tuple[Path, ...]:
    """Add the session to the data set in ``folder``; returns the files written.

    Raises InputError where another person or another session has the same label there.
    """
    pseudonym = signals.facts.get("pseudonym", "")
    subject = f"sub-{_label(pseudonym, 'unknown')}"
    session = f"ses-{_label(signals.facts.get('session', recording.stem), '1')}"
    owners.claim(subject, f"pseudonym {pseudonym!r}", there=(folder / subject).exists())
    owners.claim(f"{subject}/{session}", there=(folder / subject / session).exists())
    task = EXERCISE if signals.core.points else WALK
    laws = "" if signals.hidden else signals.facts.get("arms", signals.facts.get("mode", ""))
    about = beside.About(task, software_version(signals.facts), laws, sources)
    made = _Session(recording, folder, f"{subject}_{session}_task-{task}", subject, session)
    scans: list[Sequence[object]] = [("filename", "acq_time")]
    timed = edf_session(recording, signals, sources)
    for source in timed.sources:
        if signals.is_emg(source.series):
            begin_ns = timed.begin_ns
            name = _emg(made, source, about)
            path = made.claimed(name)
            write_file(recording, path, timed, [source])
            private(path)
        else:
            begin_ns = int(source.series.columns()[0][0])
            name = _motion(made, source, about)
        events = beside.event_rows(signals, begin_ns)
        stem = name.rpartition("_")[0]
        made.put(f"{stem}_events.tsv", _tsv([beside.EVENT_COLUMNS, *events]))
        made.put(f"{stem}_events.json", beside.text_of(beside.events_sidecar(about, signals)))
        start = signals.utc(begin_ns)
        scans.append((name, start.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if start else "n/a"))
    made.put(f"{subject}_{session}_scans.tsv", _tsv(scans))
    made.merge("participants.tsv", _participants(folder / "participants.tsv", subject))
    made.keep("dataset_description.json", beside.text_of(_description(about.version)))
    made.keep("README", README)
    owners.keep()
    return tuple(made.written)


class _Session:
    """Where a session's files go."""

    def __init__(self, recording: Path, folder: Path, stem: str, subject: str, session: str) -> None:
        self.recording, self.stem = recording, stem
        self.written: list[Path] = []
        self.labels: set[str] = set()
        self._folder, self._place = folder, folder / subject / session

    def claimed(self, name: str) -> Path:
        """The place of a file of the session, its folder made; counted as written."""
        path = self._place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.written.append(path)
        return path

    def put(self, name: str, text: str) -> None:
        path = self.claimed(name)
        path.write_text(text, encoding="utf-8")
        private(path)

    def merge(self, name: str, text: str) -> None:
        """A file of the whole data set."""
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        private(path)
        self.written.append(path)

    def keep(self, name: str, text: str) -> None:
        """A file of the whole data set, unless it is there: it may be somebody's own."""
        path = self._folder / name
        if not path.exists() or path.read_bytes() == text.encode():
            self.merge(name, text)


def _motion(made: _Session, source: Source, about: beside.About) -> str:
    """The source's samples at their own times; returns the data file's name."""
    label = apart(made.labels, _label(source.name, "sensor"), LABEL_MAX)
    stem = f"motion/{made.stem}_tracksys-{label}"
    at_s = source.at_s - source.at_s[0]
    rows = ([f"{at:.6f}", *map(_cell, row)] for at, row in zip(at_s, source.values, strict=True))
    made.put(f"{stem}_motion.tsv", _tsv(rows))
    channels = beside.motion_channels(source.name, source.series, source.each_hz)
    made.put(f"{stem}_channels.tsv", _tsv([beside.MOTION_COLUMNS, *channels]))
    made.put(f"{stem}_motion.json", beside.text_of(beside.motion_sidecar(source.name, about, at_s, channels)))
    return f"{stem}_motion.tsv"


def _emg(made: _Session, source: Source, about: beside.About) -> str:
    """What stands beside the source's EDF file; returns the data file's name."""
    label = apart(made.labels, _label(source.name, "emg"), LABEL_MAX)
    stem = f"emg/{made.stem}_recording-{label}"
    labels = edf_labels([source])
    channels = beside.emg_channels(labels, source.name, about, source.each_hz)
    made.put(f"{stem}_channels.tsv", _tsv([beside.EMG_COLUMNS, *channels]))
    seconds = float(source.at_s[-1] - source.at_s[0])
    sidecar = beside.emg_sidecar(source.name, about, source.each_hz, len(labels), seconds)
    made.put(f"{stem}_emg.json", beside.text_of(sidecar))
    return f"{stem}_emg.edf"


def _description(version: str) -> dict[str, object]:
    return {
        "Name": "Dorsi sessions", "BIDSVersion": VERSION, "DatasetType": "raw",
        "GeneratedBy": [{"Name": "dorsi", "Version": version}],
    }  # fmt: skip


def software_version(facts: dict[str, str]) -> str:
    """Of Dorsi, as the recording's head names it."""
    try:
        versions = json.loads(facts.get("versions", ""))
        return str(versions["dorsi"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return facts.get("version", "n/a")


def _participants(path: Path, subject: str) -> str:
    """The table with everybody who was there before, and ``subject``."""
    rows: list[Sequence[object]] = [("participant_id",)]
    if path.exists():
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                found = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(str(path), "table", str(error), "tab-separated text") from None
        if found and found[0][0] != "participant_id":
            raise InputError(str(path), "line 1", found[0][0], "participant_id")
        rows = [*found] or rows
    if all(row[0] != subject for row in rows):
        rows.append((subject, *["n/a"] * (len(rows[0]) - 1)))
    return _tsv(rows)


def _label(text: str, otherwise: str) -> str:
    """BIDS labels are letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", text)[:LABEL_MAX] or otherwise


def _cell(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "n/a"


def _tsv(rows: Iterable[Sequence[object]]) -> str:
    """Each cell on one line, whatever was said in it."""
    return "".join("\t".join(" ".join(clean(str(cell)).split()) for cell in row) + "\n" for row in rows)
