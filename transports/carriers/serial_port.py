"""Links over serial lines, by pyserial: also pseudo-terminals, and radios that look like a line.

A device is named by its path, or as what is plugged into USB, VENDOR:PRODUCT or
VENDOR:PRODUCT:SERIAL, wherever that turns up. One that is unplugged is found when it comes back.
"""

import errno
import fcntl
import os
import re
import struct
import termios
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transports.carriers.address import reason
from transports.carriers.bell import Bell
from transports.carriers.carrier import CarrierGoneError, CarrierUnusableError

if TYPE_CHECKING:
    import serial

USB = re.compile("([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?")
PARITIES = ("none", "even", "odd", "mark", "space")
# A look for a device costs nothing, unlike a call to another computer.
_LONGEST_WAIT_SECONDS = 2.0
_READ_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSettings:
    """How a line is set.

    Attributes:
        baud: Bits a second.
        parity: One of `PARITIES`.
        stop_bits: 1 or 2.
        rtscts: The wires RTS and CTS say who may send.
        xonxoff: The characters 0x11 and 0x13 do; framing must escape them.
    """

    baud: int = 115_200
    parity: str = "none"
    stop_bits: int = 1
    rtscts: bool = False
    xonxoff: bool = False

    @property
    def bytes_per_second(self) -> float:
        """What the line can carry: eight bits of data a byte, and those around them."""
        return self.baud / (9 + self.stop_bits + (self.parity != "none"))


class SerialOpener:
    """Opens a device, wherever it is now."""

    longest_wait_seconds = _LONGEST_WAIT_SECONDS

    def __init__(self, device: str, settings: SerialSettings) -> None:
        """Prepare to open *device*: a path, or VENDOR:PRODUCT[:SERIAL] of a USB device.

        Raises:
            CarrierUnusableError: pyserial is not installed.
        """
        self.name = f"serial {device}"
        self._device, self._settings = device, settings
        try:
            import serial  # noqa: F401, PLC0415 -- an extra that not everybody has
        except ImportError as error:
            raise CarrierUnusableError(
                "serial lines need pyserial: pip install 'pannier[serial]'"
            ) from error

    def open(self, bell: Bell) -> "SerialCarrier | None":
        """See `Opener`."""
        path = find(self._device)
        try:
            with ExitStack() as failed:
                port = failed.enter_context(closing(self._port(path)))
                carrier = SerialCarrier(port, self.name, self._settings.bytes_per_second)
                failed.pop_all()
        except (OSError, termios.error) as error:
            why = f"{self.name}: {_why(error)}"
            kind = CarrierUnusableError if _number(error) in _NEVER else CarrierGoneError
            raise kind(why) from error
        except ValueError as error:
            raise CarrierUnusableError(f"{self.name}: {error}") from error
        return carrier

    def _port(self, path: str) -> "serial.Serial":
        import serial  # noqa: PLC0415

        settings = self._settings
        return serial.Serial(
            path,
            baudrate=settings.baud,
            parity=settings.parity[0].upper(),
            stopbits=settings.stop_bits,
            rtscts=settings.rtscts,
            xonxoff=settings.xonxoff,
            timeout=0,
            exclusive=True,
        )

    def close(self) -> None:
        """See `Opener`."""


class SerialCarrier:
    """An open device; see `Carrier`."""

    def __init__(self, port: "serial.Serial", name: str, bytes_per_second: float) -> None:
        """Take over an open port that does not block.

        Raises:
            termios.error: the device is gone already; the port stays the caller's to close.
        """
        self.name = name
        self._bytes_per_second = bytes_per_second
        self._port = port
        self._fd = port.fileno()
        _make_plain(self._fd)

    def agree(self, bell: Bell) -> bool:
        """See `Carrier`: there is nothing to agree on."""
        return True

    def fileno(self) -> int:
        """See `Carrier`."""
        return self._fd

    def read(self) -> bytes:
        """See `Carrier`."""
        # Past pyserial, which would wait once more before each read.
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise CarrierGoneError(f"{self.name}: unplugged ({reason(error)})") from error
        if not data:
            raise CarrierGoneError(f"{self.name}: unplugged")
        return data

    def write(self, data: bytes) -> int:
        """See `Carrier`."""
        try:
            return os.write(self._fd, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise CarrierGoneError(f"{self.name}: unplugged ({reason(error)})") from error

    def backlog_us(self) -> int:
        """See `Carrier`."""
        try:
            unsent: int = struct.unpack("i", fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(4)))[0]
        except OSError:  # not every device tells
            return 0
        return round(unsent * 1_000_000 / self._bytes_per_second)

    def believe(self) -> None:
        """See `Carrier`: a line has one other end."""

    def greet(self) -> None:
        """See `Carrier`: a line has one other end."""

    def close(self) -> None:
        """See `Carrier`."""
        self._port.close()


def find(device: str) -> str:
    """Return the path of *device*.

    Raises:
        CarrierGoneError: no such USB device is plugged in.
    """
    usb = USB.fullmatch(device)
    if usb is None:
        return device
    from serial.tools.list_ports import comports  # noqa: PLC0415 -- only where one is looked for

    vendor, product, number = int(usb[1], 16), int(usb[2], 16), usb[3]
    for port in sorted(comports(), key=lambda one: one.device):
        if (port.vid, port.pid) == (vendor, product) and number in (None, port.serial_number):
            return str(port.device)
    raise CarrierGoneError(f"serial {device}: no such USB device is plugged in")


def _make_plain(fd: int) -> None:
    """Let a break, as of a cable being plugged, be a bad byte, and reading nothing a hang-up.

    Raises:
        termios.error: the device is gone.
    """
    settings = termios.tcgetattr(fd)
    settings[0] &= ~(termios.BRKINT | termios.IXANY)
    settings[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, settings)


_NEVER = (errno.ENOTTY, errno.EISDIR, errno.EINVAL)
_WORDS = {
    errno.EAGAIN: "another program has it open",
    errno.EBUSY: "another program has it open",
    errno.ENOENT: "there is no such device; is it plugged in?",
    errno.EACCES: "not allowed; mostly the members of the group dialout are",
    errno.ENOTTY: "that is no serial device",
    errno.EISDIR: "that is no serial device",
    errno.EINVAL: "it cannot be set like that: see --baud, --parity and --stop-bits",
}


def _why(error: Exception) -> str:
    number = _number(error)
    return _WORDS.get(number) or (os.strerror(number) if number else str(error))


def _number(error: Exception) -> int:
    number = error.errno if isinstance(error, OSError) else error.args[0]
    if isinstance(number, int):
        return number
    # pyserial says it in words only.
    found = re.search(r"\((\d+), ", str(error))
    return int(found[1]) if found else 0
