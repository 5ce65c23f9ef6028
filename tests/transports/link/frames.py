"""Strategies for frames of every kind, with the bytes that say the same."""

from hypothesis import strategies as st

from transports.link import encode
from transports.link.frame import (
    CONTROLS,
    SHORTS,
    Ack,
    Bye,
    Control,
    Data,
    Frame,
    HelloPart,
    Label,
    OneWay,
    Rest,
    Short,
    Whole,
)

KEY = bytes(range(32))
NUMBERS = st.integers(0, 2**40)
CONTENT = st.binary(min_size=1, max_size=300)
HINTS = st.binary(min_size=4, max_size=4)
LABELS = st.builds(Label, st.integers(0, 7), st.integers(0, 65_535), HINTS)


@st.composite
def acks(draw: st.DrawFn) -> Ack:
    edges = sorted(
        draw(
            st.lists(st.integers(0, 2**20), min_size=2, max_size=64, unique=True).filter(
                lambda edges: len(edges) % 2 == 0
            )
        )
    )
    ranges = tuple(zip(edges[::2], edges[1::2], strict=True))
    return Ack(tuple(reversed(ranges)), draw(st.integers(0, 255)))


@st.composite
def hello_parts(draw: st.DrawFn) -> HelloPart:
    last = draw(st.integers(0, 15))
    return HelloPart(
        draw(st.integers(0, last)), last, draw(st.binary(min_size=2, max_size=2)), draw(CONTENT)
    )


DATA = st.builds(Data, NUMBERS, st.integers(0, 127), st.integers(0, 2**24 - 1), CONTENT)
OF_SESSION: st.SearchStrategy[Frame] = st.one_of(
    DATA,
    acks(),
    st.builds(Control, st.sampled_from(CONTROLS), NUMBERS, CONTENT),
    st.builds(Short, st.sampled_from(SHORTS), NUMBERS),
    st.builds(Bye, NUMBERS, st.integers(0, 255)),
    st.builds(Rest, NUMBERS, st.integers(0, 65_535)),
    st.builds(Whole, NUMBERS, LABELS, CONTENT),
)
OPEN: st.SearchStrategy[HelloPart | OneWay] = st.one_of(
    hello_parts(), st.builds(OneWay, LABELS, CONTENT)
)


def number_of(frame: Frame) -> int:
    """Return the number under the MAC of *frame*, of a session."""
    if isinstance(frame, Ack):
        return frame.largest
    assert not isinstance(frame, (HelloPart, OneWay))
    return frame.number


def to_bytes(frame: Frame, key: bytes = KEY) -> bytes:
    match frame:
        case HelloPart():
            encoded = encode.encode_hello_part(frame)
        case OneWay(label, body):
            encoded = encode.encode_one_way(label, body)
        case Ack():
            encoded = encode.encode_ack(key, frame)
        case Data(number, handle, offset, data):
            encoded = encode.encode_data(key, number, handle, offset, data)
        case Control(kind, number, body):
            encoded = encode.encode_control(key, kind, number, body)
        case Short(kind, number):
            encoded = encode.encode_short(key, kind, number)
        case Rest(number, heard_low):
            encoded = encode.encode_rest(key, number, heard_low)
        case Bye(number, reason):
            encoded = encode.encode_bye(key, number, reason)
        case Whole(number, label, sealed):
            encoded = encode.encode_whole(key, number, label, sealed)
    return encoded
