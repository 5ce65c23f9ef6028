"""What a tail is made of: which context, and what goes as a log section instead."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundler.geometry import symbol_bytes_for
from bundler.plan import Span
from bundler.tail_section import MAX_CONTEXT_BYTES, TailSection
from ledger.entry import Entry
from ledger.store import Store
from pannier import tail_rows
from pannier.lacks import Piece, pieces
from pannier.tail_sending import TailLoad, is_sent_back, may_be_tail
from pannier.way import Way
from tests.sim.world import World

BOTH = ("ada", "bea")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as world:
        world.found("ada", "bea")
        yield world


def ready(world: World, *, mtu: int = 222) -> tuple[Way, list[Piece]]:
    """Everything so far is held by bea; one entry more is lacked."""
    world.rounds(BOTH, 4)
    world.put("ada", "well", "new")
    return look(world, mtu)


def look(world: World, mtu: int = 222) -> tuple[Way, list[Piece]]:
    ada = world["ada"]
    way = Way.to(ada, ada.peer_named("bea"), symbol_bytes=symbol_bytes_for(mtu))
    return way, list(pieces(way))


def tail_of(way: Way, piece: Piece) -> TailSection:
    load = TailLoad(way)
    assert load.add(piece)
    assert load.spans == [(piece.store.ledger_id, piece.state.name, piece.span)]
    (section,) = load.sections
    return section


def context_of(way: Way, piece: Piece) -> tuple[int, int]:
    section = tail_of(way, piece)
    return section.context.span(section.first)


def test_a_context_is_all_that_is_held_up_to_1024_entries(world: World) -> None:
    world.put_many("ada", 98)
    way, (piece,) = ready(world)
    assert context_of(way, piece) == (0, 99)
    world.put_many("ada", 1100)
    way, (piece,) = ready(world)
    assert context_of(way, piece) == (piece.span.first - 1024, piece.span.first)


def test_where_bytes_cost_little_less_is_learnt_from(world: World) -> None:
    world.put_many("ada", 98)
    way, (piece,) = ready(world, mtu=1400)
    assert context_of(way, piece) == (99 - 64, 99)


def test_where_bytes_cost_little_few_are_modelled_in_all(world: World) -> None:
    """The rest goes as log sections, which cost a fiftieth of the time."""
    world.rounds(BOTH, 4)
    for _ in range(8):
        world.put("ada", "note", "x" * 1000)
    for mtu, count in ((1400, 4), (222, 8)):
        way, found = look(world, mtu)
        load = TailLoad(way)
        notes = [
            replace(piece, span=Span(number, number + 1))
            for piece in found
            for number in range(*piece.span)
        ]
        assert [load.add(one) for one in notes] == [number < count for number in range(8)]


def test_a_context_costs_no_more_than_its_bound(world: World) -> None:
    for _ in range(4):
        world.put("ada", "well", "x" * (MAX_CONTEXT_BYTES // 3))
    way, (piece,) = ready(world)
    assert context_of(way, piece) == (3, 5)


def test_a_context_ends_where_the_peer_is_known_to_hold_the_log(world: World) -> None:
    world.put_many("ada", 30)
    way, (first,) = ready(world)
    world.put("ada", "well", "newer")
    _, (both,) = look(world)
    (end,) = {context_of(way, first)[1], context_of(way, both)[1]}
    assert end == first.span.first == both.span.first
    section = tail_of(
        way,
        Piece(
            store=both.store,
            state=both.state,
            span=both.span._replace(first=end + 1),
            with_cover=False,
        ),
    )
    assert section.context.back == 1
    assert section.context.span(section.first)[1] == end


def test_a_payload_that_is_not_here_ends_a_context(world: World) -> None:
    world.put_many("ada", 30)
    way, (piece,) = ready(world)
    piece.store.run("UPDATE entry SET payload = NULL WHERE id & 4294967295 = 20")
    assert context_of(way, piece) == (31 - 8, 31)


def test_what_another_process_cuts_off_while_it_is_read_goes_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put_many("ada", 98)
    way, (piece,) = ready(world)
    signed, entries = piece.store.checkpoints(piece.state, 0, piece.span.end)[-1], Store.entries

    def cut_off_meanwhile(reader: Store, *asked: Any) -> list[Entry]:
        found = entries(reader, *asked)
        with closing(sqlite3.connect(piece.store.path)) as other, other:
            other.execute("DELETE FROM checkpoint")
        return found

    monkeypatch.setattr(Store, "entries", cut_off_meanwhile)
    assert tail_of(way, piece).signature == signed.signature
    assert not TailLoad(way).add(piece), "without a signature it is none"


def test_what_was_sent_back_is_not_built_on(world: World) -> None:
    world.put_many("ada", 30)
    way, (piece,) = ready(world)
    assert may_be_tail(way, piece)
    place = (way.peer.node_id, piece.store.ledger_id, piece.state.name)
    tail_rows.raise_floor(way.node.db, *place, piece.span.first)
    assert not may_be_tail(way, piece)
    assert is_sent_back(way, piece)
    world.rounds(BOTH, 4)
    world.put("ada", "well", "newer")
    way, (piece,) = look(world)
    assert not is_sent_back(way, piece)
    assert context_of(way, piece) == (31, 32)
    tail_rows.raise_floor(way.node.db, *place, 5)
    assert tail_rows.floor(way.node.db, *place) == 31, "it never sinks"


def test_one_bundle_takes_so_much_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put_many("ada", 30)
    way, (piece,) = ready(world)
    for name, value in (("_LOAD_SECTIONS", 2), ("_LOAD_BYTES", 200), ("MAX_TAILS_ENTRIES", 70)):
        with monkeypatch.context() as patch:
            patch.setattr(f"pannier.tail_sending.{name}", value)
            load = TailLoad(way)
            added = [load.add(piece) for _ in range(3)]
            assert (added[0], added[-1]) == (True, False), name
