"""Nodes with keys against quantum computers and nodes without, side by side."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from bundler.content import Recipient, pack_full, pack_pairwise
from bundler.seal import Sealer, directed_key
from bundler.sealed import Header, SealedFull, bundle_id, parse_sealed
from bundler.sections import encode_section
from ledger.algorithm import Algorithm, HpkeKey
from ledger.card import Card
from ledger.hpke import HpkeWrapper
from pannier.import_report import Outcome
from pannier.node import Node
from pannier.shared_keys import pairwise_key_id
from tests.bundler.doubles import CountedEntropy
from tests.sim import attacks
from tests.sim.world import World, assert_equal, data_queue, faults

NAMES = ("pq-ada", "pq-bea", "cyd")


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
    for wanted, outcome in ((once, Outcome.REFUSED), (section, Outcome.MERGED)):
        sealed = attacks.sealed_by(cyd, world["pq-bea"], [encode_section(wanted)])
        attacks.leave(world, "cyd", "pq-bea", sealed)
        done = world.exchange("pq-bea")
        number = bundle_id(sealed).hex()
        assert done.report.outcomes[number] is outcome
        assert ("second signature" in done.report.reasons.get(number, "")) == (wanted is once)
        assert faults(world["pq-bea"]) == []
