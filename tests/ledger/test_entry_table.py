"""Rows of entries, many at a time, in a real file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.entries import Entries
from ledger.entry import Entry
from ledger.entry_table import EntryTable
from ledger.errors import AlteredError, DamagedError
from ledger.store import Store
from tests.ledger.test_entry import entries
from tests.ledger.world import REST_KEY, change, draft, genesis_of

FIRST = 7 << 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path, genesis_of("ada"), REST_KEY) as made:
        yield made


def table(store: Store) -> EntryTable:
    return store._entries


def written(store: Store, many: Sequence[Entry]) -> None:
    change(store, "DELETE FROM entry")
    with store.transaction():
        ids = table(store).insert(FIRST, Entries.of(many))
    names = store.names.of_numbers("thing", set(ids))
    assert [names[number] for number in ids] == [entry.thing for entry in many]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries, max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_entries_come_back_as_they_were(
    store: Store, many: list[Entry], first: int, end: int
) -> None:
    written(store, many)
    assert table(store).between(FIRST + first, FIRST + end).one_by_one() == many[first:end]
    without = table(store).between(FIRST, FIRST + 20, with_payloads=False)
    assert without.one_by_one() == [entry._replace(payload=None) for entry in many]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 200])
def test_any_number_of_rows_is_written(store: Store, count: int) -> None:
    many = [
        Entry(f"t{number % 9}", "k", 0, number, (), number.to_bytes(32), draft("t", number).payload)
        for number in range(count)
    ]
    written(store, many)
    assert table(store).between(FIRST, FIRST + count).one_by_one() == many
    assert store.rows("SELECT count(*) FROM entry") == [(count,)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(entries, entries, st.sets(st.sampled_from(Entry._fields)), st.integers(0, 130))
def test_what_rows_have_alike_is_in_each_of_them(
    store: Store, one: Entry, other: Entry, differing: set[str], place: int
) -> None:
    """Also where only the last row of a statement, or one after it, is another."""
    last = one._replace(**{name: getattr(other, name) for name in differing})
    many = [one._replace(digest=bytes([n] * 32)) for n in range(130)]
    many.insert(place, last._replace(digest=bytes([200] * 32)))
    written(store, many)
    assert table(store).between(FIRST, FIRST + 131).one_by_one() == many


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("UPDATE entry SET payload = (SELECT payload FROM entry WHERE id & 1) WHERE id & 1 = 0",
         AlteredError),
        ("UPDATE entry SET digest = zeroblob(32)", AlteredError),
        ("UPDATE entry SET time = 'noon'", DamagedError),
        ("UPDATE entry SET action = 1.5", DamagedError),
        ("UPDATE entry SET payload = 'text'", DamagedError),
        ("UPDATE entry SET follows = x'ff'", DamagedError),
    ],
)  # fmt: skip
def test_a_damaged_row_is_said_so(store: Store, sql: str, error: type[Exception]) -> None:
    written(store, [Entry("t", "", 0, n, (), bytes([n] * 32), b"\x01") for n in range(4)])
    change(store, sql)
    with pytest.raises(error):
        table(store).between(FIRST, FIRST + 4)


def test_payloads_of_some_may_be_left_out(store: Store) -> None:
    many = [Entry("t", "", 0, n, (), bytes([n] * 32), b"\x01" if n % 3 else None) for n in range(9)]
    written(store, many)
    assert table(store).between(FIRST, FIRST + 9).one_by_one() == many
    change(store, "UPDATE entry SET payload = zeroblob(17) WHERE id & 15 = 4")
    with pytest.raises(AlteredError):
        table(store).between(FIRST, FIRST + 9)
