import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler import items
from bundler.errors import MalformedError
from bundler.number_columns import cost_bytes, encode_numbers, take_numbers

HOURS = st.integers(0, 9).map(lambda n: n * 3_600_000_000)
NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300) | HOURS, max_size=40)


def there_and_back(numbers: list[int]) -> list[int]:
    reader = items.Reader(b"".join(encode_numbers(numbers)))
    found = take_numbers(reader, len(numbers))
    reader.end()
    return found


@given(NUMBERS)
def test_numbers_come_back(numbers: list[int]) -> None:
    assert there_and_back(numbers) == numbers


@pytest.mark.parametrize(
    "numbers",
    [
        [-(2**63), 2**63 - 1] * 500,
        [2**60] * 500 + [-(2**60)] * 500,
        [n * n for n in range(3000)],
        list(range(-1000, 2000)),
        [5] * 3000,
        [(n * 7919) % 100_003 for n in range(3000)],
    ],
    ids=lambda numbers: f"{numbers[:3]}",
)
def test_long_columns_come_back(numbers: list[int]) -> None:
    assert there_and_back(numbers) == numbers


def test_what_goes_on_as_before_takes_no_bytes() -> None:
    for numbers in ([7] * 1000, list(range(1000)), [n * n for n in range(1000)]):
        assert len(b"".join(encode_numbers(numbers))) < 12
    hours = [n * 3_600_000_000 for n in range(1000)]
    hours[500:] = [hour + 7_200_000_000 for hour in hours[500:]]
    assert cost_bytes(encode_numbers(hours)) < 40, "whole hours count as hours"


def test_small_changes_of_great_numbers_are_alike_but_for_one_byte() -> None:
    numbers = [10_000_000]
    for n in range(4000):
        numbers.append(numbers[-1] + (n * 7919 % 200 - 100) + (n % 900 == 0) * 70_000)
    assert cost_bytes(encode_numbers(numbers)) < 1.15 * len(numbers)


@given(st.binary(max_size=40), st.integers(0, 6))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes, count: int) -> None:
    try:
        found = take_numbers(items.Reader(data), count)
    except MalformedError:
        return
    assert len(found) == count
    assert there_and_back(found) == found
