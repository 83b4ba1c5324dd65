"""Surface EMG against its equations: spectrum, M-wave, artefact, amplifier, electrodes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from models.emg import EmgParams, SurfaceEmg, spectrum

QUIET = EmgParams(noise_v=0.0, mains_v=0.0, drift_v=0.0, m_wave_scatter=0.0, artefact_v_per_ma=0.0)


def _one_channel(params: EmgParams = QUIET, seed: int = 1) -> SurfaceEmg:
    return SurfaceEmg(params, np.ones((1, 1)), np.ones((1, 1)), seed)


@pytest.mark.parametrize("rate_hz", [1000.0, 2000.0])
def test_volition_has_the_spectrum_of_its_equation_and_the_rms_of_its_effort(rate_hz: float) -> None:
    """H(f) = k f / ((f^2 + 60^2) sqrt(f^2 + 120^2)), within the scatter of 240 averages."""
    volts = _one_channel().read(0.0, rate_hz, np.full((round(60 * rate_hz), 1), 0.5))[:, 0]
    assert np.std(volts) == pytest.approx(0.5 * QUIET.volition_v, rel=0.03)
    hertz, power = welch(volts, rate_hz, nperseg=round(rate_hz / 4))
    within = (hertz >= 20.0) & (hertz <= 250.0)
    ratio = power[within] / spectrum(hertz[within]) ** 2
    assert np.std(ratio) / np.mean(ratio) < 0.15


def test_an_m_wave_is_as_large_as_its_recruitment_and_smaller_and_longer_when_tired() -> None:
    """Peak to peak of A r H1(z) exp(-z^2): 4 exp(-1/2) / sqrt 2 A r; peaks sqrt 2 lambda apart."""
    for recruited, tired in ((1.0, 0.0), (0.25, 0.0), (1.0, 1.0)):
        emg = _one_channel()
        emg.pulse(0.0, 0, 20.0, 0.0006, (recruited,), (tired,))
        wave = emg.read(0.0, 10000.0, np.zeros((400, 1)))[:, 0]
        height = QUIET.m_wave_v * recruited * (1.0 - QUIET.m_wave_loss * tired)
        assert np.ptp(wave) == pytest.approx(4.0 * np.exp(-0.5) / np.sqrt(2.0) * height, rel=1e-3)
        apart_s = abs(int(np.argmax(wave)) - int(np.argmin(wave))) / 10000.0
        longer = 1.0 + QUIET.m_wave_longer * tired
        assert apart_s == pytest.approx(np.sqrt(2.0) * QUIET.m_wave_scale_s * longer, abs=2e-4)


def test_a_strong_pulse_drives_the_amplifier_to_its_rail_then_it_is_dead_then_it_recovers() -> None:
    params = EmgParams(m_wave_v=0.0)
    emg = _one_channel(params)
    emg.pulse(0.0, 0, 40.0, 0.0006, (1.0,), (0.0,))
    volts = emg.read(0.0, 10000.0, np.ones((400, 1)))[:, 0]
    # the tail 16 mV exp(-t / 2 ms) falls below 5.5 mV 2.1 ms after the pulse, and then 1 ms of nothing
    assert (volts[:26] == params.rail_v).all()
    assert (volts[28:36] == 0.0).all()
    assert 0.5 < np.std(volts[150:]) / params.volition_v < 1.5


def test_electrodes_off_carry_mains_and_no_muscle() -> None:
    emg = _one_channel(EmgParams())
    emg.set_contact(0, 0.0)
    volts = emg.read(0.0, 1000.0, np.ones((4000, 1)))[:, 0]
    power = np.abs(np.fft.rfft(volts * np.hanning(volts.size))) ** 2
    hertz = np.fft.rfftfreq(volts.size, 1e-3)
    assert power[np.abs(hertz - 50.0) < 1.0].sum() > 0.7 * power[hertz > 5.0].sum()


def test_blocks_and_single_samples_are_the_same() -> None:
    one, other = _one_channel(EmgParams(), 3), _one_channel(EmgParams(), 3)
    for emg in (one, other):
        emg.pulse(0.011, 0, 20.0, 0.0006, (0.5,), (0.0,))
    effort = np.full((2500, 1), 0.2)
    whole = one.read(0.0, 1000.0, effort)
    pieces = [other.read(i / 1000.0, 1000.0, effort[i : i + 1]) for i in range(2500)]
    assert np.abs(whole - np.concatenate(pieces)).max() < 1e-12
