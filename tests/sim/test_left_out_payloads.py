"""Who passes on a log without its payloads, or seeds, keeps nobody from what others hold of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.entry_encodings import encode_entries
from bundler.log_section import LogSection
from bundler.plan import Span
from ledger.append import own_log
from ledger.entries import Entries
from ledger.errors import MalformedError
from ledger.log import LogName
from ledger.seeds import subcover
from pannier.lacks import Piece
from pannier.load import log_section
from pannier.membership import revoke
from tests.sim.brought import bring
from tests.sim.world import World, faults

NAMES = ("bob", "mal", "cyd", "eve")
HONEST = ("bob", "cyd", "eve")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """All four are members of a ledger that bob founded, and eve wrote something."""
    with World(tmp_path, NAMES) as world:
        world.found("bob", "mal", "cyd", "eve")
        world.rounds(NAMES, 3)
        for number in range(4):
            world.put("eve", f"t{number}", number)
        yield world


def log_of(world: World, name: str) -> LogName:
    return own_log(world.store(name), world[name].author).name


def all_of(world: World, name: str, log: LogName) -> Piece:
    store = world.store(name)
    state = store.log(log)
    return Piece(store=store, state=state, span=Span(0, state.size), with_cover=True)


def stripped(piece: Piece) -> LogSection:
    """Return what says of entries only that they are; every root and signature is right."""
    found = piece.store.entries(piece.state, *piece.span)
    entries = Entries.of([one._replace(payload=None) for one in found])
    encoding, data, cuts = encode_entries(entries)
    return replace(log_section(piece), cover=(), encoding=encoding, entries=data, cuts=cuts)


def payloads(world: World, name: str, log: LogName) -> list[bytes | None]:
    store = world.store(name)
    state = store.log(log)
    return [entry.payload for entry in store.entries(state, 0, state.size)]


def test_who_was_removed_and_is_asked_by_nobody_takes_nothing_from_others(world: World) -> None:
    """cyd knows that mal was removed, and still takes what others wrote from it."""
    log = log_of(world, "eve")
    world.rounds(("eve", "mal"), 3, "of eve")
    revoke(world["bob"], world.store("bob"), [world["mal"].card.author])
    world.rounds(("bob", "cyd"), 3, "of bob")
    with pytest.raises(MalformedError, match="without its payload"):
        bring(world, "cyd", "mal", [stripped(all_of(world, "mal", log))])
    world.rounds(HONEST, 3, "honest")
    assert payloads(world, "cyd", log) == payloads(world, "eve", log)
    assert len(payloads(world, "cyd", log)) == 4
    assert [faults(world[name]) for name in HONEST] == [[], [], []]


def test_nor_does_it_from_an_author_that_was_restored(world: World) -> None:
    log, copy = log_of(world, "eve"), world.back_up("eve")
    world.put("eve", "late", 1)
    world.rounds(NAMES, 3)
    world.restore("eve", copy)
    with pytest.raises(MalformedError, match="without its payload"):
        bring(world, "eve", "mal", [stripped(all_of(world, "mal", log))])
    world.rounds(HONEST, 3, "honest")
    assert payloads(world, "eve", log) == payloads(world, "bob", log)
    assert len(payloads(world, "eve", log)) == 5


def test_nor_do_seeds_of_what_it_passes_on_spoil_what_comes_after(world: World) -> None:
    """Who is known to hold the beginning of a log is sent none with the rest."""
    log = log_of(world, "eve")
    world.rounds(("eve", "mal"), 3, "of eve")
    whole = log_section(all_of(world, "mal", log))
    each = tuple(one for number in range(4) for one in subcover(whole.cover, number, 1))
    with pytest.raises(MalformedError, match="do not give all"):
        bring(world, "cyd", "mal", [replace(whole, cover=each)])
    world.rounds(HONEST, 3, "honest")
    world.put("eve", "t4", 4)
    world.rounds(HONEST, 2, "honest")
    assert len(payloads(world, "cyd", log)) == 5
    assert [faults(world[name]) for name in HONEST] == [[], [], []]
