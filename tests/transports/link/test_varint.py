import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.link.errors import MalformedFrameError
from transports.link.varint import decode_all, encode


@given(st.lists(st.integers(0, 2**30 - 1), max_size=8))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert decode_all(b"".join(map(encode, numbers)), 8) == numbers


@pytest.mark.parametrize(
    ("value", "encoded"),
    # The examples of RFC 9000 appendix A.1, and the edges.
    [
        (494_878_333, "9d7f3e7d"),
        (15_293, "7bbd"),
        (37, "25"),
        (63, "3f"),
        (64, "4040"),
        (16_383, "7fff"),
        (16_384, "80004000"),
        (2**30 - 1, "bfffffff"),
    ],
)
def test_examples(value: int, encoded: str) -> None:
    assert encode(value).hex() == encoded
    assert decode_all(bytes.fromhex(encoded), 1) == [value]


@given(st.binary(max_size=12))
def test_any_bytes_are_refused_or_the_one_encoding(data: bytes) -> None:
    try:
        numbers = decode_all(data, 12)
    except MalformedFrameError:
        return
    assert b"".join(map(encode, numbers)) == data


@pytest.mark.parametrize("data", ["40", "4025", "80000001", "800000", "c000000000000000", "000000"])
def test_cut_long_and_too_many_are_refused(data: str) -> None:
    with pytest.raises(MalformedFrameError):
        decode_all(bytes.fromhex(data), 2)
