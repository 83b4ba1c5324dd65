"""The ``dorsi`` command: every job of the project by its name. Exit codes: 0 done, 1 not as it should be,
2 refused before anything started, 130 stopped by a person.
"""

from __future__ import annotations

import os
import sys

import typer

from controller.commands import (
    line_catalogue,
    line_console,
    line_devices,
    line_files,
    line_recordings,
    line_sessions,
    line_trial,
)
from controller.commands.line import REFUSED
from controller.commands.results import OWNER_ONLY

app = typer.Typer(
    name="dorsi",
    help="Open closed-loop functional electrical stimulation. Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Session and patient files.", no_args_is_help=True)
app.add_typer(config_app, name="config")
mqtt_app = typer.Typer(help="What rigs tell a broker.", no_args_is_help=True)
app.add_typer(mqtt_app, name="mqtt")
trial_app = typer.Typer(
    cls=line_trial.TrialGroup, help="Studies on virtual persons, and their analysis.", no_args_is_help=True
)
app.add_typer(trial_app, name="trial")
catalogue_app = typer.Typer(help="All sessions of some folders.", no_args_is_help=True)
app.add_typer(catalogue_app, name="catalogue")
console_app = typer.Typer(invoke_without_command=True)
app.add_typer(console_app, name="console")


@app.callback()
def _begin() -> None:
    """What Dorsi and its processes write is about a person: for whoever runs it alone."""
    os.umask(OWNER_ONLY)


for _command in (
    line_sessions.demo,
    line_sessions.run,
    line_sessions.programmes,
    line_recordings.replay,
    line_sessions.identify,
    line_sessions.reference,
    line_recordings.judge,
    line_recordings.events,
    line_recordings.report,
    line_recordings.export,
    line_recordings.dose,
    line_files.mend,
    line_files.signals,
    line_devices.decode,
    line_devices.scan,
    line_devices.sensor,
    line_sessions.tune,
    line_devices.doctor,
):
    app.command()(_command)
console_app.callback()(line_console.serve)
console_app.command()(line_console.pair)
mqtt_app.command("watch")(line_recordings.mqtt_watch)
mqtt_app.command("forward")(line_recordings.mqtt_forward)
trial_app.command("run")(line_trial.run)
trial_app.command("analyse")(line_trial.analyse)
trial_app.command("replay")(line_trial.replay)
trial_app.command("search")(line_trial.search)
trial_app.command("stage")(line_trial.stage)
catalogue_app.command("list")(line_catalogue.list_sessions)
catalogue_app.command("compare")(line_catalogue.compare)
catalogue_app.command("progress")(line_catalogue.progress)
config_app.command("check")(line_sessions.config_check)


def main() -> None:
    try:
        app()
    except OSError as error:  # a disk or a pipe that ended amid a command: in words, as any refusal
        if error.filename is None:
            raise
        sys.stderr.write(f"refused: {error.filename}: {error.strerror}\n")
        raise SystemExit(REFUSED) from None


if __name__ == "__main__":
    main()
