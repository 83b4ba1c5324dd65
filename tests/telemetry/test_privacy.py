"""Nothing of a person leaves the rig: every byte that does is searched for marks put into the session."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
import msgspec
import pytest

from controller.analysis.export.export import Kind, export
from controller.analysis.report.page import write_pdf, write_report
from controller.analysis.summary import summarise
from controller.ipc import bus
from controller.record.privacy import ANSWERED, guard_word, role
from controller.record.reader import header, messages, raw_messages
from controller.record.records import Audit, Change, GuardEvent, Process, encode
from controller.record.writer import RecordingWriter
from controller.safety.judgement.contraindications import QUESTIONS
from controller.telemetry.broker import LOOPBACK
from controller.telemetry.mqtt import MqttSettings
from tests.record.paper import pdf_text
from tests.record.walk import record_walk

if TYPE_CHECKING:
    from tests.telemetry.conftest import Mosquitto

PATIENCE_S = 60.0
ARMS = 2  # of the walk
UTC_NS = 1_800_000_000 * 10**9
NAME = "Dr-Zaphodia-Quux"
NOTES = "freetextnote-grkl"
PERSON = "personfile-brzl"
ANSWERS = {question.key: "no" if at % 2 else "accepted" for at, question in enumerate(QUESTIONS)}
SAID = ", ".join(f"{key} {answer}" for key, answer in ANSWERS.items())
# Neither whole nor in part: a key beside an answer in any of the ways it has been written.
BETWEEN = (" ", '":"', '": "', " is answered '")
MARKS = [
    NAME, NOTES, PERSON,
    *(f"{key}{between}{answer}" for key, answer in ANSWERS.items() for between in BETWEEN),
    *(f"{question.key} is" for question in QUESTIONS),
]  # fmt: skip
FACTS = {
    "session": "walk",
    "pseudonym": "P-07",
    "patient_file": f'[patient]\nnote = "{PERSON}"\n' + "\n".join(f'{k} = "{a}"' for k, a in ANSWERS.items()),
    "clinic_file": f"[limits]  # as {NAME} wants it\n",
}


def spoken(at_ns: int) -> Iterator[tuple[str, int, bytes]]:
    """What a guard of today and one of an older version, the console and the processes say of persons."""
    texts = (
        ("checklist", f"Checklist answered at 2026-11-29T12:00:00+00:00: {SAID}.", None),
        ("checklist", "Checklist answered at 2026-11-29T12:00:00+00:00.", None),
        (
            "refused",
            "Not armed: "
            + "; ".join(f"checklist: {key} is answered '{answer}'" for key, answer in ANSWERS.items())
            + "; no controller.",
            None,
        ),
        (
            "refused",
            "Not armed: checklist: pacemaker is not answered; checklist: heart is not answered.",
            None,
        ),
        ("disarm", "Disarmed: checklist: pregnancy is answered 'yes'.", None),
        ("stop", f"STOP was pressed (by {NAME}). Stimulation was stopped.", "F11"),
        ("trip", f"STOP was pressed (by {NAME}). Stimulation was stopped.", "F11"),
    )
    for kind, text, fault in texts:
        event = {
            "t_ns": at_ns, "kind": kind, "state": "off", "text": text, "fault": fault, "by": NAME,
            "answers": ANSWERS, "note": NOTES,
        }  # fmt: skip
        yield "guard/event", at_ns, json.dumps(event).encode()
    process = {
        "t_ns": at_ns, "process": "dorsi-console", "pid": 3, "kind": "connected", "text": "",
        "by": NAME, "x": NOTES,
    }  # fmt: skip
    yield "process", at_ns, json.dumps(process).encode()
    failed = Process(at_ns, "recorder", 1, "failed", f"live: ValueError: {NOTES}: {NAME}")
    yield "process", at_ns, encode(failed)
    change = Change("feedback.gain", 1.0, 1.5)
    for kind, text in (("change", ""), ("setup", f"checklist does not allow stimulation: {SAID}")):
        audit = Audit(at_ns, UTC_NS, kind, NAME, NOTES, 1, (change,), text=text)  # type: ignore[arg-type]
        yield "audit", at_ns, encode(audit)
    patient = Audit(
        at_ns, 0, "setup", NAME, NOTES, text=f"patient file: {PERSON}; the old one is kept as {NAME}"
    )
    yield "audit", at_ns, encode(patient)
    setup = {
        "t_ns": at_ns, "limits": {}, "checklist": ANSWERS, "by": NAME,
        "stimulator": {
            "name": "p24", "channels": 2, "current_max_ma": 1.0, "current_step_ma": 0.5, "width_min_us": 10.0,
            "width_max_us": 500.0, "rate_max_hz": 50.0, "own_watchdog": "2 s", "charge_balanced": True,
        },
    }  # fmt: skip
    yield "guard/setup", at_ns, json.dumps(setup).encode()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, bytes]]:
    """A walk in two arms, and in the midst of the first what was said."""
    walk = record_walk(tmp_path_factory.mktemp("walk") / "walk.mcap", strides=2)
    made: list[tuple[str, int, bytes]] = []
    for number, message in enumerate(raw_messages(walk)):
        made.append((message.topic, message.t_ns, message.payload))
        if number == 600:
            made += spoken(message.t_ns)
    return made


@pytest.fixture(scope="module")
def recording(records: list[tuple[str, int, bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "session.mcap"
    writer = RecordingWriter(path, FACTS)
    for record in records:
        writer.add(*record)
    writer.finish()
    writer.close()
    return path


def leaks(said: bytes) -> list[str]:
    return [mark for mark in MARKS if mark.encode() in said]


def test_the_recording_itself_has_all_of_it(recording: Path) -> None:
    whole = (
        b"".join(message.payload for message in raw_messages(recording))
        + header(recording)["patient_file"].encode()
    )
    assert not {NAME, NOTES, PERSON, *(f'{key}": "{answer}' for key, answer in ANSWERS.items())} - set(
        leaks(whole)
    )


@pytest.mark.parametrize("kind", ["csv", "parquet", "edf", "bids"])
def test_no_export_names_anybody(recording: Path, tmp_path: Path, kind: Kind) -> None:
    export(recording, kind, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    said = b"".join(path.read_bytes() for path in files)
    if kind == "parquet":  # compressed
        import pyarrow.parquet

        tables = [pyarrow.parquet.read_table(path) for path in files if path.suffix == ".parquet"]
        said = "".join(str(table.to_pylist()) for table in tables).encode()
    assert leaks(said) == []
    assert ANSWERED.encode() in said


def test_no_report_and_no_summary_names_anybody(recording: Path, tmp_path: Path) -> None:
    write_report(recording, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert leaks(unescape(html).encode()) == []
    assert ANSWERED in html
    assert leaks(msgspec.json.encode(summarise(recording))) == []
    write_pdf(recording, tmp_path / "report.pdf")
    text = pdf_text(tmp_path / "report.pdf")
    assert "In numbers" in text
    assert leaks(" ".join(text.split()).encode()) == []


async def test_no_word_over_mqtt_lsl_or_the_live_feed_names_anybody(
    records: list[tuple[str, int, bytes]],
    mosquitto: Mosquitto,
    tmp_path: Path,
) -> None:
    """A real recorder, a real broker with a subscriber to everything, a real LSL inlet."""
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed (extra lsl)")
    settings = MqttSettings(LOOPBACK, mosquitto.port, site="lab", rig="rig-1")
    (tmp_path / "header.json").write_bytes(msgspec.json.encode(FACTS))
    (tmp_path / "mqtt.json").write_bytes(msgspec.json.encode(settings))
    command = [
        sys.executable,
        "-m",
        "controller.runtime.recorder",
        "--rig",
        str(tmp_path),
        "--lsl",
        "machine",
    ]
    command += [
        "--out",
        str(tmp_path / "s.mcap"),
        "--header",
        str(tmp_path / "header.json"),
        "--name",
        "leaks",
    ]
    heard: list[bytes] = []

    async def subscribe(ready: asyncio.Event) -> None:
        async with aiomqtt.Client(LOOPBACK, mosquitto.port) as client:
            await client.subscribe("#", qos=1)
            ready.set()
            async for message in client.messages:
                heard.append(str(message.topic).encode() + b" " + bytes(message.payload))  # type: ignore[arg-type]
                if heard[-1].endswith(b"$state disconnected"):
                    return

    recorder = subprocess.Popen([*command, "--mqtt", str(tmp_path / "mqtt.json")])

    async def scenario() -> tuple[list[str], bytes]:
        ready = asyncio.Event()
        task = asyncio.create_task(subscribe(ready))
        await ready.wait()
        with recorder:
            sender = bus.Sender(bus.connect(tmp_path, "recorder"), keep_bytes=bus.KEEP_RECORDS_BYTES)
            live = bus.connect(tmp_path, "live")
            found = await asyncio.to_thread(pylsl.resolve_byprop, "name", "leaks-markers", 1, PATIENCE_S)
            inlet = pylsl.StreamInlet(found[0], recover=False)
            inlet.open_stream(PATIENCE_S)
            shown = b""
            for topic, t_ns, payload in records:
                sender.send(bus.pack_record(topic, t_ns, payload))
                while sender.behind:
                    await asyncio.sleep(0.005)
                    sender._forward()
            await asyncio.sleep(0.5)  # some turns of the live feed
            while word := bus.receive(live):
                shown += word
            live.close()
            marks: list[str] = []  # pulled before the end: a stream that is gone has none
            end_s = time.monotonic() + PATIENCE_S
            while sum("arm end" in mark for mark in marks) < ARMS and time.monotonic() < end_s:
                marks += [row[0] for row in inlet.pull_chunk(0.5, 10_000)[0]]
            sender.send(bus.pack_record("finish", time.monotonic_ns(), b"{}"))
            sender.close(wait_s=PATIENCE_S)
            async with asyncio.timeout(PATIENCE_S):
                await task
            assert recorder.wait(PATIENCE_S) == 0
        return marks, shown

    marks, shown = await scenario()
    said = b"\n".join(heard)
    assert leaks(said) == []
    assert ANSWERED.encode() in said
    assert any(ANSWERED in mark for mark in marks)
    assert leaks("\n".join(marks).encode()) == []
    assert leaks(shown) == []
    kept = b"".join(message.payload for message in raw_messages(tmp_path / "s.mcap"))
    assert NAME.encode() in kept


@pytest.mark.parametrize(
    ("kind", "text", "outside"),
    [
        (
            "refused",
            "Not armed: checklist: heart is answered 'yes'.",
            "Not armed: the checklist does not allow it.",
        ),
        (
            "refused",
            "Not armed: checklist: heart is not answered; checklist: skin is answered 'yes'; no recorder.",
            "Not armed: the checklist does not allow it; no recorder.",
        ),
        (
            "arm",
            "Armed. Staged unlock: 0 of 10 strides answered.",
            "Armed. Staged unlock: 0 of 10 strides answered.",
        ),
    ],
)
def test_the_guards_other_words_go_out_as_they_are(kind: str, text: str, outside: str) -> None:
    assert guard_word(GuardEvent(1, kind, "off", text, None, "console")).text == outside


def test_roles_go_out_and_names_do_not() -> None:
    assert [role(by) for by in ("console", "terminal", "stop key", "strides", "", "Ann", "CONSOLE ")] == [
        "console", "terminal", "stop key", "strides", "", "operator", "operator",
    ]  # fmt: skip


def test_messages_of_the_recording_are_the_guards_own(recording: Path) -> None:
    events = [m.record for m in messages(recording, ("guard/event",)) if isinstance(m.record, GuardEvent)]
    assert any(event.by == NAME for event in events)
