import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.link import kiss

BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from((b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"a"))).map(b"".join),
)


@given(BODIES)
def test_what_is_encoded_has_no_delimiter_and_comes_back(body: bytes) -> None:
    piece = kiss.encode(body)
    assert kiss.DELIMITER not in piece
    assert len(piece) == 1 + len(body) + body.count(b"\xc0") + body.count(b"\xdb")
    assert kiss.decode(piece) == body


@given(BODIES)
def test_any_bytes_are_decoded_or_are_nothing(piece: bytes) -> None:
    body = kiss.decode(piece)
    if body is not None and kiss.DELIMITER not in piece:
        assert kiss.encode(body) == piece


@pytest.mark.parametrize("piece", [b"", b"\x10a", b"\x01", b"\0\xdb", b"\0\xdba", b"\0\xdb\xdb"])
def test_what_is_not_data_for_port_0_is_nothing(piece: bytes) -> None:
    assert kiss.decode(piece) is None
