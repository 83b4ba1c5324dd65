"""The catalogue of devices: each named in one place, opened by whom it is meant for, told in the docs."""

from __future__ import annotations

import ast
import functools
import io
import tokenize
from pathlib import Path

import pytest

from drivers.catalogue import DECODERS, REFUSED, SENSORS, STIMULATORS, is_inertial
from drivers.emg import ganglion, gforce, myo, npg_lite, shimmer_exg
from drivers.imu import capture2go, metamotion, movella_dot, movesense, open_frame, thingy52, witmotion
from drivers.interface import StimulatorCapability
from drivers.lsl_sensor import LslSensor
from drivers.stimulators.p24 import P24
from drivers.stimulators.rehastim2 import RehaStim2

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted(path for room in ("controller", "drivers", "models") for path in (ROOT / room).rglob("*.py"))
PARTS = ("", "_imu", "_emg", "_lsl", "_own", "_stimulators")
CATALOGUE = {ROOT / "drivers" / f"catalogue{part}.py" for part in PARTS}
NAMES = {*SENSORS, *STIMULATORS, *REFUSED, *DECODERS}
# a device's own codec, driver and emulated peer, and what peers of its kind share
OWN = {"drivers.imu.movella_dot", "drivers.emulated.dot",
       "drivers.imu.capture2go", "drivers.imu.capture2go_packages", "drivers.emulated.capture2go",
       "drivers.imu.witmotion", "drivers.emulated.witmotion",
       "drivers.imu.thingy52", "drivers.emulated.thingy52",
       "drivers.imu.metamotion", "drivers.emulated.metamotion",
       "drivers.imu.movesense", "drivers.emulated.movesense",
       "drivers.imu.open_frame", "drivers.emulated.open_frame", "drivers.emg.umyo",
       "drivers.emg.myo", "drivers.emulated.myo",
       "drivers.emg.ganglion", "drivers.emulated.ganglion",
       "drivers.emg.gforce", "drivers.emulated.gforce",
       "drivers.emg.npg_lite", "drivers.emulated.npg_lite",
       "drivers.emg.shimmer", "drivers.emg.shimmer_exg", "drivers.emulated.shimmer_exg",
       "drivers.stimulators.p24", "drivers.stimulators.pulse_line", "drivers.stimulators.sciencemode4",
       "drivers.stimulators.sciencemode4_words", "drivers.stimulators.sheets",
       "drivers.stimulators.rehastim2", "drivers.stimulators.sciencemode2",
       "drivers.stimulators.openemsstim", "drivers.stimulators.motimove8",
       "drivers.lsl_sensor", "drivers.emulated.lsl_stream",
       "drivers.emulated.p24", "drivers.emulated.rehastim2", "drivers.emulated.serial_peer"}  # fmt: skip


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@functools.cache
def texts(path: Path) -> tuple[str, ...]:
    """Every string in the code of a file; comments and docstrings name devices as they like."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return tuple(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    )


def names_used(path: Path) -> set[str]:
    source = io.StringIO(path.read_text(encoding="utf-8"))
    return {
        token.string for token in tokenize.generate_tokens(source.readline) if token.type == tokenize.NAME
    }


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_devices_name_is_spelled_in_the_catalogue_alone(name: str) -> None:
    spelled = [
        module(path) for path in PRODUCT if path not in CATALOGUE and any(name in t for t in texts(path))
    ]
    assert spelled == []
    scripts = [*(ROOT / "controller" / "console" / "static").glob("*.js")]
    assert scripts
    assert [path.name for path in scripts if name in path.read_text(encoding="utf-8")] == []


def test_a_devices_modules_are_imported_by_the_catalogue_and_by_each_other_alone() -> None:
    for path in PRODUCT:
        if path in CATALOGUE or module(path) in OWN:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            assert not OWN.intersection(names), (module(path), names)


def test_the_guard_alone_opens_a_stimulator_and_the_virtual_world_alone_emulates_a_device() -> None:
    """Both are attributes of an entry: who knows the stimulators' entries, and who calls ``emulate``."""
    knowing = {
        module(path) for path in PRODUCT if path not in CATALOGUE and "STIMULATORS" in names_used(path)
    }
    readers = {
        "controller.config.rig_schema",
        "controller.config.section",
        "controller.config.session",
        "controller.config.exercise",
        "controller.commands.doctor",
        "controller.commands.exercise",
        "controller.commands.exercise_check",
        "controller.commands.programmes",
    }  # of names, capability and port
    assert knowing == readers | {"controller.safety.guard", "controller.runtime.virtual_world"}
    for reader in readers:
        path = ROOT / Path(*reader.split(".")).with_suffix(".py")
        assert ".open(" not in path.read_text(encoding="utf-8")
    emulating = {module(path) for path in PRODUCT if path not in CATALOGUE and "emulate" in names_used(path)}
    assert emulating == {
        "controller.runtime.virtual_world",
        "drivers.devices",
    }  # who calls it; what an entry is


def test_what_the_catalogue_says_is_what_the_drivers_do() -> None:
    opened = {name: device.open("foot", "address", None) for name, device in SENSORS.items()}
    assert {name: type(sensor) for name, sensor in opened.items()} == {
        "movella-dot": movella_dot.MovellaDot,
        "capture2go": capture2go.Capture2Go,
        "witmotion-wt901ble": witmotion.WitMotion,
        "mbientlab-metamotion": metamotion.MetaMotion,
        "thingy52": thingy52.Thingy52,
        "movesense": movesense.Movesense,
        "open-frame": open_frame.OpenFrame,
        "myo": myo.Myo,
        "openbci-ganglion": ganglion.Ganglion,
        "oymotion-gforcepro": gforce.GForce,
        "npg-lite": npg_lite.NpgLite,
        "shimmer3r-exg": shimmer_exg.ShimmerExg,
        "lsl-imu": LslSensor,
        "lsl-emg": LslSensor,
    }
    assert SENSORS["myo"].rate_hz == myo.EMG_RATE_HZ
    assert SENSORS["openbci-ganglion"].rate_hz == ganglion.RATE_HZ
    assert SENSORS["oymotion-gforcepro"].rate_hz in gforce.RATES_HZ
    assert SENSORS["npg-lite"].rate_hz == npg_lite.RATE_HZ
    assert SENSORS["shimmer3r-exg"].rate_hz == shimmer_exg.RATE_HZ
    assert SENSORS["movella-dot"].rate_hz in movella_dot.OUTPUT_RATES_HZ
    assert SENSORS["capture2go"].rate_hz in capture2go.RATES_HZ
    assert SENSORS["witmotion-wt901ble"].rate_hz in witmotion.RATE_CODES
    assert SENSORS["mbientlab-metamotion"].rate_hz == metamotion.RATE_HZ
    assert SENSORS["movesense"].rate_hz in movesense.RATES_HZ
    assert thingy52.RATE_MIN_HZ <= SENSORS["thingy52"].rate_hz <= thingy52.RATE_MAX_HZ
    assert {name for name in SENSORS if is_inertial(name)} == {
        "movella-dot",
        "capture2go",
        "witmotion-wt901ble",
        "mbientlab-metamotion",
        "thingy52",
        "movesense",
        "open-frame",
        "lsl-imu",
    }
    stimulators = {name: device.open("/dev/null") for name, device in STIMULATORS.items()}
    assert {name: type(one) for name, one in stimulators.items()} == {
        "hasomed-p24": P24,
        "hasomed-rehastim2": RehaStim2,
    }
    for name, one in stimulators.items():
        capability: StimulatorCapability = one.capability
        assert capability == STIMULATORS[name].capability


def test_the_readme_names_every_device_of_a_session() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("| kind | in sessions |") :].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in row.split("|")[2].lower().strip().split(", ")]
    for device in (*SENSORS.values(), *STIMULATORS.values()):
        assert any(name in device.title.lower() for name in named), device.title
