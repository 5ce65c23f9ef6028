from pathlib import Path

from pannier.links.capture import Capture
from transports.link.framing import framing_named


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "seen", is_datagrams=False)
    for part in (b"ab", b"c\0"):
        capture.sent(part)
    capture.received(b"d")
    capture.close()
    assert (tmp_path / "seen.sent").read_bytes() == b"abc\0"
    assert (tmp_path / "seen.received").read_bytes() == b"d"


def test_datagrams_can_be_told_apart(tmp_path: Path) -> None:
    frames = [b"one\0", b"\0two"]
    capture = Capture(tmp_path / "seen", is_datagrams=True)
    for frame in frames:
        capture.sent(frame)
    capture.close()
    stream = (tmp_path / "seen.sent").read_bytes()
    assert framing_named("cobs").deframer().feed(stream) == frames
    assert (tmp_path / "seen.received").read_bytes() == b""
