"""What ``node.db`` keeps of haves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.notices import Ask, HeldLog, Seen
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier import have_rows
from pannier.have_rows import HaveState, LogKey, Told
from pannier.nodedb import NodeDb
from pannier.out_bundle import OutBundle

PEER, OTHER = "a" * 16, "b" * 16
LEDGER = LedgerId(bytes(16))
KEY: LogKey = (LEDGER, LogName(bytes(32), bytes(8)))
GONE: LogKey = (LEDGER, LogName(bytes(32), b"goneaway"))
HELD = HeldLog(*KEY[1], 7, bytes(16), 3)

STATES = st.builds(
    HaveState,
    counter=st.integers(-1, 2**63 - 1),
    whole=st.none() | st.integers(0, 2**63 - 1),
    key_ids=st.frozensets(st.binary(min_size=8, max_size=8), max_size=3),
    seen=st.none() | st.builds(Seen, st.binary(min_size=8, max_size=8), st.integers(0, 2**64 - 1)),
    base=st.none() | st.integers(0, 2**63 - 2),
    ask=st.none()
    | st.integers(0, 3).flatmap(
        lambda bits: st.builds(
            Ask, st.just(bits), st.binary(min_size=6 << bits, max_size=6 << bits)
        )
    ),
)


@pytest.fixture
def db() -> Iterator[NodeDb]:
    db = NodeDb.open(Path(":memory:"))
    db.advance_peer(PEER, b"inc00001", 1)
    yield db
    db.close()


@given(STATES)
def test_what_was_said_besides_logs_comes_back(state: HaveState) -> None:
    db = NodeDb.open(Path(":memory:"))
    db.advance_peer(PEER, b"inc00001", 1)
    assert have_rows.have_state(db, PEER) is None
    have_rows.set_have_state(db, PEER, state)
    assert have_rows.have_state(db, PEER) == state
    assert have_rows.have_state(db, OTHER) is None
    db.close()


def test_a_base_beyond_all_counters_is_kept_below_never(db: NodeDb) -> None:
    state = HaveState(
        counter=1, whole=None, key_ids=frozenset(), seen=None, base=2**64 - 1, ask=None
    )
    have_rows.set_have_state(db, PEER, state)
    kept = have_rows.have_state(db, PEER)
    assert kept is not None
    assert kept.base == have_rows.NEVER - 1


def test_what_a_new_incarnation_has_not_said_does_not_count(db: NodeDb) -> None:
    state = HaveState(
        counter=5, whole=5, key_ids=frozenset([bytes(8)]), seen=None, base=4, ask=None
    )
    have_rows.set_have_state(db, PEER, state)
    db.advance_peer(PEER, b"inc00002", 1)
    kept = have_rows.have_state(db, PEER)
    assert kept is not None
    assert (kept.counter, kept.whole, kept.base) == (-1, None, None)
    assert kept.key_ids == state.key_ids


def test_a_log_of_size_0_is_held_no_more(db: NodeDb) -> None:
    have_rows.note_held(db, PEER, [(LEDGER, HELD)])
    have_rows.note_held(db, OTHER, [(LEDGER, HELD)])
    assert have_rows.held_by(db, PEER) == [(LEDGER, HELD)]
    have_rows.note_held(db, PEER, [(LEDGER, HELD._replace(size=0, lacking=None))])
    assert have_rows.held_by(db, PEER) == []
    assert have_rows.held_by(db, OTHER) == [(LEDGER, HELD)]


def test_what_is_known_to_be_gone_is_forgotten(db: NodeDb) -> None:
    have_rows.note_told(db, PEER, {KEY: b"mark", GONE: b""}, 3)
    have_rows.forget_gone(db, PEER, 2)
    assert set(have_rows.told(db, PEER)) == {KEY, GONE}
    have_rows.forget_gone(db, PEER, 3)
    assert have_rows.told(db, PEER) == {KEY: Told(b"mark", 3)}


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_what_was_told_in_a_bundle_that_did_not_arrive_was_never_told(
    db: NodeDb, is_forgotten: bool
) -> None:
    bundle = OutBundle(
        bundle_id="1" * 16,
        peer=PEER,
        name="name",
        state="queued",
        control=True,
        counter=3,
        written=0,
        created_us=1,
        expiry_days=2000,
        size_bytes=100,
    )
    db.add_bundle(bundle, [])
    db.note_told(PEER, bytes(32), bundle.bundle_id, 1)
    have_rows.note_told(db, PEER, {KEY: b"mark"}, 3)
    have_rows.note_told(db, PEER, {GONE: b"older"}, 2)
    if is_forgotten:
        db.forget_bundle(bundle.bundle_id)
    else:
        db.end_bundle(bundle.bundle_id, "expired")
    assert have_rows.told(db, PEER) == {
        KEY: Told(b"mark", have_rows.NEVER),
        GONE: Told(b"older", 2),
    }
