"""What is heard on a line where nobody answers: a stream, and what its frames carry."""

from collections.abc import Iterator

from bundler.errors import BundleError
from pannier.links.listening import _name, _read
from spool.errors import MalformedNameError
from tests.fuzz.harness import Target, vectors
from transports.link.check import CRC_BYTES, crc
from transports.link.encode import encode_one_way
from transports.link.errors import LinkError, MalformedFrameError
from transports.link.frame import OneWay
from transports.link.framing import DATAGRAM, PIPES, framing_named
from transports.link.oneway import OneWayListener
from transports.link.settings import LinkSettings

LONGEST = 256


def take(data: bytes) -> None:
    """Take *data* as a frame whose check was set right, and as a stream as it is."""
    mended = data[:-CRC_BYTES] + crc(data[:-CRC_BYTES])
    found = []
    for name in (*PIPES, DATAGRAM):
        listener = OneWayListener(LinkSettings(framing=name, frame_bytes=LONGEST))
        framing = framing_named(name, LONGEST)
        stream = [mended] if name == DATAGRAM else [data, framing.opening + framing.frame(mended)]
        heard = [frame for each in stream for frame in listener.receive(0, each)]
        assert len(heard) == listener.frames <= len(data) + 1
        found += heard
    if not found:
        raise MalformedFrameError("nothing to be heard")
    for frame in found:
        assert len(encode_one_way(frame.label, frame.body)) <= 2 * LONGEST + 1
        _look(frame)


def _look(frame: OneWay) -> None:
    part = _read(frame.body)
    name = _name(frame, part)
    assert type(name).from_text(name.to_text()) == name


def seeds() -> Iterator[bytes]:
    yield from vectors("oneway", "frame")
    yield from vectors("link", "frame")
    yield from vectors("link", "stream")


TARGET = Target(take, (LinkError, BundleError, MalformedNameError), seeds, longest=320)
