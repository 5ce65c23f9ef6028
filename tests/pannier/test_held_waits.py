"""What is looked at after something came; which waits are noted of a bundle is in `test_waits`."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pannier.held_waits import Subject, find_by_subject, ready, waiting_for_ledger
from pannier.nodedb import NodeDb
from pannier.waits import Reach, Wait

LEDGER, OTHER = b"l" * 16, b"o" * 16
AUTHOR, MALLORY = b"a" * 32, b"m" * 32
LOG = bytes(8)
ALL = Reach(2**63 - 1, 2**63 - 1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[NodeDb]:
    """One in which nothing waits."""
    found = NodeDb.open(tmp_path / "node.db")
    find_by_subject(found)
    find_by_subject(found)
    yield found
    found.close()


def hold(db: NodeDb, number: int, *waits: Wait) -> str:
    """Note what the bundle of a number waits for; return its id."""
    for wait in waits:
        db.run(
            "INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)", f"{number:016x}", "0" * 16, *wait
        )
    return f"{number:016x}"


def test_what_waits_for_entries_is_asked_about_once_a_log(db: NodeDb) -> None:
    held = [hold(db, n, Wait("range", LEDGER, AUTHOR, LOG, n)) for n in range(100)]
    asked: Counter[Wait] = Counter()

    def reach(wait: Wait) -> Reach:
        asked[wait] += 1
        return Reach(10, 90)

    found = ready(db, [Subject(LEDGER, AUTHOR), Subject(LEDGER)], reach)
    assert found == {*held[:11], *held[90:]}
    assert list(asked.values()) == [1]


def test_nothing_is_asked_about_what_is_of_others(db: NodeDb) -> None:
    mine = hold(db, 1, Wait("grant", LEDGER, AUTHOR), Wait("range", LEDGER, MALLORY, LOG, 3))
    other = hold(db, 2, Wait("close", OTHER, AUTHOR, LOG))
    theirs = hold(db, 3, Wait("ledger", LEDGER), Wait("range", LEDGER, MALLORY, LOG, 4))
    asked: list[Wait] = []

    def reach(wait: Wait) -> Reach:
        asked.append(wait)
        return ALL

    assert ready(db, [Subject(LEDGER, AUTHOR)], reach) == {mine}
    assert asked == [Wait("grant", LEDGER, AUTHOR)]
    assert ready(db, [Subject(LEDGER)], reach) == {mine, theirs}
    assert ready(db, [Subject(LEDGER), Subject(OTHER)], reach) == {mine, theirs, other}
    assert ready(db, [], reach) == frozenset()


def test_of_no_certain_ledger_only_that_counts_which_may_come(db: NodeDb) -> None:
    log, blob = hold(db, 1, Wait("log", b"", b"1234")), hold(db, 2, Wait("blob", b"", b"b" * 32))
    for number, kind in enumerate(("review", "newer", "day"), 3):
        hold(db, number, Wait(kind, b"", number=7))
    assert ready(db, [Subject(b"", b"1234")], lambda _: ALL) == {log}
    assert ready(db, [Subject(b"")], lambda _: ALL) == {log, blob}


def test_what_waits_for_a_ledger(db: NodeDb) -> None:
    held = hold(db, 1, Wait("ledger", LEDGER), Wait("ledger", OTHER))
    hold(db, 2, Wait("range", LEDGER, AUTHOR, LOG, 1), Wait("ledger", OTHER))
    assert waiting_for_ledger(db, LEDGER) == {held}
    assert waiting_for_ledger(db, bytes(16)) == frozenset()
