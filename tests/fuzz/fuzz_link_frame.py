"""Frames of a link, up to what is offered and asked for in them.

The checks are set right, as a peer would do.
"""

from collections.abc import Callable, Iterator

from tests.fuzz.harness import Target, vectors
from tests.transports.link.frames import KEY, to_bytes
from transports.link import frame_cbor
from transports.link.check import CRC_BYTES, MAC_BYTES, crc, mac
from transports.link.errors import LinkError
from transports.link.frame import Control, Kind
from transports.link.offers import read_lacks, read_offers, read_withdrawn
from transports.link.read import kind_of, read, read_open, split_number

READERS: dict[Kind, Callable[[bytes], object]] = {
    Kind.OFFER: read_offers,
    Kind.LACK: read_lacks,
    Kind.WITHDRAW: read_withdrawn,
}


def take(data: bytes) -> None:
    kind = kind_of(data)
    if kind not in MAC_BYTES:
        body = data[:-CRC_BYTES] + crc(data[:-CRC_BYTES])
        assert to_bytes(read_open(body)) == body
        return
    number, start = split_number(data, kind, 0)
    mended = start + mac(KEY, number, start, MAC_BYTES[kind])
    frame = read(mended, KEY, 0, 0)
    assert to_bytes(frame) == mended
    if isinstance(frame, Control):
        assert READERS[kind](frame.body)
        assert frame_cbor.encode(frame_cbor.decode(frame.body)) == frame.body


def seeds() -> Iterator[bytes]:
    yield from vectors("link", "frame")
    for body in vectors("link", "body"):
        for kind in READERS:
            yield bytes((kind, 0, 1)) + body + bytes(MAC_BYTES[kind])


TARGET = Target(take, (LinkError,), seeds, longest=2048)
