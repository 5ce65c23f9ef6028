import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import load
from transports.link.frame import HELLO_FRAME_BYTES
from transports.link.framing import DATAGRAM, PIPES, Deframer, framing_named

LONGEST = 300
VECTORS = {k: v for k, v in load("link").items() if v["operation"] == "framing"}
BODIES = st.lists(st.binary(min_size=1, max_size=LONGEST), max_size=6)


def fed(deframer: Deframer, stream: bytes, cuts: list[int]) -> list[bytes]:
    """Return what comes out of *stream* in pieces that end at *cuts*."""
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    return [body for piece in pieces for body in deframer.feed(piece)]


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    vector = VECTORS[name]
    framing = framing_named(vector["framing"], LONGEST)
    stream = bytes.fromhex(vector["stream"])
    bodies = [bytes.fromhex(body) for body in vector["frames"]]
    assert framing.deframer().feed(stream) == bodies
    if vector["is_as_written"]:
        assert framing.opening + b"".join(map(framing.frame, bodies)) == stream


@pytest.mark.parametrize("name", PIPES)
@given(bodies=BODIES, cuts=st.lists(st.integers(0, 5000), max_size=5))
def test_however_a_stream_is_cut_the_frames_come_out(
    name: str, bodies: list[bytes], cuts: list[int]
) -> None:
    framing = framing_named(name, LONGEST)
    stream = b"".join(map(framing.frame, bodies))
    assert fed(framing.deframer(), stream, cuts) == bodies


@pytest.mark.parametrize("name", PIPES)
@given(garbage=st.binary(max_size=2000), bodies=BODIES, cuts=st.lists(st.integers(0, 5000)))
def test_after_garbage_the_frames_come_out(
    name: str, garbage: bytes, bodies: list[bytes], cuts: list[int]
) -> None:
    framing = framing_named(name, LONGEST)
    stream = garbage + framing.opening + b"".join(map(framing.frame, bodies))
    found = fed(framing.deframer(), stream, cuts)
    assert found[len(found) - len(bodies) :] == bodies


@pytest.mark.parametrize("name", PIPES)
@given(bodies=BODIES.filter(lambda bodies: len(bodies) > 1), data=st.data())
def test_what_a_cut_takes_spoils_two_frames_at_most(
    name: str, bodies: list[bytes], data: st.DataObject
) -> None:
    framing = framing_named(name, LONGEST)
    pieces = list(map(framing.frame, bodies))
    index = data.draw(st.integers(0, len(pieces) - 2))
    lost = data.draw(st.integers(1, len(pieces[index])))
    pieces[index] = pieces[index][: len(pieces[index]) - lost]
    found = framing.deframer().feed(b"".join(pieces))
    after = bodies[index + 2 :]
    assert found[:index] == bodies[:index]
    assert found[len(found) - len(after) :] == after


@pytest.mark.parametrize("name", PIPES)
def test_a_frame_without_end_is_dropped_and_takes_no_memory(name: str) -> None:
    framing = framing_named(name, LONGEST)
    deframer = framing.deframer()
    piece = b"a" * 1000
    tracemalloc.start()
    try:
        assert not any(deframer.feed(piece) for _ in range(1000))
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
    assert deframer.feed(framing.opening + framing.frame(b"next")) == [b"next"]


@pytest.mark.parametrize("name", PIPES)
@pytest.mark.parametrize("body", [b"z" * LONGEST, b"\xc0\x7d\x11" * (LONGEST // 3)])
def test_the_longest_frame_comes_in_and_one_much_longer_does_not(name: str, body: bytes) -> None:
    framing = framing_named(name, LONGEST)
    deframer = framing.deframer()
    assert deframer.feed(framing.frame(body)) == [body]
    assert deframer.feed(framing.frame(body * 3) + framing.frame(body)) == [body]


@pytest.mark.parametrize("name", [*PIPES, DATAGRAM])
def test_a_part_of_a_hello_comes_in_however_short_frames_are(name: str) -> None:
    framing = framing_named(name, 32)
    part = b"\xc0" * HELLO_FRAME_BYTES
    assert framing.deframer().feed(framing.frame(part)) == [part]


def test_a_datagram_is_a_frame_unless_it_is_too_long() -> None:
    framing = framing_named(DATAGRAM, LONGEST)
    deframer = framing.deframer()
    assert framing.opening + framing.frame(b"abc") == b"abc"
    assert deframer.feed(b"abc") == [b"abc"]
    assert deframer.feed(b"") == []
    assert deframer.feed(bytes(LONGEST + 1)) == []
