"""Nodes with keys against quantum computers and nodes without, side by side."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from bundler.content import Recipient, pack_full, pack_pairwise
from bundler.notices import ForkSection
from bundler.seal import Sealer, directed_key
from bundler.sealed import Header, SealedFull, bundle_id, parse_sealed
from bundler.sections import encode_section
from ledger.algorithm import Algorithm, HpkeKey
from ledger.append import Author, Draft, append
from ledger.card import Card
from ledger.contradiction import Contradiction
from ledger.data import payload_from_value
from ledger.entry import MEMBERS_THING, Action
from ledger.errors import UnverifiedError
from ledger.facts import Grant
from ledger.fork import Branch, Fork
from ledger.genesis import LedgerId
from ledger.hpke import HpkeWrapper
from ledger.keys import NodeKeys
from ledger.log import LogName, log_origin
from ledger.members import Role
from ledger.views import heads
from pannier.import_report import Outcome
from pannier.ledgers import put
from pannier.membership import revoke, share
from pannier.node import Node
from pannier.shared_keys import pairwise_key_id
from tests.bundler.doubles import CountedEntropy
from tests.sim import attacks
from tests.sim.brought import bring
from tests.sim.world import World, assert_equal, data_queue, faults

NAMES = ("pq-ada", "pq-bea", "cyd")
MERGED, REFUSED = Outcome.MERGED, Outcome.REFUSED


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, NAMES) as made:
        yield made


def queued_stanzas(node: Node, peer: Card) -> list[int]:
    """Return how long the stanzas are of the full bundles that wait for *peer*."""
    found = []
    for name in node.spool.outbox.queued(peer.node_id):
        sealed = parse_sealed(node.spool.outbox.read(peer.node_id, name))
        if isinstance(sealed, SealedFull):
            found += [len(stanza) for stanza in sealed.stanzas]
    return found


@pytest.mark.parametrize(("one", "other"), list(permutations(NAMES, 2)))
def test_a_whole_exchange_in_both_directions(world: World, one: str, other: str) -> None:
    world.found(one, other)
    world.put(one, "pump", 1)
    world.exchange(one)
    assert set(queued_stanzas(world[one], world[other].card)) == {
        1168 if other.startswith("pq") else 80
    }
    world.exchange(other)
    world.put(other, "pump", 2)
    world.rounds([other, one, other], 2)
    known = assert_equal(world, [one, other])
    heads = known["heads"]
    assert isinstance(heads, dict)
    assert len(heads["pump"]) == 1
    assert data_queue(world[one]) == data_queue(world[other]) == []


def test_entries_signed_twice_pass_through_a_node_without_such_keys(world: World) -> None:
    world.found("pq-ada", "pq-bea", "cyd")
    world.put("pq-ada", "pump", 1)
    world.rounds(["pq-ada", "cyd"], 2, "first")
    world.put("pq-ada", "pump", 2)
    world.rounds(["pq-ada", "cyd"], 2, "first")
    world.rounds(["cyd", "pq-bea"], 3, "second")
    assert_equal(world, NAMES)


def test_no_key_that_was_sent_in_a_weaker_way_seals_what_is_for_a_stronger_node(
    world: World,
) -> None:
    """Whoever speaks first: a key that went to cyd under X25519 is none for what ada gets."""
    world.found("pq-ada", "cyd")
    world.put("pq-ada", "pump", 1)
    world.rounds(["pq-ada", "cyd"], 1)
    ada, cyd = world["pq-ada"], world["cyd"]
    weak = pairwise_key_id(ada.shared.own_pairwise_key(ada.peers[cyd.card.node_id]))
    assert weak in cyd.shared.pairwise_keys(cyd.peers[ada.card.node_id])
    for number in range(2, 5):
        world.put("cyd", "pump", number)
        world.exchange("cyd")
        sent = cyd.db.bundles(ada.card.node_id)
        assert sent
        assert weak not in {one.key_id for one in sent}
        world.exchange("pq-ada")
    assert None not in {one.key_id for one in sent}  # under a shared key, but another
    assert_equal(world, ["pq-ada", "cyd"])


def test_a_bundle_under_a_key_that_was_sent_in_a_weaker_way_is_refused(world: World) -> None:
    ada, cyd = world["pq-ada"], world["cyd"]
    key = ada.shared.own_pairwise_key(ada.peers[cyd.card.node_id])
    for sender, recipient, outcome in (
        (cyd, ada, Outcome.REFUSED),
        (ada, cyd, Outcome.MERGED),
    ):
        cyd.shared.add_pairwise_key(cyd.peers[ada.card.node_id], key, mine=False)
        sealed = pack_pairwise(
            [],
            header=Header(4, attacks.EXPIRY_DAYS),
            stamp=attacks.stamp_of(sender),
            key=directed_key(key, sender=sender.card.author, recipient=recipient.card.author),
            sealer=Sealer(CountedEntropy("weak"), HpkeWrapper()),
        )
        attacks.leave(world, sender.card.name, recipient.card.name, sealed)
        done = world.exchange(recipient.card.name)
        assert done.report.outcomes[bundle_id(sealed).hex()] is outcome


def weak_bundle(sender: Node, recipient: Node) -> bytes:
    """A bundle as its sender signs it, sealed under less than the recipient's card promises."""
    return pack_full(
        [],
        header=Header(4, attacks.EXPIRY_DAYS),
        stamp=attacks.stamp_of(sender),
        signing_key=sender.keys.signing,
        recipients=[
            Recipient(recipient.card.author, HpkeKey(Algorithm.X25519, recipient.card.x25519))
        ],
        sealer=Sealer(CountedEntropy("weak"), HpkeWrapper()),
    )


@pytest.mark.parametrize("sender", ["pq-ada", "cyd"])
def test_a_bundle_sealed_under_less_than_the_card_promises_is_refused(
    world: World, sender: str
) -> None:
    sealed = weak_bundle(world[sender], world["pq-bea"])
    attacks.leave(world, sender, "pq-bea", sealed)
    done = world.exchange("pq-bea")
    number = bundle_id(sealed).hex()
    assert done.report.outcomes == {number: Outcome.REFUSED}
    assert "MLKEM768-X25519, which our card asks for" in done.report.reasons[number]


def test_a_member_cannot_pass_on_entries_without_their_second_signature(world: World) -> None:
    world.found("pq-ada", "pq-bea", "cyd")
    world.rounds(["pq-ada", "cyd", "pq-bea"], 3)
    world.put("pq-ada", "pump", 1)
    world.rounds(["pq-ada", "cyd"], 2, "between the two")
    cyd = world["cyd"]
    store = world.store("cyd")
    (state,) = [log for log in store.logs() if log.name.author == world["pq-ada"].card.author]
    section = attacks.log_section(store, state, 0, state.size)
    once = replace(section, checkpoint=replace(section.checkpoint, mldsa44=None))
    author = world["pq-ada"].card.author
    forged = replace(once, checkpoint=replace(once.checkpoint, signature=bytes(64)))
    for wanted, outcome in ((once, MERGED), (forged, REFUSED), (section, MERGED)):
        sealed = attacks.sealed_by(cyd, world["pq-bea"], [encode_section(wanted)])
        attacks.leave(world, "cyd", "pq-bea", sealed)
        done = world.exchange("pq-bea")
        assert done.report.outcomes[bundle_id(sealed).hex()] is outcome
        assert any("signed by no card" in one for one in done.report.notes) == (wanted is once)
        assert has_pump(world["pq-bea"], author) == (wanted is section)
        assert faults(world["pq-bea"]) == []


def has_pump(node: Node, author: bytes) -> bool:
    return any(one.log.author == author for store in node.ledgers() for one in heads(store, "pump"))


@pytest.fixture
def two_cards(tmp_path: Path) -> Iterator[tuple[World, Author]]:
    """Ada removed mal, who granted wil a second card with more keys; so wil signs, and bea took it.

    Ada heard nothing of that card before.
    """
    names = ("ada", "bea", "mal", "wil")
    with World(tmp_path, names) as world:
        world.found("ada", "bea", "wil")
        share(world["ada"], world.store("ada"), world["ada"].peer_named("mal"), Role.ADMIN)
        world.rounds(names, 3)
        more = NodeKeys.generate("wil", CountedEntropy("more"), post_quantum=True).post_quantum
        keys = replace(world["wil"].keys, post_quantum=more)
        payload = Grant(card=keys.card, role=Role.WRITER).to_payload()
        draft = Draft(thing=MEMBERS_THING, payload=payload, time_us=0, action=Action.GRANT)
        put(world["mal"], world.store("mal"), [draft])
        world.rounds(("mal", "wil"), 2, "not ada's")
        author = Author(signer=keys.signer, entropy=CountedEntropy("wil"))
        draft = Draft(thing="pump", payload=payload_from_value(1), time_us=0)
        list(append(world.store("wil"), author, [draft]))
        world.rounds(("mal", "wil", "bea"), 2, "not ada's")
        revoke(world["ada"], world.store("ada"), [world["mal"].card.author])
        yield world, author


def test_what_is_signed_under_a_card_that_counts_no_more_is_left_out_alone(
    two_cards: tuple[World, Author],
) -> None:
    world, author = two_cards
    assert has_pump(world["bea"], author.public)
    for number in range(4):
        world.clock.pass_days(3)
        world.put("bea", f"well {number}", number)
        for name in ("bea", "ada"):
            assert set(world.exchange(name).report.outcomes.values()) <= {MERGED}
        assert heads(world.store("ada"), f"well {number}")
    assert not has_pump(world["ada"], author.public)
    assert faults(world["ada"]) == []


def section_of(ledger_id: LedgerId, log: LogName, proof: Fork | Contradiction) -> ForkSection:
    return ForkSection(
        ledger=ledger_id, author=log.author, incarnation=log.incarnation, fork=proof.to_bytes()
    )


def test_so_is_a_proof_and_no_forged_one(two_cards: tuple[World, Author]) -> None:
    world, author = two_cards
    store = world.store("ada")
    log = LogName(author.public, bytes(8))
    last = [
        author.sign_checkpoint(log_origin(store.ledger_id, log), 1, bytes([n]) * 32) for n in (1, 2)
    ]
    branches = [Branch(checkpoint=one, leaf=one.root, proof=()) for one in last]
    fork = Fork.of(0, branches[0], branches[1])
    contradiction = Contradiction.of(last[0], last[1], root=last[1].root, proof=())
    forged = replace(last[1], signature=bytes(64))
    proofs: tuple[Fork | Contradiction, ...] = fork, contradiction
    for proof in proofs:
        bring(world, "ada", "bea", [section_of(store.ledger_id, log, proof)])
    proofs = (
        Fork.of(0, branches[0], replace(branches[1], checkpoint=forged)),
        replace(contradiction, newer=forged),
    )
    for bad in proofs:
        with pytest.raises(UnverifiedError):
            bring(world, "ada", "bea", [section_of(store.ledger_id, log, bad)])
    assert store.log(log).row is None
