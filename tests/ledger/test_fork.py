from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, UnverifiedError
from ledger.fork import Fork
from ledger.genesis import LedgerId
from ledger.log import LogName, LogStatus
from ledger.merge import Forked, Merged, NotGranted, merge, take_fork
from tests.ledger.verifiers import verifier_of
from tests.ledger.world import (
    Site,
    World,
    carried,
    draft,
    dump,
    faults,
    forged_fork,
    keys_of,
    lacked,
    numbered_log,
    rows_counted,
    send,
)
from tests.vectors import load

VECTORS = load("fork")
FAILURES = {"malformed": MalformedError, "unverified": UnverifiedError}
EVE = keys_of("eve").signer.verifier


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    log = LogName(bytes.fromhex(vector["author"]), bytes.fromhex(vector["incarnation"]))
    data, ledger_id = bytes.fromhex(vector["data"]), LedgerId(bytes.fromhex(vector["ledger"]))
    verifier = verifier_of(vector)
    if vector["expect"] == "success":
        fork = Fork.from_bytes(data)
        fork.verify(ledger_id, log, verifier)
        assert fork.to_bytes() == data
        assert Fork.of(fork.index, *fork.branches[::-1]) == fork
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            Fork.from_bytes(data).verify(ledger_id, log, verifier)


@given(st.integers(0))
def test_a_flipped_bit_proves_nothing(position: int) -> None:
    vector = VECTORS["fork"]
    data = bytearray.fromhex(vector["data"])
    position %= len(data) * 8
    data[position // 8] ^= 1 << position % 8
    log = LogName(bytes.fromhex(vector["author"]), bytes.fromhex(vector["incarnation"]))
    with pytest.raises(LedgerError):
        Fork.from_bytes(bytes(data)).verify(
            LedgerId(bytes.fromhex(vector["ledger"])), log, verifier_of(vector)
        )


@given(st.binary(max_size=200))
def test_any_bytes_are_no_fork(data: bytes) -> None:
    with pytest.raises(LedgerError):
        Fork.from_bytes(data)


# -- in a store -------------------------------------------------------------------------------


class Forging:
    """Eve, who signs two histories of one log: `one` and `two` part after four entries."""

    def __init__(self, world: World) -> None:
        self.one = world.sites[2]
        self.one.write(*(draft(f"t{number}", number) for number in range(3)))
        self.one.put("t3", 3)
        copy = self.one.backup(world.folder / "copy.db")
        self.log = self.one.log
        self.one.write(draft("t4", "one"), draft("t5", "one"))
        self.one.put("t6", "one")
        self.two = world.join("eve", folder="eve's other")
        self.two.restore(copy)
        for number in range(4, 10):
            self.two.put(f"t{number}", "two")
        assert self.two.log == self.log


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "eve") as made:
        yield made


@pytest.fixture
def eve(world: World) -> Forging:
    return Forging(world)


@pytest.fixture
def ada(world: World) -> Site:
    return world.sites[0]


@pytest.fixture
def bob(world: World) -> Site:
    return world.sites[1]


def forked(site: Site, eve: Forging) -> Fork:
    outcome = merge(site.store, carried(eve.two.store, eve.log))
    assert isinstance(outcome, Forked)
    assert outcome.fork is not None
    return outcome.fork


def test_two_histories_of_one_log_are_proven_by_the_first_entry_that_differs(
    ada: Site, eve: Forging
) -> None:
    send(eve.one, ada)
    fork = forked(ada, eve)
    fork.verify(ada.store.ledger_id, eve.log, EVE)
    assert fork.index == 4
    assert {branch.checkpoint.size for branch in fork.branches} == {7, 10}
    state = ada.store.log(eve.log)
    assert (state.status, state.fork_index, state.size) == (LogStatus.FORKED, 4, 7)
    assert [data for _, data in ada.store.evidence("fork")] == [fork.to_bytes()]
    assert faults(ada.store) == []


def test_a_third_party_is_convinced_by_the_bytes_alone(ada: Site, bob: Site, eve: Forging) -> None:
    send(eve.one, ada)
    data = forked(ada, eve).to_bytes()
    Fork.from_bytes(data).verify(bob.store.genesis.ledger_id, eve.log, EVE)
    with pytest.raises(UnverifiedError):
        Fork.from_bytes(data).verify(bob.store.genesis.ledger_id, ada.log, EVE)


@pytest.mark.parametrize("first", [0, 1, 3, 4])
@pytest.mark.parametrize("end", [5, 6, 7, 8, 9, 10])
def test_a_fork_is_seen_wherever_the_range_begins_and_ends(
    ada: Site, eve: Forging, first: int, end: int
) -> None:
    send(eve.one, ada)
    outcome = merge(ada.store, carried(eve.two.store, eve.log, first, end))
    assert isinstance(outcome, Forked)
    assert outcome.fork is not None
    assert outcome.fork.index == 4
    outcome.fork.verify(ada.store.ledger_id, eve.log, EVE)


@pytest.mark.parametrize("first", [5, 6, 7])
def test_a_range_that_begins_behind_the_fork_proves_nothing_and_changes_nothing(
    ada: Site, eve: Forging, first: int
) -> None:
    send(eve.one, ada)
    before = dump(ada.store)
    outcome = merge(ada.store, carried(eve.two.store, eve.log, first))
    assert outcome == Forked(fork=None, status=LogStatus.OPEN)
    assert dump(ada.store) == before


def test_both_sides_make_the_same_proof_of_the_same_checkpoints(
    ada: Site, bob: Site, eve: Forging
) -> None:
    send(eve.one, ada)
    send(eve.two, bob)
    outcome = merge(bob.store, carried(eve.one.store, eve.log))
    assert isinstance(outcome, Forked)
    assert outcome.fork == forked(ada, eve)


def test_neither_branch_grows(ada: Site, bob: Site, eve: Forging) -> None:
    send(eve.one, ada)
    fork = forked(ada, eve)
    eve.one.put("more", "one")
    eve.two.put("more", "two")
    before = dump(ada.store)
    for first, source in ((0, eve.one), (7, eve.one)):
        outcome = merge(ada.store, carried(source.store, eve.log, first))
        assert outcome == Forked(fork=None, status=LogStatus.FORKED)
    outcome = merge(ada.store, carried(eve.two.store, eve.log))
    assert isinstance(outcome, Forked)
    assert dump(ada.store) == before
    # What lies below is still what it was.
    assert merge(ada.store, carried(eve.two.store, eve.log, 0, 4)) == Merged(count=0)
    # Nor does it where only the proof has come.
    bob.take(carried(eve.one.store, eve.log, 0, 4))
    take_fork(bob.store, eve.log, fork)
    outcome = merge(bob.store, carried(eve.one.store, eve.log, 0))
    assert outcome == Forked(fork=None, status=LogStatus.FORKED)
    assert bob.store.log(eve.log).size == 4


def test_other_logs_go_on(ada: Site, bob: Site, eve: Forging) -> None:
    send(eve.one, ada)
    forked(ada, eve)
    bob.put("t", "bob")
    send(bob, ada)
    assert ada.values("t") == ["bob"]
    assert ada.put("t", "ada").size == 1


def test_a_proof_is_taken_by_whoever_holds_nothing_of_the_log(
    ada: Site, bob: Site, eve: Forging
) -> None:
    send(eve.one, ada)
    fork = forked(ada, eve)
    for _ in range(2):
        assert take_fork(bob.store, eve.log, fork) == Forked(fork=fork, status=LogStatus.FORKED)
        assert [data for _, data in bob.store.evidence("fork")] == [fork.to_bytes()]
    assert bob.store.log(eve.log).size == 0
    assert faults(bob.store) == []
    outcome = merge(bob.store, carried(eve.one.store, eve.log))
    assert outcome == Forked(fork=None, status=LogStatus.FORKED)


def test_what_proves_nothing_is_not_kept(ada: Site, bob: Site, eve: Forging) -> None:
    send(eve.one, ada)
    fork = forked(ada, eve)
    low, high = fork.branches
    before = dump(bob.store)
    for forged in (
        replace(fork, index=5),
        replace(fork, branches=(low, low)),
        replace(fork, branches=(high, low)),
        replace(fork, branches=(low, replace(high, leaf=bytes([255]) * 32))),
    ):
        with pytest.raises(UnverifiedError):
            take_fork(bob.store, eve.log, forged)
    with pytest.raises(UnverifiedError):
        take_fork(bob.store, eve.log._replace(author=ada.author.public), fork)
    assert dump(bob.store) == before


def test_a_proof_against_one_who_may_not_write_is_not_kept(tmp_path: Path) -> None:
    with World.of(tmp_path / "believed", "ada", "bob", "eve") as believed:
        eve = Forging(believed)
        send(eve.one, believed.sites[0])
        fork = forked(believed.sites[0], eve)
        with World.of(tmp_path / "real", "ada", admins=["ada"]) as real:
            store = real.sites[0].store
            store.ledger_id = believed.genesis.ledger_id
            before = dump(store)
            assert take_fork(store, eve.log, fork) == NotGranted(author=eve.log.author)
            assert dump(store) == before


def test_of_many_proofs_the_earliest_fork_is_kept(world: World, ada: Site, eve: Forging) -> None:
    """Whoever forks for ever must not fill the file, and all must agree where the logs part."""
    send(eve.one, ada)
    kept = forked(ada, eve)
    later = world.join("eve", folder="eve's third")
    copy = eve.two.backup(world.folder / "another copy.db")
    later.restore(copy)
    for number in range(3):
        eve.two.put("third", number)
        later.put("third", -number)
    bob = world.sites[1]
    send(eve.two, bob)
    outcome = merge(bob.store, carried(later.store, eve.log))
    assert isinstance(outcome, Forked)
    assert outcome.fork is not None
    assert outcome.fork.index == 10
    for site, forks in ((ada, [outcome.fork]), (bob, [kept, outcome.fork])):
        for fork in forks:
            take_fork(site.store, eve.log, fork)
        assert [data for _, data in site.store.evidence("fork")] == [kept.to_bytes()]
        assert site.store.log(eve.log).fork_index == 4


def test_a_fork_in_a_long_log_is_proven_from_inner_nodes(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "eve") as world:
        ada, eve = world.sites
        eve.write(*(draft(f"t{number}", number) for number in range(1000)))
        other = world.join("eve", folder="eve's other")
        other.restore(eve.backup(tmp_path / "copy.db"))
        eve.write(*(draft(f"t{number}", "one") for number in range(777)))
        other.write(*(draft(f"t{number}", "two") for number in range(1300)))
        send(eve, ada)
        for first in (0, 500, 1000):
            outcome = merge(ada.store, carried(other.store, eve.log, first))
            assert isinstance(outcome, Forked)
            assert outcome.fork is not None
            assert outcome.fork.index == 1000
            outcome.fork.verify(ada.store.ledger_id, eve.log, EVE)
        assert not list(lacked(ada.store, eve.store))


@pytest.mark.parametrize("is_known", [False, True])
def test_a_proof_is_read_without_those_of_other_logs(world: World, *, is_known: bool) -> None:
    """A bundle brings thousands: each must cost the same, however many there are by then."""
    bob, eve = world.sites[1], keys_of("eve")
    read = []
    for number in range(40):
        log = numbered_log(eve.author, 0 if is_known else number)
        proof = forged_fork(eve, bob.store.ledger_id, log)
        with rows_counted(bob.store) as counts:
            take_fork(bob.store, log, proof)
        read.append(counts.total())
        other = numbered_log(world.sites[0].author.public, number)
        with bob.store.transaction():
            bob.store.keep_evidence(bob.store.ensure_log(other), "fork", proof.to_bytes())
    assert read[-1] == read[1]


def test_of_logs_that_nobody_saw_64_proofs_of_one_author_are_kept(world: World) -> None:
    ada, bob = world.sites[:2]
    logs = [numbered_log(ada.author.public, number) for number in range(70)]
    for log in logs:
        take_fork(bob.store, log, forged_fork(ada.keys, bob.store.ledger_id, log))
    assert [state.name for state, _ in bob.store.evidence("fork")] == logs[:64]
    assert len(bob.store.logs()) == 64
    proof = forged_fork(ada.keys, bob.store.ledger_id, logs[-1])
    assert take_fork(bob.store, logs[-1], proof) == Forked(fork=None, status=LogStatus.OPEN)


def test_what_one_author_forks_leaves_room_for_the_proofs_of_others(
    world: World, eve: Forging
) -> None:
    ada, bob = world.sites[:2]
    for number in range(70):
        log = numbered_log(ada.author.public, number)
        take_fork(bob.store, log, forged_fork(ada.keys, bob.store.ledger_id, log))
    send(eve.one, ada)
    proof = forked(ada, eve)
    assert take_fork(bob.store, eve.log, proof) == Forked(fork=proof, status=LogStatus.FORKED)


def test_a_proof_of_a_log_with_entries_finds_room_among_any_number(
    world: World, eve: Forging
) -> None:
    ada, bob = world.sites[:2]
    for number in range(70):
        log = numbered_log(keys_of("eve").author, number)
        take_fork(bob.store, log, forged_fork(keys_of("eve"), bob.store.ledger_id, log))
    send(eve.one, ada)
    proof = forked(ada, eve)
    assert take_fork(bob.store, eve.log, proof) == Forked(fork=None, status=LogStatus.OPEN)
    assert isinstance(merge(bob.store, carried(eve.one.store, eve.log)), Merged)
    assert take_fork(bob.store, eve.log, proof) == Forked(fork=proof, status=LogStatus.FORKED)
