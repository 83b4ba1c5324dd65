"""The tables of a report, the same for the page and for paper: strides, doses, changes of settings.

Promises every cell as text with its unit in the head. Refuses to show, of a blinded arm, what gives its mode
away.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from controller.analysis.arm_columns import ArmData
from controller.record.privacy import audit_text, role
from controller.record.reader import messages
from controller.record.records import Audit, Delivered
from controller.record.stride_state import StrideState
from controller.record.strides import Stride

LOAD_BLOCK = 20  # pulses: about those of a swing
STRIDES_MAX = 2000  # of an arm; the exports hold them all
UNKNOWN = "–"


STATE_WORDS: Mapping[str, str] = {  # of controller.record.stride_state
    "counted": "yes",
    "wash_out": "wash-out",
    "unlock": "staged unlock",
    "stopped": "stopped",
    "other_law": "another law",
    "left_out": "no",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table and a sentence below it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def stride_sheet(arm: ArmData) -> Sheet:
    """One row a stride, the washed-out ones too."""

    def row(number: int, stride: Stride) -> tuple[str, ...]:
        given = (f"{stride.charge_uc:.0f}", str(stride.pulses), f"{stride.current_max_ma:.1f}")
        return (
            str(number) if stride.state == "counted" else f"({number})",
            STATE_WORDS[stride.state],
            f"{(stride.initial_contact_ns - arm.begin_ns) / 1e9:.2f}",
            f"{stride.duration_s:.2f}",
            UNKNOWN if stride.swing_s is None else f"{stride.swing_s:.2f}",
            _degrees(stride.ankle_at_initial_contact_deg),
            _degrees(stride.foot_pitch_at_initial_contact_deg),
            _degrees(stride.peak_swing_dorsiflexion_deg),
            _degrees(stride.swing_pitch_rmse_deg),
            *((UNKNOWN,) * 3 if arm.blinded else given),
        )

    left_out = len(arm.walked) - STRIDES_MAX
    notes = [
        "Angles from the virtual body." if arm.virtual else "Angles as the sensors saw them.",
        f"In brackets: in no figure ({left_out_words(arm.left_out)})." if arm.left_out else "",
        f"{left_out} later strides are in the exports." if left_out > 0 else "",
    ]
    return Sheet(
        f"{arm.label}: {len(arm.walked)} strides",
        ("stride", "counts", "at s", "lasts s", "swing s", "ankle at contact °", "pitch at contact °",
         "peak dorsiflexion °", "pitch error °", "charge µC", "pulses", "highest mA"),
        tuple(row(number, stride) for number, stride in enumerate(arm.walked[:STRIDES_MAX], start=1)),
        " ".join(note for note in notes if note),
    )  # fmt: skip


def left_out_words(left_out: Mapping[StrideState, int] | Mapping[str, int]) -> str:
    """How many strides are in no figure, and why; empty where all are."""
    return ", ".join(f"{count} {_why(state)}" for state, count in left_out.items())


def _why(state: str) -> str:
    return "for a reason that is blinded" if state == "left_out" else STATE_WORDS[state]


def dose_sheet(arms: Sequence[ArmData]) -> Sheet:
    """What each arm gave in all."""

    def row(arm: ArmData) -> tuple[str, ...]:
        if arm.blinded:
            return arm.label, *(UNKNOWN,) * 5
        charge_mc = sum(pulse.charge_uc for pulse in arm.pulses) / 1e3
        return (
            arm.label,
            str(len(arm.pulses)),
            f"{charge_mc:.2f}",
            f"{charge_mc / arm.seconds * 60:.2f}" if arm.seconds else UNKNOWN,
            f"{max((pulse.current_ma for pulse in arm.pulses), default=0.0):.1f}",
            f"{max((pulse.phase_charge_uc for pulse in arm.pulses), default=0.0):.2f}",
        )

    return Sheet(
        "Doses",
        ("arm", "pulses", "phase charge mC", "mC a minute", "highest mA", "highest µC a phase"),
        tuple(row(arm) for arm in arms),
        "Charge of one phase of each pulse; the other phase takes as much back.",
    )


def electrode_sheet(parts: Sequence[tuple[str, Sequence[Delivered]]]) -> Sheet | None:
    """What each part's pulses met, by channel; None where no device measured any."""
    rows = [
        (label, str(channel), *_electrode([one for one in told if one.channel == channel]))
        for label, told in parts
        for channel in sorted({one.channel for one in told})
    ]
    if not rows:
        return None
    heads = ("", "channel", "pulses", "asked mC", "arrived mC", "arrived %",
             "first Ω", "least Ω", "last Ω", "most Ω")  # fmt: skip
    note = (
        f"As the stimulator measured it, medians of {LOAD_BLOCK} pulses; charge of the phases of one sign. A "
        "load that rises tells of pads that dry or lift (F28)."
    )
    return Sheet("At the electrodes", heads, tuple(rows), note)


def _electrode(told: Sequence[Delivered]) -> tuple[str, ...]:
    charged = [one for one in told if one.charge_uc is not None]
    asked_mc = sum(one.asked_uc for one in charged or told) / 1e3
    arrived_mc = sum(one.charge_uc or 0.0 for one in charged) / 1e3
    arrived = (f"{arrived_mc:.2f}", f"{100 * arrived_mc / asked_mc:.0f}") if charged else (UNKNOWN,) * 2
    loads = [one.load_ohm for one in told if one.load_ohm is not None]
    blocks = [median(loads[at : at + LOAD_BLOCK]) for at in range(0, len(loads), LOAD_BLOCK)]
    met: tuple[str, ...] = (UNKNOWN,) * 4
    if blocks:
        met = tuple(f"{ohm:.0f}" for ohm in (blocks[0], min(blocks), blocks[-1], max(blocks)))
    return str(len(told)), f"{asked_mc:.2f}", *arrived, *met


def change_sheet(recording: Path) -> Sheet:
    """What persons at the console did to the settings, in its order."""
    rows = []
    for message in messages(recording, ("audit",)):
        audit = message.record
        if isinstance(audit, Audit):
            utc = time.strftime("%H:%M:%S", time.gmtime(audit.utc_ns / 1e9))
            changes = "; ".join(f"{each.key} {each.old:g} → {each.new:g}" for each in audit.changes)
            words = "; ".join(text for text in (changes, audit_text(audit)) if text)
            preview = ", ".join(f"{name} {value:.3g}" for name, value in audit.preview.items())
            rows.append((utc, audit.kind, role(audit.by), words or UNKNOWN, preview or UNKNOWN))
    heads = ("UTC", "what", "who", "setting, old → new", "preview")
    note = "Names, reasons and answers are in the recording." if rows else "Nobody changed a setting."
    return Sheet("Changes of settings", heads, tuple(rows), note)


def _degrees(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
