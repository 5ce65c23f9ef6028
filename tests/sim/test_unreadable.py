"""One ledger file of a node rots: all others go on, of that one nothing is lost or told wrongly.

The ledger that rots is "log"; "other" stays as it is.
"""

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundler.content import pack_group
from bundler.log_section import LogSection
from bundler.seal import Sealer
from bundler.sealed import Header, bundle_id
from bundler.whole import Whole
from ledger.errors import DamagedError, DiskError
from ledger.log import LogState
from ledger.members import Role, members
from ledger.store import Store
from pannier import content_rows, unreadable
from pannier.adding import Adding
from pannier.clear import travelling
from pannier.cli.repair import repair_each
from pannier.errors import BusyError
from pannier.exchange import exchange_medium
from pannier.have import NOTHING_SAID, OwnHave, known_have, own_have
from pannier.home import Peer
from pannier.housekeeping import keep_house
from pannier.import_report import Outcome, Report
from pannier.importing import import_arrived
from pannier.joining import join_arrived
from pannier.judging import retry
from pannier.links.answering import Have, Want, answer, keep_file
from pannier.links.cargo import digest_of
from pannier.links.listening import Listener
from pannier.links.offering import CONTENT_BYTES, Offering
from pannier.loads import Look
from pannier.membership import revoke, share
from pannier.new_ledgers import NewLedgers
from pannier.node import Node
from pannier.oneway import pack, unpack
from pannier.out_bundle import OutBundle, withdraw
from pannier.overview import overview
from pannier.repairing import repair_node_db
from pannier.rollback import begin_anew
from pannier.sending import prepare
from pannier.taken_along import look_again, note_doubt
from spool.delivery import Delivery, Receipt
from spool.name import BundleName, FragmentName
from spool.partial import Piece
from spool.quotas import Quotas
from tests.bundler.doubles import CountedEntropy, CountedWrapper
from tests.sim.attacks import EXPIRY_DAYS, raw_section, stamp_of
from tests.sim.world import World, assert_equal, data_queue, entries_of, facts, fragments
from transports.link.frame import Label, OneWay
from transports.link.wares import FRAGMENTS, Ware

BOTH = ("ada", "bea")
LEDGERS = ("log", "other")
PAGE = 4096


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two nodes with two ledgers, who know what the other holds."""
    with World(tmp_path) as world:
        for ledger in LEDGERS:
            world.found("ada", "bea", ledger=ledger)
            world.put("ada", "well", 1, ledger)
            world.rounds(BOTH, 1)
        settle(world)
        yield world


def settle(world: World) -> None:
    world.rounds(BOTH, 4)
    for ledger in LEDGERS:
        assert_equal(world, BOTH, ledger)


def assert_same_other(world: World) -> None:
    """Both know the same of the ledger that is as it was."""
    ada, bea = (facts(world.store(name, "other")) for name in BOTH)
    assert ada == bea


def assert_told_all_of_other(world: World) -> None:
    """Bea knows what ada holds of the ledger that is as it was."""
    bea, ada = node_and_peer(world, "bea", "ada")
    told, other = known_have(bea, ada).logs, world.store("ada", "other")
    sizes = {log.name: log.size for log in other.logs() if log.size}
    assert {log: one.size for (ledger, log), one in told.items() if ledger == other.ledger_id} == (
        sizes
    )


class Spoilt:
    """A ledger file of a node that cannot be read, until somebody puts it right."""

    def __init__(self, world: World, name: str = "ada", ledger: str = "log") -> None:
        store = world.store(name, ledger)
        self.world, self.name = world, name
        self.path, self.ledger_id = store.path, store.ledger_id
        world.reopen(name)
        self._good = self.path.read_bytes()

    def wholly(self) -> "Spoilt":
        """Nothing of it means anything."""
        self.path.write_bytes(b"nothing of a ledger" * 1000)
        return self

    def as_of_a_later_version(self) -> "Spoilt":
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("PRAGMA user_version = 2")
        return self

    def deep_inside(self, table: str) -> "Spoilt":
        """It opens; what is in a table cannot be read."""
        select = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        with closing(sqlite3.connect(self.path)) as db:
            (root,) = db.execute(select, [table]).fetchone()
        data = bytearray(self.path.read_bytes())
        data[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
        self.path.write_bytes(data)
        return self

    def mend(self) -> None:
        """As a repair does that saves all."""
        self.world.reopen(self.name)
        self.mend_under_way()

    def mend_under_way(self) -> None:
        """As by another process."""
        mended = self.path.with_suffix(".mended")
        mended.write_bytes(self._good)
        mended.replace(self.path)


@pytest.fixture(params=["damaged", "of a later version"])
def spoilt(world: World, request: pytest.FixtureRequest) -> Spoilt:
    """The first ledger of ada is not to be read any more."""
    spoilt = Spoilt(world)
    return spoilt.wholly() if request.param == "damaged" else spoilt.as_of_a_later_version()


def node_and_peer(world: World, name: str = "ada", other: str = "bea") -> tuple[Node, Peer]:
    return world[name], world[name].peer_named(other)


def about(node: Node, spoilt: Spoilt, peer: Peer) -> list[OutBundle]:
    """The queued bundles of a node for a peer with something of a ledger."""
    queued = [*node.db.bundles(peer.node_id), *node.db.group_bundles(peer.node_id)]
    return [
        bundle
        for bundle in queued
        if any(one == spoilt.ledger_id for one, _, _ in node.db.spans(bundle.bundle_id))
    ]


def add_file(world: World, ledger: str, length: int) -> None:
    path = world.folder / "files" / f"in {ledger}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(random.Random(ledger).randbytes(length))
    assert list(Adding(world["ada"], world.store("ada", ledger)).run([path]))


def on(stick: Path, bundle: OutBundle) -> bool:
    return any(bundle.bundle_id in path.name for path in fragments(stick))


def quarantined(node: Node) -> list[object]:
    return list(node.spool.quarantine.list())


# -- the others -----------------------------------------------------------------------------------


def test_all_others_go_on_and_it_is_said(world: World, spoilt: Spoilt) -> None:
    world.put("ada", "by ada", 1, "other")
    world.put("bea", "by bea", 2, "other")
    world.rounds(BOTH, 3)
    assert_same_other(world)
    assert data_queue(world["ada"]) == data_queue(world["bea"]) == []
    (said,) = unreadable.problems(world["ada"])
    assert str(spoilt.path) in said
    assert said.endswith("; until then all that is of it waits")
    assert "\n" not in said
    spoilt.mend()
    assert world.has("ada")
    assert unreadable.problems(world["ada"]) == []


def test_by_single_files_too(world: World, spoilt: Spoilt, tmp_path: Path) -> None:
    world.put("ada", "by ada", 1, "other")
    world.put("bea", "by bea", 2, "other")
    for name, other in (BOTH, BOTH[::-1]):
        node, peer = node_and_peer(world, name, other)
        pack(node, peer, tmp_path / other, mtu=None, repair_percent=None)
        unpack(world[other], [tmp_path / other])
    assert_same_other(world)
    assert not world.has("ada")


@pytest.mark.parametrize("table", ["entry", "log", "checkpoint", "node"])
def test_also_where_the_damage_shows_only_in_the_middle(world: World, table: str) -> None:
    """It opens, and what bea lacks of it, or what came for it, lies on a page that is gone."""
    for ledger in LEDGERS:
        world.put_many("ada", 600, "field", ledger)
        world.put("bea", "by bea", 2, ledger)
    world.exchange("bea")
    spoilt = Spoilt(world).deep_inside(table)
    for name in ("ada", "bea", "ada"):
        world.exchange(name)
    assert_same_other(world)
    if table != "node":  # which only some questions need
        assert spoilt.ledger_id in world["ada"].unreadable
    assert quarantined(world["ada"]) == []
    spoilt.mend()
    settle(world)


def rename_a_thing(path: Path) -> None:
    """As one wrong bit does."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE thing SET name = char(20) || 'ield/7' WHERE name = 'field/7'")


def drop_the_last_signature(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)")


def drop_entries(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id DESC LIMIT 9)")


def test_also_where_no_signature_is_left_of_what_a_removed_member_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", "cyd")
        world.found("ada", "cyd", ledger="other")
        world.rounds(("ada", "bea", "cyd"), 3)
        world.put_many("bea", 6)
        world.rounds(("bea", "ada"), 1)
        bea = world["bea"].card.author
        store, log = remove_after_three(world, bea, monkeypatch)
        world.put("ada", "by ada", 1, "other")
        world.reopen("ada")
        with closing(sqlite3.connect(store.path)) as db, db:
            db.execute("DELETE FROM checkpoint WHERE log = ?", [log.row])
        assert world.exchange("ada", "fresh").problems == []
        (said,) = unreadable.problems(world["ada"])
        assert f"{store.path} is damaged" in said
        world.exchange("cyd", "fresh")
        both = [set(entries_of(world.store(name, "other"))) for name in ("ada", "cyd")]
        assert both[0] == both[1]


def remove_after_three(
    world: World, author: bytes, monkeypatch: pytest.MonkeyPatch
) -> tuple[Store, LogState]:
    """Let ada remove somebody of whose log only three entries were known; return where it is."""
    store = world.store("ada")
    with monkeypatch.context() as patched:
        known = lambda store, author, _: {  # noqa: E731
            log.name.incarnation: 3 for log in store.logs() if log.name.author == author
        }
        patched.setattr("pannier.membership.sizes_to_keep", known)
        revoke(world["ada"], store, [author])
    (log,) = [log for log in store.logs() if log.name.author == author]
    assert log.size > 3
    return store, log


@pytest.mark.parametrize("spoil", [rename_a_thing, drop_the_last_signature, drop_entries])
def test_also_what_was_never_written_so_although_it_can_be_read(
    world: World, spoil: Callable[[Path], None]
) -> None:
    world.put_many("ada", 100, "field")
    world.put("ada", "by ada", 1, "other")
    path = world.store("ada").path
    world.reopen("ada")
    spoil(path)
    done = world.exchange("ada")
    assert done.problems == []
    (said,) = unreadable.problems(world["ada"])
    assert f"{path} is damaged" in said
    assert "verify --repair" in said
    world.exchange("bea")
    assert_same_other(world)


class Late:
    """Damage in ada's first ledger that shows only when contents of files are looked for."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        add_file(world, "log", 1000)
        store = world.store("ada")
        self.path, self.ledger_id, self.seen = store.path, store.ledger_id, 0
        real = Look.lacking

        def lacking(look: Look) -> Iterator[object]:
            node = look.way.node
            stores = look.way.stores
            if node is world["ada"] and any(one.ledger_id == self.ledger_id for one in stores):
                self.seen += 1
                error = DamagedError("an entry is not what it was")
                error.path = self.path
                raise error
            yield from real(look)

        world.reopen("ada")
        patch.setattr(Look, "lacking", lacking)


def test_what_shows_late_is_known_to_the_next_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch of the ledger is known, of which only who reads it tells."""
    world.add("cyd")
    world.acquaint(("ada", "cyd"))
    share(world["ada"], world.store("ada"), world["ada"].peer_named("cyd"), Role.WRITER)
    world.rounds(("ada", "cyd"), 3, "to cyd")
    copy = world.back_up("cyd")
    for number in range(2):
        world.put("cyd", "branch", number)
        world.exchange("cyd", f"branch {number}")
        world.exchange("ada", f"branch {number}")
        world.restore("cyd", copy)
    settle(world)
    late = Late(world, monkeypatch)
    world.exchange("ada", "fresh")
    (said,) = unreadable.problems(world["ada"])
    count = world["ada"].counting.counter()
    for _ in range(3):
        world.reopen("ada")
        world.exchange("bea", "fresh")
        assert world.exchange("ada", "fresh").written == {}
        assert unreadable.problems(world["ada"]) == [said]
        world.clock.pass_days(1)
    assert world["ada"].counting.counter() == count, "nothing was made"
    assert late.seen == 2, "it has to show twice"
    assert world.has("ada", "other")


@pytest.mark.parametrize("is_written_to", [False, True])
def test_what_shows_late_in_each_process_keeps_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_written_to: bool
) -> None:
    """Also where the file is another each time, as after a `put`."""
    late = Late(world, monkeypatch)
    for number in range(3):
        world.put("bea", "by bea", number, "other")
        world.reopen("ada")
        if is_written_to:
            world.put("ada", "by ada", number)
            world.reopen("ada")
        world.exchange("bea")
        world.exchange("ada")
    assert late.seen == (6 if is_written_to else 2)
    world.exchange("bea")
    assert data_queue(world["bea"]) == []
    assert_told_all_of_other(world)


def test_what_a_look_at_all_of_it_finds_sound_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it was the memory that failed, and not the disk."""
    with monkeypatch.context() as patch:
        Late(world, patch)
        world.exchange("ada")
    world.reopen("ada")
    world.exchange("ada")
    assert len(unreadable.problems(world["ada"])) == 1
    assert list(repair_each(world["ada"])) == []
    for _ in range(2):
        assert unreadable.problems(world["ada"]) == []
        world.put("ada", "by ada", 1)
        settle(world)
        world.reopen("ada")


def test_a_disk_that_refuses_is_no_damage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> Store:
        raise DiskError("too many open files")

    world.reopen("ada")
    monkeypatch.setattr("pannier.open_ledgers.Store.open", refusing)
    with pytest.raises(DiskError):
        exchange_medium(world["ada"], world.stick())


# -- what is said ---------------------------------------------------------------------------------


def test_peers_are_told_neither_that_it_is_gone_nor_anything_else(
    world: World, spoilt: Spoilt
) -> None:
    bea, ada = node_and_peer(world, "bea", "ada")
    before = {key: one for key, one in known_have(bea, ada).logs.items() if one.size}
    assert any(ledger == spoilt.ledger_id for ledger, _ in before)
    for number in range(3):
        world.put("ada", "by ada", number, "other")
        world.put("bea", "by bea", number, "other")
        world.rounds(BOTH, 2)
    now = known_have(bea, ada).logs
    for key, one in before.items():
        if key[0] == spoilt.ledger_id:
            assert now[key] == one
    assert any(one.size > before[key].size for key, one in now.items() if key in before)
    state = bea.db.peer(ada.node_id).have
    assert state is not None
    assert state.whole == state.counter, "what it says leads to what it is known to hold"
    assert about(bea, spoilt, ada) == [], "nothing is sent again"


def test_nothing_of_it_is_told_in_clear_where_that_was_agreed_on_since(world: World) -> None:
    """It may be confidential, and what bea was told of it was sealed."""
    Spoilt(world).wholly()
    world.configure("ada", "[peer.bea]\nclear = true\n")
    ada, bea = node_and_peer(world)
    prepare(ada, bea)
    assert own_have(ada, bea, travelling(ada, bea)) is NOTHING_SAID


def test_others_are_not_left_out_for_it_where_there_are_very_many_logs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    sound = sum(log.size > 0 for store in ada.ledgers() for log in store.logs())
    said = own_have(ada, bea, list(ada.ledgers()))
    monkeypatch.setattr("pannier.have.MAX_LOGS", sound)
    assert said is not NOTHING_SAID
    assert own_have(ada, bea, list(ada.ledgers())) is NOTHING_SAID


def test_who_forgot_all_is_told_all_with_what_it_was_told_before(
    world: World, spoilt: Spoilt
) -> None:
    world.forget("bea")
    world.rounds(BOTH, 4)
    bea, ada = node_and_peer(world, "bea", "ada")
    assert any(ledger == spoilt.ledger_id for ledger, _ in known_have(bea, ada).logs)
    assert about(bea, spoilt, ada) == []


def test_of_what_older_panniers_told_nothing_is_said_until_it_can_be_read(world: World) -> None:
    """They kept a digest of it; who can read the ledger keeps what it was from the next time on."""
    ada, bea = node_and_peer(world)
    with ada.db.transaction():
        ada.db.run("UPDATE told SET mark = substr(mark, 1, 8)")
    spoilt = Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    assert own_have(ada, bea, list(ada.ledgers())) is NOTHING_SAID
    spoilt.mend()
    world.put("bea", "by bea", 1, "other")
    settle(world)
    Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    assert own_have(ada, bea, list(ada.ledgers())) is not NOTHING_SAID


def test_who_forgot_what_it_told_says_nothing_of_what_it_holds(
    world: World, spoilt: Spoilt
) -> None:
    world["ada"].close()
    repair_node_db(world["ada"])
    ada, bea = node_and_peer(world)
    assert own_have(ada, bea, list(ada.ledgers())) is NOTHING_SAID
    world.put("ada", "by ada", 1, "other")
    world.put("bea", "by bea", 1, "other")
    world.rounds(BOTH, 3)
    assert_same_other(world)
    assert own_have(ada, bea, list(ada.ledgers())) is NOTHING_SAID
    spoilt.mend()
    settle(world)


@pytest.mark.parametrize("has_heard", [False, True])
def test_who_forgot_all_by_a_loss_tells_nobody_that_it_is_gone(
    world: World, *, has_heard: bool
) -> None:
    world.put_many("bea", 50, "field")
    settle(world)
    world.forget("ada")
    spoilt = Spoilt(world).wholly()
    if has_heard:
        world.exchange("bea", "first")
        world.exchange("ada", "first")
    bea, ada = node_and_peer(world, "bea", "ada")
    before = known_have(bea, ada).logs
    world.exchange("ada", "fresh")
    world.exchange("bea", "fresh")
    now = known_have(bea, ada).logs
    assert {key: one for key, one in now.items() if key[0] == spoilt.ledger_id} == {
        key: one for key, one in before.items() if key[0] == spoilt.ledger_id
    }
    assert about(bea, spoilt, ada) == []


# -- what comes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_long", [False, True])
def test_what_comes_for_it_waits_and_is_taken_in_by_itself(
    world: World, spoilt: Spoilt, *, is_long: bool
) -> None:
    """As tails, which name a log by a hash alone, or as sections."""
    for ledger in LEDGERS:
        world.put_many("bea", 600 if is_long else 1, "field", ledger)
    world.exchange("bea")
    done = world.exchange("ada")
    ada, bea = world["ada"], world["ada"].peer_named("bea")
    assert Outcome.HELD in done.report.outcomes.values()
    assert not {Outcome.REFUSED, Outcome.UNFOUNDED} & set(done.report.outcomes.values())
    assert done.problems == []
    assert quarantined(ada) == []
    (name,) = ada.spool.held.names()
    assert not ada.db.owes(bea.node_id, name.bundle_id), "it is not acknowledged"
    assert_same_other(world)
    for _ in range(2):
        world.clock.pass_days(2)
        world.rounds(BOTH, 1)
        keep_house(ada)
    assert ada.spool.held.names() == [name]
    assert data_queue(world["bea"]) == [name.bundle_id]
    spoilt.mend()
    report = import_arrived(world["ada"])
    assert report.outcomes[name.bundle_id] is Outcome.MERGED
    assert_equal(world, BOTH)
    world.rounds(BOTH, 2)
    assert data_queue(world["bea"]) == []


def test_a_repair_brings_it_all_back(world: World) -> None:
    world.put("bea", "by bea", 1)
    world.exchange("bea")
    Spoilt(world).deep_inside("entry")
    world.exchange("ada")
    assert len(list(repair_each(world["ada"]))) == 1
    world.reopen("ada")
    settle(world)
    assert world["ada"].spool.held.names() == []


def test_it_waits_too_where_a_repair_finds_nothing_in_the_file(world: World) -> None:
    world.put("bea", "by bea", 1)
    world.exchange("bea")
    Spoilt(world).wholly()
    world.exchange("ada")
    assert world["ada"].spool.held.names()
    (repaired,) = repair_each(world["ada"])
    assert repaired.salvaged is None
    world.reopen("ada")
    settle(world)


def test_beginning_anew_waits_for_it(world: World, spoilt: Spoilt) -> None:
    ada = world["ada"]
    logs = {store.ledger_id: len(store.log_names()) for store in ada.ledgers()}
    begin_anew(ada, above=ada.counting.incarnation())
    import_arrived(ada)
    world.put("ada", "by ada", 1, "other")
    other = world.store("ada", "other")
    assert len(other.log_names()) == logs[other.ledger_id] + 1
    spoilt.mend()
    import_arrived(world["ada"])
    world.put("ada", "by ada", 1)
    assert len(world.store("ada").log_names()) == len(world.store("bea").log_names()) + 1


# -- what goes ------------------------------------------------------------------------------------


def test_what_was_made_from_it_stays_and_goes_nowhere(world: World) -> None:
    for ledger in LEDGERS:
        world.put("ada", "by ada", 1, ledger)
    world.exchange("ada", "lost")
    spoilt = Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    (bundle,) = about(ada, spoilt, bea)
    for _ in range(2):
        world.exchange("ada", "fresh")
        keep_house(ada)
    assert about(ada, spoilt, bea) == [bundle]
    assert BundleName.from_text(bundle.name) in ada.spool.outbox.queued(bea.node_id)
    assert not on(world.stick("fresh"), bundle)
    assert on(world.stick("lost"), bundle), "what lies on a medium still arrives"
    world.exchange("bea", "fresh")
    assert_same_other(world)
    spoilt.mend()
    world.exchange("ada", "fresh")
    assert on(world.stick("fresh"), bundle)
    world.rounds(BOTH, 3, "fresh")
    settle(world)


def test_also_what_no_carrier_took(world: World) -> None:
    world.put("ada", "by ada", 1)
    prepare(*node_and_peer(world))
    spoilt = Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    (bundle,) = about(ada, spoilt, bea)
    assert all(one.control for one in prepare(ada, bea)), "what it said of this node goes alone"
    assert about(ada, spoilt, bea) == [bundle]
    spoilt.mend()
    settle(world)


@pytest.mark.parametrize("is_handed_out", [False, True])
def test_what_is_said_in_it_of_the_others_is_said_without_it(
    world: World, *, is_handed_out: bool
) -> None:
    """A receipt and what is held ride with entries of the ledger that cannot be read then."""
    world.put("bea", "by bea", 1, "other")
    world.exchange("bea")
    world.put("ada", "by ada", 1)
    exchange_medium(world["ada"], world.stick(), peers=None if is_handed_out else [])
    prepare(*node_and_peer(world))
    spoilt = Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    made = about(ada, spoilt, bea)
    assert len(made) == 1
    assert ada.db.peer(bea.node_id).told is not None
    for _ in range(2):
        world.rounds(BOTH, 1, "fresh")
    assert data_queue(world["bea"]) == [], "it was told that its bundle is merged"
    assert_told_all_of_other(world)
    assert about(ada, spoilt, bea) == made
    said = world["ada"].counting.counter()
    world.rounds(BOTH, 3, "fresh")
    assert world["ada"].counting.counter() == said, "it is said once"
    spoilt.mend()
    settle(world)


def test_a_receipt_for_it_counts(world: World) -> None:
    world.put("ada", "by ada", 1)
    world.exchange("ada")
    spoilt = Spoilt(world).wholly()
    world.exchange("bea")
    assert len(about(world["ada"], spoilt, world["ada"].peer_named("bea"))) == 1
    world.exchange("ada")
    assert about(world["ada"], spoilt, world["ada"].peer_named("bea")) == []


@pytest.mark.parametrize("is_ended", [False, True])
def test_who_cannot_answer_gets_nothing_again_that_it_was_sent_with_it(
    world: World, *, is_ended: bool
) -> None:
    world.configure("ada", "[peer.bea]\noneway = true\nrepeat = 2\nexpiry_days = 20\n")
    for ledger in LEDGERS:
        world.put_many("ada", 30, "field", ledger)
    for stick in ("one", "two"):
        assert world.exchange("ada", stick).written
    if is_ended:
        world.clock.pass_days(40)
        world.exchange("bea", "two")
        world.clock.pass_days(40)
    assert world.exchange("ada", "three").written == {}
    Spoilt(world).wholly()
    assert world.exchange("ada", "four").written == {}
    assert overview(world["ada"]).peers[0].unpacked == 0
    world.put("ada", "by ada", 1, "other")
    assert world.exchange("ada", "five").written


def test_what_a_link_offered_just_before_is_not_handed_out(world: World) -> None:
    world.put("ada", "by ada", 1)
    ada, bea = node_and_peer(world)
    link = Offering(bea.node_id, "tcp x", "tcp", carries=False)
    (ware,) = link.plan(ada, frozenset()).wares
    spoilt = Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    assert link.contents(ada, ware) is None
    (bundle,) = about(ada, spoilt, bea)
    assert bundle.written == 0
    spoilt.mend()
    assert link.contents(world["ada"], ware) is not None


def test_contents_of_it_that_wait_for_a_link_take_no_room_of_others(world: World) -> None:
    add_file(world, "log", CONTENT_BYTES)
    add_file(world, "other", 100_000)
    ada, bea = node_and_peer(world)
    link = Offering(bea.node_id, "tcp x", "tcp", carries=True)
    assert link.plan(ada, frozenset()).is_cut
    spoilt = Spoilt(world).wholly()
    ada, bea = node_and_peer(world)
    plan = link.plan(ada, frozenset())
    offered = {ware.bundle_id.hex() for ware in plan.wares}
    assert not offered & {one.bundle_id for one in about(ada, spoilt, bea)}
    assert offered & content_rows.queued(ada.db, bea.node_id)
    assert not plan.is_cut


def test_what_was_taken_in_with_it_goes_again_to_who_lost_it(world: World) -> None:
    """It was confirmed, and is not taken for something that the peer leaves out."""
    for ledger in LEDGERS:
        world.put_many("ada", 5, "field", ledger)
    world.exchange("ada")
    Spoilt(world).wholly()
    world.rounds(BOTH[::-1], 2)
    ada, bea = node_and_peer(world)
    assert ada.db.bundles(bea.node_id, "left out") == []
    path = world.store("bea", "other").path
    world.reopen("bea")
    path.unlink()
    world.rounds(BOTH, 3)
    assert_same_other(world)


def test_what_was_left_out_with_it_is_no_reason_to_keep_back_the_others(world: World) -> None:
    for ledger in LEDGERS:
        world.put_many("ada", 5, "field", ledger)
    world.exchange("ada")
    ada, bea = node_and_peer(world)
    (bundle,) = [one for one in ada.db.bundles(bea.node_id) if not one.control]
    withdraw(ada, bundle, "left out", "as bea was once")
    Spoilt(world).wholly()
    world.rounds(BOTH, 2, "fresh")
    assert_same_other(world)


# -- who ------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path: Path) -> Iterator[World]:
    """With cyd ada shares the first ledger alone."""
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        for ledger in LEDGERS:
            world.found("ada", "bea", ledger=ledger)
            world.put("ada", "well", 1, ledger)
        share(world["ada"], world.store("ada"), world["ada"].peer_named("cyd"), Role.WRITER)
        world.rounds(world.names, 4)
        yield world


def test_who_was_removed_gets_no_more_and_hears_no_more(three: World) -> None:
    three.put("ada", "by ada", 1)
    three.exchange("ada", "lost")
    revoke(three["ada"], three.store("ada"), [three["ada"].peer_named("cyd").card.author])
    spoilt = Spoilt(three).wholly()
    three.put("ada", "by ada", 1, "other")
    three.put("cyd", "by cyd", 1)
    three.exchange("cyd", "fresh")
    ada, cyd = node_and_peer(three, "ada", "cyd")
    before = ada.db.bundles(cyd.node_id)
    made = about(ada, spoilt, cyd)
    assert made
    for _ in range(3):
        three.exchange("ada", "fresh")
        assert not any(on(three.stick("fresh"), one) for one in made)
        assert {one.bundle_id for one in ada.db.bundles(cyd.node_id)} <= {
            one.bundle_id for one in before
        }
        three.clock.pass_days(31)
    assert all(one.control for one in prepare(ada, cyd)), "a note from before it was removed"
    spoilt.mend()
    three.exchange("ada", "fresh")
    ada, cyd = node_and_peer(three, "ada", "cyd")
    assert cyd.card.author not in members(three.store("ada"))
    assert about(ada, spoilt, cyd) == []


def test_who_is_known_through_it_alone_is_not_dropped(three: World) -> None:
    three.put("ada", "by ada", 1)
    three.exchange("ada", "lost")
    spoilt = Spoilt(three).wholly()
    ada, cyd = node_and_peer(three, "ada", "cyd")
    (bundle,) = about(ada, spoilt, cyd)
    three.put("cyd", "by cyd", 1)
    three.rounds(("cyd", "ada"), 3)
    assert cyd.node_id in ada.peers
    assert about(ada, spoilt, cyd) == [bundle]
    spoilt.mend()
    three.rounds(three.names, 4)
    assert_equal(three, three.names)


# -- what is for all members ----------------------------------------------------------------------


def group_bundle(world: World) -> OutBundle:
    """Have ada make a bundle for all members, onto the stick "fresh"."""
    world.put("ada", "by ada", 2)
    world.exchange("ada", "fresh")
    ada = world["ada"]
    (bundle,) = [one for one in ada.db.queued_bundles() if one.peer not in ada.peers]
    assert on(world.stick("fresh"), bundle)
    return bundle


def test_what_its_keys_would_open_stays_on_the_medium(three: World) -> None:
    bundle = group_bundle(three)
    spoilt = Spoilt(three, "bea").wholly()
    for _ in range(2):
        done = three.exchange("bea", "fresh")
        assert done.problems == []
    assert on(three.stick("fresh"), bundle)
    assert quarantined(three["bea"]) == []
    spoilt.mend()
    three.exchange("bea", "fresh")
    assert set(entries_of(three.store("bea"))) == set(entries_of(three.store("ada")))


def test_what_it_took_along_for_others_is_its_own_again(three: World) -> None:
    """A stick that is seen once, by who carries for others."""
    group_bundle(three)
    spoilt = Spoilt(three, "bea").wholly()
    assert three.exchange("bea", "fresh").collected.carried
    import_arrived(three["bea"])
    assert three["bea"].spool.carried.known()
    spoilt.mend()
    report = import_arrived(three["bea"])
    assert Outcome.MERGED in report.outcomes.values()
    assert set(entries_of(three.store("bea"))) == set(entries_of(three.store("ada")))
    assert three["bea"].spool.carried.known(), "others may lack it"
    assert import_arrived(three["bea"]).outcomes == {}


def too_large(node: Node, group: str, *, low: bool) -> tuple[FragmentName, bytes]:
    """What a member makes that is as long as it likes, and that is looked at first, or last."""
    digits = "01" if low else "ef"
    sealed = next(
        one
        for one in (bytes([number]) * 9000 for number in range(256))
        if bundle_id(one).hex()[0] in digits
    )
    return for_group(node, group, sealed)


def for_group(node: Node, group: str, sealed: bytes) -> tuple[FragmentName, bytes]:
    """What any member can make: it need not open."""
    number = bundle_id(sealed)
    hint = node.groups.hint_to(group, number)
    name = FragmentName(4, EXPIRY_DAYS, hint.hex(), number.hex(), 0)
    return name, Whole(hint=hint, sealed=sealed).to_bytes()


def test_what_finds_no_room_keeps_out_nothing_else_that_was_taken_along(
    three: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    large = dict(too_large(three["ada"], bundle.peer, low=low) for low in (False, True))
    spoilt = Spoilt(three, "bea").wholly()
    heard(Listener(three["bea"]), path, 1)
    bea = three["bea"]
    bea.spool.carried.take(large, "stick", today_days=bea.time.past_day())
    spoilt.mend()
    bea = three["bea"]
    monkeypatch.setattr(bea.spool.inbox, "_quotas", Quotas(inbox_bytes=8192))
    assert import_arrived(bea).outcomes == {bundle.bundle_id: Outcome.MERGED}
    monkeypatch.undo()
    assert len(import_arrived(three["bea"]).outcomes) == len(large), "they are tried again"
    assert import_arrived(three["bea"]).outcomes == {}


def test_what_the_disk_does_not_give_keeps_out_nothing_else_that_was_taken_along(
    three: World,
) -> None:
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    names = dict(too_large(three["ada"], bundle.peer, low=low) for low in (False, True))
    spoilt = Spoilt(three, "bea").wholly()
    heard(Listener(three["bea"]), path, 1)
    bea = three["bea"]
    bea.spool.carried.take(names, "stick", today_days=bea.time.past_day())
    for name in names:
        (kept,) = bea.home.spool.glob(f"carry/*/{name.to_text()}*")
        os.truncate(kept, (17 << 20) + 1)
    spoilt.mend()
    assert import_arrived(three["bea"]).outcomes == {bundle.bundle_id: Outcome.MERGED}
    assert import_arrived(three["bea"]).outcomes == {}


def test_what_was_taken_along_by_the_hundred_is_taken_in_together(
    three: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the whole inbox is listed, and flushed."""
    group = group_bundle(three).peer
    spoilt = Spoilt(three, "bea").wholly()
    bea = three["bea"]
    files = dict(for_group(three["ada"], group, bytes([number]) * 500) for number in range(100))
    bea.spool.carried.take(files, "stick", today_days=bea.time.past_day())
    note_doubt(bea)
    spoilt.mend()
    inbox = three["bea"].spool.inbox
    times, receive = list[int](), inbox.receive

    def counted(deliveries: list[Delivery]) -> Receipt:
        times.append(len(deliveries))
        return receive(deliveries)

    monkeypatch.setattr(inbox, "receive", counted)
    look_again(three["bea"])
    assert times == [len(files)]
    assert len(inbox.known()) == len(files)


def test_what_was_taken_along_is_taken_in_though_it_is_more_than_goes_together(
    three: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what gives way to the more urgent for now is tried again."""
    group = group_bundle(three).peer
    spoilt = Spoilt(three, "bea").wholly()
    bea = three["bea"]
    made = dict(for_group(three["ada"], group, bytes([number]) * 500) for number in range(21))
    names = sorted(made, key=lambda name: name.bundle_id)
    files = {
        replace(name, priority=4 if number < 10 else 0): made[name]
        for number, name in enumerate(names)
    }
    bea.spool.carried.take(files, "stick", today_days=bea.time.past_day())
    note_doubt(bea)
    spoilt.mend()
    monkeypatch.setattr("pannier.taken_along._TOGETHER_BYTES", 2000)
    inbox = three["bea"].spool.inbox
    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_quotas", Quotas(inbox_bytes=11 * 4096))
        look_again(three["bea"])
    assert len(inbox.known()) < len(files)
    look_again(three["bea"])
    assert len(inbox.known()) == len(files)


def offered_file(path: Path) -> Ware:
    """What a link offers that has it."""
    name, data = FragmentName.from_text(path.name), path.read_bytes()
    return Ware(
        key=None,
        kind=FRAGMENTS,
        priority=name.priority,
        expiry_days=name.expiry_days,
        hint=bytes.fromhex(name.hint),
        bundle_id=bytes.fromhex(name.bundle_id),
        size=len(data),
        payload_id=name.payload_id,
        digest=digest_of(data),
    )


def heard(listener: Listener, bundle: Path, now_us: int) -> None:
    """What a carousel sends, and that nobody answers."""
    name, body = FragmentName.from_text(bundle.name), bundle.read_bytes()
    label = Label(name.priority, name.expiry_days, bytes.fromhex(name.hint))
    listener.take(OneWay(label, body), now_us)
    listener.flush()


def test_what_was_heard_and_taken_along_is_its_own_again_although_nothing_was_imported_meanwhile(
    three: World,
) -> None:
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    spoilt = Spoilt(three, "bea").wholly()
    heard(Listener(three["bea"]), path, 1)
    assert three["bea"].spool.carried.known()
    spoilt.mend()
    report = import_arrived(three["bea"])
    assert report.outcomes == {bundle.bundle_id: Outcome.MERGED}


def test_what_a_stick_brought_is_its_own_again_although_nothing_was_imported_meanwhile(
    three: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = group_bundle(three)
    spoilt = Spoilt(three, "bea").wholly()

    def killed(_: Node) -> Report:
        raise BusyError("another process is importing")

    with monkeypatch.context() as patched:
        patched.setattr("pannier.exchange.import_arrived", killed)
        with pytest.raises(BusyError):
            three.exchange("bea", "fresh")
    assert three["bea"].spool.carried.known()
    spoilt.mend()
    report = import_arrived(three["bea"])
    assert report.outcomes[bundle.bundle_id] is Outcome.MERGED


@pytest.mark.parametrize("is_mended_first", [False, True])
def test_what_a_link_brought_is_its_own_again_although_nothing_was_imported_meanwhile(
    three: World, *, is_mended_first: bool
) -> None:
    """Mended while it came, or after that."""
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    spoilt, bea, data = Spoilt(three, "bea").wholly(), three["bea"], path.read_bytes()
    want = answer(bea, offered_file(path), "linkada", carries=True)
    assert isinstance(want, Want)
    bea.spool.partials.begin(want.part, len(data))
    bea.spool.partials.replace(want.part, [Piece(0, data)])
    if is_mended_first:
        spoilt.mend_under_way()
    assert isinstance(keep_file(bea, want), Have)
    spoilt.mend()
    report = import_arrived(three["bea"])
    assert report.outcomes == {bundle.bundle_id: Outcome.MERGED}


@pytest.mark.parametrize("carry_bytes", [0, 1 << 20])
def test_who_listens_since_before_the_repair_takes_it_in(three: World, carry_bytes: int) -> None:
    three.configure("bea", f"[spool]\ncarry_bytes = {carry_bytes}\n")
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    spoilt = Spoilt(three, "bea").wholly()
    bea = three["bea"]
    listener = Listener(bea)
    for now_us in (1, 2):
        heard(listener, path, now_us)
    assert listener.take_report().outcomes == {}
    spoilt.mend_under_way()
    heard(listener, path, 10_000_000)
    assert listener.take_report().outcomes == {bundle.bundle_id: Outcome.MERGED}


def test_what_is_mended_while_others_are_told_what_is_held_is_not_told_to_be_gone(
    world: World, spoilt: Spoilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent was chosen without it; what is said of it a moment later must be so, too."""
    bea, peer = node_and_peer(world, "bea", "ada")
    before = {key: one for key, one in known_have(bea, peer).logs.items() if one.size}
    mended: list[Path] = []

    def mending(*what: Any, **options: Any) -> OwnHave:
        spoilt.mend_under_way()
        mended.append(spoilt.path)
        return own_have(*what, **options)

    monkeypatch.setattr("pannier.notice.own_have", mending)
    world.put("ada", "late", 1, ledger="other")
    world.exchange("ada")
    assert mended
    assert len(unreadable.problems(world["ada"])) == 1  # it was left out, which is told
    monkeypatch.undo()
    world.exchange("bea")
    now = {key: one for key, one in known_have(bea, peer).logs.items() if one.size}
    assert before.keys() <= now.keys()
    assert about(bea, spoilt, peer) == []
    assert world.exchange("ada").problems == []


def test_what_it_read_before_stays_there_for_the_others(three: World) -> None:
    bundle = group_bundle(three)
    three.exchange("bea", "fresh")
    Spoilt(three, "bea").wholly()
    three.exchange("bea", "fresh")
    assert on(three.stick("fresh"), bundle)
    three.exchange("cyd", "fresh")
    assert set(entries_of(three.store("cyd"))) == set(entries_of(three.store("ada")))


def test_what_is_in_the_inbox_stays_there(three: World) -> None:
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    bea = three["bea"]
    name, data = FragmentName.from_text(path.name), path.read_bytes()
    bea.spool.inbox.receive([Delivery(name, bundle.peer, "radio", data)])
    spoilt = Spoilt(three, "bea").wholly()
    for _ in range(2):
        report = import_arrived(three["bea"])
        assert report.outcomes == {bundle.bundle_id: Outcome.UNOPENED}
        assert three["bea"].spool.inbox.bundles() == [bundle.bundle_id]
    assert quarantined(three["bea"]) == []
    spoilt.mend()
    report = import_arrived(three["bea"])
    assert report.outcomes == {bundle.bundle_id: Outcome.MERGED}


def test_what_is_in_the_inbox_is_tried_once(three: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be all that the inbox has room for; nothing but a repair helps."""
    bundle = group_bundle(three)
    (path,) = [one for one in fragments(three.stick("fresh")) if bundle.bundle_id in one.name]
    name, data = FragmentName.from_text(path.name), path.read_bytes()
    three["bea"].spool.inbox.receive([Delivery(name, bundle.peer, "radio", data)])
    first, second = Spoilt(three, "bea").wholly(), Spoilt(three, "bea", "other")
    tries = list[str]()

    def counted(number: bytes, *rest: object) -> object:
        tries.append(number.hex())
        return join_arrived(number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("pannier.judging.join_arrived", counted)

    def spoilt_import() -> list[str]:
        """As by a process of its own; return what was tried."""
        tries.clear()
        three.reopen("bea")
        assert import_arrived(three["bea"]).outcomes == {bundle.bundle_id: Outcome.UNOPENED}
        return list(tries)

    assert [spoilt_import() for _ in range(3)] == [[bundle.bundle_id], [], []]
    second.wholly()
    assert [spoilt_import() for _ in range(2)] == [[bundle.bundle_id], []]
    second.mend()
    assert [spoilt_import() for _ in range(2)] == [[bundle.bundle_id], []]
    first.mend()
    assert import_arrived(three["bea"]).outcomes == {bundle.bundle_id: Outcome.MERGED}


def test_what_no_key_opens_of_a_group_that_can_be_read_is_refused(three: World) -> None:
    """Else any of its members fills the inbox while something else cannot be read."""
    other, cyd = three.store("ada", "other"), three["ada"].peer_named("cyd")
    share(three["ada"], other, cyd, Role.WRITER)
    three.rounds(three.names, 4)
    spoilt = Spoilt(three, "bea").wholly()
    ada, bea = three["ada"], three["bea"]
    epoch = ada.epochs.of(three.store("ada", "other")).sealing
    assert epoch is not None
    group = epoch.epoch_id.hex()
    data = pack_group(
        [raw_section(LogSection.TYPE, 0, b"junk")],
        header=Header(4, EXPIRY_DAYS),
        stamp=stamp_of(ada),
        sender=ada.card.author,
        key=bytes(32),
        sealer=Sealer(CountedEntropy("junk"), CountedWrapper("junk")),
    )
    number = bundle_id(data)
    hint = ada.groups.hint_to(group, number)
    name = FragmentName(4, EXPIRY_DAYS, hint.hex(), number.hex(), 0)
    whole = Whole(hint=hint, sealed=data).to_bytes()
    assert spoilt.ledger_id in bea.unreadable
    bea.spool.inbox.receive([Delivery(name, group, "radio", whole)])
    assert import_arrived(bea).outcomes == {number.hex(): Outcome.REFUSED}
    assert bea.spool.inbox.bundles() == []
    assert len(quarantined(bea)) == 1


def test_what_waits_and_does_not_open_now_is_not_dropped(three: World) -> None:
    """A bundle for all members that builds on one that has not come."""
    group_bundle(three)
    three["ada"].db.run("UPDATE bundle SET written = 1 WHERE written = 0")
    three.put("ada", "by ada", 3)
    three.exchange("ada", "second")
    first = {path.name for path in fragments(three.stick("fresh"))}
    for path in fragments(three.stick("second")):
        if path.name in first:
            path.unlink()
    three.exchange("bea", "second")
    bea = three["bea"]
    names = [one for one in bea.spool.held.names() if bea.db.seen(one.bundle_id) is None]
    assert names
    spoilt = Spoilt(three, "bea").wholly()
    for name in names:
        assert retry(NewLedgers(three["bea"]), name, Report()) == ()
    assert three["bea"].spool.held.names() == names
    spoilt.mend()
    three.rounds(three.names, 3, "fresh")
    assert three["bea"].spool.held.names() == []
