import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import columns
from bundler.columns import U16, U32, U64
from bundler.errors import MalformedError


@pytest.mark.parametrize(("kind", "width"), [(U16, 2), (U32, 4), (U64, 8)])
def test_numbers_are_little_endian_and_come_back(kind: str, width: int) -> None:
    numbers = (0, 1, 256, 2 ** (8 * width) - 1)
    column = columns.pack_numbers(kind, numbers)
    assert column == b"".join(number.to_bytes(width, "little") for number in numbers)
    assert columns.unpack_numbers(kind, column, 4) == numbers
    for count in (3, 5, 2**63):
        with pytest.raises(MalformedError):
            columns.unpack_numbers(kind, column, count)


@given(st.lists(st.binary(max_size=9), unique=True))
def test_strings_come_back(strings: list[bytes]) -> None:
    lengths, joined = columns.pack_strings(U16, strings)
    assert columns.unpack_strings(U16, lengths, joined, len(strings)) == strings


def test_lists_that_do_not_fit_are_refused() -> None:
    lengths, joined = columns.pack_strings(U32, [b"a", b"bc"])
    with pytest.raises(MalformedError):
        columns.unpack_strings(U32, lengths, joined, 1)
    with pytest.raises(MalformedError):
        columns.unpack_strings(U32, lengths, joined + b"d", 2)
    with pytest.raises(MalformedError):
        columns.unpack_strings(U32, lengths + b"\0", joined, 2)
    with pytest.raises(MalformedError, match="twice"):
        columns.unpack_strings(U32, *columns.pack_strings(U32, [b"a", b"a"]), 2)


@pytest.mark.parametrize(
    ("numbers", "count", "is_in_order"),
    [
        ([], 0, True),
        ([0, 0, 1, 0, 2], 3, True),
        ([0, 2, 1], 3, False),
        ([1, 0], 2, False),
        ([0], 2, False),
        ([0, 1], 1, False),
    ],
)
def test_lists_are_in_order_of_first_use(numbers: list[int], count: int, is_in_order: bool) -> None:
    if is_in_order:
        columns.check_first_use(numbers, count)
    else:
        with pytest.raises(MalformedError):
            columns.check_first_use(numbers, count)
