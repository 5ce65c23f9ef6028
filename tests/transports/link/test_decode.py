import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.link.frames import DATA, KEY, OF_SESSION, OPEN, to_bytes
from transports.link import encode, frame_cbor
from transports.link.decode import FAILS, FITS, GARBAGE, UNCHECKED, Decoded, decode
from transports.link.frame import Ack, Data, Frame, HelloPart, Kind, Label, OneWay
from transports.link.framing import PIPES
from transports.link.offers import FragmentsOffer, Lack, SealedOffer

COBS = PIPES["cobs"](2048)
LABEL = Label(3, 2587, b"hint")


def decoded(stream: bytes, key: bytes | None = None, name: str = "cobs") -> list[Decoded]:
    return list(decode([stream], PIPES[name](2048), key))


def framed(*bodies: bytes) -> bytes:
    return COBS.opening + b"".join(map(COBS.frame, bodies))


@pytest.mark.parametrize("name", PIPES)
@given(frames=st.lists(DATA | OPEN, max_size=5))
def test_frames_are_shown_where_they_are(name: str, frames: list[Frame]) -> None:
    framing = PIPES[name](2048)
    stream = framing.opening + b"".join(framing.frame(to_bytes(frame)) for frame in frames)
    found = decoded(stream, name=name)
    assert len(found) == len(frames)
    for frame, one in zip(frames, found, strict=True):
        piece = stream[one.offset : one.offset + one.stream_bytes]
        assert framing.decode(piece) == to_bytes(frame)
        assert one.frame_bytes == len(to_bytes(frame))
        assert one.check == (FITS if isinstance(frame, (HelloPart, OneWay)) else UNCHECKED)


def test_what_frames_say_is_shown() -> None:
    offer = FragmentsOffer(5, LABEL, b"bundleid", 1000, 64, b"digest12")
    bundle = SealedOffer(6, LABEL, b"bundleid", 1000, 64)
    lacks = [Lack(5, 7, ((0, 64), (128, 256))), Lack(6, 7, ()), Lack(7, 7, None)]
    bodies = [
        encode.encode_control(
            KEY, Kind.OFFER, 0, frame_cbor.array([offer.to_bytes(), bundle.to_bytes()])
        ),
        encode.encode_control(
            KEY, Kind.LACK, 1, frame_cbor.array([lack.to_bytes() for lack in lacks])
        ),
        encode.encode_control(KEY, Kind.WITHDRAW, 2, frame_cbor.encode([5, 7])),
        encode.encode_data(KEY, 65_539, 5, 128, b"data"),
        encode.encode_ack(KEY, Ack(((70_000, 70_005), (1, 69_990)), 2)),
        encode.encode_bye(KEY, 4, 9),
        encode.encode_short(KEY, Kind.PING, 5),
        encode.encode_short(KEY, Kind.TURN, 6),
        encode.encode_rest(KEY, 70_000, 70_001),
        encode.encode_whole(KEY, 7, LABEL, b"sealed"),
        encode.encode_hello_part(HelloPart(0, 0, b"\1\2", b"sealed")),
        encode.encode_one_way(LABEL, b"fragment"),
    ]
    lines = [one.to_line().split(maxsplit=2)[2] for one in decoded(framed(*bodies))]
    label = "priority 3  expiry_days 2587  hint 68696e74"
    assert [" ".join(line.split()) for line in lines] == [
        "OFFER unchecked number 0 offers (handle 5 priority 3 expiry_days 2587 hint 68696e74 "
        "bundle_id 62756e646c656964 size 1000 payload_id 64 digest 6469676573743132) "
        "(handle 6 priority 3 expiry_days 2587 hint 68696e74 bundle_id 62756e646c656964 "
        "size 1000 symbol_bytes 64)",
        "LACK unchecked number 1 lacks (handle 5 offer 7 ranges 0-64 128-256) "
        "(handle 6 offer 7 ranges all here) (handle 7 offer 7 ranges none)",
        "WITHDRAW unchecked number 2 handles 5 7",
        "DATA unchecked number 3 handle 5 offset 128 data_bytes 4",
        "ACK unchecked ranges 4464-4469 1-69990 delay_units 2",
        "BYE unchecked number 4 reason 9",
        "PING unchecked number 5",
        "TURN unchecked number 6",
        "REST unchecked number 4464 heard_low 4465",
        f"WHOLE unchecked number 7 {' '.join(label.split())} sealed_bytes 6",
        "HELLO fits index 0 last 0 tag 0102 data_bytes 6",
        f"ONE_WAY fits {' '.join(label.split())} body_bytes 8",
    ]
    assert {one.kind for one in decoded(framed(*bodies))} == {kind.name for kind in Kind}


def test_with_the_key_macs_are_checked_and_numbers_are_in_full() -> None:
    numbers = [*range(0, 200_000, 20_000)]
    bodies = [to_bytes(Data(number, 1, 0, b"data")) for number in numbers]
    bodies += [to_bytes(Ack(((number, number + 1),), 0)) for number in numbers]
    found = decoded(framed(*bodies), KEY)
    assert [one.says["number"] for one in found[:10]] == numbers
    assert [one.says["ranges"] for one in found[10:]] == [((n, n + 1),) for n in numbers]
    assert {one.check for one in found} == {FITS}
    other = decoded(framed(*bodies), bytes(32))
    assert {(one.kind, one.check) for one in other} == {(GARBAGE, FAILS)}
    assert "its MAC does not fit" in other[0].to_line()


@given(frames=st.lists(OF_SESSION | OPEN), stream=st.binary(max_size=500), cut=st.integers(1, 99))
def test_garbage_is_shown_as_such_and_all_bytes_are_accounted_for(
    frames: list[Frame], stream: bytes, cut: int
) -> None:
    stream += framed(*map(to_bytes, frames))
    stream = stream[: len(stream) - cut]
    found = decoded(stream)
    covered = bytearray(stream)
    for one in found:
        assert one.offset + one.stream_bytes <= len(stream)
        covered[one.offset : one.offset + one.stream_bytes] = bytes(one.stream_bytes)
        assert one.to_line().isprintable()
        assert one.check != FAILS or one.kind == GARBAGE
    assert not any(covered)


def test_a_frame_that_was_cut_says_so() -> None:
    (one,) = decoded(framed(to_bytes(Data(1, 2, 3, b"data")))[:-3])
    assert (one.kind, one.check, one.offset) == (GARBAGE, FAILS, 1)
    assert "no delimiter after it" in one.to_line()


def test_a_stream_without_end_takes_no_memory() -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"z" * 4096

    tracemalloc.start()
    try:
        shown = sum(one.stream_bytes for one in decode(chunks(), COBS))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert shown == 4096 * 1000
