from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.append import Draft
from ledger.card import Card
from ledger.data import value_from_payload
from ledger.entry import MEMBERS_THING, Action, Entry
from ledger.facts import Grant, Role
from ledger.keys import NodeKeys
from ledger.sealed_entry import SealedPayload
from ledger.store import Store
from pannier import ledgers
from pannier.errors import UsageError
from pannier.home import Peer
from pannier.node import Node
from pannier.payloads import Payloads
from pannier.said import Said, said_by
from tests.cli.computers import new_computer
from tests.ledger.world import Drbg

QUINN = NodeKeys.generate("quinn", Drbg("quinn"), post_quantum=True)
ADA, BEN = (NodeKeys.generate(name, Drbg(name)) for name in ("ada", "ben"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with new_computer(tmp_path, "farm").node() as node:
        ledgers.new_ledger(node, "weather")
        yield node


def store_of(node: Node) -> Store:
    (store,) = node.ledgers()
    return store


def grant(node: Node, *cards: Card) -> None:
    drafts = [
        Draft(
            thing=MEMBERS_THING,
            payload=Grant(card=card, role=Role.READER).to_payload(),
            time_us=0,
            action=Action.GRANT,
        )
        for card in cards
    ]
    ledgers.put(node, store_of(node), drafts)


def entry_of(node: Node, payload: bytes, thing: str = "x") -> Entry:
    ledgers.put(node, store_of(node), [Draft(thing=thing, payload=payload, time_us=0)])
    store = store_of(node)
    (state,) = store.logs()
    return store.entries(state, state.size - 1, state.size)[0]


def read_by(node: Node, keys: NodeKeys, entry: Entry) -> Said:
    return said_by(store_of(node).genesis, node.card.author, entry, keys.unwrapper())


def test_two_members_of_one_name_must_be_told_apart(node: Node) -> None:
    twin = replace(BEN, name="ada")
    grant(node, ADA.card, twin.card)
    payloads = Payloads(node, lambda: store_of(node))
    with pytest.raises(UsageError, match="ada is several members") as error:
        payloads.make("x", 1, to=["ada"])
    assert f"ada ({twin.card.node_id[:8]}) ({twin.card.node_id})" in str(error.value)
    entry = entry_of(node, payloads.make("x", 1, to=[twin.card.node_id]))
    assert read_by(node, twin, entry).value == 1
    assert read_by(node, ADA, entry).obstacle == "sealed for others"


def test_a_peer_is_meant_by_the_name_that_it_has_here(node: Node) -> None:
    grant(node, ADA.card, BEN.card)
    node.peers[ADA.card.node_id] = Peer(name="ben", card=ADA.card)
    node.peers[BEN.card.node_id] = Peer(name="ada", card=BEN.card)
    entry = entry_of(node, Payloads(node, lambda: store_of(node)).make("x", 1, to=["ada"]))
    assert read_by(node, BEN, entry).value == 1
    assert read_by(node, ADA, entry).obstacle


def test_what_is_sealed_is_under_the_strongest_key_that_is_known(node: Node) -> None:
    weak = replace(QUINN, post_quantum=None)
    grant(node, weak.card)
    payloads = Payloads(node, lambda: store_of(node))
    assert read_by(node, weak, entry_of(node, payloads.make("x", 1, to=["quinn"]))).value == 1
    node.peers[QUINN.card.node_id] = Peer(name="quinn", card=QUINN.card)
    payloads = Payloads(node, lambda: store_of(node))
    entry = entry_of(node, payloads.make("x", 1, to=["quinn"]))
    assert read_by(node, QUINN, entry).value == 1
    assert read_by(node, weak, entry).obstacle == "sealed for others"


def test_the_writer_named_as_a_recipient_is_one_all_the_same(node: Node) -> None:
    payload = Payloads(node, lambda: store_of(node)).make("x", 1, to=["farm", "farm"])
    found = SealedPayload.from_value(value_from_payload(payload))
    assert found is not None
    assert len(found.stanzas) == 1
