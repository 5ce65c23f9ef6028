from collections.abc import Callable

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import items
from bundler.errors import BundleError, LimitError, MalformedError
from bundler.items import Reader

UINTS = st.integers(0, 2**64 - 1) | st.sampled_from(
    [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1]
)


@given(UINTS)
def test_heads_are_those_of_cbor(value: int) -> None:
    assert items.uint(value) == cbor2.dumps(value)
    assert Reader(items.uint(value)).uint() == value
    assert items.uint(value, 1) == cbor2.dumps(-1 - value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_integers_come_back(value: int) -> None:
    assert Reader(cbor2.dumps(value)).int64() == value


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, b"", "a", [1]])
def test_other_integers_are_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        Reader(cbor2.dumps(value)).int64()


@given(st.binary(max_size=300))
def test_byte_strings_come_back(data: bytes) -> None:
    encoded = items.byte_string(data)
    assert encoded == cbor2.dumps(data)
    assert Reader(encoded).view(300) == data
    assert Reader(encoded).bytes_of(len(data)) == data
    with pytest.raises(MalformedError):
        Reader(encoded).bytes_of(len(data) + 1)


def test_items_are_taken_in_order() -> None:
    reader = Reader(b"\0" + cbor2.dumps([1, b"ab", []]) + b"end", 1)
    assert reader.array_of(2, 3) == 3
    assert reader.uint(1) == 1
    assert bytes(reader.view(2)) == b"ab"
    assert reader.array(5) == 0
    reader.expect(b"en", "the end")
    assert not reader.is_at_end()
    with pytest.raises(MalformedError, match="1 bytes too many"):
        reader.end()
    assert reader.raw(1) == b"d"
    reader.end()


def test_bounds_are_checked_before_anything_is_made() -> None:
    with pytest.raises(LimitError):
        Reader(b"\x18\x20").uint(31)
    with pytest.raises(LimitError):
        Reader(b"\x9b" + b"\xff" * 8).array(10)
    with pytest.raises(LimitError):
        Reader(b"\x5b" + b"\xff" * 8).view(10)
    with pytest.raises(MalformedError, match="too early"):
        Reader(b"\x5b\x7f" + b"\xff" * 7).view(2**64)


@pytest.mark.parametrize(
    "data", ["", "18", "1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "1c", "1f", "20"]
)
def test_integers_that_are_not_deterministic_are_refused(data: str) -> None:
    with pytest.raises(MalformedError):
        Reader(bytes.fromhex(data)).uint()


@given(st.binary(max_size=12), st.integers(0, 13))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes, at: int) -> None:
    takes: list[Callable[[Reader], object]] = [
        Reader.uint,
        Reader.int64,
        lambda reader: reader.array(3),
        lambda reader: reader.array_of(1, 2),
        lambda reader: reader.view(5),
        lambda reader: reader.bytes_of(2),
        lambda reader: reader.raw(3),
        lambda reader: reader.expect(b"ab", "it"),
    ]
    for take in takes:
        try:
            take(Reader(data, at))
        except BundleError:
            pass
