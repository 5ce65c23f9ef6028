"""Reading rows out of pages: what SQLite wrote is found, and nothing makes it fail."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.sqlite_pages import (
    FRAME_HEAD_BYTES,
    PAGE_BYTES,
    WAL_HEAD_BYTES,
    PageReader,
    Value,
    children,
    frame_page,
    frame_salts,
    is_commit,
    page_bytes,
    records,
    wal_salts,
)

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.binary(max_size=40),
    st.sampled_from([4000, 4090, 8200, 30_000]).map(bytes),
)
ROWS = st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.tuples(VALUES, VALUES), max_size=40)


def reader(data: bytes) -> PageReader:
    size = page_bytes(data)

    def read(number: int) -> bytes | None:
        return data[(number - 1) * size : number * size] or None if number > 0 else None

    return read


def written(path: Path, rows: dict[int, tuple[Value, ...]], page_size: int) -> bytes:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA page_size = {page_size}")
        db.executescript(
            "CREATE TABLE one (id INTEGER PRIMARY KEY, a, b);"
            "CREATE TABLE two (id, a, b, PRIMARY KEY (id, a)) WITHOUT ROWID; BEGIN"
        )
        for rowid, (a, b) in rows.items():
            db.execute("INSERT INTO one VALUES (?, ?, ?)", (rowid, a, b))
            db.execute("INSERT INTO two VALUES (?, ?, ?)", (rowid, a or 0, b))
        db.execute("COMMIT")
    return path.read_bytes()


@given(ROWS, st.sampled_from([512, 1024, 4096, 65_536]))
@settings(max_examples=25)
def test_all_rows_of_a_whole_file_are_found(
    tmp_path_factory: pytest.TempPathFactory,
    rows: dict[int, tuple[Value, Value]],
    page_size: int,
) -> None:
    data = written(tmp_path_factory.getbasetemp() / "rows.db", dict(rows), page_size)
    assert page_bytes(data) == page_size
    read = reader(data)
    ones: dict[int | None, tuple[Value, ...]] = {}
    twos: dict[Value, tuple[Value, ...]] = {}
    for number in range(2, len(data) // page_size + 1):
        for rowid, values in records(read(number) or b"", number, read):
            if rowid is None:
                twos[values[0]] = values[1:]
            else:
                ones[rowid] = values[1:]
    assert ones == rows
    assert twos == {rowid: (a or 0, b) for rowid, (a, b) in rows.items()}


@given(st.data())
@settings(max_examples=60)
def test_no_bytes_make_it_fail(data: st.DataObject) -> None:
    page = bytearray(PAGE_BYTES)
    page[0] = data.draw(st.sampled_from([2, 5, 10, 13]))
    for at, piece in data.draw(
        st.lists(st.tuples(st.integers(0, PAGE_BYTES - 1), st.binary(max_size=40)), max_size=20)
    ):
        page[at : at + len(piece)] = piece
    whole = bytes(page[:PAGE_BYTES])
    list(records(whole, 2, lambda _: whole))
    list(records(whole, 1, lambda _: None))
    assert all(number >= 0 for number in children(whole, 2))


def test_a_row_that_goes_on_in_a_circle_ends(tmp_path: Path) -> None:
    data = bytearray(written(tmp_path / "long.db", {1: (bytes(30_000), None)}, PAGE_BYTES))
    read = reader(bytes(data))
    pages = range(2, len(data) // PAGE_BYTES + 1)
    circle = next(
        number for number in pages if not list(records(read(number) or b"", number, read))
    )
    turned = [
        (circle).to_bytes(4, "big") + (read(number) or b"")[4:]
        if number == circle
        else read(number)
        for number in range(1, len(data) // PAGE_BYTES + 1)
    ]
    asked: list[int] = []

    def count(number: int) -> bytes | None:
        asked.append(number)
        return turned[number - 1] if 0 < number <= len(turned) else None

    for number in pages:
        list(records(turned[number - 1] or b"", number, count))
    assert len(asked) < 40


def test_a_damaged_header_does_not_say_how_long_pages_are() -> None:
    head = b"SQLite format 3\0" + (1024).to_bytes(2, "big") + bytes(82)
    assert page_bytes(head) == 1024
    assert page_bytes(head[:16] + (1).to_bytes(2, "big") + bytes(82)) == 65_536
    for broken in (b"", bytes(100), head[:16] + (1000).to_bytes(2, "big"), b"x" + head[1:]):
        assert page_bytes(broken) == PAGE_BYTES


def test_frames_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "wal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        log = (tmp_path / "wal.db-wal").read_bytes()
    salts = wal_salts(log[:WAL_HEAD_BYTES])
    assert salts is not None
    heads = [
        log[at : at + FRAME_HEAD_BYTES]
        for at in range(WAL_HEAD_BYTES, len(log), FRAME_HEAD_BYTES + PAGE_BYTES)
    ]
    assert {frame_page(head, salts) for head in heads} == {1, 2}
    assert {frame_page(head, bytes(8)) for head in heads} == {None}
    assert {frame_salts(head) for head in heads} == {salts}
    assert is_commit(heads[-1])
    assert not is_commit(heads[0])
    assert wal_salts(bytes(WAL_HEAD_BYTES)) is None
