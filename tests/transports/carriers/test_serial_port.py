import builtins
import os
import pty
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import serial.tools.list_ports
from serial.tools.list_ports_common import ListPortInfo

from tests.transports.carriers.ends import a_bell, read
from transports.carriers.carrier import CarrierGoneError, CarrierUnusableError
from transports.carriers.serial_port import SerialCarrier, SerialOpener, SerialSettings, find

EVERY_BYTE = bytes(range(256)) * 4


@contextmanager
def line() -> Iterator[tuple[int, str]]:
    """Yield the far end of a line (a file) and the path of the near one."""
    far, near = pty.openpty()
    tty.setraw(near)
    path = os.ttyname(near)
    os.close(near)
    try:
        yield far, path
    finally:
        with suppress(OSError):
            os.close(far)


def opened(device: str, settings: SerialSettings | None = None) -> SerialCarrier:
    with a_bell() as bell:
        carrier = SerialOpener(device, settings or SerialSettings()).open(bell)
    assert carrier is not None
    return carrier


def test_every_byte_passes_unchanged_both_ways() -> None:
    with line() as (far, path), closing(opened(path)) as port:
        assert port.read() == b""
        os.write(far, EVERY_BYTE)
        assert read(port, len(EVERY_BYTE)) == EVERY_BYTE
        assert port.write(EVERY_BYTE) == len(EVERY_BYTE)
        came = b""
        while len(came) < len(EVERY_BYTE):
            came += os.read(far, 4096)
        assert came == EVERY_BYTE
        assert port.backlog_us() == 0


def test_a_full_line_takes_no_more_and_does_not_block() -> None:
    with line() as (far, path), closing(opened(path)) as port:
        total = 0
        while taken := port.write(bytes(4096)):
            total += taken
        assert total > 0
        os.read(far, 4096)


@pytest.mark.parametrize(
    ("settings", "cflags", "iflags"),
    [
        (SerialSettings(baud=9600), termios.CS8, 0),
        (SerialSettings(parity="even"), termios.CS8 | termios.PARENB, 0),
        (SerialSettings(parity="odd"), termios.CS8 | termios.PARENB | termios.PARODD, 0),
        (SerialSettings(stop_bits=2, rtscts=True), termios.CSTOPB | termios.CRTSCTS, 0),
        (SerialSettings(xonxoff=True), termios.CS8, termios.IXON | termios.IXOFF),
    ],
)
def test_the_line_is_set_as_said(settings: SerialSettings, cflags: int, iflags: int) -> None:
    """A pseudo-terminal always says 8 bits and no parity: what it was asked for is looked at."""
    asked: list[list[Any]] = []
    real = termios.tcsetattr

    def spy(fd: int, when: int, values: list[Any]) -> None:
        asked.append(list(values))
        real(fd, when, values)

    with line() as (_, path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(termios, "tcsetattr", spy)
        with closing(opened(path, settings)):
            pass
    iflag, oflag, cflag, lflag, ispeed, ospeed, _ = asked[0]
    speed = getattr(termios, f"B{settings.baud}")
    assert (ispeed, ospeed) == (speed, speed)
    assert cflag & cflags == cflags
    assert iflag & (termios.IXON | termios.IXOFF) == iflags
    assert not oflag & termios.OPOST
    assert not lflag & (termios.ECHO | termios.ICANON | termios.ISIG)


def test_speed_counts_what_is_around_the_bits() -> None:
    assert SerialSettings(baud=115_200).bytes_per_second == 11_520
    assert SerialSettings(baud=9600, parity="even", stop_bits=2).bytes_per_second == 800


def test_two_programs_cannot_have_one_device() -> None:
    with (
        line() as (_, path),
        closing(opened(path)),
        pytest.raises(CarrierGoneError, match="another program has it open"),
    ):
        opened(path)


def test_a_device_that_goes_is_told_and_found_again(tmp_path: Path) -> None:
    name = tmp_path / "ttyUSB0"
    with line() as (far, path):
        name.symlink_to(path)
        with closing(opened(str(name))) as port:
            os.close(far)
            with pytest.raises(CarrierGoneError, match="unplugged"):
                read(port)
            with pytest.raises(CarrierGoneError, match="unplugged"):
                port.write(b"x")
    name.unlink()
    with pytest.raises(CarrierGoneError, match="no such device"):
        opened(str(name))
    with line() as (far, path):
        name.symlink_to(path)
        with closing(opened(str(name))) as port:
            os.write(far, b"again")
            assert read(port, 5) == b"again"


def test_a_device_that_goes_while_it_is_opened_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[serial.Serial] = []
    real = serial.Serial

    def unplugged(path: str, **settings: Any) -> serial.Serial:
        ports.append(real(path, **settings))
        os.close(far)
        return ports[0]

    with line() as (far, path):
        monkeypatch.setattr(serial, "Serial", unplugged)
        with pytest.raises(CarrierGoneError, match=f"serial {path}: Input/output error"):
            opened(path)
    assert not ports[0].is_open


def test_what_is_no_line_is_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    for other in (plain, tmp_path):
        with pytest.raises(CarrierUnusableError, match=f"{other}: that is no serial device"):
            opened(str(other))


def test_a_speed_that_the_device_does_not_have_is_told() -> None:
    with line() as (_, path), pytest.raises((CarrierUnusableError, CarrierGoneError)):
        opened(path, SerialSettings(baud=-1))


def plugged(device: str, vid: int | None, pid: int | None, number: str | None) -> ListPortInfo:
    port = ListPortInfo(device)
    port.vid, port.pid, port.serial_number = vid, pid, number
    return port


def test_usb_devices_are_found_wherever_they_turn_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [
        plugged("/dev/ttyUSB1", 0x0403, 0x6001, "B"),
        plugged("/dev/ttyS0", None, None, None),
        plugged("/dev/ttyUSB0", 0x0403, 0x6001, "A"),
        plugged("/dev/ttyACM0", 0x2E8A, 0x000A, None),
    ]
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: ports)
    assert find("0403:6001") == "/dev/ttyUSB0"
    assert find("0403:6001:B") == "/dev/ttyUSB1"
    assert find("2e8A:000a") == "/dev/ttyACM0"
    assert find("/dev/ttyS0") == "/dev/ttyS0"
    for absent in ("0403:6002", "0403:6001:C", "2e8a:000a:X"):
        with pytest.raises(CarrierGoneError, match="no such USB device"):
            find(absent)


def test_without_pyserial_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "serial":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "serial")
    with pytest.raises(CarrierUnusableError, match=r"pip install 'pannier\[serial\]'"):
        SerialOpener("/dev/x", SerialSettings())
