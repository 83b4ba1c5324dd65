"""The commands about devices and this machine."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from controller.commands.line import (
    console,
    refuse,
)
from drivers.catalogue import DECODERS
from drivers.interface import DeviceError


def decode(
    device: Annotated[str, typer.Argument(help=", ".join(DECODERS))],
    payload: Annotated[str, typer.Argument(metavar="HEX", help="The bytes, in hexadecimal.")],
    channel: Annotated[
        str | None,
        typer.Option(help="UUID of the characteristic, or its four digits; Movesense: or the path."),
    ] = None,
    mode: Annotated[
        int | None,
        typer.Option(help="Payload mode (Movella DOT) or range (MetaMotion): the bytes do not tell."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what a device's bytes mean."""
    from drivers.decode import decode as decode_bytes

    try:
        meaning = decode_bytes(device, payload, channel, mode)
    except ValueError as error:
        refuse(error)
    if as_json:
        typer.echo(json.dumps(meaning))
        return
    table = Table("field", "value", show_header=False)
    for key, value in meaning.items():
        table.add_row(key, str(value))
    console.print(table)


def sensor(
    device: Annotated[str, typer.Argument(help="Its name in session files, or the TOML file of one's own.")],
    address: Annotated[str, typer.Argument(help="Bluetooth address, or the name that it advertises.")],
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to listen.")] = 10.0,
) -> None:
    """Listen to one sensor alone: its rate, what was lost, how late and how unevenly it arrives."""
    import asyncio

    from controller.commands.sensor import listen, open_sensor, rows_of

    try:
        told = asyncio.run(listen(open_sensor(device, address), seconds))
    except (ValueError, DeviceError) as error:
        refuse(error)
    table = Table("what", "found", title=f"{device} at {address}")
    for row in rows_of(told):
        table.add_row(*row)
    console.print(table)


def scan(
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to listen.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list at the end.")] = False,
) -> None:
    """What advertises on Bluetooth LE nearby: name, address, signal, and which device it is."""
    import asyncio
    import dataclasses
    import time

    from rich.live import Live

    from controller.commands.doctor import bluetooth
    from controller.commands.scan import scan as listen
    from controller.commands.scan import table_of

    adapter = bluetooth()
    if not adapter.good:
        refuse(ValueError(f"no Bluetooth adapter: {adapter.to_do}"))
    try:
        if as_json or not console.is_terminal:
            heard = asyncio.run(listen(seconds, lambda _: None))
        else:
            with Live(console=console, auto_refresh=True, transient=True) as live:
                heard = asyncio.run(
                    listen(seconds, lambda now: live.update(table_of(now, time.monotonic_ns())))
                )
    except DeviceError as error:
        refuse(error)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(one) for one in heard]))
        return
    console.print(table_of(heard, time.monotonic_ns()))
    if not heard:
        console.print(f"Nobody advertised within {seconds:g} s: is it on, and connected to nothing else?")


def doctor() -> None:
    """What this machine has for Dorsi, and what to do about what is missing."""
    from controller.commands.doctor import examine

    table = Table("what", "found", "what to do")
    findings = examine()
    for finding in findings:
        table.add_row(finding.what, ("ok: " if finding.good else "missing: ") + finding.found, finding.to_do)
    console.print(table)
