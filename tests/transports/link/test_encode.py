import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.link.frames import KEY, LABELS
from transports.link import encode
from transports.link.frame import HelloPart, Kind, Label
from transports.link.framing import framing_named


@given(st.binary(min_size=222 - 10, max_size=222 - 10))
def test_at_mtu_222_a_data_frame_costs_12_bytes_with_its_framing(data: bytes) -> None:
    frame = encode.encode_data(KEY, 70_000, 127, 2**24 - 1, data)
    assert len(frame) == 222
    assert len(framing_named("cobs").frame(frame)) - len(data) <= 12


@given(LABELS, st.binary(min_size=1, max_size=50))
def test_the_overheads_are_as_said(label: Label, data: bytes) -> None:
    part = HelloPart(0, 0, b"tt", data)
    for frame, overhead in (
        (encode.encode_data(KEY, 1, 2, 3, data), encode.DATA_OVERHEAD_BYTES),
        (encode.encode_hello_part(part), encode.HELLO_OVERHEAD_BYTES),
        (encode.encode_control(KEY, Kind.OFFER, 1, data), encode.CONTROL_OVERHEAD_BYTES),
        (encode.encode_whole(KEY, 1, label, data), encode.WHOLE_OVERHEAD_BYTES),
        (encode.encode_one_way(label, data), encode.ONE_WAY_OVERHEAD_BYTES),
    ):
        assert len(frame) == len(data) + overhead


@pytest.mark.parametrize("kind", [Kind.PING, Kind.TURN])
def test_a_ping_is_seven_bytes(kind: Kind) -> None:
    assert len(encode.encode_short(KEY, kind, 2**40)) == 7


def test_that_nothing_is_left_takes_nine() -> None:
    assert len(encode.encode_rest(KEY, 2**40, 2**41)) == 9
