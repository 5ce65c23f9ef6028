import pytest

from transports.link.settings import LinkSettings


@pytest.mark.parametrize("frame_bytes", [0, 63, 65_001])
def test_frames_hold_an_offer_and_fit_a_datagram(frame_bytes: int) -> None:
    with pytest.raises(ValueError, match="64 to 65000"):
        LinkSettings(frame_bytes=frame_bytes)


def test_a_line_has_a_rate() -> None:
    with pytest.raises(ValueError, match="one byte a second"):
        LinkSettings(rate=0)


def test_turns_need_a_rate() -> None:
    with pytest.raises(ValueError, match="half-duplex"):
        LinkSettings(half_duplex=True)
    assert LinkSettings(half_duplex=True, rate=960).rate == 960
