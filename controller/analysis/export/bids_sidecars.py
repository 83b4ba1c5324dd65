"""What stands beside a BIDS data file: its channels, its sidecar, its events; of BIDS 1.11.

Keys and column names are those of the specification (bids-specification 1.11, motion and EMG).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from controller.analysis.export.signals import CORE, CORE_OTHERWISE, Floats, Given, Series, Signals
from controller.analysis.export.sources import Sources
from controller.core.signals import CLOSED_LOOP

MOTION_COLUMNS = ("name", "component", "type", "tracked_point", "units", "sampling_frequency")
EMG_COLUMNS = (
    "name", "type", "units", "sampling_frequency", "signal_electrode", "reference", "target_muscle",
    "placement_scheme", "placement_description", "description",
)  # fmt: skip
EVENT_COLUMNS = (
    "onset", "duration", "trial_type", "text", "stimulation_channel", "current_ma", "width_us", "cycles",
    "phase_charge_uc", "phase_percent", "decided_before_s",
)  # fmt: skip
PULSE = "stimulation_pulse"  # as trial_type
PLACEMENT = "By the session's staff; how is not in the recording"
ASSUMED = "The maker tells no gain: the size in microvolts is assumed, shape and time are not."
CONTROL_HZ = 200.0  # deadlines of the core
NONE = "n/a"


@dataclass(frozen=True, slots=True)
class About:
    """What the files of a recording share."""

    task: str
    version: str  # of Dorsi, as the recording's head names it
    laws: str  # the control laws of its arms; empty where blinded
    sources: Sources

    @property
    def software(self) -> dict[str, object]:
        return {"TaskName": self.task, "SoftwareVersions": f"dorsi {self.version}"}


def motion_channels(name: str, series: Series, each_hz: int) -> list[Sequence[object]]:
    """One row a column of the motion file, the time first."""
    rows: list[Sequence[object]] = [("latency", NONE, "LATENCY", NONE, "s", each_hz)]
    points = series.points or (name,) * len(series.names)
    for label, unit, point in zip(series.names, series.units, points, strict=True):
        stem, _, axis = label.partition("_")
        match stem:
            case "acc" | "gyr":
                kind, component = ("ACCEL" if stem == "acc" else "GYRO"), axis
            case "ankle":
                kind, component = "JNTANG", NONE
            case _:
                kind, component = "MISC", NONE
        rows.append((label, component, kind, point, unit, each_hz))
    return rows


def motion_sidecar(
    name: str, about: About, at_s: Floats, channels: Sequence[Sequence[object]]
) -> dict[str, object]:
    kinds = [str(row[2]) for row in channels]
    seconds = float(at_s[-1])
    counted = ("ACCEL", "ANGACCEL", "GYRO", "JNTANG", "LATENCY", "MAGN", "MISC", "ORNT", "POS", "VEL")
    return {
        **about.software,
        **_hardware(name, about),
        "SamplingFrequency": channels[0][5],
        "SamplingFrequencyEffective": (len(at_s) - 1) / seconds if seconds > 0 else NONE,
        "TrackingSystemName": name,
        "TrackedPointsCount": len({row[3] for row in channels[1:]}),
        "MotionChannelCount": len(channels),
        "RecordingDuration": seconds,
        "MissingValues": "n/a: not received, not valid, not known, or a current that is off",
        **{f"{kind}ChannelCount": kinds.count(kind) for kind in counted},
    }


def emg_channels(labels: Sequence[str], name: str, about: About, each_hz: int) -> list[Sequence[object]]:
    """One row a signal of the EDF file, by its ``labels`` there."""
    device = about.sources.device(name)
    assumed = device is not None and device.size_assumed
    said = ASSUMED if assumed else NONE
    return [
        (
            label, "EMG", "uV", each_hz, NONE, NONE, about.sources.muscles.get((name, number), NONE),
            "other", PLACEMENT, said,
        )
        for number, label in enumerate(labels)
    ]  # fmt: skip


def emg_sidecar(name: str, about: About, each_hz: int, channels: int, seconds: float) -> dict[str, object]:
    device = about.sources.device(name)
    assumed = device is not None and device.size_assumed
    return {
        **about.software,
        **_hardware(name, about),
        "SamplingFrequency": each_hz,
        "EMGChannelCount": channels,
        "EMGPlacementScheme": "Other",
        "EMGPlacementSchemeDescription": PLACEMENT,
        "EMGReference": NONE,
        "PowerLineFrequency": about.sources.mains_hz or NONE,
        "RecordingType": "continuous",
        "RecordingDuration": seconds,
        "SoftwareFilters": NONE,
        "HardwareFilters": NONE,
        **(
            {"UnitsAssumed": "The maker tells no gain: the size is assumed, shape and time are not."}
            if assumed
            else {}
        ),
    }


def event_rows(signals: Signals, begin_ns: int) -> list[Sequence[object]]:
    """All that happened, pulses delivered too, in order; onsets in s from ``begin_ns``, maybe negative."""
    times_ns = np.fromiter(signals.phases, dtype=np.int64)
    made: list[tuple[float, tuple[object, ...]]] = [
        ((t_ns - begin_ns) / 1e9, (NONE, kind, text or NONE, *(NONE,) * 7))
        for t_ns, kind, text in signals.events
    ]
    for given in signals.pulses:
        pulse = given.pulse
        cells = (
            f"{given.seconds:.7g}", PULSE, NONE, pulse.channel, f"{pulse.current_ma:.6g}",
            f"{pulse.width_us:.6g}", pulse.cycles, f"{pulse.phase_charge_uc:.6g}",
            _phase(given, signals, times_ns), f"{(pulse.t_ns - given.decided_ns) / 1e9:.6f}",
        )  # fmt: skip
        made.append(((pulse.t_ns - begin_ns) / 1e9, cells))
    made.sort(key=lambda each: each[0])
    return [(f"{onset_s:.6f}", *cells) for onset_s, cells in made]


def _phase(given: Given, signals: Signals, times_ns: npt.NDArray[np.int64]) -> str:
    """Of the stride, at the last tick that is not after the decision."""
    place = int(np.searchsorted(times_ns, given.decided_ns, side="right")) - 1
    return NONE if place < 0 else f"{signals.phases[int(times_ns[place])]:.3f}"


def events_sidecar(about: About, signals: Signals) -> dict[str, object]:
    """Every column of the events, and how the loop was closed (docs/recording-format.md: a proposal)."""
    kinds = {kind for _, kind, _ in signals.events} | ({PULSE} if signals.pulses else set())
    made: dict[str, object] = {
        "trial_type": {
            "Description": "What happened: of gait, guard, arms of a trial, processes or an exercise.",
            "Levels": {kind: _level(kind) for kind in sorted(kinds)},
        },
        "text": {"Description": "What the event says."},
        "stimulation_channel": {"Description": "Channel of the stimulator, from 0 as in the session file."},
        "current_ma": {"Description": "Amplitude of each phase of the pulse.", "Units": "mA"},
        "width_us": {
            "Description": "Duration of one phase; the event's is that of all.",
            "Units": "us",
        },
        "cycles": {"Description": "Biphasic pulses in the burst; 1 is a single pulse."},
        "phase_charge_uc": {"Description": "Charge of one phase.", "Units": "uC"},
        "phase_percent": {"Description": "Of the stride as the pulse was decided, 0 at initial contact."},
        "decided_before_s": {
            "Description": "From the controller's decision to the onset.",
            "Units": "s",
        },
        "StimulusPresentation": {"SoftwareName": "Dorsi", "SoftwareVersion": about.version},
    }
    if signals.pulses:
        made["ClosedLoopParameters"] = {
            "LoopType": "closed" if any(law in about.laws for law in CLOSED_LOOP) else "triggered",
            "ControlLaw": about.laws or NONE,
            "StateSignals": list(about.sources.devices),
            "StateVariable": "phase_percent",
            "DecisionFrequency": CONTROL_HZ,
            "DecisionToStimulusColumn": "decided_before_s",
            "TargetChannelColumn": "stimulation_channel",
        }
    return made


def _level(kind: str) -> str:
    """What a trial_type is, by its beginning."""
    by, _, what = kind.partition("_")
    return {
        "stimulation": "One biphasic pulse, or one burst of them, written to the stimulator.",
        "guard": f"The guard, which judges every command: {what}.",
        "process": f"A process of the rig: {what}.",
        "arm": f"An arm of the trial: {what}.",
        "exercise": "The programme comes to another phase.",
        "unreadable": "A message of the recording that cannot be read.",
    }.get(by, f"Event of the gait, as the controller saw it: {kind.replace('_', ' ')}.")


def _hardware(name: str, about: About) -> dict[str, object]:
    """Who made the source; not known where the recording does not say which device it was."""
    device = about.sources.device(name)
    if device is not None:
        return {"Manufacturer": device.maker or NONE, "ManufacturersModelName": device.title}
    made = ("Dorsi", "control core") if name in (CORE, CORE_OTHERWISE) else (NONE, NONE)
    return dict(zip(("Manufacturer", "ManufacturersModelName"), made, strict=True))


def text_of(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
