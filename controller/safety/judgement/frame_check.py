"""The pure judge: may this frame's currents leave, yes, no, or less?

It blocks (off, with a reason) and never repairs; the documented ramps alone reduce. Decreases are never
limited. What is broken beyond doubt is named as a fault of the fault table.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from controller.safety.judgement.frame_fields import nonsense
from controller.safety.judgement.limits import (
    DOSE_WINDOW_S,
    ON_WINDOW_S,
    Ceiling,
    Effective,
    Limits,
    burst_uc,
    charge_uc,
    density_rms_ma_cm2,
    energy_mj,
)
from controller.safety.judgement.wire import FRAME_GAP_MIN_NS, BadFrame, Channels, Frame, VerdictKind
from drivers.interface import ChannelCommand

MS = 1_000_000
RISE_WINDOW_NS = 250 * MS  # sending frames faster must not beat the rise limit
TICK_NS = 5 * MS  # of a controller: what a frame may rise is for this time, and less time allows less
# A frame that comes late leaves its rise to the next, as far as this goes: frames may reach the guard 4 ms
# nearer to each other than they were made (the core keeps 6 ms), and no turn of the guard jumps by more than
# two frames, which a walking person notices but does not start at.
RISE_SAVED_NS = 10 * MS
FUTURE_NS = 1 * MS  # both ends read the same clock; more is a broken stamp
BAD_WINDOW_NS = 1000 * MS  # F6: this many bad frames ...
BAD_FRAMES_TRIP = 3  # ... within the window trip
CLOSE_FRAMES_TRIP = 4  # F24: this many frames within the window too close to the one before trip
TRAIN_PAUSE_NS = 100 * MS  # a shorter off does not begin a new train
TRAIN_TRIP_NS = 1000 * MS  # F9: a controller that goes on asking this long past the train limit is broken
DOSE_BIN_NS = 1000 * MS
DOSE_WINDOW_NS = int(DOSE_WINDOW_S * 1e9)
Trains = tuple[tuple[int, int], ...]  # ns, when current was first and last asked for, oldest first
Doses = tuple[tuple[int, float], ...]  # (DOSE_BIN_NS number, uC), oldest first
DOSE_WORDS = f"{{:.0f}} uC in {DOSE_WINDOW_S:g} s"
ON_WORDS = "current for {0:.1%} of {2:g} s"
DENSITY_WORDS = "{:.3g} mA/cm2 r.m.s. under half of {:g} cm2"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the judge holds a frame against: the session, one electrode area per channel, the limits."""

    session: int
    areas_cm2: tuple[float, ...]
    effective: Effective
    on_window_s: float = ON_WINDOW_S["gait"]

    @property
    def on_window_ns(self) -> int:
        return int(self.on_window_s * 1e9)


class SensorAge(NamedTuple):
    """Age of the newest valid sample of a required sensor; ``inf`` where there has been none."""

    sensor: str
    age_ms: float
    age_max_ms: float
    misfit: str = ""  # why what came last was no sample

    @property
    def words(self) -> str:
        said = f"sensor {self.sensor}: newest valid sample is {self.age_ms:.0f} ms old"
        return f"{said}; the last was not taken, {self.misfit}" if self.misfit else said


class Level(NamedTuple):
    """What was let through from ``t_ns`` on; off counts as zero."""

    t_ns: int
    current_ma: float
    charge_uc: float  # of all cycles of a burst


OFF = Level(0, 0.0, 0.0)


class Track(NamedTuple):
    """One channel's past, as far as a limit looks back."""

    levels: tuple[Level, ...] = ()  # oldest first: the rise window and the one level before it
    risen_ns: int = -RISE_SAVED_NS  # the rise of all time up to here is used
    trains: Trains = ()  # those of the on-share's window
    doses: Doses = ()


class Memory(NamedTuple):
    """What the judge remembers from frame to frame."""

    tracks: tuple[Track, ...]
    last_seq: int = -1
    last_t_ns: int = 0
    bad_ns: tuple[int, ...] = ()
    bad_total: int = 0
    close_ns: tuple[int, ...] = ()


class Judgement(NamedTuple):
    """``fresh`` frames alone feed the watchdog. ``limit`` names the binding limit and who set it."""

    verdict: VerdictKind
    reason: str
    channels: Channels
    limit: str = ""
    fault: str | None = None
    fresh: bool = True


def fresh_memory(channels: int) -> Memory:
    """A memory without past."""
    return Memory((Track(),) * channels)


def rested(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Without past, except the trains and the dose already given."""
    return tuple(Track(trains=track.trains, doses=track.doses) for track in tracks)


def dose_uc(track: Track, now_ns: int) -> float:
    """Charge given in the last DOSE_WINDOW_S; whole bins, so never less than the true figure."""
    return math.fsum([uc for _, uc in _recent(track.doses, now_ns)])


def dosed(track: Track, now_ns: int, uc: float) -> Track:
    """``track`` after one more pulse of ``uc``."""
    number = now_ns // DOSE_BIN_NS
    doses = _recent(track.doses, now_ns)
    if doses and doses[-1][0] == number:
        uc += doses[-1][1]
        doses = doses[:-1]
    return track._replace(doses=(*doses, (number, uc)))


def _recent(doses: Doses, now_ns: int) -> Doses:
    """Those of the last DOSE_WINDOW_S: found by halving, as there is one for each second."""
    return doses[bisect_left(doses, ((now_ns - DOSE_WINDOW_NS) // DOSE_BIN_NS, 0.0)) :]


def judge(
    now_ns: int,
    frame: Frame | BadFrame,
    ages: Sequence[SensorAge],
    rules: Rules,
    memory: Memory,
    *,
    closed: str = "",
    ceiling: Ceiling | None = None,
) -> tuple[Judgement, Memory]:
    """The verdict on ``frame`` and the memory after it.

    ``closed`` says in words why nothing may leave in the guard's present state.
    """
    off: Channels = (None,) * len(rules.areas_cm2)
    disorder = _disorder(now_ns, frame, rules, memory)
    if isinstance(frame, BadFrame) or disorder:
        bad_ns = (*(t for t in memory.bad_ns if now_ns - t < BAD_WINDOW_NS), now_ns)
        fault = "F6" if len(bad_ns) >= BAD_FRAMES_TRIP else None
        memory = memory._replace(bad_ns=bad_ns, bad_total=memory.bad_total + 1)
        return Judgement("blocked", disorder, off, fault=fault, fresh=False), memory
    gap_ns = frame.t_ns - memory.last_t_ns
    memory = memory._replace(last_seq=frame.seq, last_t_ns=frame.t_ns)
    if gap_ns < FRAME_GAP_MIN_NS:  # by tick times: good frames may wait for a guard that stood still
        close_ns = (*(t for t in memory.close_ns if now_ns - t < BAD_WINDOW_NS), now_ns)
        fault = "F24" if len(close_ns) >= CLOSE_FRAMES_TRIP else None
        reason = f"frame is {gap_ns / MS:.2f} ms from the one before it, at least {FRAME_GAP_MIN_NS // MS} ms"
        memory = memory._replace(close_ns=close_ns)
        return Judgement("blocked", reason, off, fault=fault, fresh=False), _rest(now_ns, memory)

    if broken := nonsense(frame, len(rules.areas_cm2)):
        return Judgement("blocked", broken, off, fault="F7"), _rest(now_ns, memory)

    limits = rules.effective.limits
    lifetime_ms = min(frame.lifetime_ms, limits.frame_age_max_ms)
    age_ms = (now_ns - frame.t_ns) / MS
    if age_ms > lifetime_ms:
        reason = f"frame is {age_ms:.0f} ms old, it ends after {lifetime_ms:g} ms"
        return Judgement("blocked", reason, off, fresh=False), _rest(now_ns, memory)

    if closed:
        wanted = any(channel is not None for channel in frame.channels)
        verdict: VerdictKind = "blocked" if wanted else "ok"
        return Judgement(verdict, closed if wanted else "nothing asked for", off), _rest(now_ns, memory)

    for age in ages:
        if not age.age_ms <= age.age_max_ms:
            reason = age.words
            limit = f"sensor {age.sensor} age {age.age_max_ms:g} ms"
            return Judgement("blocked", reason, off, limit, fault="F1"), _rest(now_ns, memory)

    tracks = tuple(
        _asked(now_ns, track, channel, rules)
        for track, channel in zip(memory.tracks, frame.channels, strict=True)
    )
    for index, channel in enumerate(frame.channels):
        if channel is None:
            continue
        if beyond := _beyond(now_ns, channel, rules.areas_cm2[index], tracks[index], rules):
            name, found = beyond
            limit = rules.effective.named(name)
            fault = "F9" if _used_up(name, tracks[index], limits.train_max_s) else None
            reason = f"channel {index}: {found} is beyond {limit}"
            memory = memory._replace(tracks=tracks)
            return Judgement("blocked", reason, off, limit, fault), _rest(now_ns, memory)

    applied: list[ChannelCommand | None] = []
    reasons: list[str] = []
    binding = ""
    for index, channel in enumerate(frame.channels):
        if channel is None:
            applied.append(None)
            continue
        allowed_ma, limit = _allowed_ma(now_ns, channel, tracks[index], rules)
        if ceiling is not None and ceiling.current_ma[index] < allowed_ma:
            allowed_ma, limit = ceiling.current_ma[index], ceiling.name
        if channel.current_ma > allowed_ma:
            reasons.append(f"channel {index}: {channel.current_ma:.3g} to {allowed_ma:.3g} mA by {limit}")
            binding = binding or limit
            applied.append(replace(channel, current_ma=allowed_ma))
        else:
            applied.append(channel)
    tracks = tuple(
        _levelled(now_ns, _paid(now_ns, track, channel, limits), channel)
        for track, channel in zip(tracks, applied, strict=True)
    )
    verdict = "reduced" if reasons else "ok"
    return Judgement(verdict, "; ".join(reasons), tuple(applied), binding), memory._replace(tracks=tracks)


def _disorder(now_ns: int, frame: Frame | BadFrame, rules: Rules, memory: Memory) -> str:
    """Why a frame is not the next one of this session (F6); empty where it is."""
    if isinstance(frame, BadFrame):
        return f"bad frame: {frame.reason}"
    if frame.session != rules.session:
        return f"frame of session {frame.session}, this is session {rules.session}"
    if frame.seq <= memory.last_seq:
        return f"frame {frame.seq} after frame {memory.last_seq}"
    if frame.t_ns < memory.last_t_ns:
        return f"frame {frame.seq} is older than the one before it"
    if frame.t_ns > now_ns + FUTURE_NS:
        return f"frame {frame.seq} is from the future"
    return ""


def _asked(now_ns: int, track: Track, channel: ChannelCommand | None, rules: Rules) -> Track:
    """The train goes by what is asked for, so that blocking a train does not end it."""
    if channel is None or channel.current_ma == 0.0:
        return track
    trains = tuple([train for train in track.trains if now_ns - train[1] < rules.on_window_ns])
    if trains and now_ns - trains[-1][1] < TRAIN_PAUSE_NS:
        return track._replace(trains=(*trains[:-1], (trains[-1][0], now_ns)))
    return track._replace(trains=(*trains, (now_ns, now_ns)))


def _train_s(track: Track) -> float:
    """Length of the present train up to when current was last asked for."""
    return (track.trains[-1][1] - track.trains[-1][0]) / 1e9 if track.trains else 0.0


def on_share(track: Track, now_ns: int, window_ns: int) -> float:
    """What of the last ``window_ns`` current was asked for, 0 to 1; short pauses count as on."""
    begin_ns = now_ns - window_ns
    return sum([max(0, end - max(start, begin_ns)) for start, end in track.trains]) / window_ns


def _beyond(
    now_ns: int, channel: ChannelCommand, area_cm2: float, track: Track, rules: Rules
) -> tuple[str, str] | None:
    """Name of the first limit this channel breaks and what was found; None where it breaks none."""
    limits = rules.effective.limits
    charge = charge_uc(channel.current_ma, channel.width_us)
    cycles = channel.cycles
    density = density_rms_ma_cm2(channel.current_ma, channel.width_us, channel.rate_hz, area_cm2, cycles)
    energy = energy_mj(channel.current_ma, channel.width_us, cycles)
    train_s, share = 0.0, 0.0
    if channel.current_ma > 0.0:
        train_s, share = _train_s(track), on_share(track, now_ns, rules.on_window_ns)
    dose = dose_uc(track, now_ns) + cycles * charge
    for name, broken, found, words in (
        ("current_max_ma", channel.current_ma > limits.current_max_ma, channel.current_ma, "{:g} mA"),
        ("width_min_us", channel.width_us < limits.width_min_us, channel.width_us, "{:g} us"),
        ("width_max_us", channel.width_us > limits.width_max_us, channel.width_us, "{:g} us"),
        ("rate_min_hz", channel.rate_hz < limits.rate_min_hz, channel.rate_hz, "{:g} Hz"),
        ("rate_max_hz", channel.rate_hz > limits.rate_max_hz, channel.rate_hz, "{:g} Hz"),
        ("cycles_max", cycles > limits.cycles_max, cycles, "a burst of {:g} cycles"),
        ("charge_max_uc", charge > limits.charge_max_uc, charge, "{:g} uC per phase"),
        ("energy_max_mj", energy > limits.energy_max_mj, energy, "{:g} mJ per pulse"),
        ("density_rms_max_ma_cm2", density > limits.density_rms_max_ma_cm2, density, DENSITY_WORDS),
        ("train_max_s", train_s > limits.train_max_s, train_s, "a train of {:.2f} s"),
        ("on_share_max", share > limits.on_share_max, share, ON_WORDS),
        ("dose_max_uc", dose > limits.dose_max_uc, dose, DOSE_WORDS),
    ):
        if broken:
            return name, words.format(found, area_cm2, rules.on_window_s)
    return None


def _used_up(name: str, track: Track, train_max_s: float) -> bool:
    """F9: no dose or no time is left, or a train is asked for long after it was blocked."""
    return name in ("dose_max_uc", "on_share_max") or _train_s(track) > train_max_s + TRAIN_TRIP_NS / 1e9


def _allowed_ma(now_ns: int, channel: ChannelCommand, track: Track, rules: Rules) -> tuple[float, str]:
    """The most the rise limits let this channel carry now, and the limit that binds.

    What a frame may rise is the rise of a whole tick, and of less where less of the guard's own time is left.
    The same rise holds for the charge, counted at the widest allowed pulse: a wider pulse at the same
    current is a rise too, and so are more cycles.
    """
    limits = rules.effective.limits
    window = _window(now_ns, track.levels)
    before = window[-1]
    low_ma = min(level.current_ma for level in window)
    low_uc = min(level.charge_uc for level in window)
    left_ma = limits.rise_max_ma_per_frame * min(1.0, (now_ns - _risen_ns(now_ns, track)) / TICK_NS)
    candidates = []
    for name, rise_ma, base_ma, base_uc in (
        ("rise_max_ma_per_frame", left_ma, before.current_ma, before.charge_uc),
        ("rise_max_ma_per_250ms", limits.rise_max_ma_per_250ms, low_ma, low_uc),
    ):
        rise_uc = burst_uc(rise_ma, limits.width_max_us, channel.cycles)
        candidates.append((base_ma + rise_ma, name))
        candidates.append(((base_uc + rise_uc) / burst_uc(1.0, channel.width_us, channel.cycles), name))
    allowed_ma, name = min(candidates)
    return allowed_ma, rules.effective.named(name)


def _risen_ns(now_ns: int, track: Track) -> int:
    """Up to when the rise is used, or no longer kept."""
    return max(track.risen_ns, now_ns - RISE_SAVED_NS)


def _paid(now_ns: int, track: Track, channel: ChannelCommand | None, limits: Limits) -> Track:
    """The time that a rise to ``channel`` takes of ``track``; what falls gives nothing back."""
    if channel is None:
        return track
    before = track.levels[-1] if track.levels else OFF
    rise_ma = channel.current_ma - before.current_ma
    rise_uc = burst_uc(channel.current_ma, channel.width_us, channel.cycles) - before.charge_uc
    frame_ma = limits.rise_max_ma_per_frame
    ticks = max(0.0, rise_ma / frame_ma, rise_uc / burst_uc(frame_ma, limits.width_max_us, channel.cycles))
    return track._replace(risen_ns=min(now_ns, _risen_ns(now_ns, track) + math.ceil(ticks * TICK_NS)))


def _began_ns(level: Level) -> int:
    return level.t_ns


def _window(now_ns: int, levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels in force at any time of the rise window; the first one began before it."""
    begin_ns = now_ns - RISE_WINDOW_NS
    inside = len(levels) - bisect_right(levels, begin_ns, key=_began_ns)
    if inside == len(levels):
        return (Level(begin_ns, 0.0, 0.0), *levels)  # nothing known before: it was off
    return levels[len(levels) - inside - 1 :]


def _levelled(now_ns: int, track: Track, channel: ChannelCommand | None) -> Track:
    current_ma = 0.0 if channel is None else channel.current_ma
    charge = 0.0 if channel is None else burst_uc(channel.current_ma, channel.width_us, channel.cycles)
    before = track.levels[-1] if track.levels else OFF
    if (before.current_ma, before.charge_uc) == (current_ma, charge):
        return track
    kept = _window(now_ns, track.levels)
    return track._replace(levels=(*kept, Level(now_ns, current_ma, charge)))


def _rest(now_ns: int, memory: Memory) -> Memory:
    """The memory after a frame of which nothing was let through."""
    return memory._replace(tracks=tuple([_levelled(now_ns, track, None) for track in memory.tracks]))
