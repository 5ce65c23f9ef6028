import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.link.errors import MalformedFrameError
from transports.link.frame_cbor import decode, encode

LEAVES = st.one_of(st.none(), st.integers(0, 2**64 - 1), st.binary(max_size=300))
ARRAYS = st.lists(st.lists(LEAVES | st.lists(LEAVES | st.lists(LEAVES))), max_size=30)


@given(LEAVES | ARRAYS)
def test_values_are_encoded_as_anywhere_and_come_back(value: object) -> None:
    data = encode(value)
    assert data == cbor2.dumps(value, canonical=True)
    assert decode(data) == value


@given(st.binary(max_size=100) | ARRAYS.map(cbor2.dumps).flatmap(lambda d: st.just(d[:-1])))
def test_any_bytes_are_refused_or_the_one_encoding(data: bytes) -> None:
    try:
        value = decode(data)
    except MalformedFrameError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        *("", "18", "1817", "190017", "1a0000ffff", "1b00000000ffffffff", "1c", "1f", "20", "60"),
        *("40ff", "41", "5f", "81", "9f01ff", "a0", "c000", "f4", "f7", "f90000", "ff"),
        *("9bffffffffffffffff", "5bffffffffffffffff", "9a00ffffff" + "00" * 9, "8181818180"),
    ],
)
def test_what_frames_do_not_have_is_refused(data: str) -> None:
    with pytest.raises(MalformedFrameError):
        decode(bytes.fromhex(data))


def test_a_value_of_another_type_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        encode("text")
