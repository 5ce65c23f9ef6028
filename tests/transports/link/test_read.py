import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.link.frames import KEY, OF_SESSION, OPEN, number_of, to_bytes
from tests.vectors import load
from transports.link.errors import ForgedFrameError, LinkError, MalformedFrameError
from transports.link.frame import (
    Ack,
    Frame,
    HelloPart,
    Label,
    OneWay,
    Whole,
    delay_units,
)
from transports.link.read import full_number, is_of_session, kind_of, read, read_open

VECTORS = {k: v for k, v in load("link").items() if v["operation"] == "frame"}
ERRORS = {"malformed": MalformedFrameError, "unverified": ForgedFrameError}


def read_any(frame: bytes, key: bytes, next_number: int, next_largest: int) -> Frame:
    if is_of_session(kind_of(frame)):
        return read(frame, key, next_number, next_largest)
    return read_open(frame)


def said(frame: Frame) -> dict[str, object]:
    """Return the fields of *frame* as the vectors name them."""
    fields: dict[str, object] = {}
    for name in ("number", "handle", "offset", "reason", "heard_low", "index", "last"):
        if hasattr(frame, name):
            fields[name] = getattr(frame, name)
    for name in ("data", "tag", "body"):
        if hasattr(frame, name):
            fields[name] = getattr(frame, name).hex()
    match frame:
        case Ack(ranges, units):
            fields |= {"ranges": [list(pair) for pair in ranges], "delay": units}
        case Whole(_, label, sealed):
            fields |= {**label_said(label), "body": sealed.hex()}
        case OneWay(label, _):
            fields |= label_said(label)
    return fields


def label_said(label: Label) -> dict[str, object]:
    return {
        "priority": label.priority,
        "expiry_days": label.expiry_days,
        "hint": label.hint.hex(),
    }


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name: str) -> None:
    vector = VECTORS[name]
    frame, key = bytes.fromhex(vector["frame"]), bytes.fromhex(vector["key"])
    following = vector["next_number"], vector["next_largest"]
    if vector["expect"] != "success":
        with pytest.raises(ERRORS[vector["expect"]]):
            read_any(frame, key, *following)
        return
    found = read_any(frame, key, *following)
    assert said(found) == vector["says"]
    assert to_bytes(found, key) == frame


@given(OF_SESSION, st.integers(-30_000, 30_000))
def test_frames_of_a_session_come_back(frame: Frame, off: int) -> None:
    following = max(number_of(frame) + off, 0)
    assert read(to_bytes(frame), KEY, following, following) == frame


@given(OPEN)
def test_frames_of_no_session_come_back(frame: HelloPart | OneWay) -> None:
    assert read_open(to_bytes(frame)) == frame


@given(OF_SESSION | OPEN, st.data())
def test_no_frame_with_a_flipped_bit_is_taken(frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(to_bytes(frame))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    following = 0 if isinstance(frame, (HelloPart, OneWay)) else number_of(frame) + 1
    with pytest.raises(LinkError):
        read_any(bytes(encoded), KEY, following, following)


@given(OF_SESSION)
def test_no_frame_is_taken_under_another_key_or_number(frame: Frame) -> None:
    encoded, number = to_bytes(frame), number_of(frame)
    with pytest.raises(ForgedFrameError):
        read(encoded, bytes(32), number, number)
    with pytest.raises(ForgedFrameError):
        read(encoded, KEY, number + 65_536, number + 65_536)


@given(OF_SESSION | OPEN)
def test_no_frame_is_taken_for_one_of_the_other_sort(frame: Frame) -> None:
    is_open = isinstance(frame, (HelloPart, OneWay))
    with pytest.raises(MalformedFrameError):
        read(to_bytes(frame), KEY, 0, 0) if is_open else read_open(to_bytes(frame))


@given(st.integers(0, 2**48), st.integers(0, 2**48))
def test_a_number_is_the_nearest_with_its_low_bits(number: int, following: int) -> None:
    found = full_number(number % 65_536, following)
    assert found >= 0
    assert found % 65_536 == number % 65_536
    if abs(number - following) < 32_768:
        assert found == number


def test_the_example_of_the_rfc() -> None:
    # RFC 9000 appendix A.3.
    assert full_number(0x9B32, 0xA82F30EA + 1) == 0xA82F9B32


def test_a_delay_is_said_in_units_and_saturates() -> None:
    assert [delay_units(us) for us in (-1, 0, 3_999, 4_000, 10**9)] == [0, 0, 0, 1, 255]
    assert Ack(((0, 1),), 3).delay_us == 12_000
