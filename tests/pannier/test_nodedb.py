import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.notices import HeldLog
from bundler.plan import Span
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier import have_rows, review
from pannier.errors import BusyError, DamagedFileError, PannierError
from pannier.held_waits import waiting_for_ledger
from pannier.links.rounds import Rounds
from pannier.nodedb import NodeDb
from pannier.nodedb_peers import UNTOLD
from pannier.out_bundle import OutBundle

PEER, OTHER, THIRD, GROUP = "a" * 16, "b" * 16, "c" * 16, "d" * 16
NUMBER = f"{1:016x}"
LEDGER = LedgerId(bytes(16))
LOG = LogName(bytes(32), bytes(8))
INCARNATION = b"inc00001"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[NodeDb]:
    db = NodeDb.open(tmp_path / "node.db")
    yield db
    db.close()


def bundle(number: int, **changes: object) -> OutBundle:
    plain = OutBundle(
        bundle_id=f"{number:016x}",
        peer=PEER,
        name=f"name {number}",
        state="queued",
        control=False,
        counter=number,
        written=0,
        created_us=number,
        expiry_days=2000,
        size_bytes=100,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_bundle_is_found_as_it_was_noted(db: NodeDb) -> None:
    one, other = bundle(1, key_id=b"12345678"), bundle(2, control=True, note="why")
    db.add_bundle(one, [(LEDGER, LOG, Span(0, 5)), (LEDGER, LOG, Span(7, 9))])
    db.add_bundle(other, [])
    assert db.bundle(one.bundle_id) == one
    assert db.bundle("f" * 16) is None
    assert db.bundles(PEER) == [one, other]
    assert db.bundles(OTHER) == []
    assert db.spans(one.bundle_id) == [(LEDGER, LOG, Span(0, 5)), (LEDGER, LOG, Span(7, 9))]


def test_spans_are_those_of_bundles_in_the_states_asked_for(db: NodeDb) -> None:
    for number, state in enumerate(("queued", "confirmed", "sent")):
        db.add_bundle(bundle(number, state=state), [(LEDGER, LOG, Span(number, number + 1))])
    db.add_bundle(bundle(9, peer=OTHER), [(LEDGER, LOG, Span(9, 10))])
    assert db.spans_for(PEER, LEDGER, LOG, ("queued", "sent")) == [Span(0, 1), Span(2, 3)]
    assert db.spans_for(PEER, LedgerId(b"x" * 16), LOG, ("queued",)) == []
    assert db.spans_for(PEER, LEDGER, LogName(bytes(32), b"other123"), ("queued",)) == []


def test_a_forgotten_bundle_leaves_no_trace(db: NodeDb) -> None:
    db.add_bundle(bundle(1), [(LEDGER, LOG, Span(0, 5))])
    db.forget_bundle(bundle(1).bundle_id)
    assert db.bundle(bundle(1).bundle_id) is None
    assert db.rows("SELECT * FROM span") == []


def test_what_is_written_is_counted_and_found_by_medium(db: NodeDb) -> None:
    db.add_bundle(bundle(1), [])
    for medium in ("one", "two", "one"):
        db.note_written(bundle(1).bundle_id, medium, 5, [bundle(1).peer])
    found = db.bundle(bundle(1).bundle_id)
    assert found is not None
    assert found.written == 3
    assert db.bundles_on("one") == {bundle(1).bundle_id}
    assert db.bundles_on("three") == frozenset()


def test_a_carrier_counts_for_those_readers_that_it_serves(db: NodeDb) -> None:
    one, alone = bundle(1, peer=GROUP), bundle(2)
    for made in (one, alone):
        db.add_bundle(made, [])
    db.note_audience(one.bundle_id, [PEER, OTHER])
    db.note_written(one.bundle_id, "for both", 5, [PEER, OTHER, THIRD])
    db.note_written(one.bundle_id, "for the other", 5, [OTHER])
    db.note_written(alone.bundle_id, "for both", 5, [PEER, OTHER])
    db.note_begun(one.bundle_id)
    db.note_handed_over(one.bundle_id, "link to the other", 5, [OTHER])
    times = {
        (made.peer, peer): db.times_served(made.bundle_id, peer)
        for made in (one, alone)
        for peer in (PEER, OTHER, THIRD)
    }
    assert times == {
        (GROUP, PEER): 1, (GROUP, OTHER): 3, (GROUP, THIRD): 0,
        (PEER, PEER): 1, (PEER, OTHER): 0, (PEER, THIRD): 0,
    }  # fmt: skip
    db.forget_peer(OTHER)
    assert db.times_served(one.bundle_id, OTHER) == 0
    db.forget_bundle(one.bundle_id)
    assert db.times_served(one.bundle_id, PEER) == 0


def test_only_queued_bundles_are_on_their_way(db: NodeDb) -> None:
    for number, state in enumerate(["queued", "confirmed", "queued"]):
        db.add_bundle(bundle(number, state=state), [])
    assert [one.bundle_id for one in db.queued_bundles()] == [
        bundle(0).bundle_id,
        bundle(2).bundle_id,
    ]


def test_the_latest_time_that_a_peer_signed_counts(db: NodeDb) -> None:
    for peer, time_us in (("a", 5), ("a", -3), ("b", -(2**63)), ("c", 2**63 - 1)):
        db.hear(peer, time_us)
    db.advance_peer("silent", bytes(8), 1)
    assert db.heard() == {"a": 5, "b": -(2**63), "c": 2**63 - 1}


# -- what peers say -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from([b"a" * 8, b"b" * 8, b"c" * 8]), st.integers(0, 9))))
def test_the_newest_is_the_greatest_incarnation_and_counter(said: list[tuple[bytes, int]]) -> None:
    db = NodeDb.open(Path(":memory:"))
    newest = (b"", -1)
    for incarnation, counter in said:
        is_newest = (incarnation, counter) >= newest
        assert db.advance_peer(PEER, incarnation, counter) is is_newest
        newest = max(newest, (incarnation, counter))
        state = db.peer(PEER)
        assert (state.incarnation, state.counter) == newest
    db.close()


def test_nothing_is_known_of_a_peer_that_said_nothing(db: NodeDb) -> None:
    state = db.peer(PEER)
    assert (state.incarnation, state.counter, state.have, state.told) == (None, -1, None, None)


@pytest.mark.parametrize("state", ["replaced", "expired", "refused"])
def test_what_was_told_in_a_bundle_that_did_not_arrive_is_told_again(
    db: NodeDb, state: str
) -> None:
    told_in(db, 1)
    db.end_bundle(bundle(1).bundle_id, state)
    assert db.peer(PEER).told == UNTOLD
    assert db.has_untold(PEER)


def test_what_was_told_in_a_bundle_that_nobody_saw_is_told_again(db: NodeDb) -> None:
    told_in(db, 1)
    db.forget_bundle(bundle(1).bundle_id)
    assert db.peer(PEER).told == UNTOLD
    assert db.has_untold(PEER)


@pytest.mark.parametrize("state", ["confirmed", "sent"])
def test_what_arrived_is_not_told_again(db: NodeDb, state: str) -> None:
    told_in(db, 1)
    db.end_bundle(bundle(1).bundle_id, state)
    assert db.peer(PEER).told == b"digest"
    assert not db.has_untold(PEER)


def test_what_was_told_again_since_stays_told(db: NodeDb) -> None:
    told_in(db, 1)
    told_in(db, 2)
    db.end_bundle(bundle(1).bundle_id, "replaced")
    assert db.peer(PEER).told == b"digest"
    assert not db.has_untold(PEER)


def test_a_receipt_that_got_lost_is_owed_again_to_who_repeats_itself(db: NodeDb) -> None:
    told_in(db, 1)
    assert db.owe_again(["c" * 16, "d" * 16]) == {PEER}
    assert not db.has_untold(PEER)
    db.end_bundle(bundle(1).bundle_id, "confirmed")
    assert db.owe_again(["d" * 16]) == set()
    assert not db.has_untold(PEER)
    assert db.owe_again(["c" * 16]) == {PEER}
    assert db.has_untold(PEER)


def told_in(db: NodeDb, number: int) -> None:
    """A bundle tells the peer a digest and one receipt."""
    db.add_bundle(bundle(number), [])
    if not db.owes(PEER, "c" * 16):
        db.owe_receipt(PEER, "c" * 16, "", 1)
    db.note_told(PEER, b"digest", bundle(number).bundle_id, 7)
    db.note_receipts_told(PEER, ["c" * 16], bundle(number).bundle_id)
    assert (db.peer(PEER).told, db.peer(PEER).told_us) == (b"digest", 7)


def test_only_who_was_told_can_be_told_again(db: NodeDb) -> None:
    db.advance_peer(OTHER, INCARNATION, 1)
    told_in(db, 1)
    db.tell_all_again()
    db.tell_again(OTHER)
    assert (db.peer(PEER).told, db.peer(OTHER).told) == (UNTOLD, None)


# -- receipts -------------------------------------------------------------------------------------


def test_receipts_go_once_the_peer_no_longer_waits_for_them(db: NodeDb) -> None:
    for number in range(4):
        db.owe_receipt(PEER, f"{number:016x}", "", number)
    db.settle_receipts(PEER, [f"{1:016x}"], 3)
    assert db.receipts(PEER) == [(f"{1:016x}", ""), (f"{3:016x}", "")]


def test_counters_of_an_older_incarnation_hold_no_receipt_back(db: NodeDb) -> None:
    db.advance_peer(PEER, b"inc00001", 1000)
    db.owe_receipt(PEER, "c" * 16, "", 1000)
    db.advance_peer(PEER, b"inc00002", 1)
    db.settle_receipts(PEER, [], 1)
    assert db.receipts(PEER) == []


def test_receipts_are_bounded_and_those_not_told_come_first(db: NodeDb) -> None:
    for number in range(3100):
        db.owe_receipt(PEER, f"{number:016x}", "", number)
    first = [one for one, _ in db.receipts(PEER)]
    assert len(first) == 3000
    db.note_receipts_told(PEER, first, "d" * 16)
    assert db.has_untold(PEER)
    assert {f"{number:016x}" for number in range(3000, 3100)} <= {
        one for one, _ in db.receipts(PEER)
    }


# -- the file -------------------------------------------------------------------------------------


def test_a_transaction_is_all_or_nothing(db: NodeDb) -> None:
    with pytest.raises(KeyError), db.transaction(), db.transaction():  # noqa: PT012
        db.set_meta("key", b"value")
        raise KeyError
    assert db.meta("key") is None
    with db.transaction():
        db.set_meta("key", b"value")
    assert db.meta("key") == b"value"


def test_a_peer_can_be_forgotten_and_the_others_stay(db: NodeDb) -> None:
    for peer, number in ((PEER, 1), (OTHER, 2)):
        db.advance_peer(peer, INCARNATION, 1)
        db.add_bundle(bundle(number, peer=peer), [(LEDGER, LOG, Span(0, 1))])
        db.owe_receipt(peer, f"{number:016x}", "", 1)
    db.forget_peer(PEER)
    assert (db.peer(PEER).incarnation, db.bundles(PEER), db.receipts(PEER)) == (None, [], [])
    assert db.rows("SELECT bundle FROM span") == [(bundle(2).bundle_id,)]
    assert db.peer(OTHER).incarnation == INCARNATION
    assert len(db.bundles(OTHER)) == len(db.receipts(OTHER)) == 1


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    NodeDb.open(tmp_path / "node.db").close()
    with sqlite3.connect(tmp_path / "node.db") as other:
        other.execute("PRAGMA user_version = 2")
    other.close()
    with pytest.raises(PannierError, match="newer pannier"):
        NodeDb.open(tmp_path / "node.db")


@pytest.mark.parametrize("table", ["rounds", "origin", "served"])
def test_a_file_from_before_there_was_a_table_is_read(tmp_path: Path, table: str) -> None:
    path = tmp_path / "node.db"
    with closing(NodeDb.open(path)) as db:
        db.set_meta("key", b"value")
        db.run(f"DROP TABLE {table}")
    with closing(NodeDb.open(path)) as db:
        assert db.faults() == []
        assert db.meta("key") == b"value"
        assert Rounds(db, "diode").sent(NUMBER, 2) == [0, 0]
        assert db.times_served(NUMBER, PEER) == 0


@pytest.mark.parametrize("is_taken_back", [True, False])
def test_what_is_forgotten_has_no_rounds(db: NodeDb, is_taken_back: bool) -> None:
    db.add_bundle(bundle(1), [])
    rounds = Rounds(db, "diode")
    assert rounds.begin(NUMBER)
    rounds.note_sent(NUMBER, {0: 3})
    if is_taken_back:
        db.forget_bundle(NUMBER)
    else:
        db.end_bundle(NUMBER, "confirmed")
    assert not rounds.begin(NUMBER)
    assert rounds.begun() == (set() if is_taken_back else {NUMBER})


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(PannierError, match="verify --repair"):
        NodeDb.open(tmp_path / "node.db")


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("UPDATE held SET size = -1", "size of held"),
        ("UPDATE held SET lacking = -1", "lacking of held"),
        ("UPDATE peer SET have_ask = x'0f0f'", "have_ask of peer"),
        ("UPDATE bundle SET id = 'zz'", "id of bundle"),
        ("UPDATE bundle SET peer = 'zz' || substr(peer, 3)", "peer of bundle"),
        ("UPDATE due SET bundle = upper(bundle)", "bundle of due"),
        ("UPDATE waiting SET peer = 'zz'", "peer of waiting"),
        ("UPDATE waiting SET bundle = 'zz'", "bundle of waiting"),
    ],
)
def test_a_value_out_of_bounds_is_damage_that_a_repair_finds(
    db: NodeDb, change: str, column: str
) -> None:
    db.advance_peer(PEER, INCARNATION, 1)
    db.run("UPDATE peer SET have_counter = 1, have_keys = x'', have_ask = x'0e'")
    db.add_bundle(bundle(1), [])
    db.owe_receipt(PEER, f"{10:016x}", "", 1)
    have_rows.note_held(db, PEER, [(LEDGER, HeldLog(*LOG, 7, bytes(16), 3))])
    for kind, ledger in (("review", b""), ("ledger", LEDGER)):
        row = f"{1:016x}", PEER, kind, ledger, b"", b"", 0
        db.run("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)", *row)

    def read() -> None:
        db.peer(PEER)
        have_rows.held_by(db, PEER)
        db.receipts(PEER)
        db.queued_bundles()
        review.senders(db)
        waiting_for_ledger(db, LEDGER)

    read()
    assert db.faults() == []
    db.run(change)
    with pytest.raises(DamagedFileError, match="verify --repair"):
        read()
    assert db.faults() == [f"node.db is damaged: {column} is out of bounds"]


def test_a_value_of_the_wrong_type_is_damage(db: NodeDb) -> None:
    db.add_bundle(bundle(1), [])
    db.run("UPDATE bundle SET counter = 'many'")
    with pytest.raises(PannierError, match="damaged"):
        db.bundles(PEER)
    db.run("INSERT INTO meta VALUES ('incarnation', 5)")
    with pytest.raises(PannierError, match="damaged"):
        db.meta("incarnation")


def test_another_process_that_writes_for_too_long(
    tmp_path: Path, db: NodeDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pannier.nodedb_file._BUSY_SECONDS", 0.01)
    late = NodeDb.open(tmp_path / "node.db")
    with db.transaction(), pytest.raises(BusyError, match="another pannier"), late.transaction():
        pass
    late.close()
