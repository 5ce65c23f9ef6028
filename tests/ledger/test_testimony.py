from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.contradiction import Contradiction
from ledger.errors import UnverifiedError
from ledger.log import LogName, LogState, LogStatus, log_origin
from ledger.members import members
from ledger.merge import Forked, Merged, merge
from ledger.note import Checkpoint, sign_checkpoint
from ledger.testimony import contradiction_of, hear, heard_of, recheck, take_contradiction
from ledger.verify import verify_file
from ledger.witness import Witnessed, cosign
from tests.ledger.test_fork import Forging
from tests.ledger.world import (
    Site,
    World,
    carried,
    faults,
    keys_of,
    numbered_log,
    rows_counted,
    send,
)

SECONDS = 1_700_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "eve") as made:
        yield made


@pytest.fixture
def eve(world: World) -> Forging:
    """Two histories that part after four entries, of seven and of ten."""
    return Forging(world)


@pytest.fixture
def ada(world: World, eve: Forging) -> Site:
    """Holds the one of seven."""
    send(eve.one, world.sites[0])
    return world.sites[0]


@pytest.fixture
def bob(world: World) -> Site:
    """Holds neither."""
    return world.sites[1]


def checkpoint(site: Site, log: LogName, size: int) -> Checkpoint:
    (found,) = site.store.checkpoints(site.store.log(log), size - 1, size)
    return found


def witnessed(site: Site, log: LogName, size: int, *names: str) -> Witnessed:
    """What *names* countersigned of what *site* holds."""
    held = checkpoint(site, log, size)
    origin = log_origin(site.store.ledger_id, log)
    keys = sorted((keys_of(name) for name in names), key=lambda one: one.author)
    return Witnessed(held, tuple(cosign(one.signing, origin, held, SECONDS) for one in keys))


def hears(site: Site, log: LogName, heard: Witnessed) -> Contradiction | None:
    return hear(site.store, members(site.store), log, heard)


def state_of(site: Site, eve: Forging) -> LogState:
    return site.store.log(eve.log)


# -- what contradicts ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 6, 7])
def test_a_checkpoint_of_another_history_is_proven_against_what_is_held(
    ada: Site, eve: Forging, size: int
) -> None:
    found = hears(ada, eve.log, witnessed(eve.two, eve.log, size))
    assert found is not None
    found.verify(ada.store.ledger_id, eve.log, keys_of("eve").card.verifier)
    assert {found.older.size, found.newer.size} == {size, 7}
    assert contradiction_of(ada.store, state_of(ada, eve)) == found
    state = state_of(ada, eve)
    assert (state.status, state.fork_index, state.size) == (LogStatus.FORKED, None, 7)
    assert faults(ada.store) == verify_file(ada.store) == []


def test_neither_history_goes_on_from_there(ada: Site, eve: Forging) -> None:
    hears(ada, eve.log, witnessed(eve.two, eve.log, 6))
    eve.one.put("t9", "one")
    outcome = merge(ada.store, carried(eve.one.store, eve.log, 7))
    assert outcome == Forked(fork=None, status=LogStatus.FORKED)
    assert state_of(ada, eve).size == 7


def test_when_the_other_branch_comes_the_entry_that_differs_is_found(
    ada: Site, eve: Forging
) -> None:
    hears(ada, eve.log, witnessed(eve.two, eve.log, 6))
    outcome = merge(ada.store, carried(eve.two.store, eve.log))
    assert isinstance(outcome, Forked)
    assert outcome.fork is not None
    assert outcome.fork.index == state_of(ada, eve).fork_index == 4


@pytest.mark.parametrize("size", [4, 7])
def test_a_checkpoint_of_the_same_history_changes_nothing(
    ada: Site, eve: Forging, size: int
) -> None:
    assert hears(ada, eve.log, witnessed(eve.one, eve.log, size, "bob")) is None
    assert state_of(ada, eve).status is LogStatus.OPEN
    (kept,) = heard_of(ada.store, state_of(ada, eve))
    assert kept == witnessed(eve.one, eve.log, size, "bob")


def test_two_checkpoints_of_one_size_prove_it_to_who_holds_neither(
    ada: Site, bob: Site, eve: Forging
) -> None:
    assert hears(bob, eve.log, witnessed(ada, eve.log, 7, "ada")) is None
    assert state_of(bob, eve).size == 0
    found = hears(bob, eve.log, witnessed(eve.two, eve.log, 7))
    assert found is not None
    assert found.older.size == found.newer.size == 7
    assert state_of(bob, eve).status is LogStatus.FORKED


def test_what_cannot_be_compared_yet_is_kept_until_the_log_has_grown(
    ada: Site, bob: Site, eve: Forging
) -> None:
    assert hears(ada, eve.log, witnessed(eve.two, eve.log, 9, "bob")) is None
    assert recheck(ada.store, eve.log) is None
    for number in range(3):
        eve.one.put(f"more/{number}", "one")
    assert all(isinstance(one, Merged) for one in send(eve.one, ada))
    found = recheck(ada.store, eve.log)
    assert found is not None
    assert (found.older.size, found.newer.size) == (9, 10)
    assert recheck(ada.store, eve.log) is None
    assert state_of(ada, eve).status is LogStatus.FORKED


def test_of_a_log_that_its_author_closed_the_proof_is_kept_and_nothing_changes(
    ada: Site, eve: Forging
) -> None:
    with ada.store.transaction():
        state = state_of(ada, eve)
        ada.store.set_status(state, LogStatus.CLOSED)
    assert hears(ada, eve.log, witnessed(eve.two, eve.log, 6)) is not None
    assert state_of(ada, eve).status is LogStatus.CLOSED


# -- what is not believed -------------------------------------------------------------------------


def test_what_the_author_did_not_sign_does_nothing(ada: Site, eve: Forging) -> None:
    origin = log_origin(ada.store.ledger_id, eve.log)
    forged = sign_checkpoint(keys_of("bob").signer, origin, 6, bytes(32))
    assert hears(ada, eve.log, Witnessed(forged)) is None
    assert (
        hears(
            ada, eve.log, Witnessed(sign_checkpoint(keys_of("bob").signer, origin, 60, b"\1" * 32))
        )
        is None
    )
    assert state_of(ada, eve).status is LogStatus.OPEN
    assert heard_of(ada.store, state_of(ada, eve)) == ()


def test_a_cosignature_that_does_not_fit_or_is_by_a_stranger_is_left_out(
    ada: Site, eve: Forging
) -> None:
    good = witnessed(eve.one, eve.log, 7, "ada", "bob", "mallory")
    other = witnessed(eve.one, eve.log, 6, "eve").cosignatures
    cosignatures = sorted((*good.cosignatures, *other), key=lambda one: one.witness)
    hears(ada, eve.log, Witnessed(good.checkpoint, tuple(cosignatures)))
    (kept,) = heard_of(ada.store, state_of(ada, eve))
    assert kept == witnessed(eve.one, eve.log, 7, "ada", "bob")


def test_nothing_is_heard_of_the_log_of_somebody_who_may_not_write(ada: Site) -> None:
    keys = keys_of("mallory")
    log = LogName(keys.author, bytes(8))
    said = sign_checkpoint(keys.signer, log_origin(ada.store.ledger_id, log), 5, bytes(32))
    assert hears(ada, log, Witnessed(said)) is None
    assert ada.store.log(log).row is None


def test_beyond_where_a_removed_author_counts_nothing_is_heard(ada: Site, eve: Forging) -> None:
    ada.revoke("eve")  # of whose log seven entries count
    assert hears(ada, eve.log, witnessed(eve.two, eve.log, 9)) is None
    assert heard_of(ada.store, state_of(ada, eve)) == ()
    assert hears(ada, eve.log, witnessed(eve.two, eve.log, 6)) is not None


def test_an_author_who_signs_for_ever_more_logs_is_heard_of_for_64(bob: Site) -> None:
    keys = keys_of("eve")
    for number in range(70):
        log = LogName(keys.author, number.to_bytes(8, "big"))
        said = sign_checkpoint(keys.signer, log_origin(bob.store.ledger_id, log), 5, bytes(32))
        assert hears(bob, log, Witnessed(said)) is None
    assert len([one for one in bob.store.logs() if one.name.author == keys.author]) == 64


def test_what_is_proven_of_unseen_logs_takes_the_same_room(bob: Site) -> None:
    keys, known = keys_of("eve"), members(bob.store)
    kept = []
    for number in range(70):
        log = numbered_log(keys.author, number)
        origin = log_origin(bob.store.ledger_id, log)
        one, other = (sign_checkpoint(keys.signer, origin, 5, bytes([n]) * 32) for n in (1, 2))
        if number % 2:
            hears(bob, log, Witnessed(one))
        else:
            proof = Contradiction.of(one, other, root=other.root, proof=())
            kept.append(take_contradiction(bob.store, known, log, proof))
    assert kept == [True] * 32 + [False] * 3
    assert len(bob.store.logs()) == 64


def test_a_log_is_heard_of_without_looking_at_all_others(bob: Site) -> None:
    keys = keys_of("eve")
    read = []
    for number in range(40):
        log = numbered_log(keys.author, number)
        said = sign_checkpoint(keys.signer, log_origin(bob.store.ledger_id, log), 5, bytes(32))
        with rows_counted(bob.store) as counts:
            hears(bob, log, Witnessed(said))
        read.append(counts.total())
    assert read[-1] == read[1]


def test_a_proof_that_is_passed_on_is_verified(ada: Site, bob: Site, eve: Forging) -> None:
    found = hears(ada, eve.log, witnessed(eve.two, eve.log, 6))
    assert found is not None
    known = members(bob.store)
    other = Contradiction(older=found.older, newer=found.newer, root=bytes(32), proof=found.proof)
    with pytest.raises(UnverifiedError):
        take_contradiction(bob.store, known, eve.log, other)
    assert take_contradiction(bob.store, known, eve.log, found)
    assert state_of(bob, eve).status is LogStatus.FORKED
    assert not take_contradiction(bob.store, known, eve.log, found)
    stranger = LogName(keys_of("mallory").author, eve.log.incarnation)
    assert not take_contradiction(bob.store, known, stranger, found)
    assert verify_file(bob.store) == []
