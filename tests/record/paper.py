"""The words of a PDF as this repository's reports are made: fonts with a table of their characters."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

OBJECT = re.compile(rb"\n(\d+) 0 obj\n(.*?)endobj", re.DOTALL)
STREAM = re.compile(rb"stream\r?\n(.*)endstream", re.DOTALL)
FONT = re.compile(rb"/(F\d+) (\d+) 0 R")
RANGE = re.compile(rb"<([0-9a-f]{4})> <[0-9a-f]{4}> \[((?:<[0-9a-f]+> ?)+)\]")
TOKEN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\)", re.DOTALL)
ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
ESCAPES = {b"n": b"\n", b"r": b"\r"}


def pdf_text(path: Path) -> str:
    """All that is written on the pages, a line for each piece of text."""
    objects = {int(number): body for number, body in OBJECT.findall(path.read_bytes())}
    fonts = {
        name: _characters(objects, objects[int(number)])
        for body in objects.values()
        for name, number in FONT.findall(body.partition(b"stream")[0])
    }
    lines = []
    for body in objects.values():
        for piece in re.findall(rb"\bBT\b.*?\bET\b", _unpacked(body), re.DOTALL):
            line, characters = "", {}
            for font, text in TOKEN.findall(piece):
                if font:
                    characters = fonts[font]
                codes = ESCAPE.sub(lambda found: ESCAPES.get(found[1], found[1]), text)
                line += "".join(characters[codes[at : at + 2]] for at in range(0, len(codes), 2))
            lines.append(line)
    return "\n".join(lines)


def _unpacked(body: bytes) -> bytes:
    found = STREAM.search(body)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"/FlateDecode" in body[: found.start()] else found[1]


def _characters(objects: dict[int, bytes], font: bytes) -> dict[bytes, str]:
    """A font's codes of two bytes, and the characters they stand for: one, or those of a ligature."""
    table = re.search(rb"/ToUnicode (\d+) 0 R", font)
    assert table is not None
    known = {}
    for first, given in RANGE.findall(_unpacked(objects[int(table[1])])):
        for offset, code in enumerate(re.findall(rb"<([0-9a-f]+)>", given)):
            known[(int(first, 16) + offset).to_bytes(2)] = bytes.fromhex(code.decode()).decode("utf-16-be")
    return known
