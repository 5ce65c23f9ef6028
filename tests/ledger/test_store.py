from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.append import append, own_log
from ledger.entries import Entries
from ledger.errors import DamagedError, MalformedError, StaleError
from ledger.log import LogName, LogState
from ledger.merkle import EMPTY_FRONTIER, extend, frontier_at
from ledger.note import Checkpoint
from ledger.seeds import MAX_COVER_SEEDS, Seed
from ledger.store import Batch, Store
from ledger.views import heads, things
from tests.ledger.world import (
    REST_KEY,
    Site,
    World,
    change,
    draft,
    dump,
    facts,
    faults,
    payload,
    picture,
    send,
    size_bytes,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob") as made:
        yield made


@pytest.fixture
def ada(world: World) -> Site:
    return world.sites[0]


# -- queries ----------------------------------------------------------------------------------


def test_a_log_that_is_not_here_is_empty(ada: Site) -> None:
    state = ada.store.log(LogName(bytes(32), bytes(8)))
    assert (state.row, state.size, state.cover) == (None, 0, ())
    assert ada.store.entries(state, 0, 100) == []
    assert ada.store.last_checkpoint(state) is None


def test_costs_are_never_less_than_what_counts(ada: Site, world: World) -> None:
    bob = world.sites[1]
    bob.put("münchen 🥨" * 9, 0)
    send(bob, ada)
    state = ada.write(
        draft("münchen 🥨" * 9, [1, 2, 3], kind="größe"),
        draft("t" * 255, None, time_us=-(2**63), kind="k" * 63),
        draft("t", bytes(5000), time_us=2**63 - 1),
    )
    spent = [size_bytes(entry) for entry in ada.store.entries(state, 0, 3)]
    costs = ada.store.costs(state, 0, 3)
    assert all(real <= cost <= real + 64 for real, cost in zip(spent, costs, strict=True))
    assert ada.store.costs(state, 1, 2) == costs[1:2]


def test_leaves_do_not_read_payloads(ada: Site) -> None:
    state = ada.write(*(draft("t", number) for number in range(3)))
    leaves = ada.store.leaves(state, 0, 3)
    change(ada.store, "UPDATE entry SET payload = NULL")
    assert ada.store.leaves(state, 0, 3) == leaves
    assert ada.store.leaves(state, 1, 2) == leaves[1:2]


def test_nodes_prove_what_was_appended_in_any_pieces(ada: Site) -> None:
    for count in (1, 300, 255, 1, 500):
        ada.write(*(draft("t", number) for number in range(count)))
    state = own_log(ada.store, ada.author)
    nodes = ada.store.nodes(state)
    leaves = ada.store.leaves(state, 0, state.size)
    for size in (0, 1, 255, 256, 257, 512, 1000, state.size):
        assert frontier_at(size, nodes) == extend(EMPTY_FRONTIER, leaves[:size]).frontier


def test_what_sqlite_cannot_hold_is_malformed(ada: Site) -> None:
    for value in (2**63, -(2**63) - 1, "\ud800"):
        with pytest.raises(MalformedError):
            ada.store.rows("SELECT ?", value)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log SET frontier = x'00'",
        "UPDATE log SET frontier = 'text'",
        "UPDATE log SET cover = x'ff'",
        "UPDATE log SET cover = x'818301'",
        "UPDATE log SET status = 4",
        "UPDATE log SET status = 'x'",
        "UPDATE log SET author = x'00'",
        "UPDATE log SET incarnation = 7",
        "UPDATE log SET close_size = -1, close_root = x'00'",
        "UPDATE log SET fork_index = 0.5",
    ],
)
def test_a_damaged_log_row_is_damage_and_nobody_elses_mistake(ada: Site, sql: str) -> None:
    ada.put("t", 1)
    assert change(ada.store, sql) == 1
    with pytest.raises(DamagedError):
        ada.store.logs()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET action = 'x'",
        "UPDATE entry SET time = 1.5",
        "UPDATE entry SET digest = 'text'",
        "UPDATE entry SET payload = 'text'",
        "UPDATE entry SET follows = x'ff'",
        "UPDATE entry SET follows = 3",
        "UPDATE thing SET name = x'00'",
        "UPDATE thing SET name = CAST(x'ff' AS TEXT)",
        "UPDATE kind SET name = x'00'",
    ],
)
def test_a_damaged_entry_row_is_damage(ada: Site, sql: str) -> None:
    state = ada.put("t", 1)
    assert change(ada.store, sql) == 1
    with pytest.raises(DamagedError):
        ada.store.entries(state, 0, 1)


# -- changes ----------------------------------------------------------------------------------


class StopError(Exception):
    pass


def stop(_: LogState) -> None:
    raise StopError


def batch(site: Site, *, thing: str = "t") -> Batch:
    """Return a batch that nobody signed: the store does not look."""
    other = site.write(draft("other", 0))
    (entry,) = site.store.entries(other, other.size - 1, other.size)
    entry = entry._replace(thing=thing)
    extension = extend(other.frontier, [bytes(32)])
    signed = Checkpoint(extension.frontier.size, extension.frontier.root(), bytes(64))
    return Batch(
        state=other,
        entries=Entries.of([entry]),
        extension=extension,
        checkpoint=signed,
        cover=other.cover,
    )


def test_a_transaction_that_fails_changes_nothing_and_names_come_out_right_after_it(
    ada: Site,
) -> None:
    new = batch(ada, thing="never written")
    before = dump(ada.store)
    with pytest.raises(StopError):
        ada.store.commit(new, after=stop)
    assert dump(ada.store) == before
    ada.put("first", 1)
    ada.put("never written", 2)
    assert list(things(ada.store)) == ["first", "never written", "other"]
    assert ada.values("never written") == [2]
    assert faults(ada.store) == []


def test_what_is_due_after_a_commit_is_done_after_it_or_never(ada: Site) -> None:
    done: list[int] = []
    ada.store.after_commit(lambda: done.append(0))
    assert done == [0], "there is nothing to wait for"
    with ada.store.transaction():
        with ada.store.transaction():
            ada.store.after_commit(lambda: done.append(1))
        assert done == [0]
    assert done == [0, 1]

    def stopped() -> None:
        with ada.store.transaction():
            ada.store.after_commit(lambda: done.append(2))
            raise StopError

    with pytest.raises(StopError):
        stopped()
    with ada.store.transaction():
        pass
    assert done == [0, 1]


def test_a_transaction_inside_another_is_part_of_it(ada: Site) -> None:
    ada.put("t", 1)
    before = dump(ada.store)

    def put_and_stop() -> None:
        with ada.store.transaction():
            ada.put("t", 2)
            assert ada.values("t") == [2]
            raise StopError

    with pytest.raises(StopError):
        put_and_stop()
    assert ada.values("t") == [1]
    assert dump(ada.store) == before


def test_a_batch_made_for_another_state_of_the_log_is_stale(ada: Site) -> None:
    new = batch(ada)
    ada.put("t", "meanwhile")
    before = dump(ada.store)
    with pytest.raises(StaleError):
        ada.store.commit(new)
    assert dump(ada.store) == before


def test_two_stores_on_one_file_number_things_alike(ada: Site) -> None:
    with Store.open(ada.store.path, REST_KEY) as other:
        for number in range(20):
            store = (ada.store, other)[number % 2]
            list(append(store, ada.author, [draft(f"t{number % 3}", number)]))
        for store in (ada.store, other):
            assert [heads(store, f"t{n}")[0].number for n in range(3)] == [18, 19, 17]


def test_a_log_is_cut_back_as_if_it_had_never_been_longer(world: World) -> None:
    ada, bob = world.sites
    bob.put("t2", "bob")
    send(bob, ada)
    ada.write(*(draft(f"t{number % 7}", number) for number in range(300)))
    state, wanted = own_log(ada.store, ada.author), facts(ada.store)
    shown = picture(ada.store)
    ada.write(*(draft(f"t{number % 11}", -number) for number in range(600)))
    longer = ada.store.log(state.name)
    with ada.store.transaction():
        ada.store.truncate(longer, state.frontier)
    assert facts(ada.store) == wanted
    assert faults(ada.store) == []
    names = [f"t{number}" for number in range(7)]
    assert picture(ada.store) == shown
    assert list(things(ada.store)) == names
    kept = list(ada.store.dropped(0))
    assert [number for _, number, _ in kept] == list(range(300, 900))
    assert [entry.payload for _, _, entry in kept] == [payload(-number) for number in range(600)]
    ada.write(*(draft("grown again", number) for number in range(700)))
    assert ada.store.log(state.name).size == 1000
    assert faults(ada.store) == []


def test_a_log_cut_back_to_nothing_forgets_its_seeds(ada: Site) -> None:
    state = ada.put("t", 1)
    with ada.store.transaction():
        ada.store.truncate(state, EMPTY_FRONTIER)
    assert ada.store.log(state.name).cover == ()
    ada.put("t", 2)
    assert faults(ada.store) == []


def test_the_same_evidence_twice_is_kept_once(ada: Site) -> None:
    state = ada.put("t", 1)
    with ada.store.transaction():
        for data in (b"a", b"b", b"a"):
            ada.store.keep_evidence(state, "fork", data)
    assert [data for _, data in ada.store.evidence("fork")] == [b"a", b"b"]
    with ada.store.transaction():
        ada.store.replace_evidence(state, "fork", b"c")
    assert [data for _, data in ada.store.evidence("fork")] == [b"c"]


def test_the_largest_cover_that_a_section_may_have_comes_back(ada: Site) -> None:
    cover = tuple(Seed(32, 2**32 - 2 * n, bytes(16)) for n in range(MAX_COVER_SEEDS, 0, -1))
    new = batch(ada)
    state = ada.store.commit(
        Batch(
            state=new.state,
            entries=new.entries,
            extension=new.extension,
            checkpoint=new.checkpoint,
            cover=cover,
        )
    )
    assert state.cover == cover
    assert ada.store.log(state.name).cover == cover


def test_a_full_disk_is_said_so_and_changes_nothing(ada: Site) -> None:
    ada.put("t", 1)
    before = dump(ada.store)
    pages = ada.store.rows("PRAGMA page_count")[0][0]
    ada.store.rows(f"PRAGMA max_page_count = {pages!r}")
    with pytest.raises(DamagedError, match="full"):
        ada.put("t", bytes(100_000))
    assert dump(ada.store) == before
    ada.store.rows("PRAGMA max_page_count = 100000")
    assert ada.put("t", bytes(100_000)).size == 2
    assert faults(ada.store) == []
