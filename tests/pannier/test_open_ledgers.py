"""Ledger files that are opened, left where they cannot be read, and tried again when mended."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.errors import BusyError, DamagedError, DiskError
from ledger.log import LogName
from ledger.store import Store
from pannier.errors import DamagedFileError
from pannier.left_rows import left_files
from pannier.node import Node
from pannier.nodedb import NodeDb
from pannier.unreadable import going_on
from tests.sim.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ["ada"]) as world:
        for ledger in ("log", "other"):
            world.found("ada", ledger=ledger)
            world.put("ada", "well", 1, ledger)
        yield world


def names(node: Node) -> set[str]:
    return {store.genesis.name for store in node.ledgers()}


def found_in(store: Store) -> DamagedError:
    error = DamagedError("an entry is not what it was")
    error.path = store.path
    return error


def test_one_that_cannot_be_read_is_tried_again_when_it_is_another_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.store("ada").path
    world.reopen("ada")
    good = path.read_bytes()
    path.write_bytes(b"junk")
    ada, opened = world["ada"], []
    real = Store.open

    def counted(where: Path, *rest: object) -> Store:
        opened.append(where)
        return real(where, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("pannier.open_ledgers.Store.open", counted)
    for _ in range(3):
        assert names(ada) == {"other"}
        (why,) = ada.unreadable.values()
        assert str(path) in why
    assert opened.count(path) == 1
    path.write_bytes(good)
    # What was begun without it goes on without it: else a peer may hear that it is gone.
    assert names(ada) == {"other"}
    assert list(ada.unreadable.values()) == [why]
    ada.look_again()
    assert names(ada) == {"log", "other"}
    assert ada.unreadable == {}


def test_one_that_is_gone_is_not_one_that_cannot_be_read(world: World) -> None:
    store = world.store("ada")
    world.reopen("ada")
    store.path.unlink()
    ada = world["ada"]
    assert not ada.has_ledger(store.ledger_id)
    assert ada.ledger(store.ledger_id) is None
    assert ada.unreadable == {}


def test_who_asks_for_it_hears_why(world: World) -> None:
    store = world.store("ada")
    world.reopen("ada")
    store.path.write_bytes(b"")
    ada = world["ada"]
    for _ in range(2):
        assert ada.has_ledger(store.ledger_id)
        assert ada.readable(store.ledger_id) is None
        with pytest.raises(DamagedError, match="is empty"):
            ada.ledger(store.ledger_id)
        with pytest.raises(DamagedError, match="is empty"):
            list(ada.every_ledger())


def test_a_copy_of_another_ledger_is_not_that_one_twice(world: World) -> None:
    path, other = world.store("ada").path, world.store("ada", "other")
    world.reopen("ada")
    shutil.copy(other.path, path)
    ada = world["ada"]
    assert [store.ledger_id for store in ada.ledgers()] == [other.ledger_id]
    (why,) = ada.unreadable.values()
    assert (
        why
        == f"{path} holds the ledger {other.ledger_id.hex()}: move it away, or give it its own name"
    )


class TestGoingOn:
    def test_without_what_turns_out_to_be_damaged(self, world: World) -> None:
        ada, store, seen = world["ada"], world.store("ada"), []

        def act() -> str:
            seen.append(names(ada))
            if "log" in seen[-1]:
                raise found_in(store)
            return "done"

        assert going_on(ada, act) == "done"
        assert seen == [{"log", "other"}, {"log", "other"}, {"other"}]
        (why,) = ada.unreadable.values()
        assert str(store.path) in why
        assert "verify --repair" in why

    def test_what_shows_once_was_no_damage(self, world: World) -> None:
        """As where another process cut a log off while it was read."""
        ada, stores = world["ada"], list[Store]()
        errors = [found_in(world.store("ada"))]

        def act() -> set[str]:
            stores.append(world.store("ada"))
            if errors:
                raise errors.pop()
            return names(ada)

        assert going_on(ada, act) == {"log", "other"}
        assert stores[0] is not stores[1], "it was opened anew"
        assert ada.unreadable == {}
        assert left_files(ada.db) == {}

    @pytest.mark.parametrize(
        "error", [DamagedError("of whom?"), DiskError("disk I/O error"), BusyError("busy")]
    )
    def test_not_where_no_ledger_is_at_fault(self, world: World, error: Exception) -> None:
        def act() -> None:
            raise error

        with pytest.raises(type(error), match=str(error)):
            going_on(world["ada"], act)
        assert names(world["ada"]) == {"log", "other"}

    def test_the_next_process_begins_without_it(self, world: World) -> None:
        error = found_in(world.store("ada"))
        assert world["ada"].leave(error)
        world.reopen("ada")
        assert names(world["ada"]) == {"log", "other"}, "who asks for one ledger tries it"
        assert going_on(world["ada"], lambda: names(world["ada"])) == {"other"}

    def test_it_is_tried_again_when_it_is_another_file(self, world: World) -> None:
        store = world.store("ada")
        assert world["ada"].leave(found_in(store))
        world.reopen("ada")
        os.utime(store.path, ns=(0, 0))
        ada = world["ada"]
        assert going_on(ada, lambda: names(ada)) == {"log", "other"}
        assert left_files(ada.db) == {}

    def test_it_is_tried_again_when_it_is_found_to_be_sound(self, world: World) -> None:
        store = world.store("ada")
        assert world["ada"].leave(found_in(store))
        world.reopen("ada")
        ada = world["ada"]
        assert going_on(ada, lambda: names(ada)) == {"other"}
        ada.try_again(store.ledger_id)
        assert names(ada) == {"log", "other"}
        world.reopen("ada")
        assert going_on(world["ada"], lambda: names(world["ada"])) == {"log", "other"}

    def test_nothing_is_noted_where_all_can_be_read(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada, asked, real = world["ada"], [], left_files

        def counted(db: NodeDb) -> object:
            asked.append(db)
            return real(db)

        monkeypatch.setattr("pannier.left_rows.left_files", counted)
        before = ada.db.rows("SELECT total_changes()")
        for _ in range(3):
            going_on(ada, lambda: names(ada))
        assert len(asked) == 1
        assert ada.db.rows("SELECT total_changes()") == before

    @pytest.mark.parametrize("value", [b"", b"\xff", b"1 2\nwhy", b"1 2 x\nwhy"])
    def test_what_was_noted_may_be_damaged(self, world: World, value: bytes) -> None:
        ada, store = world["ada"], world.store("ada")
        ada.db.set_meta(f"unreadable {store.ledger_id.hex()}", value)
        with pytest.raises(DamagedFileError, match="verify --repair"):
            going_on(ada, lambda: names(ada))

    def test_not_for_ever(self, world: World) -> None:
        ada, stores = world["ada"], list(world["ada"].ledgers())

        def act() -> None:
            raise found_in(stores[0])

        with pytest.raises(DamagedError):
            going_on(ada, act)


@pytest.mark.parametrize("table", ["log", "entry", "checkpoint", "evidence"])
def test_what_shows_damage_names_its_file(world: World, table: str) -> None:
    store = world.store("ada")
    (state,) = store.logs()
    column = {"log": "cover", "entry": "payload", "checkpoint": "root", "evidence": "data"}[table]
    with store.transaction():
        store.run(f"UPDATE {table} SET {column} = x'00'")  # noqa: S608 -- our own words
        store.run("UPDATE evidence SET what = 'dropped'")
    reads: dict[str, Callable[[], object]] = {
        "log": lambda: store.log(LogName(*state.name)),
        "entry": lambda: store.entries(state, 0, state.size),
        "checkpoint": lambda: store.last_checkpoint(state),
        "evidence": lambda: list(store.dropped(0)),
    }
    with pytest.raises(DamagedError) as raised:
        reads[table]()
    assert raised.value.path == store.path
