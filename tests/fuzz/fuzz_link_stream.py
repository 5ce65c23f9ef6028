"""A stream of a link up to the frames in it; the first byte says in which framing.

Who sends it has no key.
"""

from collections.abc import Iterator

from tests.fuzz.harness import Target, vectors
from transports.link.decode import UNCHECKED, decode
from transports.link.errors import LinkError
from transports.link.framing import DATAGRAM, PIPES, framing_named
from transports.link.read import is_of_session, kind_of, read, read_open

KEY = bytes(range(100, 132))
LONGEST = 256
NAMES = (*PIPES, DATAGRAM)


def take(data: bytes) -> None:
    name, data = NAMES[data[0] % len(NAMES) if data else 0], data[1:]
    deframer = framing_named(name, LONGEST).deframer()
    cut = len(data) // 3
    bodies = deframer.feed(data[:cut]) + deframer.feed(data[cut:])
    assert sum(map(len, bodies)) <= len(data)
    for body in bodies:
        _refuse(body)
    if name in PIPES:
        shown = list(decode([data[:7], data[7:]], PIPES[name](LONGEST), KEY))
        assert sum(one.stream_bytes for one in shown) <= len(data)
        assert all(one.check != UNCHECKED and one.to_line() for one in shown), name


def _refuse(body: bytes) -> None:
    try:
        if is_of_session(kind_of(body)):
            read(body, KEY, 70_000, 0)
            raise AssertionError("a frame was taken from somebody without the key")
        read_open(body)
    except LinkError:
        pass


def seeds() -> Iterator[bytes]:
    for first in range(len(NAMES)):
        for stream in vectors("link", "stream"):
            yield bytes([first]) + stream
    frames = list(vectors("link", "frame"))
    for name, framing in PIPES.items():
        yield bytes([NAMES.index(name)]) + b"".join(map(framing(LONGEST).frame, frames))


TARGET = Target(take, (), seeds, longest=192)
