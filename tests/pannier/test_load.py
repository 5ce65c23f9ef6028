"""What one bundle takes, and how small that is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cbor2
import pytest

from bundler.log_section import LogSection
from bundler.plan import Span
from bundler.sections import decode_sections
from ledger.append import Draft
from ledger.entries import Entries
from ledger.errors import DamagedError
from ledger.store import Store
from pannier.lacks import Piece, in_order, parts
from pannier.ledgers import new_ledger, put
from pannier.load import Load, log_section
from tests.sim.world import World

LARGE, SMALL = 1360, 184
TARGET = 1 << 20


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada",)) as world:
        yield world


def ledger(world: World, name: str, payloads: list[object]) -> Store:
    store = new_ledger(world["ada"], name)
    drafts = [
        Draft(f"well {n % 3}", cbor2.dumps(payload, canonical=True), 1_700_000_000_000_000 + n)
        for n, payload in enumerate(payloads)
    ]
    put(world["ada"], store, drafts)
    return store


def piece_of(store: Store) -> Piece:
    (state,) = in_order(store)
    (part,) = parts(store, state, Span(0, state.size))
    return Piece(store=store, state=state, span=part, with_cover=True)


def load_of(*pieces: Piece, symbol_bytes: int = LARGE) -> Load:
    load = Load([], symbol_bytes=symbol_bytes)
    assert all(load.add(piece, TARGET) for piece in pieces)
    return load


def test_logs_that_are_alike_share_what_is_alike(world: World) -> None:
    """Twenty readings in each of six: keys and names only once, whatever is new in all."""
    pieces = [
        piece_of(ledger(world, f"{n}", [{"humidity": n + m, "temperature": 20} for m in range(20)]))
        for n in range(6)
    ]
    alone = [load_of(piece).encoded[0] for piece in pieces]
    together = load_of(*pieces).encoded
    assert list(decode_sections(b"".join(together))) == [
        section for one in alone for section in decode_sections(one)
    ]
    # Each has an id, an incarnation, a root, a seed and a signature that no other has.
    own_bytes = 16 + 8 + 32 + 16 + 64
    assert max(len(one) for one in together[1:]) - own_bytes < 70
    assert min(len(one) for one in alone) - own_bytes > 110


def test_what_another_process_cuts_off_while_it_is_read_goes_as_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries and their signature are of one moment, whatever branch stands there afterwards."""
    store = ledger(world, "cut", [{"humidity": n} for n in range(20)])
    piece, columns = piece_of(store), Store.columns

    def cut_off_meanwhile(reader: Store, *asked: Any) -> Entries:
        found = columns(reader, *asked)
        with closing(sqlite3.connect(store.path)) as other, other:
            other.execute("DELETE FROM checkpoint")
        return found

    monkeypatch.setattr(Store, "columns", cut_off_meanwhile)
    section = log_section(piece)
    assert (section.first, section.checkpoint.size) == (0, 20)
    with pytest.raises(DamagedError, match="no signature"):
        log_section(piece)


def test_small_frames_are_worth_more_work(world: World) -> None:
    lines = [f"{n % 90} the same old words again, {n * n} of them {n % 7}" for n in range(2000)]
    piece = piece_of(ledger(world, "log", list(lines)))
    small, large = (
        sum(map(len, load_of(piece, symbol_bytes=symbol_bytes).encoded))
        for symbol_bytes in (SMALL, LARGE)
    )
    assert small < 0.95 * large


def test_a_bundle_is_full_when_it_is_as_large_as_it_should_be(world: World) -> None:
    piece = piece_of(ledger(world, "log", [1]))
    load = Load([], symbol_bytes=LARGE)
    assert load.add(piece, 1), "the first piece has no other place"
    assert not load.add(piece, 1)
    assert len(load.encoded) == len(load.spans) == 1
    (section,) = decode_sections(load.encoded[0])
    assert isinstance(section, LogSection)
    assert section.count == piece.span.end
