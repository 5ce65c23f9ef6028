import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

import ledger.store_file
from ledger.append import (
    Author,
    Draft,
    Drafts,
    append,
    append_columns,
    close_log,
    deletion,
    in_columns,
    open_incarnation,
    own_log,
)
from ledger.entry import Action, Follow, leaf_bytes, payload_digest, sort_follows
from ledger.errors import BusyError, DamagedError, FullError, MalformedError, RefusedError
from ledger.log import MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, LogStatus, log_origin
from ledger.members import Role
from ledger.merkle import leaf_hash
from ledger.seeds import salt
from ledger.store import Store
from ledger.views import heads, history
from tests.ledger.world import (
    NOW,
    REST_KEY,
    Drbg,
    Site,
    World,
    draft,
    dump,
    faults,
    keys_of,
    payload,
    send,
    size_bytes,
    value_of,
)


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Site]:
    with World.of(tmp_path, "ada") as world:
        yield world.sites[0]


def sizes_of(store: Store, state_end: int, log: object) -> list[int]:
    (state,) = [one for one in store.logs() if one.name == log]
    return [one.size for one in store.checkpoints(state, 0, state_end)]


def test_a_put_is_one_signed_entry(ada: Site) -> None:
    state = ada.write(draft("tide/3", {"level": 3}, kind="reading"))
    (entry,) = ada.store.entries(state, 0, 9)
    assert (entry.thing, entry.kind, entry.action) == ("tide/3", "reading", Action.PUT)
    assert (entry.time_us, entry.payload) == (NOW, payload({"level": 3}))
    assert entry.digest == payload_digest(salt(state.cover, 0), payload({"level": 3}))
    (checkpoint,) = ada.store.checkpoints(state, 0, 9)
    assert (checkpoint.size, checkpoint.root) == (1, leaf_hash(leaf_bytes(entry)))
    checkpoint.verify(log_origin(ada.store.ledger_id, state.name), ada.keys.signer.verifier)
    assert faults(ada.store) == []


def test_entries_of_one_log_are_numbered_on(ada: Site) -> None:
    for number in range(5):
        assert ada.put("t", number).size == number + 1
    state = ada.write(*(draft("t", number) for number in range(5, 9)))
    assert sizes_of(ada.store, 99, state.name) == [1, 2, 3, 4, 5, 9]
    stored = [entry.payload for entry in ada.store.entries(state, 0, 9)]
    assert stored == [payload(number) for number in range(9)]
    assert faults(ada.store) == []


def test_a_delete_is_an_entry_like_any_other_and_hides_nothing_of_the_past(ada: Site) -> None:
    ada.put("t", 1)
    state = ada.delete("t")
    put, deleted = ada.store.entries(state, 0, 2)
    assert (deleted.action, deleted.payload, put.payload) == (1, b"\xf6", payload(1))
    (head,) = heads(ada.store, "t")
    assert head.deleted
    ada.put("t", 2)
    assert ada.values("t") == [2]


def test_nothing_to_say_writes_nothing(ada: Site) -> None:
    before = dump(ada.store)
    assert list(append(ada.store, ada.author, [])) == []
    assert dump(ada.store) == before


def test_a_bulk_is_cut_after_65536_entries(ada: Site) -> None:
    count = MAX_BATCH_ENTRIES + 3
    drafts = (draft(f"t{number % 100}", number) for number in range(count))
    states = list(append(ada.store, ada.author, drafts))
    assert [state.size for state in states] == [MAX_BATCH_ENTRIES, count]
    assert sizes_of(ada.store, count, states[0].name) == [MAX_BATCH_ENTRIES, count]
    assert ada.values("t99") == [MAX_BATCH_ENTRIES - 37]
    assert faults(ada.store) == []


def test_a_bulk_is_cut_before_8_mib(ada: Site) -> None:
    drafts = [draft(f"t{number}", bytes(1_000_000)) for number in range(20)]
    state = ada.write(*drafts)
    sizes = sizes_of(ada.store, 99, state.name)
    assert sizes == [8, 16, 20]
    spent = [size_bytes(entry) for entry in ada.store.entries(state, 0, 8)]
    assert sum(spent) <= MAX_BATCH_BYTES < sum(spent) + max(spent)


@pytest.mark.parametrize("cut", [1, 5, 7, 10, 23])
def test_columns_are_appended_as_drafts_are_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr("ledger.append.MAX_BATCH_ENTRIES", 10)
    monkeypatch.setattr("ledger.append.MAX_BATCH_BYTES", 4000)
    drafts = [draft(f"t{n % 3}", "x" * (900 if n > 10 else n), time_us=n) for n in range(23)]
    drafts[4] = deletion("t1", 4)
    (columns,) = in_columns(drafts)
    cuts = [columns.between(at, at + cut) for at in range(0, 23, cut)]
    for is_columns in (False, True):
        with World.of(tmp_path / str(is_columns), "ada") as world:
            store, author = world.sites[0].store, world.sites[0].author
            made = (
                append_columns(store, author, cuts) if is_columns else append(store, author, drafts)
            )
            states = list(made)
            assert [state.size for state in states] == [10, 15, 19, 23]
            found = store.entries(states[-1], 0, 99)
            assert [(one.thing, one.payload, one.time_us, one.action) for one in found] == [
                (one.thing, one.payload, one.time_us, one.action) for one in drafts
            ]
            assert faults(store) == []


def test_drafts_become_columns_some_at_a_time() -> None:
    small = [draft("t", number) for number in range(2500)]
    assert [some.size for some in in_columns(small)] == [1024, 1024, 452]
    large = [draft("t", bytes(1_000_000)) for _ in range(3)]
    assert [some.size for some in in_columns(large)] == [2, 1]
    assert list(in_columns([])) == []
    (two,) = in_columns([draft("a", 1, time_us=5, kind="k"), draft("b", 2, time_us=6, kind="k")])
    puts = Drafts.puts(["a", "b"], [payload(1), payload(2)], [5, 6], "k")
    assert [list(column) for column in two] == list(puts)


def test_what_entries_follow_counts_towards_the_8_mib(tmp_path: Path) -> None:
    follows = tuple(Follow(bytes(32), bytes(8), number, bytes(16)) for number in range(64))
    with World.of(tmp_path, "ada", "bob") as world:
        ada, bob = world.sites
        large = [draft("t", bytes(1_040_000)) for _ in range(8)]
        small = [
            Draft(thing=f"t{n}", payload=b"\xf6", time_us=NOW, follows=follows) for n in range(30)
        ]
        assert sum(len(one.payload) for one in large + small) < MAX_BATCH_BYTES
        state = ada.write(*large, *small)
        first, *rest = sizes_of(ada.store, 38, state.name)
        assert rest == [38]
        spent = [size_bytes(entry) for entry in ada.store.entries(state, 0, first + 1)]
        assert sum(spent[:-1]) <= MAX_BATCH_BYTES < sum(spent)
        send(ada, bob)
        assert bob.store.log(state.name).size == 38


def test_of_its_own_log_an_entry_follows_nothing(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob") as world:
        ada, bob = world.sites
        ada.write(draft("t", 1))
        send(ada, bob)
        bob.write(draft("t", 2)._replace(follows=()))
        send(bob, ada)
        said = tuple(sort_follows(one.as_follow() for one in heads(ada.store, "t")))
        assert len(said) == 2
        ada.write(draft("t", 3)._replace(follows=said))
        (head,) = heads(ada.store, "t")
        assert {one.author for one in head.entry.follows} == {bob.author.public}
        send(ada, bob)
        assert len(heads(bob.store, "t")) == 1


def test_a_draft_out_of_bounds_leaves_the_batches_before_it(ada: Site) -> None:
    good = [draft("t", bytes(1_000_000)) for _ in range(9)]
    with pytest.raises(MalformedError, match="thing of 0 bytes"):
        list(append(ada.store, ada.author, [*good, draft("", "no thing")]))
    assert own_log(ada.store, ada.author).size == 8
    assert faults(ada.store) == []


@pytest.mark.parametrize(
    "bad",
    [
        draft("t\n", 1),
        draft("t" * 256, 1),
        draft("t", 1, kind="k" * 64),
        draft("t", 1, time_us=2**63),
        Draft(thing="t", payload=bytes((1 << 20) + 1), time_us=0),
        Draft(thing="t", payload=b"\xf6", time_us=0, action=2**32),
        Draft(thing="\ud800", payload=b"\xf6", time_us=0),
    ],
)
def test_a_draft_out_of_bounds_writes_nothing(ada: Site, bad: Draft) -> None:
    ada.put("t", 1)
    before = dump(ada.store)
    with pytest.raises(MalformedError):
        ada.write(bad)
    assert dump(ada.store) == before


@pytest.mark.parametrize("sizes", [(2, 3, 2), (2, 2, 3), (2, 1, 2), (3, 2, 2), (1, 2, 2)])
def test_columns_of_different_lengths_write_nothing(ada: Site, sizes: tuple[int, int, int]) -> None:
    things, payloads, times_us = sizes
    ada.put("t", 1)
    wrong = Drafts.puts(["t"] * things, [payload(1)] * payloads, [NOW] * times_us, "")
    before = dump(ada.store)
    with pytest.raises(MalformedError):
        list(append_columns(ada.store, ada.author, [wrong]))
    assert dump(ada.store) == before


def test_readers_and_strangers_may_not_write(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "eve", "rob", admins=["ada"]) as world:
        ada, eve, rob = world.sites
        ada.grant("rob", Role.READER)
        send(ada, rob)
        for site in (eve, rob):
            before = dump(site.store)
            with pytest.raises(RefusedError, match="ask one of its admins"):
                site.put("t", 1)
            assert dump(site.store) == before
        ada.grant("rob", Role.WRITER)
        send(ada, rob)
        assert rob.put("t", 1).size == 1


def test_a_put_follows_the_heads_of_other_logs_and_no_more(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob", "cy") as world:
        ada, bob, cy = world.sites
        ada.put("t", 1)
        ada.put("t", 2)
        bob.put("t", 3)
        for site in (ada, bob):
            send(site, cy)
        state = cy.write(draft("t", 4), draft("u", 5), draft("t", 6))
        settled, other, again = cy.store.entries(state, 0, 3)
        assert [(one.author, one.number) for one in settled.follows] == sorted(
            [(ada.author.public, 1), (bob.author.public, 0)]
        )
        assert other.follows == again.follows == ()


def test_a_grant_takes_nothing_from_a_put_about_the_same_word(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob") as world:
        ada, bob = world.sites
        ada.put("members", "a put about members")
        send(ada, bob)
        grant = Draft(thing="members", payload=payload(0), time_us=NOW, action=Action.GRANT)
        state = bob.write(grant, draft("members", "another"))
        granted, put = bob.store.entries(state, 0, 2)
        assert granted.follows == ()
        assert [one.author for one in put.follows] == [ada.author.public]
        assert bob.values("members") == ["another"]


def test_what_a_draft_says_it_follows_is_taken_as_it_is(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada", "bob") as world:
        ada, bob = world.sites
        ada.put("t", 1)
        send(ada, bob)
        bob.write(Draft(thing="t", payload=payload(2), time_us=NOW + 9, follows=()))
        assert bob.values("t") == [2, 1]


def test_a_new_incarnation_is_another_log(ada: Site) -> None:
    old = ada.put("t", 1)
    open_incarnation(ada.store, ada.author)
    new = ada.put("t", 2)
    assert new.name != old.name
    assert new.name.author == old.name.author
    assert new.cover != old.cover
    assert ada.values("t") == [2]
    assert faults(ada.store) == []


def test_a_close_ends_the_old_log_and_begins_the_new_one(ada: Site) -> None:
    old = ada.put("t", 1)
    new = close_log(ada.store, ada.author, old, time_us=NOW)
    closed = ada.store.log(old.name)
    assert closed.status is LogStatus.CLOSED
    assert closed.close is not None
    assert (closed.close.size, closed.close.root) == (1, old.frontier.root())
    assert own_log(ada.store, ada.author).name == new.name
    assert [entry.action for entry in ada.store.entries(new, 0, 9)] == [Action.CLOSE]
    assert ada.put("t", 2).name == new.name


@pytest.mark.parametrize("status", [LogStatus.FORKED, LogStatus.CLOSED, LogStatus.HOSTILE])
def test_nobody_writes_on_in_a_log_that_others_take_no_further(
    ada: Site, status: LogStatus
) -> None:
    old = ada.put("t", 1)
    with ada.store.transaction():
        ada.store.set_status(old, status)
    new = ada.put("t", 2)
    assert new.name != old.name
    assert ada.store.log(old.name).size == 1
    assert ada.values("t") == [2]


def test_deletion_says_null() -> None:
    assert deletion("t", 5) == Draft(thing="t", payload=b"\xf6", time_us=5, action=Action.DELETE)


# -- several processes ------------------------------------------------------------------------

PUTS, BULKS, PER_BULK = 40, 4, 50


def write_much(path: Path, name: str, start: Barrier) -> None:
    """One of several processes that write as the same author."""
    author = Author(signer=keys_of("ada").signer, entropy=Drbg(name))
    with Store.open(path, REST_KEY) as store:
        for number in range(PUTS):
            if number % 10 == 0:
                start.wait(30)  # or one might be done before the other has begun
            list(append(store, author, [draft("shared", f"{name} {number}")]))
        for bulk in range(BULKS):
            values = (f"{name} bulk {bulk} {number}" for number in range(PER_BULK))
            list(append(store, author, (draft(value, value) for value in values)))


def test_two_processes_write_to_one_log_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    with World.of(tmp_path, "ada") as world:
        store = world.sites[0].store
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(2)
        names = ["one", "two"]
        writers = [
            context.Process(target=write_much, args=(store.path, name, start)) for name in names
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        assert [writer.exitcode for writer in writers] == [0, 0]
        (log,) = store.logs()
        values = [entry.payload for entry in store.entries(log, 0, log.size)]
        wanted = [payload(f"{name} {number}") for name in names for number in range(PUTS)] + [
            payload(f"{name} bulk {bulk} {number}")
            for name in names
            for bulk in range(BULKS)
            for number in range(PER_BULK)
        ]
        assert sorted(filter(None, values)) == sorted(wanted)
        order = [str(value_of(one.entry)).split()[0] for one in history(store, "shared")]
        assert sum(one != other for one, other in pairwise(order)) >= 1
        assert faults(store) == []


@pytest.mark.parametrize(
    ("pragma", "error", "said"),
    [
        ("query_only = 1", DamagedError, "let this user write to it and to its folder"),
        ("max_page_count = 1", FullError, "full"),
    ],
)
def test_a_file_that_cannot_be_written_says_why(
    tmp_path: Path, pragma: str, error: type[DamagedError], said: str
) -> None:
    with World.of(tmp_path, "ada") as world:
        ada = world.sites[0]
        ada.put("t", 1)
        ada.store.rows(f"PRAGMA {pragma}")
        with pytest.raises(error, match=said):
            ada.put("t", "x" * 100_000)
        assert ada.values("t") == [1]


def test_a_file_that_is_locked_for_too_long_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger.store_file, "BUSY_SECONDS", 0.01)
    with World.of(tmp_path, "ada") as world:
        ada = world.sites[0]
        ada.put("t", 1)
        with closing(sqlite3.connect(ada.store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            before = dump(ada.store)
            with pytest.raises(BusyError, match=r"the ledger harbour is busy: .* try again"):
                ada.put("t", 2)
            assert ada.values("t") == [1], "readers never wait"
            assert dump(ada.store) == before
        assert ada.put("t", 2).size == 2
