import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.append import Draft, append, deletion, open_incarnation
from ledger.entry import Entry, Follow, leaf_bytes, payload_digest, sort_follows
from ledger.errors import DamagedError, MalformedError
from ledger.file_payload import FILE_KIND, file_of
from ledger.genesis import Genesis
from ledger.log import LogName, Range
from ledger.merge import Gap, merge
from ledger.merkle import leaf_hash
from ledger.records import SqlValue
from ledger.seeds import root_cover, salt
from ledger.store import Store, short_leaf
from ledger.views import (
    Placed,
    between,
    conflicts,
    count_files,
    entry_at,
    heads,
    history,
    last_before,
    missing,
    things,
)
from tests.ledger.world import (
    NOW,
    REST_KEY,
    Site,
    World,
    carried,
    change,
    draft,
    faults,
    payload,
    picture,
    send,
    settle,
    value_of,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World.of(tmp_path, "ada", "bob", "cy") as made:
        yield made


def values(placed: list[Placed] | Iterator[Placed]) -> list[object]:
    return [value_of(one.entry) for one in placed]


def test_no_question_about_one_thing_looks_at_all_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = world.sites[:2]
    for site in (ada, bob):
        site.put("t", site.keys.card.name)
    send(ada, bob)
    asked: list[tuple[str, tuple[SqlValue, ...]]] = []
    rows = bob.store.rows

    def ask(sql: str, *values: SqlValue) -> list[tuple[SqlValue, ...]]:
        asked.append((sql, values))
        return rows(sql, *values)

    monkeypatch.setattr(bob.store, "rows", ask)
    assert len(heads(bob.store, "t")) == 2
    assert len(heads(bob.store, "t", until_us=2**60)) == 2
    assert len(list(history(bob.store, "t"))) == 2
    assert last_before(bob.store, "t", bob.log, 9) is not None
    assert missing(bob.store, "t") == []
    names = [(sql, values) for sql, values in asked if "thing.name = ?" in sql]
    assert len(names) >= 6
    for sql, values in names:
        plan = [str(row[-1]) for row in rows(f"EXPLAIN QUERY PLAN {sql}", *values)]
        assert not [step for step in plan if step.startswith("SCAN")], sql


def test_files_are_counted_as_they_are_now(world: World) -> None:
    ada, bob = world.sites[:2]

    def put(site: Site, thing: str, *, size: int, time_us: int) -> None:
        said = file_of(size, [bytes(32)], executable=False).to_payload()
        site.write(Draft(thing, said, time_us, FILE_KIND))

    for size in (1, 2, 3):
        put(ada, "changed", size=size, time_us=NOW + size)
    put(ada, "gone", size=1, time_us=NOW)
    ada.write(deletion("gone", NOW + 1))
    put(ada, "replaced", size=1, time_us=NOW)
    ada.put("replaced", "a value now")
    assert count_files(ada.store) == 1
    put(ada, "both", size=1, time_us=NOW)
    put(bob, "both", size=2, time_us=NOW + 9)
    put(ada, "disputed", size=1, time_us=NOW)
    bob.put("disputed", "later, and no file", time_us=NOW + 9)
    send(bob, ada)
    assert len(heads(ada.store, "both")) == len(heads(ada.store, "disputed")) == 2
    assert count_files(ada.store) == 3
    ada.put("disputed", "no file, having seen both")
    assert count_files(ada.store) == 2


# -- heads ------------------------------------------------------------------------------------


def test_the_last_entry_of_the_only_log_is_the_head(world: World) -> None:
    ada = world.sites[0]
    assert heads(ada.store, "t") == []
    ada.put("t", 1)
    ada.put("u", 2)
    ada.put("t", 3)
    (head,) = heads(ada.store, "t")
    assert (head.log, head.number, value_of(head.entry)) == (ada.log, 2, 3)
    assert not head.deleted
    assert conflicts(ada.store) == []


def test_two_who_do_not_know_of_each_other_are_in_conflict_until_somebody_puts_again(
    world: World,
) -> None:
    ada, bob, cy = world.sites
    ada.put("t", "ada", time_us=NOW + 1)
    bob.put("t", "bob", time_us=NOW + 2)
    bob.put("u", "no conflict")
    settle(ada, bob, cy)
    for site in world.sites:
        assert site.values("t") == ["bob", "ada"], "the latest first"
        assert conflicts(site.store) == ["t"]
    cy.put("t", "settled", time_us=NOW)
    settle(ada, bob, cy)
    for site in world.sites:
        assert site.values("t") == ["settled"]
        assert conflicts(site.store) == []


def test_a_put_of_what_was_seen_supersedes_it_whatever_the_clocks_say(world: World) -> None:
    ada, bob, _ = world.sites
    ada.put("t", "first", time_us=NOW + 10**12)
    send(ada, bob)
    bob.put("t", "second", time_us=NOW - 10**12)
    send(bob, ada)
    assert ada.values("t") == bob.values("t") == ["second"]


def test_a_delete_against_a_put_is_a_conflict_too(world: World) -> None:
    ada, bob, _ = world.sites
    ada.put("t", 1)
    send(ada, bob)
    ada.delete("t")
    bob.put("t", 2)
    send(bob, ada)
    assert conflicts(ada.store) == ["t"]
    assert {one.deleted for one in heads(ada.store, "t")} == {True, False}


def test_two_who_delete_the_same_agree(world: World) -> None:
    ada, bob, cy = world.sites
    for thing in ("a/1", "a/2", "b"):
        ada.put(thing, 1)
    settle(ada, bob, cy)
    for site in (ada, bob):
        site.delete("a/1")
    ada.delete("a/2")
    for site in (bob, cy):
        site.put("a/2", 2)
        site.put("b", site.log.author.hex())
    settle(ada, bob, cy)
    for site in world.sites:
        assert [one.deleted for one in heads(site.store, "a/1")] == [True, True]
        assert conflicts(site.store) == ["a/2", "b"]
        assert conflicts(site.store, "a/") == ["a/2"]
        assert faults(site.store) == []
    cy.delete("a/2")
    settle(ada, bob, cy)
    assert conflicts(ada.store) == ["b"]


def test_a_log_that_goes_on_without_having_seen_who_followed_it_is_a_head_again(
    world: World,
) -> None:
    ada, bob, _ = world.sites
    ada.put("t", 1)
    send(ada, bob)
    bob.put("t", 2)
    ada.put("t", 3, time_us=NOW + 100)
    send(bob, ada)
    assert ada.values("t") == [3, 2]


def test_heads_of_one_time_come_in_the_same_order_whatever_came_first(
    world: World, tmp_path: Path
) -> None:
    ada, bob, cy = world.sites
    for site in (ada, ada, bob):
        open_incarnation(site.store, site.author)
        site.write(Draft(thing="t", payload=payload(str(site.log)), time_us=NOW, follows=()))
    sources = [
        carried(site.store, state.name) for site in (ada, bob) for state in site.store.logs()
    ]
    assert len(sources) == 3
    pictures = []
    for number, order in enumerate(permutations(sources)):
        with World.of(tmp_path / str(number), "dee", admins=["ada", "bob", "cy"]) as other:
            for one in order:
                merge(other.sites[0].store, one)
            store = other.sites[0].store
            pictures.append((picture(store), list(between(store, 0, NOW))))
    assert len(pictures) == 6
    assert all(one == pictures[0] for one in pictures)
    assert cy.store.logs() == []


def test_the_past_is_what_had_a_time_up_to_then(world: World) -> None:
    ada, bob, _ = world.sites
    ada.put("t", 1, time_us=NOW + 10)
    send(ada, bob)
    bob.put("t", 2, time_us=NOW + 20)
    send(bob, ada)
    ada.put("t", 3, time_us=NOW + 30)
    ada.write(Draft(thing="t", payload=payload(4), time_us=NOW + 5))
    seen = {
        at: values(heads(ada.store, "t", until_us=NOW + at)) for at in (4, 5, 9, 10, 19, 20, 29, 30)
    }
    # The last entry of a log with a time up to then counts, even if its clock went back.
    assert seen == {4: [], 5: [4], 9: [4], 10: [4], 19: [4], 20: [2, 4], 29: [2, 4], 30: [4]}
    assert values(heads(ada.store, "t", until_us=2**63 - 1)) == [4]
    assert values(heads(ada.store, "t")) == [4]


def test_actions_that_nobody_knows_are_in_no_view(world: World) -> None:
    ada, bob, cy = world.sites
    ada.put("t", 1, time_us=NOW + 1)
    cy.put("t", 2, time_us=NOW + 2)
    settle(ada, bob, cy)
    follows = tuple(sort_follows(one.as_follow() for one in heads(bob.store, "t")))
    bob.write(
        Draft(thing="t", payload=payload(0), time_us=NOW, action=9, follows=follows),
        Draft(thing="new", payload=payload(0), time_us=NOW, action=9),
    )
    settle(ada, bob, cy)
    with cy.store.transaction():
        cy.store.set_counts(cy.store.log(bob.log), 0)
        cy.store.set_counts(cy.store.log(bob.log), None)
    for site in world.sites:
        assert site.values("t") == values(heads(site.store, "t", until_us=2**62)) == [2, 1]
        assert conflicts(site.store) == ["t"]
        assert missing(site.store, "t") == []
        assert values(history(site.store, "t")) == [1, 2]
        assert list(things(site.store)) == ["t"]
        assert len(list(between(site.store, 0, 2**62))) == 2


# -- history ------------------------------------------------------------------------------------


def test_a_history_keeps_each_logs_order_and_goes_by_time_between_them(world: World) -> None:
    ada, bob, _ = world.sites
    ada.put("t", "a1", time_us=NOW + 10)
    ada.put("t", "a2", time_us=NOW + 5)
    bob.put("t", "b1", time_us=NOW + 7)
    bob.put("other", "b2", time_us=NOW + 8)
    bob.put("t", "b3", time_us=NOW + 12)
    settle(ada, bob)
    for site in (ada, bob):
        assert values(history(site.store, "t")) == ["b1", "a1", "a2", "b3"]
    assert list(history(ada.store, "nothing")) == []


def test_last_before_is_about_one_log_and_one_thing(world: World) -> None:
    ada, bob, _ = world.sites
    for value in range(4):
        ada.put("t" if value % 2 else "u", value)
    bob.put("t", "bob")
    send(bob, ada)

    def last(thing: str, end: int) -> object:
        found = last_before(ada.store, thing, ada.log, end)
        return found and value_of(found.entry)

    assert [last("t", end) for end in range(6)] == [None, None, 1, 1, 3, 3]
    assert [last("u", end) for end in range(4)] == [None, 0, 0, 2]
    assert last_before(ada.store, "t", LogName(bytes(32), bytes(8)), 9) is None


# -- missing ------------------------------------------------------------------------------------


def test_what_is_followed_and_not_here_is_missing(world: World) -> None:
    ada, bob, cy = world.sites
    for number in range(3):
        ada.put("t", number)
    send(ada, bob)
    bob.put("t", "bob")
    bob.put("u", "nothing missing")
    cy.take(carried(bob.store, bob.log))
    (wanted,) = missing(cy.store, "t")
    assert (wanted.author, wanted.incarnation, wanted.number) == (*ada.log, 2)
    assert missing(cy.store, "u") == []
    assert cy.values("t") == ["bob"]
    cy.take(carried(ada.store, ada.log, 0, 2))
    assert missing(cy.store, "t") == [wanted]
    cy.take(carried(ada.store, ada.log, 2, 3))
    assert missing(cy.store, "t") == []
    assert cy.values("t") == ["bob"]


# -- things ------------------------------------------------------------------------------------

NAMES = [
    " ", "%", "%%", "A", "_", "_a", "a", "a b", "a%b", "a_b", "aa", "ab", "a\u2028", "aé", "aÉ",
    "a🫨", "b", "é", "ÿ", "퟿", "\ue000", "𐀀", "🚢", "🚢🚢", "🚢é", "\U0010ffff",
]  # fmt: skip


@pytest.mark.parametrize(
    "prefix",
    ["", "a", "A", "%", "_", "a%", "a_", "é", "e", "🚢", "a🫨", "zz", "aa", "\U0010ffff", "\n"],
)
def test_things_begin_with_exactly_the_prefix(world: World, prefix: str) -> None:
    ada = world.sites[0]
    ada.write(*(draft(name, 0) for name in reversed(NAMES)))
    wanted = sorted(name for name in NAMES if name.startswith(prefix))
    assert list(things(ada.store, prefix)) == wanted


def test_things_come_in_pages_without_gaps(world: World) -> None:
    ada = world.sites[0]
    names = [f"t{number:05}" for number in range(3001)]
    ada.write(*(draft(name, 0) for name in names), draft("u", 0))
    assert list(things(ada.store, "t")) == names
    assert list(things(ada.store)) == [*names, "u"]


def test_what_was_deleted_is_still_a_thing_and_what_was_granted_is_none(world: World) -> None:
    ada = world.sites[0]
    ada.put("t", 1)
    ada.delete("t")
    ada.grant("dee")
    assert list(things(ada.store)) == ["t"]


@settings(max_examples=40)
@given(st.text(max_size=3), st.lists(st.text(min_size=1, max_size=4), max_size=5))
def test_prefixes_are_those_of_python(
    tmp_path_factory: pytest.TempPathFactory, prefix: str, names: list[str]
) -> None:
    printable = {name for name in names if name.isprintable()}
    with World.of(tmp_path_factory.mktemp("things"), "ada") as world:
        for site in world.sites:
            if printable:
                site.write(*(draft(name, 0) for name in printable))
            found = list(things(site.store, prefix))
    assert found == sorted(name for name in printable if name.startswith(prefix))


# -- between ------------------------------------------------------------------------------------


def test_between_takes_both_ends_and_stops_at_its_limit(world: World) -> None:
    ada, bob, _ = world.sites
    for number in range(5):
        (ada, bob)[number % 2].put(f"t{number}", number, time_us=NOW + number)
    ada.grant("dee")
    settle(ada, bob)
    for site in (ada, bob):
        assert values(between(site.store, NOW + 1, NOW + 3)) == [1, 2, 3]
        assert values(between(site.store, NOW + 1, NOW + 3, limit=2)) == [1, 2]
        assert values(between(site.store, -(2**63), 2**63 - 1)) == [0, 1, 2, 3, 4]
        assert list(between(site.store, NOW + 3, NOW + 1)) == []
    assert list(between(ada.store, 0, NOW + 9)) == list(between(bob.store, 0, NOW + 9))


@pytest.mark.parametrize("page", [1, 2, 3, 20])
def test_between_comes_in_pages_without_gaps(
    world: World, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    ada, bob, _ = world.sites
    for number in range(6):  # of which several have one time
        (ada, bob)[number % 2].put(f"t{number}", number, time_us=NOW + number // 3)
    settle(ada, bob)
    whole = list(between(ada.store, 0, NOW + 9))
    monkeypatch.setattr("ledger.views._PLACES", page)
    for limit in range(8):
        assert list(between(ada.store, 0, NOW + 9, limit=limit)) == whole[:limit]
    for number, one in enumerate(whole, start=1):
        assert list(between(ada.store, 0, NOW + 9, after=one)) == whole[number:]


def test_what_is_taken_away_while_somebody_looks_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.sites[0]
    for number in range(3):
        ada.put("t", number, time_us=number + 1)
    monkeypatch.setattr("ledger.views._PAGE", 1)
    for view in (history(ada.store, "t"), between(ada.store, 0, NOW)):
        assert value_of(next(view).entry) == 0
        change(ada.store, "UPDATE entry SET id = id + 9 WHERE time = 2")
        assert values(view) == [2]
        change(ada.store, "UPDATE entry SET id = id - 9 WHERE time = 2")


def test_the_index_by_time_is_made_when_it_is_first_asked_for(world: World) -> None:
    ada = world.sites[0]

    def has_index() -> bool:
        return ada.store.rows("SELECT 1 FROM sqlite_master WHERE name = 'entry_time'") == [(1,)]

    ada.put("t", 1, time_us=NOW)
    assert not has_index()
    ada.store.rows("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(ada.store.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert values(between(ada.store, NOW, NOW)) == [1]
        writer.execute("ROLLBACK")
    assert not has_index()
    assert values(between(ada.store, NOW, NOW)) == [1]
    assert has_index()
    ada.put("t", 2, time_us=NOW + 1)
    assert values(between(ada.store, NOW, NOW + 1)) == [1, 2]


# -- hostile questions and damage ---------------------------------------------------------------

ASKED: list[Callable[[Store], object]] = [
    lambda store: heads(store, "\udcff"),
    lambda store: heads(store, "t", until_us=2**63),
    lambda store: list(history(store, "\udcff")),
    lambda store: missing(store, "\udcff"),
    lambda store: list(things(store, "\udcff")),
    lambda store: list(between(store, -(2**63) - 1, 0)),
]


@pytest.mark.parametrize("number", range(len(ASKED)))
def test_what_no_ledger_can_hold_is_malformed(world: World, number: int) -> None:
    with pytest.raises(MalformedError):
        ASKED[number](world.sites[0].store)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE follow SET author = 7",
        "UPDATE follow SET leaf = x'00'",
        "UPDATE log SET author = 'text'",
        "UPDATE entry SET digest = 8",
    ],
)
def test_a_damaged_view_is_damage(world: World, sql: str) -> None:
    ada, bob, cy = world.sites
    ada.put("t", 1)
    bob.put("t", 2)
    settle(ada, bob, cy)
    cy.put("t", 3)
    bob.put("t", 4)
    settle(ada, bob, cy)
    assert len(heads(ada.store, "t")) == 2
    change(ada.store, sql)
    with pytest.raises(DamagedError):
        heads(ada.store, "t")


def test_an_entry_that_is_gone_from_the_file_is_damage(world: World) -> None:
    ada = world.sites[0]
    ada.put("t", 1)
    (last,) = heads(ada.store, "t")
    assert entry_at(ada.store, last.log, last.number) == last
    assert entry_at(ada.store, last.log, last.number + 1) is None
    change(ada.store, "DELETE FROM entry WHERE id = (SELECT max(id) FROM entry)")
    with pytest.raises(DamagedError, match="is missing"):
        entry_at(ada.store, last.log, last.number)


# -- the set of facts and nothing else ----------------------------------------------------------


def write_web(world: World) -> None:
    """Write a small history with everything in it."""
    ada, bob, cy = world.sites
    ada.put("t", "a0")
    bob.put("t", "b0", time_us=NOW + 1)
    settle(ada, bob)
    cy.put("t", "c0", time_us=NOW + 1)
    bob.put("t", "b1")
    ada.delete("t")
    ada.put("u", "a2")
    open_incarnation(ada.store, ada.author)
    settle(ada, bob, cy)
    ada.put("u", "a3", time_us=NOW + 1)
    cy.put("u", "c1", time_us=NOW + 1)
    settle(ada, bob, cy)


class Web(NamedTuple):
    genesis: Genesis
    ranges: list[Range]  # each of one entry
    shown: dict[str, object]
    between: list[Placed]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    with World.of(tmp_path_factory.mktemp("web"), "ada", "bob", "cy") as world:
        write_web(world)
        store = world.sites[0].store
        ranges = [
            carried(store, state.name, number, number + 1)
            for state in store.logs()
            for number in range(state.size)
        ]
        return Web(world.genesis, ranges, picture(store), list(between(store, 0, 2**62)))


@settings(max_examples=60)
@given(data=st.data())
def test_views_do_not_depend_on_the_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, web: Web, data: st.DataObject
) -> None:
    assert web.shown["conflicts"] == ["t", "u"]
    with Store.create(tmp_path_factory.mktemp("dee"), web.genesis, REST_KEY) as store:
        waiting = data.draw(st.permutations(web.ranges))
        while waiting:
            waiting = [one for one in waiting if isinstance(merge(store, one), Gap)]
        assert picture(store) == web.shown
        assert list(between(store, 0, 2**62)) == web.between


def test_a_follow_of_another_thing_or_another_leaf_supersedes_nothing(world: World) -> None:
    ada, bob, _ = world.sites
    ada.put("t", 1)
    ada.put("u", 2)
    send(ada, bob)
    other = heads(bob.store, "u")[0].as_follow()
    wrong = Follow(*ada.log, 0, bytes(16))
    for follow in (other, wrong):
        bob.write(Draft(thing="t", payload=payload(9), time_us=NOW, follows=(follow,)))
    send(bob, ada)
    for site in (ada, bob):
        assert sorted(map(str, site.values("t"))) == ["1", "9"]
        assert site.values("u") == [2]


def test_a_thing_of_which_all_is_followed_has_heads(tmp_path: Path) -> None:
    """An author chooses its salts: it can follow what it will only say later in another log."""
    with World.of(tmp_path, "ada", admins=["ada"]) as world:
        (ada,) = world.sites
        said = file_of(0, (), executable=False).to_payload()
        logs = ((b"1" * 8, b"a" * 16), (b"2" * 8, b"b" * 16))
        for (incarnation, root), (other, seed) in (logs, logs[::-1]):
            draws = {8: incarnation, 16: root}
            author = replace(ada.author, entropy=draws.__getitem__)
            open_incarnation(ada.store, author)
            digest = payload_digest(salt(root_cover(seed), 1), said)
            later = Entry("f", "", 0, NOW, (), digest, said)
            leaf = short_leaf(leaf_hash(leaf_bytes(later)))
            first = Draft("f", said, NOW, follows=(Follow(author.public, other, 1, leaf),))
            for _ in append(ada.store, author, [first, Draft("f", said, NOW, follows=())]):
                pass
        assert faults(ada.store) == []
        assert [one.log.incarnation for one in heads(ada.store, "f")] == [b"2" * 8, b"1" * 8]
        assert conflicts(ada.store) == ["f"]
        assert count_files(ada.store) == 1
        ada.put("f", "settled")
        assert [value_of(one.entry) for one in heads(ada.store, "f")] == ["settled"]
