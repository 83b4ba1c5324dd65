"""The schemas in the repository, the types, and what is really published: all three say the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError
from msgspec.json import encode

from controller.analysis.exercise import summarise_exercise
from controller.analysis.summary import summarise
from controller.record.live import Live
from controller.record.numbered_events import told
from controller.record.reader import header, raw_messages
from controller.telemetry.payload_schemas import SCHEMAS, documents, text
from controller.telemetry.streams import description, streams
from tests.analysis.exercised import exercised
from tests.record.walk import record_walk


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_walk(tmp_path_factory.mktemp("walk") / "walk.mcap", strides=3)


def check(topic: str, payload: bytes) -> str:
    """Validate by the one schema whose title fits the topic; returns its name."""
    fitting = [name for name, made in documents().items() if re.fullmatch(made["title"], topic)]
    assert len(fitting) == 1, (topic, fitting)
    made = json.loads((SCHEMAS / f"{fitting[0]}.json").read_text())
    Draft202012Validator.check_schema(made)
    Draft202012Validator(made).validate(json.loads(payload))
    return fitting[0]


def test_the_files_say_what_the_types_say() -> None:
    made = documents()  # python -m controller.telemetry.payload_schemas writes them anew
    assert {path.stem for path in SCHEMAS.glob("*.json")} == set(made)
    for name, document in made.items():
        assert (SCHEMAS / f"{name}.json").read_text() == text(document), (
            "python -m controller.telemetry.payload_schemas"
        )


def published(recording: Path, summary: object) -> set[str]:
    """The schemas of all that a recording's session publishes, each payload held against its own."""
    used = {check(f"dorsi/1/lab/rig-1/event/{event.kind}", event.payload_json) for event in told(recording)}
    live = Live()
    for message in raw_messages(recording):
        live.take(message.topic, message.payload)
    for name, values in streams(live.status(10**12, "ok")).items():
        payload = json.dumps({"ts_ms": 1.8e12, **values}).encode()
        used.add(check(f"dorsi/1/lab/rig-1/t/{name}", payload))
    used.add(check("dorsi/1/lab/rig-1/session/walk/summary", encode(summary)))
    used.add(check("dorsi/1/lab/rig-1/$description", description(header(recording))))
    return used | {check("dorsi/1/lab/rig-1/$state", b'"lost"')}


def test_every_published_payload_fits_its_schema(walk: Path, tmp_path: Path) -> None:
    noon = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    exercise = exercised(tmp_path / "one" / "session.mcap", noon)
    walked, done = published(walk, summarise(walk)), published(exercise, summarise_exercise(exercise))
    assert {"stream_gait", "event_stride"} <= walked - done
    assert {"stream_exercise", "event_exercise", "event_contraction"} <= done - walked
    assert walked | done >= set(documents()) - {"event_process"}


@pytest.mark.parametrize("payload", [b"{}", b'{"session":"s","seq":0,"ts_ms":1.0}', b"5"])
def test_a_wrong_payload_does_not_fit(payload: bytes) -> None:
    with pytest.raises(ValidationError):
        check("dorsi/1/lab/rig-1/event/stride", payload)
