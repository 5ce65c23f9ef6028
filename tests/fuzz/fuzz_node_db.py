"""``node.db`` with a value that nobody wrote, in any column of any row."""

import sqlite3
from collections.abc import Callable, Iterator
from functools import cache

from bundler.have_digest import differing, digest_of
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier import content_rows, decisions, have_rows, review, tail_rows
from pannier.errors import PannierError
from pannier.forks import moment_from
from pannier.links.airtime_book import Clocks, spent_on
from pannier.nodedb import NodeDb
from pannier.nodedb_file import _TABLES, Value
from pannier.trusted_time import Uptime, count_running
from tests.fuzz.harness import Target

P, B, L = "0123456789abcdef", "fedcba9876543210", LedgerId(bytes(16))
LOG = LogName(bytes(32), bytes(8))
UPTIME = Uptime("boot", 5_000_000, 10_000_000)
ROWS: dict[str, tuple[Value, ...]] = {
    "peer": (P, bytes(8), 3, 3, 3, bytes(16), bytes(16), 1, bytes(25), b"t", B, 5, 6),
    "held": (P, L, *LOG, 7, bytes(16), None),
    "told": (P, L, *LOG, bytes(8), 3),
    "pairwise": (P, bytes(8), bytes(60), 1),
    "bundle": (B, P, "name", "queued", 0, 1, 0, 5, 6, 7, "", bytes(8)),
    "span": (B, L, *LOG, 0, 9),
    "content": (B, bytes(16)),
    "airtime": ("link", "boot", 1, 2, bytes(8 * 4)),
    "audience": (P, B),
    "due": (P, B, "", 3, None),
    "waiting": (B, P, "review", b"", bytes(32), b"", 0),
    "compact": (B, bytes(8)),
    "tail_floor": (P, L, *LOG, 4),
    "decision": (bytes(32), B, P, "accepted", "", 5, "a"),
    "on_medium": ("link", B, 3),
}
META = ("forged", "incarnation", "counter", "running", "running until", "boot", "fork")


def _compare(db: NodeDb) -> None:
    """Do with what a peer holds, and asks, what is done before anything is made for it."""
    held, have = have_rows.held_by(db, P), db.peer(P).have
    digest_of(held)
    if have is not None and have.ask is not None:
        differing(have.ask, held)


def _read_ids(db: NodeDb) -> None:
    """Do with ids what is done where they go into a bundle, or name a group."""
    bundles = [*db.queued_bundles(), *db.bundles(P)]
    senders = [sender for sender, _ in review.senders(db).values()]
    told = [one for one, _ in db.receipts(P)]
    for one in (*told, *senders, *(id_ for own in bundles for id_ in (own.bundle_id, own.peer))):
        assert len(bytes.fromhex(one)) == 8


READERS: tuple[Callable[[NodeDb], object], ...] = (
    lambda db: db.peer(P),
    lambda db: db.heard(),
    lambda db: db.met(),
    lambda db: db.receipts(P),
    lambda db: db.bundles(P),
    lambda db: db.group_bundles(P),
    lambda db: db.spans(B),
    lambda db: db.spans_for(P, L, LOG, ["queued"]),
    lambda db: db.handed_over("link"),
    lambda db: db.forged(),
    lambda db: list(have_rows.held_by(db, P)),
    lambda db: have_rows.told(db, P),
    _compare,
    _read_ids,
    lambda db: list(spent_on(db, "link", Clocks(lambda: 0, lambda: UPTIME))),
    lambda db: tail_rows.floor(db, P, L, LOG),
    lambda db: tail_rows.sent_to(db, P),
    lambda db: tail_rows.compact_under(db, B),
    lambda db: content_rows.carriers(db, P, [bytes(16)]),
    decisions.decisions,
    lambda db: count_running(db, UPTIME),
    lambda db: moment_from(db.meta("fork")),
)


@cache
def made() -> tuple[NodeDb, list[tuple[str, str]]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_TABLES)
    for table, row in ROWS.items():
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 -- our own names
    for key in META:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (key, bytes(24)))
    columns = [
        (table, column)
        for table in ROWS
        for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")
    ]
    return NodeDb(connection), [*columns, *(("meta", key) for key in META)]


def _value(data: bytes) -> Value:
    kind, piece = data[0] % 3 if data else 0, data[1:]
    if kind == 0:
        return int.from_bytes(piece[:8], "big", signed=True)
    return piece.decode(errors="replace") if kind == 1 else piece


def take(data: bytes) -> None:
    db, columns = made()
    table, column = columns[data[0] % len(columns) if data else 0]
    value = _value(data[1:])
    db.run("BEGIN")
    try:
        if table == "meta":
            db.run("UPDATE meta SET value = ? WHERE key = ?", value, column)
        else:
            db.run(f"UPDATE {table} SET {column} = ?", value)  # noqa: S608 -- our own names
        for read in READERS:
            read(db)
    finally:
        db.run("ROLLBACK")


def seeds() -> Iterator[bytes]:
    _, columns = made()
    for number in range(len(columns)):
        yield bytes([number, 0]) + (7).to_bytes(8, "big")
        yield bytes([number, 1]) + b"text"
        yield bytes([number, 2]) + bytes(8)
        yield bytes([number, 2])
        yield bytes([number, 0]) + b"\xff" * 8
        yield bytes([number, 2]) + b"\xff" * 33


TARGET = Target(take, (PannierError,), seeds, longest=64)
