"""Exercise programmes from the command line: the demo of one, and how a session of one is summed up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from controller.analysis.dose_book import owner_of
from controller.analysis.dose_file import add_recording, read_book
from controller.analysis.exercise import ExerciseSummary, summarise_exercise
from controller.commands.conduct import DISCLAIMER, broker, conduct
from controller.commands.config_check import load_startable
from controller.commands.dose import told
from controller.commands.papers import Papers, asked_for, write_papers
from controller.config.exercise import ExerciseSession, exercise_params
from controller.config.exercise_schema import ProgrammeFile
from controller.config.loader import read_file
from controller.errors import ConfigError, InputError
from controller.runtime.person_files import FOLDER
from controller.runtime.session_processes import Attended, Virtual
from controller.trial.schedule import ArmPlan
from drivers.catalogue import SENSORS, STIMULATORS
from models.exercise_limbs import LIMBS, limb_of

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
VIRTUAL_STIMULATOR = next(iter(STIMULATORS))
PROGRAMMES = CONFIGS / "programmes"
VIRTUAL_PERSON = CONFIGS / "patients" / "virtual_exercise.toml"
MOTOR, SET, MOST = 0.7, 1.2, 1.55  # the virtual person's currents over that which recruits half of a muscle
FELT, FELT_MOST = 0.5, 0.65  # the same of TENS: felt, and far from a contraction
LARGE, LARGE_CM2, SMALL_CM2 = ("quadriceps", "hamstrings"), 60.0, 20.0  # electrodes
EMG_MAX_UV = 25.0  # of the virtual person's own strongest effort
Attend = Callable[[ExerciseSession], Attended]


def programme_names() -> list[str]:
    """The ready programmes, by the names of their files."""
    return sorted(path.stem for path in PROGRAMMES.glob("*.toml"))


def programme_path(name: str) -> Path:
    """A ready programme by its name, or a file. Raises ConfigError naming those there are."""
    ready = PROGRAMMES / f"{name}.toml"
    if ready.is_file():
        return ready
    if Path(name).is_file():
        return Path(name).resolve()
    raise ConfigError([f"--programme: found {name!r}, allowed: a file, or {', '.join(programme_names())}"])


def virtual_session_text(programme: Path, stimulator: str = VIRTUAL_STIMULATOR) -> str:
    """A session file for the virtual person, with every muscle of the programme at an output of its own."""
    file, _ = read_file(programme, ProgrammeFile)
    listens = file.programme.kind.startswith("emg-")
    motor, share, most = (0.0, FELT, FELT_MOST) if file.programme.kind == "comfort" else (MOTOR, SET, MOST)
    lines = [
        "# The session that the demo ran: copy it, and put your own devices and this person's currents in.",
        "",
        "[session]",
        'site = "demo"',
        'rig = "virtual"',
        f'patient_file = "{VIRTUAL_PERSON}"',
        "",
        "[therapy]",
        f'kind = "{"emg-assist" if file.programme.kind == "emg-proportional" else "exercise"}"',
        f'programme = "{programme}"',
    ]
    muscles = list(dict.fromkeys(one.muscle for one in file.contractions))
    limb = LIMBS[limb_of(muscles)].muscles
    order = [muscle.name for muscle in limb]  # of the virtual EMG's channels
    for output, muscle in enumerate(muscles):
        half_ma = limb[order.index(muscle)].recruitment.i50_ma
        lines += [
            "",
            "[[therapy.muscles]]",
            f'muscle = "{muscle}"',
            f"output = {output}",
            f"electrode_area_cm2 = {LARGE_CM2 if muscle in LARGE else SMALL_CM2}",
            f"motor_ma = {float(round(motor * half_ma))}",
            f"current_ma = {float(round(share * half_ma))}",
            f"current_max_ma = {float(round(most * half_ma))}",
        ]
        if listens:
            lines += ['emg_sensor = "emg"', f"emg_channel = {order.index(muscle)}"]
            lines.append(f"emg_max_uv = {EMG_MAX_UV}")
    if listens:  # the quickest, as a slow one cannot tell the muscle from its answer to a pulse
        emg = max((one for one in SENSORS.values() if one.kind == "emg"), key=lambda one: one.rate_hz)
        lines += ["", "[[sensors]]", 'name = "emg"', f'device = "{emg.name}"', 'address = "EMG armband"']
    lines += ["", "[stimulator]", f'device = "{stimulator}"', 'port = "/dev/ttyACM0"', ""]
    return "\n".join(lines)


def run_programme_demo(
    name: str,
    seed: int,
    out: Path,
    console: Console,
    *,
    attend: Attend | None = None,
    seconds: float | None = None,
    report: bool = True,
) -> int:
    """The virtual person does a programme, whole or for so many seconds; returns the exit code.

    With ``attend`` a person arms from the therapist's console.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / "session.toml"
    file.write_text(virtual_session_text(programme_path(name)), encoding="utf-8")
    session = load_startable(file)
    assert isinstance(session, ExerciseSession)
    params = exercise_params(session)
    console.print(f"[bold]Dorsi demo[/bold]: {params.title}. {DISCLAIMER}")
    console.print(
        f"{params.course.total} repetitions, about {params.whole_s / 60.0:.0f} min. Results go to {out}/"
    )
    with broker() as port:
        site, rig = session.file.session.site, session.file.session.rig
        mqtt = None if port is None else {"host": "127.0.0.1", "port": port, "site": site, "rig": rig}
        attended = None if attend is None else attend(session)
        return run_programme(
            session, out, console, Virtual(seed, {}), mqtt, attended=attended, seconds=seconds, report=report
        )


def run_programme(
    session: ExerciseSession,
    out: Path,
    console: Console,
    virtual: Virtual | None,
    mqtt: dict[str, object] | None,
    *,
    attended: Attended | None = None,
    seconds: float | None = None,
    report: bool = True,
    asked: bool = True,
) -> int:
    """Run an exercise session to its end, or until stopped; returns the exit code."""
    arms = [ArmPlan("programme", label=session.programme_path.stem)]

    def sum_up(recording: Path) -> list[str]:
        papers = asked_for(report=report, console=attended is not None)
        return sum_up_exercise(recording, papers, console)

    return conduct(
        session,
        arms,
        out,
        console,
        virtual=virtual,
        mqtt=mqtt,
        attended=attended,
        sum_up=sum_up,
        seconds=seconds,
        asked=asked,
    )


def sum_up_exercise(recording: Path, papers: Papers, console: Console) -> list[str]:
    """Table, dose book and the papers of a session; the names of the files made beside the recording."""
    out = recording.parent
    summary = summarise_exercise(recording)
    console.print(table(summary))
    try:
        entry = add_recording(out.parent / FOLDER, recording)
        if entry is None:
            console.print("Nothing was begun: the dose book has no entry of it.")
        else:
            book = read_book(out.parent / FOLDER, owner_of(recording))
            for line in told(book):
                console.print(line, markup=False)
    except InputError as error:
        console.print(f"Not in the dose book: {error}. Later: dorsi dose {out} --rebuild.", markup=False)
    return write_papers(recording, summary, papers, console)


def table(summary: ExerciseSummary) -> Table:
    """What was done, one row a muscle."""
    state = "whole" if summary.whole else f"{summary.repetitions} of {summary.planned} repetitions"
    extra = f", {summary.broken_off} broken off" if summary.broken_off else ""
    extra += f", {summary.missed} tries missed" if summary.missed else ""
    made = Table(
        "muscle",
        "contractions",
        "minutes on",
        "highest current, mA",
        "pulses",
        "charge, mC",
        title=f"{summary.title}: {state}{extra}, {summary.seconds / 60.0:.1f} min",
    )
    for one in summary.muscles:
        made.add_row(
            one.muscle,
            str(one.contractions),
            f"{one.on_s / 60.0:.1f}",
            f"{one.current_ma:g}",
            str(one.pulses),
            f"{one.charge_mc:.2f}",
        )
    return made
