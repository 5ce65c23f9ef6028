from hashlib import sha256
from itertools import accumulate

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.cell_columns import APART, GROUPED, Kind, Reader, take_columns
from bundler.column_choice import choose, encode_column, numbered
from bundler.number_columns import cost_bytes
from tests.bundler.samples import SCALARS, VALUES


def cells(*values: object) -> list[bytes]:
    return [cbor2.dumps(value, canonical=True) for value in values]


def read(parts: list[bytes], count: int, order: list[int] | None = None) -> list[bytes]:
    reader = Reader(b"".join(parts), limit_bytes=1 << 20)
    (found,) = take_columns(reader, [0], count, order or [])
    reader.end()
    return found


@given(st.lists(SCALARS | st.sampled_from([None, 1, 1.0, 0.1, "a"]) | VALUES, min_size=1))
@example([0.1, 0.2, None, 3, "x", b"y", [1]] * 3)
@example([n / 10 for n in range(-20, 20)] + [None, True])
@example([2**64 - 1, 2**63])
@example([2**64 - 1, 0.1, 2**63, None, 2**63 + 1])
def test_any_cells_come_back(values: list[object]) -> None:
    wanted = cells(*values)
    assert read(encode_column(numbered(wanted)), len(wanted)) == wanted


@given(st.lists(SCALARS, min_size=1), st.randoms(use_true_random=False))
def test_cells_come_back_from_another_order(values: list[object], random: st.DataObject) -> None:
    wanted = cells(*values)
    order = list(range(len(wanted)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert read(choose(numbered(wanted), order=order).parts(), len(wanted), order) == wanted


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([7] * 100, Kind.CONSTANT),
        ([n % 5 for n in range(100)], Kind.DICTIONARY),
        ([n / 100 for n in range(3000)], Kind.DECIMALS),
        ([2**0.5 * n for n in range(300)], Kind.FLOATS),
        ([f"{n} lines" for n in range(100)], Kind.TEXTS),
        ([bytes([n]) for n in range(100)], Kind.BYTES),
        ([[n] for n in range(100)], Kind.ITEMS),
        ([None if n % 9 == 4 else 20 + n / 10 for n in range(900)], Kind.DECIMALS | APART),
    ],
    ids=lambda value: str(value)[:20],
)
def test_each_kind_of_cells_has_its_way(values: list[object], kind: int) -> None:
    way = choose(numbered(cells(*values)))
    assert way.parts()[0][0] & (7 | APART | GROUPED) == kind
    assert read(way.parts(), len(values)) == cells(*values)


NOISE = b"".join(sha256(b"%d" % n).digest() for n in range(100))


def test_what_is_hardly_ever_there_does_not_come_between() -> None:
    """A sensor that says nothing now and then: the steps of the others stay small."""
    readings = list(accumulate((one % 5 - 2 for one in NOISE), initial=1000))
    missing: list[int | None] = [None if n % 97 == 13 else one for n, one in enumerate(readings)]
    whole, holed = (
        cost_bytes(encode_column(numbered(cells(*values)))) for values in (readings, missing)
    )
    assert whole > 500
    assert holed < whole + 3 * missing.count(None)


def test_what_each_thing_says_is_put_together_where_that_is_smaller() -> None:
    things = [one % 50 for one in NOISE]
    last = [1_000_003 * thing for thing in range(50)]
    values = []
    for thing, noise in zip(things, reversed(NOISE), strict=True):
        last[thing] += noise % 5
        values.append(last[thing])
    order = sorted(range(len(things)), key=things.__getitem__)
    column = numbered(cells(*values))
    by_thing, mixed = choose(column, order=order), choose(column)
    assert by_thing.flags == GROUPED
    assert cost_bytes(by_thing.parts()) < cost_bytes(mixed.parts()) / 2
