"""A recording as a Motion-BIDS data set: each source a tracking system, the core's angles one more.

Promises that a folder may hold many persons' sessions, and that none takes another's place.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from controller.analysis.export.folder import Owners, private
from controller.analysis.export.signals import Floats, Series, Signals, apart, rate_hz
from controller.errors import InputError
from controller.untrusted import clean

WALK, EXERCISE = "walk", "exercise"  # tasks
LABEL_MAX = 60
CHANNEL_COLUMNS = ("name", "component", "type", "tracked_point", "units", "sampling_frequency")


def write_bids(recording: Path, signals: Signals, folder: Path, owners: Owners) -> tuple[Path, ...]:
    """Add the session to the data set in ``folder``; returns the files written.

    Raises InputError where another person or another session has the same label there.
    """
    pseudonym = signals.facts.get("pseudonym", "")
    subject = f"sub-{_label(pseudonym, 'unknown')}"
    session = f"ses-{_label(signals.facts.get('session', recording.stem), '1')}"
    owners.claim(subject, f"pseudonym {pseudonym!r}", there=(folder / subject).exists())
    owners.claim(f"{subject}/{session}", there=(folder / subject / session).exists())
    place = folder / subject / session / "motion"
    place.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def put(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        private(path)
        written.append(path)

    scans: list[Sequence[object]] = [("filename", "acq_time")]
    labels: set[str] = set()
    version = software_version(signals.facts)
    task = EXERCISE if signals.core.points else WALK
    for name, one in signals.all():
        stem = f"{subject}_{session}_task-{task}_tracksys-{apart(labels, _label(name, 'sensor'), LABEL_MAX)}"
        t_ns, values = one.columns()
        at_s = (t_ns - t_ns[0]) / 1e9
        rows = [[f"{at:.6f}", *map(_cell, row)] for at, row in zip(at_s, values, strict=True)]
        put(place / f"{stem}_motion.tsv", _tsv(rows))
        channels = _channels(name, one, rate_hz(at_s))
        put(place / f"{stem}_channels.tsv", _tsv([CHANNEL_COLUMNS, *channels]))
        put(place / f"{stem}_motion.json", _json(_sidecar(name, task, at_s, channels, version)))
        start = signals.utc(int(t_ns[0]))
        acquired = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if start else "n/a"
        scans.append((f"motion/{stem}_motion.tsv", acquired))
        if one is signals.core:
            events = [
                (f"{(at_ns - int(t_ns[0])) / 1e9:.6f}", "n/a", kind, text or "n/a")
                for at_ns, kind, text in signals.events
            ]
            put(place / f"{stem}_events.tsv", _tsv([("onset", "duration", "trial_type", "text"), *events]))
            put(place / f"{stem}_events.json", _json({"text": {"Description": "What the event says."}}))
    put(folder / subject / session / f"{subject}_{session}_scans.tsv", _tsv(scans))
    put(folder / "participants.tsv", _participants(folder / "participants.tsv", subject))
    description = {
        "Name": "Dorsi sessions", "BIDSVersion": "1.10.0", "DatasetType": "raw",
        "GeneratedBy": [{"Name": "dorsi", "Version": version}],
    }  # fmt: skip
    put(folder / "dataset_description.json", _json(description))
    put(folder / "README", "Sessions recorded by Dorsi. Samples are in the sensors' axes.\n")
    owners.keep()
    return tuple(written)


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


def _channels(name: str, series: Series, each_hz: int) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = [("latency", "n/a", "LATENCY", "n/a", "s", each_hz)]
    points = series.points or (name,) * len(series.names)
    for label, unit, point in zip(series.names, series.units, points, strict=True):
        stem, _, axis = label.partition("_")
        match stem:
            case "acc" | "gyr":
                kind, component = ("ACCEL" if stem == "acc" else "GYRO"), axis
            case "ankle":
                kind, component = "JNTANG", "n/a"
            case _:
                kind, component = "MISC", "n/a"
        rows.append((label, component, kind, point, unit, each_hz))
    return rows


def _sidecar(
    name: str, task: str, at_s: Floats, channels: Sequence[Sequence[object]], version: str
) -> dict[str, object]:
    kinds = [str(row[2]) for row in channels]
    seconds = float(at_s[-1])
    counts = {f"{kind}ChannelCount": kinds.count(kind) for kind in sorted(set(kinds))}
    return {
        "TaskName": task,
        "SamplingFrequency": rate_hz(at_s),
        "SamplingFrequencyEffective": (len(at_s) - 1) / seconds if seconds > 0 else "n/a",
        "TrackingSystemName": name,
        "TrackedPointsCount": len({row[3] for row in channels[1:]}),
        "MotionChannelCount": len(channels),
        "RecordingDuration": seconds,
        "MissingValues": "n/a",
        "SoftwareVersions": f"dorsi {version}",
        **counts,
    }


def _cell(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "n/a"


def _tsv(rows: Iterable[Sequence[object]]) -> str:
    """Each cell on one line, whatever was said in it."""
    return "".join("\t".join(" ".join(clean(str(cell)).split()) for cell in row) + "\n" for row in rows)


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
