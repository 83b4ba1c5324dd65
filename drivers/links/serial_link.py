"""A serial line that never makes its user wait: bytes go out or are refused, bytes come in if they are there.

Knows no meaning. Refuses to queue: a line that does not take everything at once is an error, because a late
pulse is worse than none. A line that has gone (unplugged, hung up) is a permanent error at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import termios

import serial

from drivers.interface import DeviceError
from drivers.links import port_holders
from drivers.links.input_watch import InputWatch

READ_BYTES = 4096
CONTROL_CHARACTERS = 6  # place of the control characters in what tcgetattr returns
TAKEN = (errno.EBUSY, errno.EAGAIN)  # kept out by the kernel, or by another program's lock


class SerialLink:
    """One serial port; a pseudo-terminal is used the same way, its speed means nothing.

    Held exclusively in three ways, because each alone has a hole: a lock keeps out programs that lock too,
    the kernel (TIOCEXCL) all later ones save root's, and one that had the port open before is looked for.
    ``low_latency`` has a USB adapter hand over what it got within 1 ms instead of 16, where it can.
    ``real_time`` lets a thread wait for input, so that reading never waits (:class:`InputWatch`).
    """

    def __init__(
        self,
        port: str,
        *,
        baud: int,
        stop_bits: int = 1,
        even_parity: bool = False,
        rts_cts: bool = False,
        low_latency: bool = False,
        real_time: bool = False,
    ) -> None:
        self.port = port
        self._baud = baud
        self._stop_bits = stop_bits
        self._parity = serial.PARITY_EVEN if even_parity else serial.PARITY_NONE
        self._rts_cts = rts_cts
        self._low_latency = low_latency
        self._real_time = real_time
        self._serial: serial.Serial | None = None
        self._watch: InputWatch | None = None

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    def open(self) -> None:
        """Opens the line and forgets what came in before.

        :class:`DeviceError`, transient, when the port is missing or in use; it says by which program.
        """
        try:
            line = serial.Serial(
                self.port,
                self._baud,
                stopbits=self._stop_bits,
                parity=self._parity,
                rtscts=self._rts_cts,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except (serial.SerialException, OSError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else None
            what = f"cannot be opened: {self._taken() if number in TAKEN else error}"
            raise DeviceError(self.port, what, transient=True) from error
        try:
            fcntl.ioctl(line.fd, termios.TIOCEXCL)
            # With VMIN 1 an empty line reads as "would block", so that reading nothing means "hung up".
            settings = termios.tcgetattr(line.fd)
            settings[CONTROL_CHARACTERS][termios.VMIN] = 1
            termios.tcsetattr(line.fd, termios.TCSANOW, settings)
        except (OSError, termios.error) as error:
            line.close()
            raise DeviceError(self.port, f"cannot be set up: {error}", transient=True) from error
        if self._low_latency:
            with contextlib.suppress(ValueError, OSError):  # not every port has it
                line.set_low_latency_mode(True)
        self._serial = line
        if self._real_time:
            self._watch = InputWatch(line.fd)
        try:
            self.require_alone()
        except DeviceError:
            self.close()
            raise

    def require_alone(self) -> None:
        """:class:`DeviceError`, transient, that names the program which has the port open too."""
        if port_holders.others(self.port):
            raise DeviceError(self.port, self._taken(), transient=True)

    def fileno(self) -> int:
        """For a poll loop; :class:`DeviceError` when closed."""
        return self._fd() if self._watch is None else self._watch.fileno()

    def read_available(self) -> bytes:
        """What has arrived, possibly nothing. :class:`DeviceError`, permanent, when the line has gone."""
        if self._watch is None:
            return self._read()
        if not self._watch.ready:
            return b""
        received = self._read()
        self._watch.taken()
        return received

    def _read(self) -> bytes:
        received = bytearray()
        while True:
            try:
                chunk = os.read(self._fd(), READ_BYTES)
            except BlockingIOError:
                return bytes(received)
            except OSError as error:
                raise self._gone(error) from error
            if not chunk:
                raise self._gone(None)
            received += chunk
            if len(chunk) < READ_BYTES:
                return bytes(received)

    def write(self, data: bytes) -> None:
        """Hands over all of ``data`` or raises :class:`DeviceError`, permanent; never waits."""
        try:
            written = os.write(self._fd(), data)
        except BlockingIOError:
            written = 0
        except OSError as error:
            raise self._gone(error) from error
        if written != len(data):
            what = f"the line does not take bytes ({written} of {len(data)} taken)"
            raise DeviceError(self.port, what, transient=False)

    def waiting_bytes(self) -> int:
        """How many bytes were handed over but have not left this computer; 0 where that cannot be told."""
        try:
            answer = fcntl.ioctl(self._fd(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        (count,) = struct.unpack("i", answer)
        return int(count)

    def discard_output(self) -> None:
        """Forgets what was handed over but has not left yet, so that the next write goes first."""
        try:
            termios.tcflush(self._fd(), termios.TCOFLUSH)
        except termios.error as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """Idempotent; a line that has gone closes without complaint."""
        line, self._serial = self._serial, None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        if line is not None:
            with contextlib.suppress(OSError):  # a port that stays open elsewhere would stay exclusive
                fcntl.ioctl(line.fd, termios.TIOCNXCL)
            line.close()

    def _fd(self) -> int:
        if self._serial is None:
            raise DeviceError(self.port, "the line is not open", transient=False)
        fd: int = self._serial.fd
        return fd

    def _taken(self) -> str:
        """Who has the port and what to do, as far as this account may see it."""
        names = port_holders.others(self.port)
        if names:
            return f"in use by {', '.join(names)}: close that program"
        return f"in use by a program of another account: find it with 'sudo fuser -v {self.port}', close it"

    def _gone(self, error: Exception | None) -> DeviceError:
        return DeviceError(self.port, f"the line has gone ({error or 'hung up'})", transient=False)
