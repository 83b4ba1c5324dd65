"""The terminal while a session runs: state, strides, foot, current, latency; plain lines where there is no
terminal. It shows what the live feed says and decides nothing.
"""

from __future__ import annotations

import contextlib
import time

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from controller.core.signals import ExerciseView, Phase
from controller.record.live import UnlockGlance
from controller.record.telemetry_port import BrokerLink
from controller.runtime.supervisor import Progress

PLAIN_LINE_S = 5.0  # a log keeps a line every five seconds
CURRENT_FULL_MA = 60.0
PITCH_FULL_DEG = 90.0
BAR = 30

STATE_STYLE = {
    "off": "dim",
    "contact test": "yellow",
    "armed": "yellow",
    "active": "bold green",
    "ramp": "yellow",
    "tripped": "bold red",
}


PHASES: dict[Phase, str] = {
    "waiting": "not armed",
    "ready": "get ready",
    "attempt": "try now",
    "on": "contraction",
    "rest": "rest",
    "set_rest": "long rest",
    "paused": "paused",
    "done": "done",
}


class Screen:
    """Call it with each Progress; ``with`` keeps the picture on the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        )
        self._line_at_s = 0.0

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError):  # the terminal is gone: that is STOP, and nothing more
                self._live.update(picture(progress))
        elif time.monotonic() >= self._line_at_s:
            self._line_at_s = time.monotonic() + PLAIN_LINE_S
            with contextlib.suppress(OSError):
                self._console.print(line(progress))


def line(progress: Progress) -> str:
    """One line for a log."""
    arm, status = progress.arm, progress.status
    words = (
        f"[{progress.number + 1}/{progress.arms}] {arm.title}: {progress.note} {progress.elapsed_s:5.1f} s"
    )
    if status is None:
        return words
    if status.exercise is not None:
        return f"{words}, guard {status.guard_state}, {exercise_words(status.exercise)}"
    return (
        f"{words}, guard {status.guard_state}, {status.strides} strides, "
        f"foot {_number(status.foot_pitch_deg, 'deg')}, current {_number(status.applied_ma, 'mA')}, "
        f"sensor to pulse p99 {_number(status.sensor_to_pulse_p99_ms, 'ms')}, "
        f"missed ticks {status.missed_ticks}{f'; {stage}' if (stage := _stage(status.unlock)) else ''}"
    )


def picture(progress: Progress) -> Panel:
    """The terminal's picture."""
    arm, status = progress.arm, progress.status
    title = f"Dorsi  {progress.number + 1} of {progress.arms}: {arm.title}"
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right")
    rows.add_column(min_width=14)
    rows.add_column()
    whole_s = arm.seconds or 1.0
    done = ProgressBar(total=whole_s, completed=min(progress.elapsed_s, whole_s), width=BAR)
    rows.add_row(progress.note, f"{progress.elapsed_s:.0f} s", done if arm.seconds else Text("until STOP"))
    if status is not None:
        state = Text(status.guard_state.upper(), style=STATE_STYLE.get(status.guard_state, ""))
        said = status.guard_text or _stage(status.unlock) or status.reason
        rows.add_row("guard", state, Text(said, style="dim"))
        if status.exercise is not None:
            _add_exercise(rows, status.exercise)
        else:
            rows.add_row("strides", str(status.strides), "swing" if status.swing else "stance")
            rows.add_row("foot pitch", _number(status.foot_pitch_deg, "deg"), _gauge(status.foot_pitch_deg))
            rows.add_row("ankle", _number(status.ankle_deg, "deg"), _gauge(status.ankle_deg))
        rows.add_row("current", _number(status.applied_ma, "mA"), _level(status.applied_ma))
        latency = f"p99 {_number(status.sensor_to_pulse_p99_ms, 'ms')}"
        rows.add_row(
            "sensor to pulse", latency, f"missed ticks {status.missed_ticks}, pulses {status.pulses}"
        )
        if status.telemetry is not None:
            rows.add_row("MQTT", *_broker(status.telemetry))
    keys = Text("SPACE or Ctrl-C = STOP", style="bold white on red")
    if status is not None and status.unlock is not None and status.unlock.by == "person":
        keys.append("   U = unlock feedback", style="default on default")
    return Panel(Group(rows, Text(), keys), title=title, expand=False)


def exercise_words(seen: ExerciseView) -> str:
    """Where in the programme, in a line."""
    left = "" if seen.left_s is None else f" {seen.left_s:.0f} s"
    done = f"{seen.repetition} of {seen.repetitions}{' (warm-up)' if seen.warming_up else ''}"
    currents = ", ".join(f"{m.muscle} {m.current_ma:g} mA" for m in seen.muscles)
    return f"{PHASES[seen.phase]}{left}, {done}, {currents}"


def _add_exercise(rows: Table, seen: ExerciseView) -> None:
    left = Text("" if seen.left_s is None else f"{seen.left_s:.0f} s", style="bold")
    rows.add_row("now", PHASES[seen.phase].upper(), left)
    total = seen.repetitions
    rows.add_row(
        "repetition",
        f"{seen.repetition} of {total}",
        ProgressBar(total=total, completed=seen.repetition, width=BAR),
    )
    if seen.held:
        rows.add_row("guard gave less", Text(seen.held, style="bold yellow"))
    for muscle in seen.muscles:
        rows.add_row(muscle.muscle, f"set {muscle.set_ma:g} mA", Text(f"{muscle.contractions} contractions"))


def _broker(link: BrokerLink) -> tuple[str, Text]:
    """How the way to the broker is, and what waits for it."""
    behind = f"{link.behind} events wait" if link.behind else ""
    return ("connected" if link.connected else "not connected"), Text(link.why or behind, style="dim")


def _stage(unlock: UnlockGlance | None) -> str:
    """The staged unlock while it lasts, and what it waits for."""
    if unlock is None:
        return ""
    waits = "then a person unlocks" if unlock.by == "person" else ""
    if unlock.answered is None:  # blinded
        return f"Staged unlock: {waits}." if waits else ""
    verb = "answered" if unlock.counted == "strides" else "given"
    done = f"{unlock.answered} of {unlock.needed} {unlock.counted} {verb}"
    open_loop = f"Staged unlock: open loop at no more than {unlock.ceiling_ma:g} mA"
    return f"{open_loop}, {done}{f'; {waits}' if waits else ''}."


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.1f} {unit}"


def _level(current_ma: float | None) -> Text:
    filled = min(BAR, round((current_ma or 0.0) / CURRENT_FULL_MA * BAR))
    return Text("#" * filled + "." * (BAR - filled), style="green" if filled else "dim")


def _gauge(angle_deg: float | None) -> Text:
    """A mark between toe down (left) and toe up (right)."""
    if angle_deg is None:
        return Text("." * BAR, style="dim")
    place = round((angle_deg / PITCH_FULL_DEG + 1.0) / 2.0 * (BAR - 1))
    place = min(BAR - 1, max(0, place))
    return Text("." * place + "|" + "." * (BAR - 1 - place), style="cyan")
