"""Broken and hostile recordings: one bad message loses itself alone, and memory stays bounded."""

from __future__ import annotations

import resource
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest
import zstandard
from lz4 import frame as lz4
from mcap.records import Chunk

from controller.analysis.arms import read_arms
from controller.analysis.export.export import export
from controller.analysis.report.page import report_html, write_pdf
from controller.errors import InputError
from controller.record import mcap_records as reader
from controller.record.mcap_records import unpacked
from controller.record.reader import messages, raw_messages
from controller.record.records import GuardEvent, Unreadable, encode
from controller.record.replay import replay
from controller.record.writer import RecordingWriter
from controller.untrusted import clean, mended, number, read_json, read_object
from tests.record.made import SESSION
from tests.record.paper import pdf_text
from tests.record.walk import record_walk

DEEP = b"[" * 5000 + b"]" * 5000
EVENT = b'{"t_ns":%b,"kind":"arm","state":"armed","text":%b,"by":%b}'


def recording(path: Path, *payloads: tuple[str, bytes], compress: bool = False) -> Path:
    """The payloads between two good events."""
    good = encode(GuardEvent(1, "arm", "armed", "good"))
    writer = RecordingWriter(path, SESSION, compress=compress)
    for topic, payload in (("guard/event", good), *payloads, ("guard/event", good)):
        writer.add(topic, 1, payload)
    writer.finish()
    writer.close()
    return path


MENDED = {
    "half a pair": EVENT % (b"2", b'"x"', b'"Dr \\ud800"'),
    "the other half": EVENT % (b"2", b'"x"', b'"Dr \\udfff"'),
    "two halves the wrong way round": EVENT % (b"2", b'"x"', b'"Dr \\udc00\\ud800"'),
    "no UTF-8": EVENT % (b"2", b'"x"', b'"Dr \xff\xfe"'),
    "half a pair in bytes": EVENT % (b"2", b'"x"', b'"Dr \xed\xa0\x80"'),
}
UNREADABLE = {
    "nested": b'{"t_ns":2,"more":' + DEEP + b"}",
    "beyond 64 bits": EVENT % (b"9223372036854775808", b'"x"', b'"y"'),
    "beyond doubles": EVENT % (b"1e400", b'"x"', b'"y"'),
    "cut": EVENT[:20],
    "empty": b"",
    "NUL": EVENT % (b"2", b'"x\0"', b'"y"'),
    "another type": b"[]",
    "random": bytes(range(256)),
}


@pytest.mark.parametrize("name", MENDED)
def test_a_text_that_is_none_is_mended_and_its_message_read(tmp_path: Path, name: str) -> None:
    path = recording(tmp_path / "s.mcap", ("guard/event", MENDED[name]))
    first, bad, last = [message.record for message in messages(path)]
    assert first == last == GuardEvent(1, "arm", "armed", "good")
    assert isinstance(bad, GuardEvent)
    assert bad.by.startswith("Dr \N{REPLACEMENT CHARACTER}")
    bad.by.encode()
    assert "Dr" not in report_html(path)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_message_that_nobody_can_read_loses_itself_alone(tmp_path: Path, name: str) -> None:
    path = recording(tmp_path / "s.mcap", ("guard/event", UNREADABLE[name]))
    first, bad, last = [message.record for message in messages(path)]
    assert first == last == GuardEvent(1, "arm", "armed", "good")
    assert isinstance(bad, Unreadable)
    assert (bad.topic, bad.t_ns) == ("guard/event", 1)
    assert bad.why
    assert "1 message cannot be read and is left out" in report_html(path)
    export(path, "csv", tmp_path / "out")
    assert "unreadable_message" in (tmp_path / "out" / "events.csv").read_text()


def test_report_and_paper_say_how_many_messages_cannot_be_read(tmp_path: Path) -> None:
    walk, bad = record_walk(tmp_path / "walk.mcap", strides=1), UNREADABLE["random"]
    assert "cannot be read" not in report_html(walk)
    said = "3 messages cannot be read and are left out"
    path = tmp_path / "s.mcap"
    writer = RecordingWriter(path, SESSION)
    for at, message in enumerate(raw_messages(walk)):
        writer.add(message.topic, message.t_ns, message.payload)
        if at == 100:
            for topic, payload in (("guard/event", bad), ("tick", bad), ("process", b"{")):
                writer.add(topic, message.t_ns, payload)
    writer.finish()
    writer.close()
    assert said in report_html(path)
    write_pdf(path, tmp_path / "s.pdf")
    assert said in " ".join(pdf_text(tmp_path / "s.pdf").split())


def test_replay_refuses_what_it_cannot_compare(tmp_path: Path) -> None:
    walk = record_walk(tmp_path / "walk.mcap", strides=1)
    path = tmp_path / "s.mcap"
    writer = RecordingWriter(path, SESSION)
    writer.add("arm", 5, b"{")
    writer.add("tick", 6, b"{")
    for message in raw_messages(walk):
        writer.add(message.topic, message.t_ns, message.payload)
    writer.finish()
    writer.close()
    assert len(read_arms(path)) == 2
    with pytest.raises(InputError, match="message 'tick' at 6 ns"):
        replay(path)


CONTENT = b"x" * 3000


def chunk(data: bytes, compression: str, claimed: int = len(CONTENT), crc: int | None = None) -> Chunk:
    return Chunk(
        compression=compression, data=data, message_end_time=0, message_start_time=0,
        uncompressed_crc=zlib.crc32(CONTENT) if crc is None else crc, uncompressed_size=claimed,
    )  # fmt: skip


PACKED = {"zstd": zstandard.compress(CONTENT), "lz4": lz4.compress(CONTENT), "": CONTENT}


@pytest.mark.parametrize("compression", PACKED)
def test_a_chunk_is_unpacked_where_it_is_as_long_as_it_says(compression: str) -> None:
    assert unpacked(chunk(PACKED[compression], compression)) == CONTENT
    for claimed in (0, len(CONTENT) - 1, len(CONTENT) + 1):
        with pytest.raises(ValueError, match="is not so long"):
            unpacked(chunk(PACKED[compression], compression, claimed))
    with pytest.raises(ValueError, match="checksum"):
        unpacked(chunk(PACKED[compression], compression, crc=1))
    with pytest.raises(ValueError, match="compression 'br'"):
        unpacked(chunk(PACKED[compression], "br"))


def test_a_chunk_is_held_against_its_unpacked_size_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "RECORD_BYTES_MAX", len(CONTENT))
    assert unpacked(chunk(PACKED["zstd"], "zstd")) == CONTENT
    for compression in PACKED:  # what it holds is small: the claim is enough
        with pytest.raises(ValueError, match="3,001 bytes unpacked, allowed: at most 3,000"):
            unpacked(chunk(b"", compression, len(CONTENT) + 1))


def test_a_recording_whose_chunk_claims_too_much_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording(tmp_path / "s.mcap", ("later", b'"' + b"x" * 2000 + b'"'), compress=True)
    monkeypatch.setattr(reader, "RECORD_BYTES_MAX", 1000)
    with pytest.raises(InputError, match="bytes unpacked, allowed: at most 1,000"):
        list(messages(path))


LIMIT_BYTES = 1 << 30


def test_what_unpacks_to_more_than_the_bound_takes_no_memory(tmp_path: Path) -> None:
    """In a process that may have little more than the interpreter and its libraries."""
    path = tmp_path / "s.mcap"
    writer = RecordingWriter(path, SESSION, compress=True)
    writer.add("later", 1, b" " * (reader.RECORD_BYTES_MAX + 1))  # just above our own bound
    writer.finish()
    writer.close()
    assert path.stat().st_size < 100_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))

    code = "import sys; from pathlib import Path; from controller.record.reader import messages\n"
    code += "list(messages(Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, capture_output=True, preexec_fn=limited
    )
    assert done.returncode == 1
    assert b"InputError" in done.stderr
    assert b"bytes unpacked" in done.stderr


def test_json_from_outside_is_a_value_or_a_value_error() -> None:
    whole = read_json(b'{"a":["\\ud800",1.5,9223372036854775807]}')
    assert whole == {"a": [clean("\ud800"), 1.5, 2**63 - 1]}
    assert read_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"  # a whole pair is a character
    assert read_json(b'{"\\ud800":1}') == {"\N{REPLACEMENT CHARACTER}": 1}
    beyond = (b"9223372036854775808", b"-9223372036854775809", b"9" * 5000)
    for bad in (b"", b"{", DEEP, b"\xff", b"\0", *beyond):
        with pytest.raises(ValueError, match=r"."):
            read_json(bad)
    for bad in (b"[]", b"1", b"null"):
        with pytest.raises(ValueError, match="no JSON object"):
            read_object(bad)
    msgspec.json.decode(mended(b'{"a":"\xff\\ud800"}'))
    assert clean("a\0b\udc80c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert [number(text) for text in ("1_0", "", "nan?", "1e3")] == [None, None, None, 1000.0]
