import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.tail_grid import Grid, decimal_cell, decimal_of, fit, millionths_of
from tests.bundler.samples import SCALARS


def cells(*values: object) -> list[bytes]:
    return [cbor2.dumps(value, canonical=True) for value in values]


@given(st.lists(SCALARS | st.integers(-999, 999).map(lambda number: number / 100)))
def test_what_is_on_a_grid_comes_back_byte_for_byte(values: list[object]) -> None:
    for grid in (fit(cells(*values)), Grid()):
        for cell in cells(*values):
            number = grid.number(cell)
            assert number is None or grid.cell(number) == cell


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ((39.02, 39.92, 41, 28.04), (61, 66, 72, 0)),
        ((10.357019999999999, 8.05546, 0, 12.658579999999999), (9, 7, 0, 11)),
        ((10, 30, 350), (0, 1, 17)),
        ((2**63, 2**63 + 2), (0, 1)),
        ((1.0, 2.0, 2.5), (0, 2, 3)),
        ((-1, -4), (1, 0)),
    ],
)
def test_numbers_lie_at_equal_distances(values: tuple[object], numbers: tuple[int]) -> None:
    grid = fit(cells(*values))
    found = [grid.number(cell) for cell in cells(*values)]
    assert None not in found
    least = min(number for number in found if number is not None)
    assert [number - least for number in found if number is not None] == list(numbers)


def test_an_integer_is_no_float() -> None:
    grid = fit(cells(1, 2, 3))
    assert grid.number(cells(2.0)[0]) is None
    assert fit(cells(1.0, 2.5)).number(cells(1)[0]) is None


@pytest.mark.parametrize(
    "cell",
    [
        *cells("a", b"a", None, True, [1], 1e300, -1e300, 2.0**64),
        *map(
            bytes.fromhex, ("f97e00", "f97c00", "fb7ff0000000000000", "f9", "1bff", "00ff", "c100")
        ),
    ],
)
def test_what_is_no_number_has_no_millionths(cell: bytes) -> None:
    assert fit([cell]).number(cell) is None
    assert Grid().number(cell) is None


def test_numbers_beyond_64_bits_are_no_cells() -> None:
    for number in (2**64, -(2**64) - 1, 2**999):
        assert Grid().cell(number) is None
    assert Grid().cell(-(2**64)) == cells(-(2**64))[0]


def test_decimals_have_the_least_digits() -> None:
    assert decimal_of(cells(21.4)[0]) == (1, 214)
    assert decimal_of(cells(-0.000001)[0]) == (6, -1)
    assert decimal_of(cells(300)[0]) == (0, 300)
    assert decimal_of(cells(0.1234567)[0]) == (None, 0)
    assert decimal_of(cells(3.0)[0]) == (None, 0)
    assert decimal_cell(1, 214) == cells(21.4)[0]


def test_halves_of_millionths_are_rounded_up() -> None:
    assert list(map(millionths_of, cells(0.0078125, -0.0078125))) == [7813, -7812]
