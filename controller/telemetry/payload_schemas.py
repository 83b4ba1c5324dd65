"""The JSON schemas of what a rig publishes: ``python -m controller.telemetry.payload_schemas``.

Promises that ``schemas/`` says what the types say; a test holds the two together. Refuses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec

from controller.analysis.exercise import ExerciseSummary
from controller.analysis.summary import Summary
from controller.core.signals import EventKind, ExerciseView, GaitEvent
from controller.record.contractions import ContractionTold, PhaseTold
from controller.record.live import Live
from controller.record.numbered_events import StrideTold
from controller.record.records import Arm, GuardEvent, Process
from controller.record.telemetry_port import RigState
from controller.telemetry.mqtt import ROOT
from controller.telemetry.streams import streams

SCHEMAS = Path(__file__).with_name("schemas")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]  # Any: a JSON schema is an open document

STAMP: Document = {
    "session": {"type": "string"},
    "seq": {"type": "integer", "minimum": 1, "description": "one more with each event of the session"},
    "ts_ms": {"type": ["number", "null"], "description": "UTC in milliseconds; null before a clock is known"},
}
NAMED = {  # streams some of whose values are called by a sensor or a muscle
    "timing": "^age_.+_ms$",
    "exercise": "^[a-z-]+_(commanded_ma|set_ma|contractions)$",
}
NUMBER: Document = {"type": ["number", "null"]}
EVENTS: Mapping[str, tuple[str, type]] = {
    "gait": (f"({'|'.join(get_args(EventKind))})", GaitEvent),
    "stride": ("stride", StrideTold),
    "exercise": ("exercise", PhaseTold),
    "contraction": ("contraction", ContractionTold),
    "guard_event": ("guard_event", GuardEvent),
    "process": ("process", Process),
    "arm": ("arm", Arm),
}


def documents() -> dict[str, Document]:
    """File name without suffix to schema; ``title`` is the topic, a regular expression after the rig."""
    made: dict[str, Document] = {}
    for name, (kind, of) in EVENTS.items():
        root, definitions = _schema(of)
        made[f"event_{name}"] = _document(f"event/{kind}", _stamped(root), definitions)
    walking = Live().status(0, "ok")
    exercising = replace(walking, exercise=ExerciseView("cyclic", "waiting", None, 0, 0, False, 0, 0, ()))
    for name, values in {**streams(walking), **streams(exercising)}.items():
        properties: Document = {"ts_ms": {"type": "number"}, **dict.fromkeys(values, NUMBER)}
        flat = {"type": "object", "properties": properties, "required": sorted(properties)}
        more = {"patternProperties": {NAMED[name]: NUMBER}} if name in NAMED else {}
        made[f"stream_{name}"] = _document(f"t/{name}", {**flat, **more, "additionalProperties": False}, {})
    walked, definitions = _schema(Summary)
    exercised, more_definitions = _schema(ExerciseSummary)
    both = {"description": "of a walk, or of an exercise programme", "anyOf": [walked, exercised]}
    made["summary"] = _document("session/[^/]+/summary", both, {**definitions, **more_definitions})
    made["description"] = _document(r"\$description", _description(), {})
    states = [*get_args(RigState), "lost"]
    made["state"] = _document(r"\$state", {"enum": states, "description": "plain text, no quotes"}, {})
    return made


def text(document: Document) -> str:
    """A schema as its file holds it."""
    return json.dumps(document, indent=2) + "\n"


def _document(topic: str, root: Document, definitions: Document) -> Document:
    head = {"$schema": DIALECT, "title": rf"{ROOT}/[^/]+/[^/]+/{topic}"}
    return {**head, **root, **({"$defs": definitions} if definitions else {})}


def _schema(of: type) -> tuple[Document, Document]:
    document: Document = msgspec.json.schema(of)
    definitions: Document = document["$defs"]
    root: Document = definitions.pop(of.__name__)
    root.pop("title", None)
    return root, definitions


def _stamped(root: Document) -> Document:
    return {
        **root,
        "properties": {**STAMP, **root["properties"]},
        "required": [*STAMP, *root["required"]],
    }


def _description() -> Document:
    names = {"type": "array", "items": {"type": "string"}}
    properties: Document = {
        "session": {"type": "string"},
        "version": {"type": "string"},
        "rate_hz": {"type": "number"},
        "streams": {"type": "object", "additionalProperties": names},
    }
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def main() -> int:
    """Write all schemas."""
    SCHEMAS.mkdir(exist_ok=True)
    for name, document in documents().items():
        (SCHEMAS / f"{name}.json").write_text(text(document), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
