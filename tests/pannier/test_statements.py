"""What is believed of what a peer says of itself, and in which order."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.content import Opened
from bundler.head import Stamp
from bundler.notices import (
    HaveSection,
    KeySection,
    LedgerHave,
    Receipt,
    ReceiptSection,
    Seen,
    SentSection,
)
from bundler.sealed import Header
from bundler.sections import Section, encode_section
from ledger.append import own_log
from pannier import have_rows, tail_rows
from pannier.have import known_have, own_have
from pannier.node import Node
from pannier.nodedb_peers import KEY_LOST, UNTOLD
from pannier.out_bundle import withdraw
from pannier.sending import prepare
from pannier.shared_keys import pairwise_key_id
from pannier.statements import UNFOUNDED, believe, note_sender_holds
from tests.sim.world import World

INCARNATION = b"\x00" + b"i" * 7
NOTHING = HaveSection(seen=None, key_ids=(), ledgers=())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, ("ada", "bea", "cyd")) as world:
        world.found("ada", "bea", "cyd")
        world.put("ada", "well", 1)
        yield world


def say(
    world: World,
    *sections: Section,
    counter: int = 1,
    incarnation: bytes = INCARNATION,
    sender: str = "bea",
) -> list[str]:
    """Let *sender* say something to ada; return what people should read."""
    notes: list[str] = []
    opened = Opened(
        header=Header(1, 2400),
        sender=world[sender].card.author,
        stamp=Stamp(incarnation=incarnation, counter=counter, time_us=world.clock()),
        is_pairwise=False,
        encoded_sections=memoryview(b"".join(map(encode_section, sections))),
    )
    believe(world["ada"], world["ada"].peer_named(sender), opened, notes)
    return notes


def queue(world: World, peer: str = "bea") -> list[str]:
    return [one.bundle_id for one in world["ada"].db.bundles(world[peer].card.node_id)]


def made(world: World, peer: str = "bea") -> str:
    """The one bundle that ada makes for *peer*, handed out."""
    (bundle,) = prepare(world["ada"], world["ada"].peer_named(peer))
    world["ada"].db.note_written(bundle.bundle_id, "stick", 1, [bundle.peer])
    return bundle.bundle_id


def holding(node: Node, world: World, *, size: int | None = None, root: bytes = b"") -> HaveSection:
    """What bea would say if she had what ada has; or some other size or root."""
    (have,) = own_have(node, node.peer_named("bea"), [world.store("ada")]).sections
    (ledger,) = have.ledgers
    logs = tuple(
        log._replace(size=log.size if size is None else size, root=root or log.root)
        for log in ledger.logs
    )
    return HaveSection(seen=None, key_ids=(), ledgers=(LedgerHave(ledger.ledger, logs),))


def test_a_have_that_covers_a_bundle_confirms_it(world: World) -> None:
    made(world)
    say(world, holding(world["ada"], world))
    assert queue(world) == []


@pytest.mark.parametrize(("size", "root"), [(1, b""), (2, b"x" * 16), (0, b"")])
def test_a_have_that_does_not_cover_a_bundle_leaves_it(
    world: World, size: int, root: bytes
) -> None:
    number = made(world)
    say(world, holding(world["ada"], world, size=size, root=root))
    assert queue(world) == [number]


def test_a_peer_that_is_ahead_has_what_was_sent(world: World) -> None:
    made(world)
    say(world, holding(world["ada"], world, size=99))
    assert queue(world) == []


@pytest.mark.parametrize(
    ("incarnation", "counter"), [(INCARNATION, 4), (b"\x00" + b"h" * 7, 99)], ids=["older", "past"]
)
def test_what_is_older_than_what_was_said_is_not_believed(
    world: World, incarnation: bytes, counter: int
) -> None:
    say(world, NOTHING, counter=5)
    number = made(world)
    say(world, holding(world["ada"], world), counter=counter, incarnation=incarnation)
    assert queue(world) == [number]
    assert known_have(world["ada"], world["ada"].peer_named("bea")).logs == {}
    assert world["ada"].db.peer(world["bea"].card.node_id).told == UNTOLD, "it may be restored"


def test_a_newer_incarnation_is_believed_whatever_it_counts(world: World) -> None:
    say(world, NOTHING, counter=500)
    made(world)
    say(world, holding(world["ada"], world), counter=1, incarnation=b"\x00" + b"j" * 7)
    assert queue(world) == []


# -- receipts -------------------------------------------------------------------------------------


def test_a_receipt_ends_a_bundle_however_old_it_is(world: World) -> None:
    number = made(world)
    say(world, NOTHING, counter=9)
    say(world, ReceiptSection(receipts=(Receipt(bytes.fromhex(number), ""),)), counter=2)
    bundle = world["ada"].db.bundle(number)
    assert bundle is not None
    assert (queue(world), bundle.state) == ([], "confirmed")
    assert world["ada"].spool.outbox.peers() == []


def test_a_refusal_is_told_and_what_was_in_it_is_sent_again(world: World) -> None:
    number = made(world)
    notes = say(world, ReceiptSection(receipts=(Receipt(bytes.fromhex(number), "too big"),)))
    assert notes == [f"bea refused bundle {number}: too big"]
    bundle = world["ada"].db.bundle(number)
    assert bundle is not None
    assert (bundle.state, bundle.note) == ("refused", "too big")
    assert made(world) != number


def test_a_peer_ends_only_its_own_bundles(world: World) -> None:
    number = made(world)
    receipt = ReceiptSection(receipts=(Receipt(bytes.fromhex(number), ""),))
    say(world, receipt, sender="cyd")
    assert queue(world) == [number]


def test_receipts_that_arrived_are_owed_no_more(world: World) -> None:
    ada, bea = world["ada"], world["bea"].card.node_id
    say(world, NOTHING, counter=0)
    for number in range(3):
        ada.db.owe_receipt(bea, f"{number:016x}", "", number)
    say(world, NOTHING, SentSection(bundle_ids=(bytes(8),)), counter=2)
    assert [one for one, _ in ada.db.receipts(bea)] == [f"{0:016x}", f"{2:016x}"]
    say(world, NOTHING, counter=3)
    assert ada.db.receipts(bea) == []


@pytest.mark.parametrize(
    ("outcome", "reason"), [("merged", ""), ("refused", "it was refused before")]
)
def test_what_a_peer_still_waits_to_hear_is_told_again(
    world: World, outcome: str, reason: str
) -> None:
    ada, bea = world["ada"], world["bea"].card.node_id
    number = bytes(7) + b"1"
    ada.db.note_seen(number.hex(), bea, 2400, outcome)
    say(world, NOTHING, SentSection(bundle_ids=(number, bytes(8))), counter=2)
    assert ada.db.receipts(bea) == [(number.hex(), reason)]
    assert ada.db.has_untold(bea)


# -- keys -----------------------------------------------------------------------------------------


def test_a_key_is_used_once_both_are_known_to_hold_it(world: World) -> None:
    ada, key = world["ada"], bytes(range(32))
    say(world, KeySection(key=key))
    peer = ada.peer_named("bea")
    assert key in ada.shared.pairwise_keys(peer).values()
    first = ada.db.bundle(made(world))
    say(world, replace(NOTHING, key_ids=(pairwise_key_id(key),)), counter=2)
    world.put("ada", "well", 2)
    second = [one for one in prepare(ada, peer) if first is None or one.name != first.name]
    assert first is not None
    assert (first.key_id, [one.key_id for one in second]) == (None, [pairwise_key_id(key)])


def test_bundles_under_a_key_that_a_peer_lost_are_made_anew(world: World) -> None:
    ada, key = world["ada"], bytes(range(32))
    have = replace(NOTHING, key_ids=(pairwise_key_id(key),))
    say(world, KeySection(key=key), have)
    number = made(world)
    assert queue(world) == [number]
    say(world, NOTHING, counter=2)
    assert queue(world) == []
    again = ada.db.bundle(made(world))
    assert again is not None
    assert again.key_id is None


def test_a_key_under_which_a_peer_refuses_is_used_no_more(world: World) -> None:
    """Its have may be too old to be believed, and it could read nothing that is said to it."""
    ada, key = world["ada"], bytes(range(32))
    say(world, KeySection(key=key), replace(NOTHING, key_ids=(pairwise_key_id(key),)), counter=9)
    number = made(world)
    say(world, ReceiptSection(receipts=(Receipt(bytes.fromhex(number), "no key"),)), counter=2)
    again = ada.db.bundle(made(world))
    assert again is not None
    assert again.key_id is None


@pytest.mark.parametrize(("reason", "is_kept"), [(KEY_LOST, False), ("no key", True)])
def test_it_is_the_key_that_is_lost_and_not_the_bundle(
    world: World, reason: str, is_kept: bool
) -> None:
    """Another bundle has long taken the place of the one that the peer could not read."""
    ada, peer, key = world["ada"], world["ada"].peer_named("bea"), bytes(range(32))
    say(world, KeySection(key=key), replace(NOTHING, key_ids=(pairwise_key_id(key),)), counter=9)
    bundle = ada.db.bundle(made(world))
    assert bundle is not None
    assert bundle.key_id == pairwise_key_id(key)
    withdraw(ada, bundle, "replaced")
    number = bytes.fromhex(bundle.bundle_id)
    say(world, ReceiptSection(receipts=(Receipt(number, reason),)), counter=10)
    assert (key in ada.shared.pairwise_keys(peer).values()) is is_kept


def test_who_lost_a_key_may_have_lost_what_it_held(world: World) -> None:
    """It may not say so itself: a restored node need not know yet that ada is a member."""
    ada, key, number = world["ada"], bytes(range(32)), world["bea"].card.node_id
    held = replace(holding(ada, world), key_ids=(pairwise_key_id(key),))
    say(world, KeySection(key=key), held, counter=9)
    assert have_rows.held_by(ada.db, number)
    world.put("ada", "well", 2)
    refused = bytes.fromhex(made(world))
    say(world, ReceiptSection(receipts=(Receipt(refused, KEY_LOST),)), counter=10)
    assert have_rows.held_by(ada.db, number) == []
    say(world, holding(ada, world), counter=11)
    say(world, ReceiptSection(receipts=(Receipt(refused, KEY_LOST),)), counter=12)
    assert have_rows.held_by(ada.db, number), "it is no news"


# -- restored backups -----------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", ["counter", "incarnation"])
def test_who_was_seen_further_than_it_remembers_starts_anew(world: World, ahead: str) -> None:
    ada = world["ada"]
    made(world)
    before, log = ada.counting.incarnation(), own_log(world.store("ada"), ada.author).name
    later = (int.from_bytes(before, "big") + 5).to_bytes(8, "big")
    seen = Seen(before, ada.counting.counter() + 1) if ahead == "counter" else Seen(later, 1)
    notes = say(world, replace(NOTHING, seen=seen))
    assert "restored from an older copy" in notes[0]
    assert ada.counting.incarnation() > max(before, seen.incarnation)
    assert ada.counting.counter() == 0
    assert own_log(world.store("ada"), ada.author).name != log
    assert ada.db.peer(world["bea"].card.node_id).told == UNTOLD
    assert say(world, replace(NOTHING, seen=seen), counter=2) == [], "once is enough"


def test_who_says_so_ever_again_is_not_heeded_for_ever(world: World) -> None:
    """Each new log is one for all members to hold, and nothing but a word is behind it."""
    ada, counts = world["ada"], []
    for _ in range(2):
        for number in range(20):
            before = ada.counting.incarnation()
            seen = Seen((int.from_bytes(before, "big") + 1).to_bytes(8, "big"), 1)
            say(world, replace(NOTHING, seen=seen), counter=number)
            assert ada.counting.incarnation() > before
            world.put("ada", "well", number)
        counts.append(sum(log.size > 0 for log in world.store("ada").logs()))
        world.clock.pass_days(1)
    assert counts == [9, 17]


def test_who_was_seen_as_far_as_it_remembers_goes_on(world: World) -> None:
    ada = world["ada"]
    made(world)
    before = ada.counting.incarnation()
    older = (int.from_bytes(before, "big") - 1).to_bytes(8, "big")
    for number, seen in enumerate(
        [None, Seen(before, ada.counting.counter()), Seen(before, 0), Seen(older, 2**64 - 1)]
    ):
        assert say(world, replace(NOTHING, seen=seen), counter=number) == []
    assert ada.counting.incarnation() == before


def test_a_notice_that_was_seen_leaves_the_queue(world: World) -> None:
    ada = world["ada"]
    say(world, holding(ada, world))
    ada.db.owe_receipt(world["bea"].card.node_id, "c" * 16, "", 1)
    (notice,) = prepare(ada, ada.peer_named("bea"))
    ada.db.note_written(notice.bundle_id, "stick", 1, [notice.peer])
    assert notice.control
    early = Seen(ada.counting.incarnation(), notice.counter - 1)
    say(world, replace(holding(ada, world), seen=early), counter=2)
    assert queue(world) == [notice.bundle_id]
    seen = Seen(ada.counting.incarnation(), notice.counter)
    say(world, replace(holding(ada, world), seen=seen), counter=3)
    assert queue(world) == []


def test_all_is_believed_or_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that is believed in part would be taken for old when it is read again."""
    made(world)

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(have_rows, "note_held", fail)
        with pytest.raises(OSError, match="disk is gone"):
            say(world, holding(world["ada"], world), counter=7)
    assert world["ada"].db.peer(world["bea"].card.node_id).counter == -1
    say(world, holding(world["ada"], world), counter=7)
    assert queue(world) == []


# -- tails ----------------------------------------------------------------------------------------


def test_who_sent_entries_holds_them_unless_it_has_spoken_since(world: World) -> None:
    """What came late says nothing: its sender may have lost them by now."""
    ada = world["ada"]
    bea = ada.peer_named("bea")
    store = world.store("ada")
    (log,) = [one for one in store.logs() if one.size]
    say(world, NOTHING, counter=5)
    for counter, sizes in ((4, {}), (5, {log.name: log.size})):
        opened = Opened(
            header=Header(1, 2400),
            sender=bea.card.author,
            stamp=Stamp(incarnation=INCARNATION, counter=counter, time_us=0),
            encoded_sections=memoryview(b""),
        )
        note_sender_holds(ada, bea, opened, [(store.ledger_id, log.name, log.size)])
        known = known_have(ada, bea).logs
        assert {name: held.size for (_, name), held in known.items()} == sizes
    assert known[store.ledger_id, log.name].root == log.frontier.root()[:16]


def test_what_builds_on_too_much_costs_no_key(world: World) -> None:
    number = made(world)
    notes = say(world, ReceiptSection(receipts=(Receipt(bytes.fromhex(number), UNFOUNDED),)))
    assert notes == [], "nobody need know"
    bundle = world["ada"].db.bundle(number)
    assert bundle is not None
    assert bundle.state == "refused"
    store = world.store("ada")
    (log,) = [one for one in store.logs() if one.size]
    floor = tail_rows.floor(world["ada"].db, world["bea"].card.node_id, store.ledger_id, log.name)
    assert floor == 0, "it was no tail but all of the log"
