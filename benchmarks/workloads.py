"""What the benchmarks carry: written to files, the same on every machine, a bit at a time.

The generator of chance is Python's own with a fixed seed, and a stream of AES for bytes that
nothing compresses.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from benchmarks.weather import weather_lines

_SEED = 2718
_MEBIBYTE = 1 << 20
_START_US, _STEP_US = 1_760_000_000_000_000, 250_000
_HOSTS = ("gate", "barn", "pump-1", "pump-2", "router", "mill")
_PROGRAMS = ("kernel", "sshd", "dhcpd", "pumpd", "cron", "smartd")
_MESSAGES = (
    "accepted publickey for {user} from 10.0.{a}.{b} port {port}",
    "lease {a} of 10.0.0.{b} renewed for {user}, {port} s left",
    "pressure {a}.{b} bar at valve {port}, opening for {user}",
    "disk sd{user}: temperature changed from {a} to {b}, {port} hours on",
    "job {port} of {user} ended with status {a} after {b} s",
    "link {user} down: {port} frames lost in {a} s, retry {b}",
    "{user} [{a}:{b}] segment {port} written",
)
_USERS = ("ada", "ben", "eve", "kim", "lou", "max")


def weather(path: Path, count: int) -> None:
    """Write weather records as NDJSON: 3 things, 13 values each, in their order."""
    _write(path, weather_lines(count))


def shuffled(path: Path, count: int) -> None:
    """Write weather records as of 500 stations that report one after the other, in no order."""
    chance = Random(_SEED)
    stations = [f"station/{number}" for number in range(500)]
    _write(
        path,
        (
            f'{{"thing":"{chance.choice(stations)}",{line.partition(",")[2]}'
            for line in _in_disorder(chance, weather_lines(count))
        ),
    )


def log_entries(path: Path, count: int) -> None:
    """Write the lines of a log as NDJSON: things are the computers, data is a text."""
    chance = Random(_SEED)
    lines = (
        {
            "thing": chance.choice(_HOSTS),
            "time": _START_US + number * _STEP_US,
            "data": _message(chance),
        }
        for number in range(count)
    )
    _write(path, (json.dumps(line, separators=(",", ":")) for line in lines))


def blobs(path: Path, count: int) -> None:
    """Write 100 random bytes each, in base64, as NDJSON."""
    chance = Random(_SEED)
    lines = (
        {
            "thing": chance.choice(_HOSTS),
            "time": _START_US + number * _STEP_US,
            "data": b64encode(chance.randbytes(100)).decode(),
        }
        for number in range(count)
    )
    _write(path, (json.dumps(line, separators=(",", ":")) for line in lines))


def log_file(path: Path, size: int) -> None:
    """Write a log as a text file of about *size* bytes."""
    chance = Random(_SEED)
    written = number = 0
    with path.open("w") as file:
        while written < size:
            text = "".join(_log_line(chance, number + more) for more in range(10_000))
            written += file.write(text)
            number += 10_000


def incompressible(path: Path, size: int) -> None:
    """Write *size* bytes that nothing compresses."""
    stream = Cipher(AES(bytes(32)), CTR(_SEED.to_bytes(16, "big"))).encryptor()
    with path.open("wb") as file:
        for at in range(0, size, _MEBIBYTE):
            file.write(stream.update(bytes(min(_MEBIBYTE, size - at))))


def notes(path: Path, count: int) -> None:
    """Write texts of 1 KiB without repetition as NDJSON."""
    chance = Random(_SEED)
    texts = (chance.randbytes(512).hex() for _ in range(count))
    lines = ({"thing": f"note/{number}", "data": text} for number, text in enumerate(texts))
    _write(path, (json.dumps(line) for line in lines))


def note_files(folder: Path, count: int) -> None:
    """Write the same texts as files of 1 KiB."""
    chance = Random(_SEED)
    folder.mkdir()
    for number in range(count):
        (folder / f"note-{number}").write_text(chance.randbytes(512).hex())


BY_NAME: dict[str, Callable[[Path, int], None]] = {
    "weather": weather,
    "shuffled": shuffled,
    "log lines": log_entries,
    "blobs": blobs,
}


def _message(chance: Random) -> str:
    text = chance.choice(_MESSAGES)
    return f"{chance.choice(_PROGRAMS)}[{chance.randrange(300, 32_000)}]: " + text.format(
        user=chance.choice(_USERS),
        a=chance.randrange(256),
        b=chance.randrange(256),
        port=chance.randrange(1024, 65_536),
    )


def _log_line(chance: Random, number: int) -> str:
    seconds, millis = divmod(number * _STEP_US // 1000, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    when = f"{hours // 24 % 365:03} {hours % 24:02}:{minute:02}:{second:02}.{millis:03}"
    return f"{when} {chance.choice(_HOSTS)} {_message(chance)}\n"


def _in_disorder(chance: Random, lines: Iterator[str]) -> Iterator[str]:
    """Yield *lines*, each up to some thousand places from where it was, in bounded memory."""
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) > 10_000:
            place = chance.randrange(len(held))
            held[place], held[-1] = held[-1], held[place]
            yield held.pop()
    chance.shuffle(held)
    yield from held


def _write(path: Path, lines: Iterator[str]) -> None:
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in lines)
