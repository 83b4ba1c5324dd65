"""What the guard judges by, decides and gives, as records; and its line to the recorder, without waiting."""

from __future__ import annotations

import contextlib
import json
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from controller.ipc import bus
from controller.safety.judgement import electrode_test
from controller.safety.judgement.fault_reaction import ages
from controller.safety.judgement.frame_check import MS, RISE_SAVED_NS, TICK_NS
from controller.safety.judgement.guard_types import Known, Note, Reaction, Setup, begin
from controller.safety.judgement.staged_unlock import STRIDES, ceiling_ma, counted
from controller.safety.judgement.wire import FRAME_GAP_MIN_NS, Verdict
from controller.untrusted import read_json

BUFFER_BYTES = 8 * 1024  # some 50 ms of verdicts: a recorder that hangs shows soon (F12)
TAKES_S = 5.0  # at the end, with the stimulator closed, for what a slow recorder has not taken yet
KEPT_NOTES = 32  # for the recorder that is not there yet

Payload = dict[str, object]


def packed(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def unpacked(data: bytes) -> Payload:
    """The JSON object in ``data``; empty where it is none."""
    try:
        value = read_json(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class GuardJournal:
    """The guard's line to the recorder; events from before it was there are told when it comes."""

    def __init__(self, rig: Path) -> None:
        self._rig = rig
        self.sock: socket.socket | None = None
        self._sender: bus.Sender | None = None
        self._untold: deque[Payload] = deque(maxlen=KEPT_NOTES)

    def connect(self) -> socket.socket | None:
        """The new connection; None where there is one, or no recorder yet."""
        if self.sock is not None:
            return None
        with contextlib.suppress(TimeoutError):
            self.sock = bus.connect(self._rig, "recorder", timeout_s=0.0)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            self._sender = bus.Sender(self.sock, keep_bytes=bus.KEEP_RECORDS_BYTES)
        return self.sock

    def untold(self) -> list[Payload]:
        """Events from before there was a recorder, with their own times in them; they count as told now."""
        kept = list(self._untold)
        self._untold.clear()
        return kept

    def failed(self) -> bool | None:
        """Whether the recorder says that it cannot record; None where it is gone."""
        assert self.sock is not None
        data = bus.receive(self.sock)
        return None if data is None else bool(data) and unpacked(data).get("recorder") == "failed"

    def write(self, topic: str, t_ns: int, payload: Payload) -> bool | None:
        """Whether the recorder takes what it is given; None where there is none."""
        if self._sender is None:
            if topic == "guard/event":
                self._untold.append(payload)
            return None
        return self._sender.send(bus.pack_record(topic, t_ns, packed(payload))) and not self._sender.behind

    def close(self, wait_s: float = 0.0) -> None:
        if self._sender is not None:
            self._sender.close(wait_s=wait_s)
        self.sock = self._sender = None


def verdict_record(now_ns: int, reaction: Reaction, verdict: Verdict, setup: Setup, known: Known) -> Payload:
    """One verdict; what was given of it is added by whoever gave it."""
    return {
        "frame_seq": verdict.frame_seq,
        "t_ns": verdict.t_ns,
        "received_ns": now_ns,
        "state": verdict.state,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "limit": reaction.limit,
        "channels": [None if channel is None else asdict(channel) for channel in verdict.channels],
        "unlocked": setup.config.unlock is None or known.unlock.full,
        "scope": known.scope,
    }


def event_record(now_ns: int, note: Note, known: Known) -> Payload:
    return {
        "t_ns": now_ns,
        "kind": note.kind,
        "fault": note.fault,
        "text": note.text,
        "by": note.by,
        "answers": dict(note.answers),
        "state": known.state.stage.value,
        "current_max_ma": note.current_max_ma,
        "unlock": None if note.unlock is None else asdict(note.unlock),
    }


def setup_record(now_ns: int, setup: Setup) -> Payload:
    """What all verdicts after it in the recording are judged by, and the answers of the checklist."""
    config, effective, check = setup.config, setup.rules.effective, setup.capability.contact
    tested = check is not None and electrode_test.testable(check, effective.limits)
    return {
        "t_ns": now_ns,
        "session": config.session,
        "caps": config.caps,
        "on_window_s": setup.rules.on_window_s,
        "limits": limits_in_force(setup),
        "channels": [asdict(channel) for channel in config.channels],
        "sensors": [
            {"name": age.sensor, "age_max_ms": age.age_max_ms} for age in ages(now_ns, setup, begin(setup))
        ],
        "safe_action": config.safe_action,
        "recorder_loss": config.recorder_loss,
        "supervised": config.supervised,
        "overseen": config.overseen,
        "checklist": dict(config.checklist),
        "unlock": config.unlock
        and {
            "by": config.unlock,
            "strides": STRIDES,
            "ceiling_ma": ceiling_ma(effective),
            "counted": counted(config.caps),
        },
        "contact": asdict(electrode_test.command(check, effective.limits)) if check and tested else None,
        "stimulator": asdict(setup.capability),
        "pace": {
            "tick_ms": TICK_NS / MS,
            "rise_kept_ms": RISE_SAVED_NS / MS,
            "frame_gap_min_ms": FRAME_GAP_MIN_NS / MS,
        },
    }


def limits_in_force(setup: Setup) -> Payload:
    """Every limit with who set it."""
    effective = setup.rules.effective
    return {
        name: {"value": value, "set_by": effective.set_by[name]}
        for name, value in asdict(effective.limits).items()
    }
