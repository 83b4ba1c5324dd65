"""A recording in other people's formats: CSV or Parquet tables, EDF+, BIDS.

Refuses what the reader refuses, a format that cannot hold what the recording lacks, and a folder with another
recording's files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from controller.analysis.export.bids import write_bids
from controller.analysis.export.edf import write_edf
from controller.analysis.export.folder import Owners
from controller.analysis.export.signals import Signals
from controller.analysis.export.sources import sources_of
from controller.analysis.export.tables import (
    Veil,
    event_rows,
    file_names,
    phase_words,
    veil_of,
    write_tables,
)
from controller.errors import InputError
from controller.record.contractions import Contractions, PhaseTold
from controller.record.reader import header, messages
from controller.record.records import Tick

Kind = Literal["csv", "parquet", "edf", "bids"]


def export(recording: Path, kind: Kind, folder: Path, *, unblind: bool = False) -> tuple[Path, ...]:
    """Write ``recording`` into ``folder``; returns the files written.

    Of a blinded trial everything that gives an arm's mode away is left out, unless ``unblind``. Raises
    InputError for what is no recording, a folder that cannot be written or holds another recording's files,
    and a recording without a sample for EDF+ and BIDS.
    """
    facts = header(recording)
    veil = veil_of(recording, unblind=unblind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        owners = Owners(folder, recording)
        if kind in ("csv", "parquet"):
            for name in file_names(recording, kind):
                owners.claim(name)
            owners.keep()
            return write_tables(recording, kind, folder, veil)
        signals = _read_signals(recording, facts, veil)
        if kind == "bids":
            return write_bids(recording, signals, folder, owners, sources_of(facts))
        paths = write_edf(recording, signals, folder, owners.claim, sources_of(facts))
        owners.keep()
        return paths
    except OSError as error:
        raise InputError(str(folder), "folder", error.strerror or str(error), "a writable folder") from error


def _read_signals(recording: Path, facts: dict[str, str], veil: Veil) -> Signals:
    signals = Signals(facts, veil.hidden)
    topics = ("tick", "guard/verdict", "guard/event", "arm", "process", "clock", "marker")
    phases = Contractions()
    for message in messages(recording, topics):
        record = message.record
        signals.take(record)
        signals.events += ((t_ns, kind, text) for t_ns, kind, text, *_ in event_rows(record, veil))
        if isinstance(record, Tick) and (seen := record.decision.view.exercise) is not None:
            told = [one for one in phases.take_tick(record.now_ns, seen) if isinstance(one, PhaseTold)]
            signals.events += ((one.t_ns, "exercise", phase_words(one)) for one in told)
    if not signals.imu and not signals.emg and not signals.core.points:  # an exercise may need no sensor
        raise InputError(str(recording), "samples", "none", "a recording with at least one sample")
    signals.events.sort()
    return signals
