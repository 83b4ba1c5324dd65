"""What of a record leaves the rig by broker, LSL, export, report and live view: no word about a person.

Answers of the contraindication checklist, names of staff and free text stay in the recording. Outside is told
that the checklist was answered, and in which role somebody acted. Old recordings have the answers in the
guard's sentences: they are taken out here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from controller.record.records import Audit, GuardEvent, Process
from controller.safety.judgement.faults import FAULTS

# Who acts, as the rig's own processes say it; every other name is that of a person.
ROLES = frozenset(
    {
        "", "Ctrl-C", "Ctrl-Z", "SIGHUP", "SIGTERM", "button", "console", "controller", "key U", "operator",
        "page", "patient file", "recorder", "stop", "stop key", "strides", "supervisor", "terminal",
        "virtual patient",
    }
)  # fmt: skip
PERSON = "operator"
ANSWERED = "Checklist answered."
CHECKLIST = re.compile(r"checklist: [^;]*?(?=;|\.(?:\s|$)|$)")
FORBIDS = "the checklist does not allow it"
STOPPED = FAULTS["F11"]
AUDITED = {"checklist": FORBIDS, "patient file": "patient file saved"}  # by their beginning
# of a recording's head: answers, model and limits of a person, and whatever a clinic wrote beside its limits
SECRETS = ("patient_file", "clinic_file", "core_params")


def role(by: str) -> str:
    """The role of who acted; a person's name is none."""
    return by if by in ROLES else PERSON


def guard_word(event: GuardEvent) -> GuardEvent:
    """The event as it is told outside the rig: without a person's answers and name."""
    return replace(event, text=_text(event), by=role(event.by), unlock=None)


def process_word(record: Process) -> Process:
    """The event of a process without the paths and values that its error may hold."""
    if record.kind != "failed":
        return record
    text = ":".join(record.text.split(":")[:2])
    return Process(record.t_ns, record.process, record.pid, record.kind, text)


def audit_text(audit: Audit) -> str:
    """What a person did at the console, without the checklist's answers and the files' names and notes."""
    return next((word for begin, word in AUDITED.items() if audit.text.startswith(begin)), audit.text)


def facts(session: Mapping[str, str]) -> dict[str, str]:
    """The head of a recording without what it says of the person."""
    return {key: value for key, value in session.items() if key not in SECRETS}


def _text(event: GuardEvent) -> str:
    if event.kind == "checklist":
        return ANSWERED
    if event.fault == STOPPED.id and event.kind in ("stop", "trip"):
        return STOPPED.text()
    text = CHECKLIST.sub(FORBIDS, event.text)
    while f"{FORBIDS}; {FORBIDS}" in text:
        text = text.replace(f"{FORBIDS}; {FORBIDS}", FORBIDS)
    return text
