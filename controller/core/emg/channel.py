"""One EMG channel from the raw sample to envelope and trigger: check, blank, filter, clean, measure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from controller.core.emg.artefact import AmplifierCheck
from controller.core.emg.envelope import Envelope
from controller.core.emg.filters import HighPass, MainsCanceller
from controller.core.emg.loose import AFTER_MAX, JUMP_FROM, SUDDEN, Line, MainsAppears, MainsGrew
from controller.core.emg.m_wave import LATE_S, NOISE_V, Cleaned, MWaveFilter
from controller.core.emg.onset import SD_SHARE_MIN, RestMeasure, Trigger
from controller.core.emg.params import EmgElectrode, EmgParams
from controller.core.emg.placement import LOOSE
from controller.core.signals import PulseGiven

# What is slower is left out: motion and drift (below 20 Hz, De Luca 2010), half of the M-wave, and little of
# what tells the effort (Potvin and Brown 2004 leave out more). At 200 Hz it would be most of the band.
DRIFT_HZ, DRIFT_SHARE = 60.0, 0.15
BRIDGE_MAX_S = 0.05  # a longer loss holds the last value
SILENT_S = 0.25  # without any sample the muscle is not known
UNKNOWN_S = 0.100  # after a sample that may have held an M-wave
REST_MEASURED_S = 1.0  # of rest, before it is taken
REST_STEP_S = 0.02
WATCH_NS = 4_000_000  # between two looks at the envelope
STIMULATED_S = 0.3  # after the last pulse its answer is out of the envelope
# Below it more than 1.2 times the rest is left of M-waves: 1.5 times at 500 Hz, 3.5 at 200 Hz (docs/emg.md).
STEERS_HZ = 800.0
TOO_SLOW = (
    "this sensor is too slow to tell an effort from the answers to pulses: it counts between trains only"
)
PULSES_MAX = 512  # that wait for the samples of their time
JUMPED_S = 0.17  # after mains has appeared or gone: the envelope's window and a segment
MAINS_SURE_S = 1.0  # after the last pulse nothing of its answer is in what is known of the mains
CALM_S = 0.15  # and so long at rest
JUMPED_MAX_S = 3.0  # then rest is another one, and the signal counts
LEFT_MOST = 3.0  # times rest: what is left of M-waves, with artefacts five times as large
LOUD = 2.0  # times rest: more than noise
SETTLE = 2  # samples after a blank in which what is filtered and interpolated still holds the bridge
RATE_HZ = 1000.0  # until the first frame tells


class MuscleChannel:
    """State of one electrode. Samples in order of time; pulses before the samples of their time."""

    def __init__(self, electrode: EmgElectrode, params: EmgParams) -> None:
        self.electrode = electrode
        self.trigger = Trigger(params.on_sd, params.off_sd, params.refractory_s)
        self.rest_mean_v, self.rest_sd_v = electrode.rest_v, electrode.rest_sd_v or 0.0
        self._params = params
        self._pulses: deque[PulseGiven] = deque(maxlen=PULSES_MAX)
        self._rest: RestMeasure | None = None
        self._rest_next_ns = 0
        self._last_ns: int | None = None
        self._watch_ns = 0
        self._pulse_ns = -(10**12)
        self._unknown_ns: int | None = None
        self._bad_ns: int | None = None
        self._bad_why = ""
        self._begin(RATE_HZ)

    def _begin(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._amplifier = AmplifierCheck(rate_hz, self.electrode.range_v)
        self._high = HighPass(min(DRIFT_HZ, DRIFT_SHARE * rate_hz), rate_hz)
        mains_hz = self._params.mains_hz
        self._mains = MainsCanceller(mains_hz, rate_hz) if mains_hz and mains_hz < 0.45 * rate_hz else None
        # what the other methods leave of M-waves jumps as a lifted electrode does
        mains, looks = self._mains, self._params.method == "prediction"
        self._appears = (
            MainsAppears(mains_hz, mains.orders, rate_hz) if mains_hz and mains and looks else None
        )
        self._grew = MainsGrew()
        self._jumped_ns: int | None = None
        self._calm_ns = 0  # since when at rest
        self.m_wave = MWaveFilter(
            rate_hz, self._params.method, self._high.ring, aligned=self._params.pulses == "found"
        )
        self._envelope = Envelope(rate_hz)
        self._blank_until_ns = 0
        self._settle_ns = SETTLE * 1e9 / rate_hz
        self._samples_per_ns = rate_hz / 1e9
        self._told_apart_ns = AFTER_MAX * 1e9 / rate_hz
        self._held_v, self._held_ns = 0.0, 0
        self._gap: list[PulseGiven | int] = []  # pulses and times of samples not yet given to the filters

    @property
    def m_wave_v(self) -> float | None:
        return self.m_wave.peak_to_peak_v

    @property
    def mains_v(self) -> float:
        return self._mains.amplitude_v if self._mains is not None else 0.0

    @property
    def slow(self) -> str:
        """Why this signal steers nothing while pulses run; '' where it does."""
        return TOO_SLOW if self._rate_hz < STEERS_HZ and self.electrode.answers else ""

    def stimulated(self, now_ns: int) -> bool:
        """Whether answers to pulses may be in the envelope."""
        return now_ns - self._pulse_ns < STIMULATED_S * 1e9

    @property
    def leak_v(self) -> float | None:
        """What is left of M-waves before the person's own activity bounds it, r.m.s. of the last pulses."""
        return None if self.m_wave.leak_v2 is None else math.sqrt(self.m_wave.leak_v2)

    def told(self, pulse: PulseGiven) -> None:
        """A pulse, at the time at which this EMG shows it."""
        self._pulses.append(pulse)

    def resting(self, now_ns: int, rests: bool) -> None:
        if rests and self._rest is None:
            self._rest = RestMeasure()
        elif not rests:
            self._rest = None

    def gap(self) -> None:
        """Samples are missing: filters begin anew, what was learned of pulses stays."""
        self._bridge(self._held_v)
        self._emit(self.m_wave.gap())
        self._high = HighPass(min(DRIFT_HZ, DRIFT_SHARE * self._rate_hz), self._rate_hz)

    def take(self, t_ns: Sequence[int], volts: Sequence[float], rate_hz: float, begin: int = 0) -> int:
        """Raw samples from number ``begin`` on; returns the number after the last one taken.

        It stops where a pulse's segment is to be solved (``due``): after that comes :meth:`solved`.
        """
        if rate_hz != self._rate_hz:
            self._begin(rate_hz)
        for n in range(begin, len(t_ns)):
            now_ns, x = t_ns[n], volts[n]
            if self._pulses and self._pulses[0].t_ns <= now_ns:
                self._blank(now_ns)
            why = self._amplifier.step(x)
            if why or now_ns < self._blank_until_ns:
                self._hide(now_ns, why)
            else:
                if self._gap:
                    self._bridge(x)
                self._filter(now_ns, x, x, good=now_ns >= self._blank_until_ns + self._settle_ns)
            self._last_ns = now_ns
            if self.m_wave.due:
                return n + 1
            if now_ns >= self._watch_ns:
                self._watch(now_ns)
        return len(t_ns)

    def solved(self) -> None:
        """The segment that was due is solved: its samples are clean."""
        self._emit(self.m_wave.solved())
        if self._last_ns is not None and self._last_ns >= self._watch_ns:
            self._watch(self._last_ns)

    def _blank(self, t_ns: int) -> None:
        """Pulses up to this time open a gap."""
        while self._pulses and self._pulses[0].t_ns <= t_ns:
            pulse = self._pulses.popleft()
            self._pulse_ns = pulse.t_ns
            blank_s = self._params.blank_s + 2e-6 * pulse.width_us
            self._blank_until_ns = max(self._blank_until_ns, pulse.t_ns + round(blank_s * 1e9))
            self._gap.append(pulse)

    def _hide(self, t_ns: int, why: str) -> None:
        """A sample that does not show the muscle."""
        if why:
            self._bad_ns, self._bad_why = t_ns, why
        self._gap.append(t_ns)
        if t_ns - self._held_ns > BRIDGE_MAX_S * 1e9:
            self._bridge(self._held_v)

    def _bridge(self, to_v: float) -> None:
        """Give the filters a straight line in place of the samples that do not show the muscle."""
        missing = sum(isinstance(one, int) for one in self._gap)
        from_v, done = self._held_v, 0
        for one in self._gap:
            if isinstance(one, int):
                done += 1
                self._filter(one, from_v + (to_v - from_v) * done / (missing + 1), math.nan, good=False)
            else:
                self._emit(self.m_wave.pulse(one))
        self._gap.clear()

    def _filter(self, t_ns: int, volts: float, raw: float, *, good: bool) -> None:
        self._held_ns, self._held_v = t_ns, volts
        y = self._high.step(volts)
        if self._mains is not None:
            y -= self._mains.estimate(t_ns)
            since_ns = t_ns - self._pulse_ns
            if self._appears is not None and good and since_ns > LATE_S * 1e9:
                after = (
                    round(since_ns * self._samples_per_ns) if since_ns < self._told_apart_ns else AFTER_MAX
                )
                found = self._appears.late(t_ns, y, self.rest_mean_v or NOISE_V, after)
                if found is not None:
                    self._appeared(found)
        clean = self.m_wave.take(t_ns, y, raw, good, waits=not math.isnan(raw))
        if clean:
            self._emit(clean)

    def _emit(self, samples: list[Cleaned]) -> None:
        if not samples:
            return
        times = [t_ns for t_ns, _, known in samples if known]
        volts = [left_v for _, left_v, known in samples if known]
        if len(times) < len(samples):
            self._unknown_ns = max(t_ns for t_ns, _, known in samples if not known)
        self._envelope.take(times, volts)
        if self._mains is None or self._appears is None:
            return
        found = self._appears.cleaned(times, volts, self.rest_mean_v or NOISE_V, self.m_wave.behind)
        self._mains.careful = samples[-1][0] - self._pulse_ns > STIMULATED_S * 1e9
        self._mains.learn(times, volts)
        if found is not None or self._appears.sudden is self.m_wave.teaches:
            self._appeared(found)

    def _appeared(self, found: Line | None) -> None:
        """Mains that has just appeared or gone: what was learned with the other is of no use."""
        if self._appears is not None:
            self.m_wave.teaches = not self._appears.sudden
        if found is not None and self._mains is not None:
            self._mains.jump(found.weights)
            self.m_wave.learn_anew()
            self._jumped_ns = self._calm_ns = self._held_ns

    def _watch(self, t_ns: int) -> None:
        """Trigger and rest, on the envelope of the newest sample."""
        self._watch_ns = t_ns + WATCH_NS
        value_v = self._envelope.value_v(t_ns)
        stimulated = self.stimulated(t_ns)
        sure = t_ns - self._pulse_ns > MAINS_SURE_S * 1e9 or self._jumped_ns is not None
        self._grew.step(WATCH_NS / 1e9, self.mains_v, value_v, self.rest_mean_v or NOISE_V, sure=sure)
        if self._jumped_ns is not None:
            self._settle(t_ns, value_v)
        envelope_v, quality = self._judged(t_ns, value_v)
        if self._rest is not None and not quality and envelope_v is not None and t_ns >= self._rest_next_ns:
            self._rest_next_ns = t_ns + round(REST_STEP_S * 1e9)
            self._rest.take(envelope_v)
            if self._rest.count * REST_STEP_S >= REST_MEASURED_S:
                self.rest_mean_v, self.rest_sd_v = self._rest.mean_v, self._rest.sd_v
        if self.rest_mean_v is not None:
            self.trigger.step(
                t_ns,
                None if quality or (stimulated and self.slow) else envelope_v,
                self.rest_mean_v,
                self.rest_sd_v,
                stimulated=stimulated,
            )

    def _settle(self, t_ns: int, value_v: float | None) -> None:
        """After mains has appeared or gone the signal counts again once the muscle was seen at rest."""
        if self._jumped_ns is None or self._grew.loose:
            return
        if value_v is None or value_v > JUMP_FROM * (self.rest_mean_v or NOISE_V):
            self._calm_ns = t_ns
        since_s = (t_ns - self._jumped_ns) / 1e9
        if since_s > JUMPED_MAX_S or (since_s > JUMPED_S and t_ns - self._calm_ns > CALM_S * 1e9):
            self._jumped_ns = None

    def envelope_at(self, now_ns: int) -> tuple[float | None, str]:
        """The envelope and why it is not to be relied on."""
        if self._last_ns is None or now_ns - self._last_ns > SILENT_S * 1e9:
            return None, "no EMG arrives"
        return self._judged(now_ns, self._envelope.value_v(min(now_ns, self._last_ns)))

    def _judged(self, now_ns: int, value_v: float | None) -> tuple[float | None, str]:
        if self._grew.loose:
            return value_v, LOOSE
        if self._jumped_ns is not None or (self._appears is not None and self._appears.sudden):
            return value_v, SUDDEN
        if self._unknown_ns is not None and now_ns - self._unknown_ns < UNKNOWN_S * 1e9:
            return value_v, "not known yet: the first answers to stimulation are being learned"
        loud_v = LOUD * (self.rest_mean_v or NOISE_V)
        if value_v is not None and self._mains is not None and self._mains.rules(loud=value_v > loud_v):
            return value_v, LOOSE
        if value_v is None:
            recent = self._bad_ns is not None and now_ns - self._bad_ns < SILENT_S * 1e9
            return None, self._bad_why if recent else "too little signal between the pulses"
        return value_v, ""

    def feigned(self) -> float | None:
        """The activation that the last pulses' residual could feign."""
        if self.leak_v is None or self.electrode.maximum_v is None:
            return None
        return self.leak_v / self.electrode.maximum_v

    def floor(self, now_ns: int) -> float:
        """The activation that the muscle at rest reaches by chance, or by what is left of M-waves."""
        if self.rest_mean_v is None:
            return 0.0
        if self.stimulated(now_ns):
            return self.activation(LEFT_MOST * self.rest_mean_v)
        sd_v = max(self.rest_sd_v, SD_SHARE_MIN * self.rest_mean_v)
        return self.activation(self.rest_mean_v + self._params.on_sd * sd_v)

    def activation(self, envelope_v: float | None) -> float:
        """Share of the way from rest to the person's maximum, in the square where noise adds."""
        if envelope_v is None or self.rest_mean_v is None or self.electrode.maximum_v is None:
            return 0.0
        own_v = math.sqrt(max(0.0, envelope_v**2 - self.rest_mean_v**2))
        top_v = math.sqrt(max(1e-18, self.electrode.maximum_v**2 - self.rest_mean_v**2))
        return min(1.0, own_v / top_v)
