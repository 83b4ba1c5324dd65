"""One Lab Streaming Layer stream, found by its name: its samples with its stamps and their arrival here.

liblsl waits in calls of its own, so a thread of each inlet does; it hands over to the event loop and decides
nothing. Knows no meaning of values. Needs the extra ``lsl``. Refuses to trust a connection: a stream that
says nothing for a while is let go and sought anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from drivers.interface import DeviceError

FIND_S = 1.0  # one look for the stream; between two the thread sees whether it shall end
WAIT_S = 0.1  # for a sample
SILENCE_S = 1.0  # as of Bluetooth: longer is told
LET_GO_S = 3.0  # silent for so long: another stream of that name may have taken its place
CHUNK_MAX = 512
ENDS_S = 5.0
STAMP_MAX_S = 4e9  # seconds since 1970 some senders take, others since they were switched on
OFF_ITS_TIME = "time stamp does not fit its arrival"
QUIET = "[log]\nlevel = -1\n"  # warnings alone: liblsl tells every start otherwise

Values = Sequence[float] | Sequence[str]
Came = Callable[[Sequence[Values], Sequence[float], int], None]  # samples, stamps s, arrival ns
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StreamHead:
    """What a stream says of itself; labels and units are empty where it says none."""

    name: str
    kind: str
    rate_hz: float  # 0: irregular
    labels: tuple[str, ...]
    units: tuple[str, ...]
    text: bool  # its samples are texts


def library(device: str) -> ModuleType:
    """pylsl; :class:`DeviceError`, permanent, where it or its liblsl is not installed."""
    new = "pylsl" not in sys.modules  # who came first has said where streams are sought
    try:
        import pylsl

        if new:
            pylsl.set_config_content(QUIET)
    except (ImportError, OSError, RuntimeError):
        what = "pylsl is not installed: pip install 'dorsi[lsl]'"
        raise DeviceError(device, what, transient=False) from None
    module: ModuleType = pylsl
    return module


class LslInlet:
    """``start`` and ``close`` it within an event loop; the callbacks come in that loop.

    ``found`` says what stream it is, each time it is found, and may raise ``ValueError`` to refuse it: then
    nothing of it comes, and ``lost`` is told why. ``lost`` comes with the reason in words when it is not
    found, falls silent or breaks off.
    """

    def __init__(self, name: str, found: Callable[[StreamHead], None], came: Came, lost: Told) -> None:
        self.name = name
        self._lsl = library(name)
        self._found, self._came, self._lost = found, came, lost
        self._loop = asyncio.get_running_loop()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lsl {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def close(self) -> None:
        """Ends the thread; waits for liblsl to come back from its call."""
        self._ended.set()
        await asyncio.to_thread(self._thread.join, ENDS_S)

    # --- in the thread ---

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _run(self) -> None:
        while not self._ended.is_set():
            infos = self._lsl.resolve_byprop("name", self.name, 1, FIND_S)
            if not infos:
                self._tell(self._lost, f"no LSL stream named {self.name}")
                continue
            try:
                inlet = self._lsl.StreamInlet(infos[0], max_buflen=10, recover=False)
                head = head_of(inlet.info(FIND_S), self._lsl.cf_string)
                if self._agreed(head):
                    inlet.open_stream(FIND_S)
                    self._pull(inlet)
            except (self._lsl.util.LostError, self._lsl.util.TimeoutError, RuntimeError) as error:
                self._tell(self._lost, f"the LSL stream broke off ({error or type(error).__name__})")

    def _agreed(self, head: StreamHead) -> bool:
        """Whether the one who listens takes this stream; a refusal is told once a look."""
        answer: list[bool] = []
        heard = threading.Event()

        def ask() -> None:
            try:
                self._found(head)
                answer.append(True)
            except ValueError as error:
                self._lost(str(error))
            heard.set()

        self._tell(ask)
        while not heard.wait(WAIT_S):
            if self._ended.is_set():
                return False
        if not answer:
            self._ended.wait(FIND_S)
        return bool(answer)

    def _pull(self, inlet: object) -> None:
        heard_s, told = time.monotonic(), False
        while not self._ended.is_set():
            sample, stamp = inlet.pull_sample(WAIT_S)  # type: ignore[attr-defined]
            now_s = time.monotonic()
            if sample is None:
                if now_s - heard_s > SILENCE_S and not told:
                    told = True
                    self._tell(self._lost, f"no valid data for {SILENCE_S:g} s")
                if now_s - heard_s > LET_GO_S:
                    return
                continue
            heard_s, told, arrival_ns = now_s, False, time.monotonic_ns()
            more, stamps = inlet.pull_chunk(0.0, CHUNK_MAX)  # type: ignore[attr-defined]
            self._tell(self._came, [sample, *more], [stamp, *stamps], arrival_ns)


def head_of(info: object, text_form: int) -> StreamHead:
    """A stream's own description, in which every channel may name itself and its unit."""
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")  # type: ignore[attr-defined]
    count: int = info.channel_count()  # type: ignore[attr-defined]
    for _ in range(count):
        labels.append(str(channel.child_value("label")))
        units.append(str(channel.child_value("unit")))
        channel = channel.next_sibling("channel")
    return StreamHead(
        str(info.name()),  # type: ignore[attr-defined]
        str(info.type()),  # type: ignore[attr-defined]
        float(info.nominal_srate()),  # type: ignore[attr-defined]
        tuple(labels),
        tuple(units),
        info.channel_format() == text_form,  # type: ignore[attr-defined]
    )
