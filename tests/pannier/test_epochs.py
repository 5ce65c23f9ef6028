"""Keys of epochs: who has them, when a new one begins, and that none of them is on a disk."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bundler.content import open_bundle
from bundler.errors import UnopenableError
from ledger.append import Draft
from ledger.data import payload_from_value
from ledger.entry import MEMBERS_THING, Action
from ledger.epochs import Epoch, EpochEntry
from ledger.errors import BusyError, FullError, LedgerError
from ledger.members import Role
from ledger.store import Store
from ledger.views import heads, things
from pannier import rotation
from pannier.importing import keyring
from pannier.ledgers import put
from pannier.membership import revoke, share
from pannier.node import Node
from pannier.rotation import tend_all_epochs, tend_epochs
from spool.name import BundleName
from tests.pannier.groups import copy_group, make_group
from tests.sim.world import World

NAMES = ("ada", "bea", "cyd", "eve")


GRANTS = (("cyd", Role.WRITER), ("eve", Role.WRITER), ("bea", Role.ADMIN))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_group(tmp_path_factory.mktemp("epochs"), "ada", GRANTS)


@pytest.fixture
def world(made: Path, tmp_path: Path) -> Iterator[World]:
    """Ada's ledger, in which bea is an admin, too; everybody knows what everybody holds."""
    with copy_group(made, tmp_path, NAMES) as world:
        yield world


def opened(world: World, name: str) -> set[bytes]:
    return set(world[name].epochs.of(world.store(name)).opened)


def sealing(world: World, name: str) -> Epoch | None:
    return world[name].epochs.of(world.store(name)).sealing


def entries(world: World, name: str) -> int:
    return len(world.store(name).facts((Action.EPOCH,)))


def remove(world: World, by: str, whom: str) -> None:
    revoke(world[by], world.store(by), [world[whom].card.author])


def sealed_for_others(node: Node, than: Node) -> list[bytes]:
    """All that waits in the outbox of *node*, but for what is for *than* alone."""
    outbox = node.spool.outbox
    return [
        outbox.read(queue, name)
        for queue in outbox.peers()
        if queue != than.card.node_id
        for name in outbox.queued(queue)
    ]


def opens(node: Node, sealed: bytes) -> bool:
    try:
        open_bundle(sealed, keyring(node))
    except UnopenableError:
        return False
    return True


def test_two_need_no_epoch_and_three_get_one(tmp_path: Path) -> None:
    with World(tmp_path, NAMES) as world:
        world.found("ada", "bea")
        assert sealing(world, "ada") is None
        share(world["ada"], world.store("ada"), world["ada"].peer_named("cyd"), Role.READER)
        first = sealing(world, "ada")
        assert first is not None
        share(world["ada"], world.store("ada"), world["ada"].peer_named("eve"), Role.READER)
        assert sealing(world, "ada") == first, "a newcomer gets the epoch that there is"
        assert entries(world, "ada") == 2
        share(world["ada"], world.store("ada"), world["ada"].peer_named("eve"), Role.WRITER)
        assert entries(world, "ada") == 2, "and nobody gets it twice"


def test_all_members_open_the_same_epoch(world: World) -> None:
    assert len({sealing(world, name) for name in NAMES}) == 1
    assert sealing(world, "eve") is not None


def test_a_removed_member_opens_nothing_that_those_who_know_it_seal(world: World) -> None:
    eve = world["eve"]
    world.put("cyd", "well", "before")
    world.exchange("cyd")
    assert any(opens(eve, one) for one in sealed_for_others(world["cyd"], eve)), "a group bundle"
    remove(world, "ada", "eve")
    world.put("ada", "well", "after")
    world.exchange("ada", "one")
    for_others = sealed_for_others(world["ada"], eve)
    assert len(for_others) >= 2
    assert not any(opens(eve, one) for one in for_others)
    assert world["ada"].spool.outbox.queued(eve.card.node_id) == [], "and nothing is for her"

    world.put("cyd", "well", "unaware")
    world.exchange("cyd", "two")
    assert sum(opens(eve, one) for one in sealed_for_others(world["cyd"], eve)) == 2, (
        "who has not heard of it goes on: the bundle of before, and this one"
    )
    for _ in range(3):
        for name in ("bea", "cyd", "ada"):
            world.put(name, f"well of {name}", "aware")
            world.exchange(name, "one")
            if name != "ada":
                assert not any(opens(eve, one) for one in sealed_for_others(world[name], eve))
    in_groups = [
        queue
        for name in ("ada", "bea", "cyd")
        for queue in world[name].spool.outbox.peers()
        if queue not in world[name].peers
    ]
    assert in_groups, "they send to the group again, under a new epoch"
    new = sealing(world, "ada")
    assert new is not None
    assert set(in_groups) == {new.epoch_id.hex()}
    assert sealing(world, "bea") == sealing(world, "cyd") == new
    giving = world["cyd"].epochs.of(world.store("cyd")).entries_of(new)
    given = {number.hex() for one in giving for number in one.entry.stanzas}
    assert given == {world[name].card.node_id for name in ("ada", "bea", "cyd")}
    assert new.epoch_id not in opened(world, "eve")

    # Eve comes back, with her keys and every stick; she reads what was sealed before they knew.
    for stick in ("stick", "one", "two"):
        world.exchange("eve", stick)
    read = {one.entry.payload for one in heads(world.store("eve"), "well")}
    assert payload_from_value("unaware") in read
    assert not {payload_from_value("after"), payload_from_value("aware")} & read
    assert list(things(world.store("eve"), "well of")) == []
    assert new.epoch_id not in opened(world, "eve")
    assert not any(
        opens(eve, one)
        for name in ("ada", "bea", "cyd")
        for one in sealed_for_others(world[name], eve)
    )


def test_bundles_of_an_old_epoch_leave_the_queue_and_the_medium(world: World) -> None:
    world.put("cyd", "well", 1)
    world.exchange("cyd", "cyds own")
    old = sealing(world, "cyd")
    assert old is not None
    assert world["cyd"].spool.outbox.queued(old.epoch_id.hex())
    remove(world, "ada", "eve")
    world.rounds(("ada", "cyd"), 1, "news")
    world.exchange("cyd", "cyds own")
    assert world["cyd"].spool.outbox.queued(old.epoch_id.hex()) == []
    world.exchange("eve", "cyds own")
    assert list(things(world.store("eve"), "well")) == []


def test_concurrent_epochs_all_open_and_the_greater_seals(world: World) -> None:
    world.add("dan")
    world.acquaint((*NAMES, "dan"))
    share(world["ada"], world.store("ada"), world["ada"].peer_named("dan"), Role.WRITER)
    world.rounds((*NAMES, "dan"), 3)
    remove(world, "ada", "eve")
    remove(world, "bea", "eve")
    made = [sealing(world, name) for name in ("ada", "bea")]
    assert made[0] is not None
    assert made[1] is not None
    assert made[0] != made[1]
    assert made[0].depth == made[1].depth
    world.rounds(("ada", "bea", "cyd", "dan"), 4)
    names = ("ada", "bea", "cyd", "dan")
    # Neither knew of the other's revocation: what follows both seals, and all of them open.
    assert all({one.epoch_id for one in made if one} <= opened(world, name) for name in names)
    (last,) = {sealing(world, name) for name in names}
    assert last is not None
    assert last.depth > made[0].depth
    ranks = [
        one.rank
        for one in world["cyd"].epochs.of(world.store("cyd")).opened.values()
        if len(one.after) == 2
    ]
    assert last.rank == max(ranks)


def test_an_admin_who_merges_a_revocation_rotates_by_itself(world: World) -> None:
    """Ada revoked eve, and crashed before she made the next epoch."""
    ada = world["ada"]
    before = entries(world, "ada")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pannier.membership.tend_epochs", lambda *_: None)
        remove(world, "ada", "eve")
    assert sealing(world, "ada") is None, "nothing is sealed for a group until then"
    assert entries(world, "ada") == before
    tend_all_epochs(ada, [])
    assert sealing(world, "ada") is not None
    tend_all_epochs(ada, [])
    assert entries(world, "ada") == before + 1


def test_a_ledger_that_another_process_keeps_from_this_one_keeps_no_other_from_its_epoch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [world.store("ada")]
    with monkeypatch.context() as patch:
        patch.setattr("pannier.membership.tend_epochs", lambda *_: None)
        world.found("ada", "bea", "cyd", ledger="other")
        remove(world, "ada", "eve")
    stores.append(world.store("ada", "other"))
    stores.sort(key=lambda one: one.ledger_id)
    notes: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "tend_epochs", partial(_unless, stores[0], BusyError("is busy")))
        tend_all_epochs(world["ada"], notes)
    assert notes == [f"{stores[0].genesis.name}: this was put off: is busy"]
    assert [world["ada"].epochs.of(one).sealing is None for one in stores] == [True, False]
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "tend_epochs", partial(_unless, stores[0], FullError("is full")))
        with pytest.raises(FullError):
            tend_all_epochs(world["ada"], notes)
    tend_all_epochs(world["ada"], notes)
    assert None not in [world["ada"].epochs.of(one).sealing for one in stores]


def _unless(refusing: Store, error: LedgerError, node: Node, store: Store) -> None:
    if store is refusing:
        raise error
    tend_epochs(node, store)


def test_whoever_was_granted_and_is_missing_in_an_epoch_gets_it_from_an_admin(
    world: World,
) -> None:
    """Bea removes eve while ada, who does not know of it, grants dan."""
    world.add("dan")
    world.acquaint((*NAMES, "dan"))
    share(world["ada"], world.store("ada"), world["ada"].peer_named("dan"), Role.WRITER)
    remove(world, "bea", "eve")
    world.rounds(("ada", "bea", "cyd", "dan"), 4)
    found = {sealing(world, name) for name in ("ada", "bea", "cyd", "dan")}
    assert len(found) == 1
    assert None not in found


def test_what_a_writer_says_of_epochs_counts_for_nothing(world: World) -> None:
    entry = EpochEntry(epoch_id=bytes(8), depth=9, after=(), stanzas={bytes(8): bytes(80)})
    for payload in (entry.to_payload(), b"\xf6"):
        draft = Draft(MEMBERS_THING, payload, world.clock(), action=Action.EPOCH)
        put(world["cyd"], world.store("cyd"), [draft])
    known = world["cyd"].epochs.of(world.store("cyd"))
    assert all(one.entry != entry for one in known.placed)
    assert known.sealing is not None


def test_nonsense_of_an_admin_stops_nobody(world: World) -> None:
    draft = Draft(MEMBERS_THING, b"\xf6", world.clock(), action=Action.EPOCH)
    put(world["bea"], world.store("bea"), [draft])
    world.rounds(NAMES, 2)
    assert sealing(world, "cyd") is not None


def test_epochs_are_read_anew_only_when_facts_change(world: World) -> None:
    ada, store = world["ada"], world.store("ada")
    before = ada.epochs.of(store)
    world.put("ada", "well", 1)
    assert ada.epochs.of(store) is before
    remove(world, "ada", "eve")
    assert ada.epochs.of(store).standing > before.standing


def test_more_revocations_than_an_entry_holds_stop_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = entries(world, "ada")
    monkeypatch.setattr(rotation, "MAX_PAYLOAD_BYTES", 100)
    remove(world, "ada", "eve")
    tend_all_epochs(world["ada"], [])
    assert (entries(world, "ada"), sealing(world, "ada")) == (before, None)


def test_an_admin_who_cannot_open_its_own_epoch_does_not_try_for_ever(world: World) -> None:
    """As where its keys are not those that the ledger knows it by."""
    remove(world, "ada", "eve")
    ada = world["ada"]
    ada.epochs._unwrapper = world["eve"].keys.unwrapper()
    ada.epochs._unwrapped.clear()
    ada.epochs._known.clear()
    assert sealing(world, "ada") is None
    before = entries(world, "ada")
    tend_epochs(ada, world.store("ada"))
    assert entries(world, "ada") == before


def test_no_key_stands_on_a_disk(world: World) -> None:
    world.put("ada", "well", 1)
    world.rounds(NAMES, 2)
    epochs = world["cyd"].epochs.of(world.store("cyd")).opened.values()
    assert epochs
    world.reopen("cyd")
    files = [path for path in world.home("cyd").path.rglob("*") if path.is_file()]
    assert any(path.name == "node.db" for path in files)
    for epoch in epochs:
        for path in files:
            data = path.read_bytes()
            assert epoch.key not in data, path
            assert epoch.key.hex().encode() not in data, path


def test_names_of_what_waits_for_a_group_are_those_of_its_epoch(world: World) -> None:
    world.put("ada", "well", 1)
    world.exchange("ada", "fresh")
    epoch = sealing(world, "ada")
    assert epoch is not None
    (name,) = world["ada"].spool.outbox.queued(epoch.epoch_id.hex())
    number = bytes.fromhex(name.bundle_id)
    for one in NAMES[1:]:
        assert world[one].groups.hinted(bytes.fromhex(name.hint), number) == epoch.epoch_id.hex()
    assert isinstance(name, BundleName)
