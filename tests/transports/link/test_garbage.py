"""Garbage into every parser: nothing escapes, nothing is kept, no frame is taken."""

import random
import tracemalloc

import pytest

from tests.fuzz.harness import mutations
from tests.vectors import load
from transports.link.errors import LinkError
from transports.link.framing import DATAGRAM, PIPES, framing_named
from transports.link.read import is_of_session, kind_of, read, read_open

RANDOM_BYTES = 10_000_000
LONGEST = 2048
CHUNK_BYTES = 1000
KEY = bytes(range(200, 232))
GOOD = [one for one in load("link").values() if one["expect"] == "success"]
FRAMES = [bytes.fromhex(one["frame"]) for one in GOOD if one["operation"] == "frame"]


def taken(stream: bytes, name: str) -> tuple[int, int]:
    """Return how many bodies came out of *stream*, and how many of them were frames."""
    deframer = framing_named(name, LONGEST).deframer()
    bodies = frames = 0
    for at in range(0, len(stream), CHUNK_BYTES):
        for body in deframer.feed(stream[at : at + CHUNK_BYTES]):
            bodies += 1
            try:
                if is_of_session(kind_of(body)):
                    read(body, KEY, 70_000, 70_000)
                else:
                    read_open(body)
            except LinkError:
                continue
            frames += 1
    return bodies, frames


@pytest.mark.parametrize("name", [*PIPES, DATAGRAM])
def test_random_bytes_hold_no_frame_and_take_no_memory(name: str) -> None:
    stream = random.Random(name).randbytes(RANDOM_BYTES)
    tracemalloc.start()
    try:
        bodies, frames = taken(stream, name)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert bodies
    assert frames == 0


@pytest.mark.parametrize("name", PIPES)
def test_mutated_captures_hold_no_frame_of_a_session(name: str) -> None:
    """Who sent the capture had another key; what has no key is left out of it."""
    framing = framing_named(name, LONGEST)
    capture = b"".join(framing.frame(one) for one in FRAMES if is_of_session(kind_of(one)))
    bodies, frames = taken(b"".join(mutations([capture], 300)), name)
    assert bodies > 1000
    assert frames == 0


def test_mutated_datagrams_hold_no_frame_of_a_session() -> None:
    sent = [one for one in FRAMES if is_of_session(kind_of(one))]
    found = [taken(one, DATAGRAM) for one in mutations(sent, 3000) if one]
    assert sum(bodies for bodies, _ in found) > 1000
    assert sum(frames for _, frames in found) == 0
