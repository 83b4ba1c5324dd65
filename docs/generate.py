"""The parts of the docs that are made from the code: ``python docs/generate.py`` writes them anew.

A part stands in a page between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``. With ``--check``
nothing is written, and the exit code is 1 where a page is not up to date. tests/test_docs.py checks it.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tempfile
import tokenize
import tomllib
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer.main
from pydantic.fields import FieldInfo

from controller.analysis.columns import EXERCISE_TICKS, HEADS, TABLES, dictionary
from controller.cli import app
from controller.commands import config_check, exercise
from controller.config import exercise_schema, person_schema, section
from controller.config import schema as config
from controller.config.exercise import load_exercise
from controller.config.loader import read_file
from controller.config.tunables import BY_KEY, KNOBS
from controller.errors import ConfigError
from controller.record.records import TOPICS
from controller.safety.judgement import limits
from controller.safety.judgement.contraindications import QUESTIONS, RULES
from controller.safety.judgement.faults import TABLE
from controller.safety.judgement.states import Event, Stage, State, transition
from controller.studies import protocol
from controller.studies import search_file as search
from controller.studies.measures import MEASURES
from controller.telemetry.payload_schemas import documents
from drivers.catalogue import REFUSED, SENSORS, STIMULATORS

DOCS = Path(__file__).resolve().parent
ENGLISH = DOCS.parent / "controller" / "console" / "locales" / "en.toml"
BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
UNITS = (  # by the ending of a key, the longest first
    ("_ma_per_250ms", "mA in 250 ms"), ("_deg_per_nm", "deg/Nm"), ("_nms_per_rad", "Nm s/rad"),
    ("_ma_per_frame", "mA in 5 ms"), ("_nm_per_rad", "Nm/rad"), ("_ma_cm2", "mA/cm²"), ("share_max", "share"),
    ("strides", "strides"), ("seconds", "s"), ("_mps", "m/s"), ("_rps", "rad/s"), ("_cm2", "cm²"),
    ("_deg", "deg"), ("_ma", "mA"), ("_us", "µs"), ("_hz", "Hz"), ("_uc", "µC"), ("_mj", "mJ"),
    ("_ms", "ms"), ("_kg", "kg"), ("_nm", "Nm"), ("_m", "m"), ("_s", "s"),
)  # fmt: skip


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    titles = list(head)
    body = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(_cell(one) for one in row)} |\n" for row in body)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def unit(key: str) -> str:
    return next((unit for ending, unit in UNITS if key.endswith(ending)), "")


# --- settings


def settings(file: type[section.Section]) -> str:
    """Every table of a file, and every key of a table."""
    made = ""
    for name, field in file.model_fields.items():
        section = _section(field.annotation)
        many = get_origin(field.annotation) is tuple
        title = f"[[{name}]]" if many else f"[{name}]"
        made += f"### `{title}`\n\n"
        told = (section.__doc__ or "").strip() if section else ""
        needed = "Required." if field.is_required() else "May be left out."
        made += " ".join(_words(part) for part in (told, field.description or "", needed) if part) + "\n\n"
        if section is person_schema.LimitsSection and file is not config.SessionFile:
            made += "The keys are those of [the session's limits](#limits).\n\n"
        elif section is not None:
            made += table(
                ("key", "unit", "allowed", "default", "while running", "meaning"),
                (_row(name, key, one) for key, one in section.model_fields.items()),
            )
            made += "\n"
    return made


def _row(section: str, key: str, field: FieldInfo) -> tuple[str, ...]:
    default = "required" if field.is_required() else _value(field.get_default(call_default_factory=True))
    allowed, live = _allowed(field), "yes" if f"{section}.{key}" in BY_KEY else ""
    if section == "limits":
        allowed, default = _limit(key, *_bounds(field))
    elif key == "device":
        allowed = ", ".join(f"`{name}`" for name in (SENSORS if section == "sensors" else STIMULATORS))
    return f"`{key}`", unit(key), allowed, default, live, _words(field.description or "")


def _limit(name: str, low: float, high: float) -> tuple[str, str]:
    """What a file may set, within the compiled limit and what any stimulator can; what holds without one."""
    devices = [limits.device_layer(one.capability).values for one in STIMULATORS.values()]
    floor = limits.is_floor(name)
    widest = {key: (min if limits.is_floor(key) else max)(one[key] for one in devices) for key in devices[0]}
    layers = (limits.Layer("device", widest), limits.compiled_layer())
    holds = limits.merge(layers[:1])
    caps = [layer.values[name] for layer in layers if name in layer.values]
    low, high = (max(low, *caps), high) if floor else (low, min(high, *caps))
    return f"{low:g} to {high:g}", f"{getattr(holds.limits, name):g} ({holds.set_by[name]})"


def _value(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    if bounds := _bounds(field):
        return f"{bounds[0]:g} to {bounds[1]:g}"
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if kind is not type(None)]
    for kind in kinds:
        if get_origin(kind) is Literal:
            return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if bool in kinds:
        return "true, false"
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), "")
    if pattern:
        return section.RULES[pattern]
    return "21 numbers of 0 to 30, or none" if get_origin(field.annotation) is tuple else "text"


def _bounds(field: FieldInfo) -> tuple[Any, ...]:  # Any: numbers, as pydantic keeps them
    """Lowest and highest value; empty where there are none."""
    return tuple(getattr(one, end) for end in ("ge", "le") for one in field.metadata if hasattr(one, end))


def _section(kind: Any) -> type[section.Section] | None:  # Any: whatever a type hint may be
    found = [kind, *get_args(kind)]
    return next((one for one in found if isinstance(one, type) and issubclass(one, section.Section)), None)


def _words(docstring: str) -> str:
    return " ".join(docstring.replace("``", "`").split())


def tunables() -> str:
    """What can be changed while a session runs, by its name on the console."""
    words = tomllib.loads(ENGLISH.read_text(encoding="utf-8"))["knob"]
    rows = []
    for knob in KNOBS:
        group, _, name = knob.key.partition(".")
        rows.append((f"`{knob.key}`", words[group][name]["name"], knob.unit))
    return table(("key", "on the console", "unit"), rows)


# --- safety


def limit_table() -> str:
    """Every limit: devices, compiled cap, default, and the reason that stands beside the cap in the code."""
    devices = {one.short: limits.device_layer(one.capability).values for one in STIMULATORS.values()}
    reasons = _reasons(inspect.getsource(limits), "COMPILED")
    rows = []
    for name in limits.NAMES:
        cap, given = getattr(limits.COMPILED, name), limits.DEFAULTS.get(name)
        owns = [_value(values.get(name)) for values in devices.values()]
        rows.append((f"`{name}`", unit(name), *owns, f"{cap:g}", _value(given), reasons[name]))
    head = ("limit", "unit", *devices, "compiled", "default", "reason for the compiled value")
    return table(head, rows)


def _reasons(source: str, name: str) -> dict[str, str]:
    """The comments above and beside each keyword of the call that is assigned to ``name``."""
    call = next(
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name
    )
    assert isinstance(call, ast.Call)
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    found, after = {}, call.lineno
    for keyword in call.keywords:
        last = keyword.end_lineno or keyword.lineno
        found[keyword.arg or ""] = " ".join(comments[n] for n in range(after + 1, last + 1) if n in comments)
        after = last
    return found


def caps_table() -> str:
    """Where the compiled limits of the other therapies are not those of gait, with their reasons."""
    source, names = inspect.getsource(limits), {id(value): name for name, value in vars(limits).items()}
    rows = []
    for caps, table_of in limits.CAPPED.items():
        reasons = _reasons(source, names[id(table_of)])
        for name in limits.NAMES:
            cap = getattr(table_of, name)
            if cap != getattr(limits.COMPILED, name):
                rows.append((caps, f"`{name}`", unit(name), f"{cap:g}", reasons[name]))
    return table(("therapy", "limit", "unit", "compiled", "reason"), rows)


def fault_table() -> str:
    return table(
        ("id", "condition", "found by", "reaction", "within", "priority"),
        (
            (f.id, f.condition, f.detection, f.reaction, _deadline(f.deadline_ms), f.priority)
            for f in TABLE
        ),
    )  # fmt: skip


def _deadline(deadline_ms: float | None) -> str:
    return "-" if deadline_ms is None else f"{deadline_ms:g} ms"


def alarms() -> str:
    rows = ((f.id, f.priority, f"{f.happened}.", f"{f.done}.", f"{f.next}.") for f in TABLE)
    return table(("id", "priority", "what happened", "what Dorsi did", "what to do"), rows)


def state_table() -> str:
    """To which state each event leads; empty where it changes nothing."""
    rows = []
    for stage in Stage:
        begin = State(stage, "F1" if stage is Stage.TRIPPED else None)
        ends = (transition(begin, event, "F1" if event is Event.TRIP else None).stage for event in Event)
        rows.append((f"**{stage.value}**", *("" if end is stage else end.value for end in ends)))
    return table(("in", *(event.value for event in Event)), rows)


def checklist() -> str:
    return table(
        ("key", "question", "`accepted` possible", "source"),
        ((f"`{q.key}`", q.text, "" if q.absolute else "yes", q.source) for q in QUESTIONS),
    )


def contraindications() -> str:
    """What each answer forbids, and why."""
    rows = []
    for q in QUESTIONS:
        rules = [rule for rule in RULES if rule.key == q.key]
        still = "; ".join(
            f"programmes {'of kind `' + rule.caps + '`' if rule.caps else 'at the ' + str(rule.region)}: "
            f"{rule.why} ({rule.source})"
            for rule in rules
        )
        accepted = "not possible" if q.absolute else f"forbids {still}" if rules else "forbids none"
        rows.append((f"`{q.key}`", f"every programme: {q.why}", accepted))
    return table(("condition", '"yes" forbids', '"accepted"'), rows)


# --- exercise


def exercise_session() -> str:
    """The tables of a session file that an exercise has in place of gait assist's."""
    made = ""
    head = ("key", "unit", "allowed", "default", "while running", "meaning")
    for name, one in (
        ("[therapy]", exercise_schema.ExerciseTherapySection),
        ("[[therapy.muscles]]", exercise_schema.MuscleSection),
    ):
        keys = [(key, field) for key, field in one.model_fields.items() if key != "muscles"]
        rows = (_row("therapy", key, field) for key, field in keys)
        made += f"### `{name}`\n\n{_words(one.__doc__ or '')}\n\n{table(head, rows)}\n"
    return made


def programmes() -> str:
    """The ready programmes, and whether the stimulator of the demo gives them."""
    rows = []
    for path in sorted(exercise.PROGRAMMES.glob("*.toml")):
        file, _ = read_file(path, exercise_schema.ProgrammeFile)
        pulses = [_pulses(one) for one in file.contractions]
        course = file.repetitions
        rows.append(
            (
                f"`{path.stem}`",
                file.programme.title,
                f"`{file.programme.kind}`",
                ", ".join(one.muscle for one in file.contractions),
                "; ".join(dict.fromkeys(pulses)),
                f"{course.warm_up} + {course.count}" if course.warm_up else f"{course.count}",
                _given(path),
            )
        )
    head = ("name", "title", "kind", "muscles", "pulses", "repetitions", next(iter(STIMULATORS)))
    return table(head, rows)


def _pulses(one: exercise_schema.ContractionSection) -> str:
    """A contraction's pulses by their shape."""
    shape = f"{one.width_us:g} µs"
    if one.burst_ms is not None:
        shape = f"bursts of {one.burst_ms:g} ms at {one.carrier_hz:g} Hz"
    rate = f"{one.rate_hz:g}" + ("" if one.rate_end_hz is None else f" to {one.rate_end_hz:g}")
    return f"{shape}, {rate} Hz" + ("" if one.doublet_ms is None else f", doublet {one.doublet_ms:g} ms")


def _given(path: Path) -> str:
    """Yes, or why not: what `dorsi config check` says of it for the virtual person."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "session.toml"
        file.write_text(exercise.virtual_session_text(path), encoding="utf-8")
        try:
            found = config_check.objections(load_exercise(file))
        except ConfigError as error:
            found = error.problems
    return "yes" if not found else f"refused: {found[0].partition('): ')[2]}"


def therapy_limits() -> str:
    """The compiled caps of each therapy side by side, with the reason of exercise's."""
    reasons = _reasons(inspect.getsource(limits), "EXERCISE")
    rows = (
        (
            f"`{name}`",
            unit(name),
            *(f"{getattr(one, name):g}" for one in limits.CAPPED.values()),
            reasons[name],
        )
        for name in limits.NAMES
    )
    return table(("limit", "unit", *limits.CAPPED, "reason for exercise's"), rows)


# --- commands and formats


def commands() -> str:
    """Every ``dorsi`` command with its arguments and options."""
    made, group = "", typer.main.get_command(app)
    for path, command in _leaves((), group):
        made += f"### `dorsi {' '.join(path)}`\n\n{_words(command.help or '')}\n\n"
        rows = []
        for option in (one for one in command.params if not getattr(one, "hidden", False)):
            names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
            if option.param_type_name == "argument":
                names = names.upper()
            kind = option.type_descriptor.annotation
            choices = ", ".join(f"`{one}`" for one in get_args(kind)) if get_origin(kind) is Literal else ""
            default = "required" if option.required else _value(option.default) if option.default else "-"
            rows.append((names, choices, default, getattr(option, "help", None) or ""))
        made += table(("argument or option", "one of", "default", "meaning"), rows) + "\n" if rows else ""
    return made


def _leaves(path: tuple[str, ...], command: Any) -> Iterable[tuple[tuple[str, ...], Any]]:  # Any: click's
    inner = getattr(command, "commands", None)
    if inner is None or command.invoke_without_command:
        yield path, command
    if inner is None:
        return
    for name, below in inner.items():
        yield from _leaves((*path, name), below)


def topics() -> str:
    """The messages of a recording: topic, what it is, fields."""
    rows = []
    for topic, kind in TOPICS.items():
        first = _words((kind.__doc__ or "").split("\n\n")[0])
        rows.append((f"`{topic}`", first, ", ".join(f"`{name}`" for name in get_type_hints(kind))))
    return table(("topic", "message", "fields"), rows)


def export_columns() -> str:
    """Every table of an export with its columns, as in the data dictionary beside the tables."""
    made = ""
    for title, columns in (*TABLES.items(), ("ticks of an exercise", EXERCISE_TICKS)):
        rows = [(f"`{row[1]}`", *row[2:]) for row in dictionary({title: columns})]
        made += f"#### {title}\n\n{table(HEADS[1:], rows)}\n"
    return made


def mqtt() -> str:
    """The topics below ``dorsi/1/SITE/RIG/``: schema and what is in the payload."""
    rows = []
    for name, document in documents().items():
        topic = document["title"].replace("\\", "").replace("[^/]+", "+").split("/", 4)[-1]
        values = ", ".join(f"`{value}`" for value in document.get("properties", {}))
        values = values or ", ".join(f"`{value}`" for value in document.get("enum", ()))
        rows.append((f"`{topic}`", f"`{name}.json`", values))
    return table(("topic", "schema", "payload"), rows)


def study_file() -> str:
    """Every table of a study's protocol; the faults of an arm are a table of their own."""
    tables = [
        (f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]", _section(field.annotation))
        for name, field in protocol.StudyFile.model_fields.items()
    ]
    return _tables((*tables, ("[arms.faults]", protocol.FaultsSection)))


def search_file() -> str:
    """Every table of a search for gains."""
    return _tables(
        (f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]", _section(field.annotation))
        for name, field in search.SearchFile.model_fields.items()
    )


def _tables(tables: Iterable[tuple[str, type[section.Section] | None]]) -> str:
    made = ""
    for title, one in tables:
        assert one is not None
        rows = [row for key, field in one.model_fields.items() if (row := _study_row(key, field))]
        words = _words(one.__doc__ or "")
        made += f"#### `{title}`\n\n{words}\n\n{table(('key', 'allowed', 'default', 'meaning'), rows)}\n"
    return made


def _study_row(key: str, field: FieldInfo) -> tuple[str, ...]:
    """Empty for a key that is a table of its own."""
    if _section(field.annotation) is not None:
        return ()
    default = "required" if field.is_required() else _value(field.get_default(call_default_factory=True))
    allowed, parts = _allowed(field), get_args(field.annotation)
    if get_origin(field.annotation) is tuple:
        allowed, default = f"list of {', '.join(f'`{one}`' for one in get_args(parts[0]))}", "all"
    elif get_origin(field.annotation) is dict:
        allowed, default = '`{ "learning.step" = 0.3 }`', "-"
    return f"`{key}`", allowed, default, _words(field.description or "")


def measure_table() -> str:
    return table(
        ("measure", "unit", "meaning, of one stride"), ((f"`{m.name}`", m.unit, m.meaning) for m in MEASURES)
    )


def device_table() -> str:
    known = (*STIMULATORS.values(), *SENSORS.values(), *REFUSED.values())
    return table(("device", "kind", "verified"), ((d.title, d.what, d.verified) for d in known))


PARTS: dict[str, Callable[[], str]] = {
    "study-file": study_file,
    "search-file": search_file,
    "measures": measure_table,
    "devices": device_table,
    "session-file": lambda: settings(config.SessionFile),
    "patient-file": lambda: settings(person_schema.PatientFile),
    "clinic-file": lambda: settings(person_schema.ClinicFile),
    "tunables": tunables,
    "limits": limit_table,
    "caps": caps_table,
    "states": state_table,
    "faults": fault_table,
    "checklist": checklist,
    "contraindications": contraindications,
    "exercise-session": exercise_session,
    "programme-file": lambda: settings(exercise_schema.ProgrammeFile),
    "programmes": programmes,
    "therapy-limits": therapy_limits,
    "alarms": alarms,
    "commands": commands,
    "recording-topics": topics,
    "export-columns": export_columns,
    "mqtt-topics": mqtt,
}


def filled(page: str) -> str:
    """A page with its generated parts made anew. Raises KeyError for a part that does not exist."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]().strip()}\n\n{found[3]}", page)


def main(check: bool) -> int:
    stale = 0
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        made = filled(page)
        if made == page:
            continue
        stale += 1
        print(f"{'not up to date' if check else 'written'}: docs/{path.name}")
        if not check:
            path.write_text(made, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
