import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transports.link import cobs

BODIES = st.one_of(
    st.binary(max_size=1100),
    st.lists(st.sampled_from((b"\0", b"\x7d", b"\x11\x13", b"z" * 253, b"z" * 254))).map(b"".join),
)


@given(BODIES)
@example(b"")
@example(b"z" * 254)
@example(b"z" * 508)
@example(b"z" * 254 + b"\0")
def test_what_is_encoded_has_no_delimiter_and_comes_back(body: bytes) -> None:
    piece = cobs.encode(body)
    assert cobs.DELIMITER not in piece
    assert len(piece) <= len(body) + 1 + len(body) // 254
    assert cobs.decode(piece) == body


@given(BODIES)
def test_what_is_escaped_stops_no_terminal_and_comes_back(body: bytes) -> None:
    piece = cobs.encode_escaped(body)
    assert not {0x00, 0x11, 0x13} & set(piece)
    assert cobs.decode_escaped(piece) == body


@given(BODIES, st.data())
def test_xon_and_xoff_of_the_terminals_are_left_out(body: bytes, data: st.DataObject) -> None:
    piece = cobs.encode_escaped(body)
    at = data.draw(st.integers(0, len(piece)))
    strays = data.draw(st.lists(st.sampled_from((b"\x11", b"\x13"))).map(b"".join))
    assert cobs.decode_escaped(piece[:at] + strays + piece[at:]) == body


@given(st.binary(max_size=600))
def test_any_bytes_are_decoded_or_are_nothing(piece: bytes) -> None:
    body = cobs.decode(piece)
    escaped = cobs.decode_escaped(piece)
    assert body is None or len(body) < len(piece)
    assert escaped is None or len(escaped) < len(piece)


@pytest.mark.parametrize("piece", [b"", b"\x03a", b"\0", b"\x02\x61\x00", b"\xff" * 254])
def test_what_no_encoder_writes_is_nothing(piece: bytes) -> None:
    assert cobs.decode(piece) is None


@pytest.mark.parametrize("piece", [b"\x02\x7d", b"\x03\x7d\x7d\x5d", b"\x02\x7d\x61"])
def test_an_escape_of_nothing_is_nothing(piece: bytes) -> None:
    assert cobs.decode_escaped(piece) is None
