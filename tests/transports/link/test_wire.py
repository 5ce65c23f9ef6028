from transports.link.settings import LinkSettings
from transports.link.wire import Wire


def test_a_delimiter_goes_before_the_first_frame_after_opening_and_silence() -> None:
    wire = Wire(LinkSettings())
    wire.open(0)
    assert wire.frame(0, b"abc")[0] == 0
    assert wire.frame(999_999, b"abc")[0] != 0
    assert wire.frame(2_000_000, b"abc")[0] == 0
    wire.open(2_000_001)
    assert wire.frame(2_000_001, b"abc")[0] == 0


def test_what_a_former_carrier_left_half_done_is_forgotten() -> None:
    wire = Wire(LinkSettings())
    wire.open(0)
    framed = wire.frame(500_000, b"abcdef")
    assert wire.feed(framed[:4]) == []
    wire.open(1_000_000)
    assert wire.feed(framed) == [b"abcdef"]
