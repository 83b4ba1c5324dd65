"""The columns of the exported tables: name, type, unit, sign, definition and source.

The tables, the data dictionary beside them, the report's and the documentation's are made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["integer", "number", "text", "yes/no"]

MONOTONIC = "ns of monotonic time; table clock relates it to UTC"
TOE_UP = "toe-up +, 0 with the sole level"
DORSIFLEXED = "dorsiflexion +, 0 with the shank at right angles to the sole"
SENSOR_AXES = "along the sensor's own axes"
DEVICE, DRIVER, CORE, GUARD = "sensor", "driver", "core", "guard"
STRIDES = "computed: controller.record.strides"
EVENTS = "core's events"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``unit`` and ``sign`` are empty where it has none; ``source`` is who says it.

    An empty cell is a value that nobody knows, or a current that is off.
    """

    name: str
    kind: Kind
    unit: str
    definition: str
    source: str
    sign: str = ""


def _acc(axis: str) -> Column:
    words = f"specific force along {axis}; empty where the sample is not valid"
    sign = f"{SENSOR_AXES}; at rest +9.81 along the axis up"
    return Column(f"acc_{axis}_mps2", "number", "m/s^2", words, DEVICE, sign)


def _gyr(axis: str) -> Column:
    words = f"angular rate about {axis}; empty where the sample is not valid"
    return Column(f"gyr_{axis}_rps", "number", "rad/s", words, DEVICE, f"{SENSOR_AXES}; right-handed")


VALID = Column("valid", "yes/no", "", "whether the values may be used; if not they are empty", DRIVER)
REASON = Column("reason", "text", "", "why the sample is not valid", DRIVER)
SENSOR = Column("sensor", "text", "", "name of the sensor in the session file", DRIVER)
SAMPLE_NS = Column("t_ns", "integer", "ns", f"when the values held, {MONOTONIC}", DRIVER)
ARRIVAL_NS = Column("arrival_ns", "integer", "ns", "when the radio handed the sample over, monotonic", DRIVER)
SEQ = Column("seq", "integer", "", "number of the sample as the device made it; a jump is a loss", DRIVER)

TICK: tuple[Column, ...] = (
    Column("now_ns", "integer", "ns", f"when the core was stepped, {MONOTONIC}", "controller"),
    Column("seq", "integer", "", "number of the step and of its frame", "controller"),
    Column("deadline", "integer", "", "number of the last deadline; a jump is a missed one", "controller"),
    Column("lateness_us", "number", "us", "start of the step after its deadline or arrival", "controller"),
    Column("duration_us", "number", "us", "from start to the frame handed to the guard", "controller"),
)
COMMANDED = Column("commanded_ma", "number", "mA", "largest current of all channels; empty where off", CORE)
TICK_REASON = Column("reason", "text", "", "why the core decided so", CORE)

CONTACT = "at the initial contact that begins the stride"

TABLES: Mapping[str, tuple[Column, ...]] = MappingProxyType(
    {
        "samples": (
            SENSOR, SAMPLE_NS, ARRIVAL_NS, SEQ,
            *(_acc(axis) for axis in "xyz"), *(_gyr(axis) for axis in "xyz"), VALID, REASON,
        ),
        "emg": (
            SENSOR, SAMPLE_NS, ARRIVAL_NS, SEQ,
            Column("channel", "integer", "", "channel of the device, from 0 as in the session file", DRIVER),
            Column(
                "emg_uv", "number", "uV", "voltage of the channel; empty where the sample is not valid",
                DEVICE, "as the device amplifies it",
            ),
            VALID, REASON,
        ),
        "ticks": (
            *TICK,
            Column("mode", "text", "", "control law in force; the label of a blinded arm", CORE),
            Column("phase_percent", "number", "%", "of the stride that steers, 0 at initial contact", CORE),
            Column("swing", "yes/no", "", "whether the leg is believed to be in swing", CORE),
            Column("strides", "integer", "", "strides counted since the core began", CORE),
            Column("foot_pitch_deg", "number", "deg", "of the foot against the horizontal", CORE, TOE_UP),
            Column("ankle_deg", "number", "deg", "angle of the ankle", CORE, DORSIFLEXED),
            Column("reference_pitch_deg", "number", "deg", "pitch that the control follows", CORE, TOE_UP),
            COMMANDED, TICK_REASON,
        ),
        "pulses": (
            Column("t_ns", "integer", "ns", f"when its bytes were written, {MONOTONIC}", GUARD),
            Column("channel", "integer", "", "of the stimulator, from 0 as in the session file", GUARD),
            Column("current_ma", "number", "mA", "amplitude of each phase", GUARD, "size; the phases cancel"),
            Column("width_us", "number", "us", "duration of one phase", GUARD),
            Column("phase_charge_uc", "number", "uC", "current times width of one phase", "computed"),
            Column("frame_seq", "integer", "", "seq of the tick whose frame asked for it", GUARD),
            Column("packet", "integer", "", "number of the packet to the stimulator", GUARD),
            Column("cycles", "integer", "", "biphasic pulses in the burst; 1 is a single pulse", GUARD),
        ),
        "events": (
            Column("t_ns", "integer", "ns", f"when it happened, {MONOTONIC}", "as the kind says"),
            Column(
                "kind", "text", "",
                "initial_contact, toe_off and others of the gait; guard_, arm_, process_ and what; exercise; "
                "marker",
                "core, guard, supervisor",
            ),
            Column("text", "text", "", "in words", "as the kind says"),
            Column("emitted_ns", "integer", "ns", "when the core knew a gait event, monotonic", CORE),
            Column("confidence", "number", "", "in a gait event, 0 to 1", CORE),
            Column("fault", "text", "", "row of the fault table (docs/safety.md)", GUARD),
        ),
        "strides": (
            Column("t_ns", "integer", "ns", f"the contact that begins it, {MONOTONIC}", EVENTS),
            Column("stride", "integer", "", "number, as the core counted", CORE),
            Column("arm", "text", "", "label of the trial's arm", "session"),
            Column("mode", "text", "", "control law in force; the label of a blinded arm", CORE),
            Column("stride_s", "number", "s", "from initial contact to the same foot's next one", STRIDES),
            Column("cadence_spm", "number", "1/min", "steps a minute, two to the stride", STRIDES),
            Column("swing_s", "number", "s", "from toe-off to the contact that ends the stride", STRIDES),
            Column("ankle_at_initial_contact_deg", "number", "deg", f"ankle {CONTACT}", STRIDES, DORSIFLEXED),
            Column("foot_pitch_at_initial_contact_deg", "number", "deg", f"foot {CONTACT}", STRIDES, TOE_UP),
            Column(
                "peak_swing_dorsiflexion_deg", "number", "deg", "largest ankle angle of the ticks in swing",
                STRIDES, DORSIFLEXED,
            ),
            Column(
                "swing_pitch_rmse_deg", "number", "deg",
                "foot pitch against the reference, r.m.s. over the ticks in swing", STRIDES,
            ),
            Column("charge_uc", "number", "uC", "phase charge of all its pulses, cycles counted", STRIDES),
            Column("pulses", "integer", "", "pulses from its contact on and before the next", STRIDES),
            Column("current_max_ma", "number", "mA", "largest of its pulses; empty where none was", STRIDES),
            Column(
                "state", "text", "",
                "counted, or why it is in no figure: wash_out, unlock, stopped, other_law, left_out",
                "computed: controller.record.stride_state",
            ),
        ),
        "contractions": (
            Column("t_ns", "integer", "ns", f"when its repetition began, {MONOTONIC}", CORE),
            Column("muscle", "text", "", "name of the muscle in the programme", "session"),
            Column("repetition", "integer", "", "from 1; one broken off comes again", CORE),
            Column("seconds", "number", "s", "from its first pulse to its last", GUARD),
            Column("pulses", "integer", "", "pulses of the muscle's channel", GUARD),
            Column("charge_uc", "number", "uC", "phase charge of all its pulses, cycles counted", "computed"),
            Column("current_max_ma", "number", "mA", "largest of its pulses; empty where none was", GUARD),
            Column("width_us", "number", "us", "of its last pulse", GUARD),
            Column("whole", "yes/no", "", "given to its end, with a pulse at least", CORE),
            Column("warming_up", "yes/no", "", "belongs to the warm-up", CORE),
        ),
        "clock": (
            Column("monotonic_ns", "integer", "ns", "CLOCK_MONOTONIC of the rig", "operating system"),
            Column("utc_ns", "integer", "ns", "UTC since 1970 at the same instant", "operating system"),
            Column("boottime_ns", "integer", "ns", "CLOCK_BOOTTIME at the same instant", "operating system"),
        ),
    }
)  # fmt: skip

# In place of a walk's ticks: an exercise knows no angle and no stride
EXERCISE_TICKS: tuple[Column, ...] = (
    *TICK,
    Column("control", "text", "", "how the programme is controlled", CORE),
    Column("phase", "text", "", "of the programme: ready, attempt, on, rest, done and others", CORE),
    Column("repetition", "integer", "", "repetitions behind, given whole or missed", CORE),
    Column("given", "integer", "", "repetitions given whole, the warm-up's too", CORE),
    Column("warming_up", "yes/no", "", "in the warm-up", CORE),
    Column("activation", "number", "", "of the strongest muscle heard, share of its maximum", CORE),
    Column("support", "number", "", "share of the set current that is given", CORE),
    COMMANDED,
    TICK_REASON,
)

# Of a walk, or of an exercise, alone
WALKED, EXERCISED = ("strides",), ("contractions",)

ARROW_NAMES: Mapping[Kind, str] = MappingProxyType(  # of pyarrow's types
    {"integer": "int64", "number": "float64", "text": "string", "yes/no": "bool_"}
)
HEADS = ("table", "column", "type", "unit", "sign", "definition", "source")


def tables_of(*, exercise: bool) -> dict[str, tuple[Column, ...]]:
    """The tables of a walk's recording, or of an exercise's."""
    others = WALKED if exercise else EXERCISED
    made = {name: columns for name, columns in TABLES.items() if name not in others}
    return {**made, "ticks": EXERCISE_TICKS} if exercise else made


def dictionary(tables: Mapping[str, tuple[Column, ...]]) -> list[tuple[str, ...]]:
    """One row a column, below HEADS."""
    return [
        (table, column.name, column.kind, column.unit, column.sign, column.definition, column.source)
        for table, columns in tables.items()
        for column in columns
    ]
