"""In which order a peer gets what it lacks."""

from pathlib import Path

import pytest

from bundler.notices import GenesisSection
from ledger.append import Draft, open_incarnation
from ledger.close import close_payload
from ledger.entry import INCARNATIONS_THING, Action
from ledger.log import LogName
from ledger.members import Role, members
from ledger.merge import Merged, merge
from ledger.note import Checkpoint
from ledger.store import Store
from pannier.lacks import in_order
from tests.ledger.world import NOW, Site, World, carried, keys_of, lacked
from tests.sim.brought import bring, sections_of
from tests.sim.world import World as Nodes


@pytest.fixture
def turned(tmp_path: Path) -> Store:
    """A ledger whose admins were granted one by the other, the other way round than they came.

    Mal granted all of them, each granted the one before, and mal takes back all but the last.
    """
    names = [f"s{number}" for number in range(9)]
    with World.of(tmp_path / "sites", "ada", "mal") as world:
        ada, mal = world.sites
        mal.put("t", 0)
        log, point = mal.log, carried(mal.store, mal.log).checkpoint
        for name in names:
            mal.grant(name, Role.ADMIN)
        _tell(mal, ada)
        for before, name in zip(["dan", *names], names, strict=False):
            admin = world.join(name)
            _tell(ada, admin)
            admin.grant(before, Role.ADMIN)
            _tell(admin, ada)
        _end(mal, log, point)
        mal.grant(names[-1], Role.ADMIN)
        _tell(mal, ada)
        known = members(ada.store)
        assert [name for name in names if keys_of(name).author in known] == names
        path = ada.store.path
    return Store.open(path, world.key)


def _tell(one: Site, other: Site) -> None:
    for received in list(lacked(one.store, other.store)):
        merge(other.store, received)


def _end(site: Site, log: LogName, point: Checkpoint) -> None:
    open_incarnation(site.store, site.author)
    payload = close_payload(log, point)
    site.write(Draft(thing=INCARNATIONS_THING, payload=payload, time_us=NOW, action=Action.CLOSE))


def test_logs_of_admins_stand_behind_those_of_who_granted_them(
    turned: Store, tmp_path: Path
) -> None:
    genesis = turned.genesis
    fresh = Site.make(tmp_path / "fresh", "fresh", genesis)
    for state in in_order(turned):
        received = carried(turned, state.name)
        assert merge(fresh.store, received) == Merged(count=received.entries.count)
    assert members(fresh.store) == members(turned)
    fresh.store.close()
    turned.close()


def test_who_is_new_joins_a_ledger_by_one_pass_over_it(
    turned: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pannier.merging._MAX_PASSES", 1)
    with Nodes(tmp_path / "nodes", ("eve", "dan")) as nodes:
        genesis = GenesisSection(genesis=turned.genesis.to_bytes())
        bring(nodes, "dan", "eve", [genesis, *sections_of(turned)])
    turned.close()
