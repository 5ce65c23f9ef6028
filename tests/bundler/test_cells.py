import re
import struct

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler import cells
from bundler.errors import MalformedError
from tests.bundler.samples import VALUES

INTEGERS = st.integers(-(2**64), 2**64 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def cell(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


@given(INTEGERS | FLOATS)
def test_the_first_byte_of_a_number_says_how_long_it_is(value: float) -> None:
    assert re.fullmatch(cells.NUMBER, cell(value), re.DOTALL)
    assert cells.is_number(cell(value))
    assert cells.valid_numbers([cell(value)]) == [value]


@pytest.mark.parametrize(
    "wrong", [b"\x18\x01", b"\xfb" + bytes(8), b"\xf9\x7e\x00", b"\xf9\x7c\x00"]
)
def test_numbers_that_no_writer_makes_are_refused(wrong: bytes) -> None:
    with pytest.raises(MalformedError):
        cells.valid_numbers([b"\x01", wrong])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9), st.integers(0, 18), st.booleans())
def test_decimals_are_the_nearest_floats(numbers: list[int], scale: int, whole: bool) -> None:
    found = cells.decimal_cells(numbers, scale, with_integers=whole)
    unit = 10**scale
    assert found == [
        cell(one // unit if whole and one % unit == 0 else one / unit) for one in numbers
    ]


@pytest.mark.parametrize(
    ("values", "scale", "numbers"),
    [
        ([39.02, 26.06, 10], 2, [3902, 2606, 1000]),
        ([1, 2.0, -7], 0, [1, 2, -7]),
        ([1e-7, 3e-7], 7, [1, 3]),
        ([0.1] * 20 + [0.123456], 1, [1] * 21),
    ],
)
def test_most_values_have_a_scale(values: list[float], scale: int, numbers: list[int]) -> None:
    assert cells.scale_of(values) == scale
    assert cells.decimals(values, scale) == numbers


@given(st.lists(INTEGERS | FLOATS, min_size=1, max_size=9), st.integers(0, 18))
def test_any_values_have_integers_of_64_bits(values: list[float], scale: int) -> None:
    assert all(-(2**63) <= one < 2**63 for one in cells.decimals(values, cells.scale_of(values)))
    assert all(-(2**63) <= one < 2**63 for one in cells.decimals(values, scale))


@given(st.lists(FLOATS, max_size=9))
def test_floats_come_back_from_their_bits(values: list[float]) -> None:
    assert cells.float_cells(cells.float_bits(values)) == list(map(cell, values))


def test_bits_of_no_finite_float_are_refused() -> None:
    for value in (float("nan"), float("inf"), float("-inf")):
        bits = struct.unpack("<q", struct.pack("<d", value))
        with pytest.raises(MalformedError):
            cells.float_cells(bits)


@given(st.text(max_size=300) | st.binary(max_size=70_000))
def test_strings_have_contents(value: str | bytes) -> None:
    content = value.encode() if isinstance(value, str) else value
    assert cells.content_of(cell(value)) == content
    assert cells.string_cells([content], is_text=isinstance(value, str)) == [cell(value)]
    assert cells.strings([cell(value)]) == [value]
    assert cells.is_string(cell(value))


def test_strings_that_no_writer_makes_are_none() -> None:
    for wrong in (b"\x61", b"\x61ab", b"\x78\x01a", b"\x61\xff", b"\x7f\x61a\xff"):
        assert cells.strings([b"\x61a", wrong]) is None
    assert cells.strings([b"\x61", b"\x61\x61"]) is None, "the bytes are right, the ends are not"


def test_an_item_is_one_and_not_too_deep() -> None:
    assert cells.is_item(b"\x81\x00", 15)
    for wrong in (b"", b"\x00\x00", b"\xff", b"\xf9\x7e\x00", b"\xc1\x00"):
        assert not cells.is_item(wrong, 0)
    assert not cells.is_item(b"\x81\x00", 16)


ITEMS = VALUES.map(lambda value: cbor2.dumps(value, canonical=True))
WRONG = st.sampled_from([b"", b"\0\0", b"\xff", b"\xf9\x7e\0", b"\x18\1", b"\x82\0", b"\x81"])


@given(st.lists(ITEMS | ITEMS | WRONG), st.integers(0, 16))
@example([b"\x00\x00", b""], 1)
@example([b"\x82", b"\x00", b"\x00"], 1)
@example([b"\x81\x80"] * 3, 14)
@example([b"\x81\x80"] * 3, 15)
@example([bytes([0x19, 1 + at // 256, at % 256]) for at in range(2000)] + [b"\xff"], 2)
def test_many_items_are_what_each_of_them_is(several: list[bytes], depth: int) -> None:
    assert cells.are_items(several, depth) == all(cells.is_item(cell, depth) for cell in several)
