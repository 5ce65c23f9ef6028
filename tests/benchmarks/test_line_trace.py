import random
from pathlib import Path

from benchmarks.line_trace import Way, read_trace
from tests.sim.linesim import Trace
from tests.sim.link import ware
from transports.link.encode import encode_control, encode_data
from transports.link.frame import Kind
from transports.link.framing import framing_named

KEY = bytes(32)
DATA = random.Random(1).randbytes(3000)
COBS = framing_named("cobs")


def data(number: int, start: int, end: int) -> bytes:
    return COBS.frame(encode_data(KEY, number, 5, start, DATA[start:end]))


def offer(number: int, seed: bytes) -> bytes:
    body = b"\x81" + ware(seed).offer(5).to_bytes()
    return COBS.frame(encode_control(KEY, Kind.OFFER, number, body))


def test_what_was_sent_and_sent_again() -> None:
    stream = b"\0" + offer(0, b"one") + data(1, 0, 1000) + data(2, 900, 3000)
    assert Way(bytearray(stream)).sent() == (3100, 100)
    again = stream + offer(3, b"other") + data(4, 0, 1000)
    assert Way(bytearray(again)).sent() == (4100, 100)


def test_of_a_frame_that_was_broken_off_counts_what_there_is() -> None:
    hello = b"\0" + COBS.frame(b"\x10" + bytes(100))
    stream = offer(0, b"one") + data(1, 0, 1000)[:-500] + hello + data(2, 0, 1000)
    sent, again = Way(bytearray(stream)).sent()
    assert 490 <= again <= 510
    assert sent - again == 1000


def test_what_was_broken_off_is_not_whole_wherever_that_was() -> None:
    hello = b"\0" + COBS.frame(b"\x10" + bytes(100))
    before, frame = offer(0, b"one"), data(1, 0, 1000)
    after = hello + offer(0, b"one") + data(2, 0, 1000)
    for size in range(1, len(frame)):
        assert Way(bytearray(before + frame[:size] + after)).whole_data() == (1000, 0)
        assert Way(bytearray(before + frame[:size])).whole_data() == (0, 0)
    assert Way(bytearray(before + frame + after)).whole_data() == (2000, 1000)


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    trace = Trace(str(tmp_path / "trace"))
    trace.note(0, Trace.UP, 0)
    trace.note(0, Trace.IN, 3, b"abc")
    trace.note(1, Trace.IN, 2, b"de")
    trace.note(0, Trace.OUT, 2)
    trace.note(0, Trace.OUT, 1)
    assert trace.file is not None
    trace.file.close()
    there, back, ups = read_trace(tmp_path / "trace")
    assert (bytes(there.stream), bytes(back.stream), len(ups)) == (b"abc", b"de", 1)
    assert there.left_at(0) == there.left_at(1) <= there.left_at(2)
