from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import permutations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.algorithm import Algorithm
from ledger.card import Card, node_id
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.epochs import (
    MAX_DEPTH,
    Epoch,
    EpochEntry,
    epoch_entries,
    next_epoch,
    open_epoch,
    sealing_epoch,
)
from ledger.errors import MalformedError
from ledger.genesis import LedgerId
from ledger.hpke import HpkeUnwrapper, HpkeWrapper
from ledger.keys import NodeKeys
from tests.ledger.world import Drbg, keys_of
from tests.vectors import load

LEDGER = LedgerId(bytes(range(16)))
IDS = st.binary(min_size=16, max_size=16)
KEYS = st.binary(min_size=32, max_size=32)


def opened(keys: NodeKeys, entries: Sequence[EpochEntry]) -> list[Epoch]:
    number = bytes.fromhex(node_id(keys.author))
    found = (open_epoch(one, LEDGER, number, keys.unwrapper()) for one in entries)
    return [epoch for epoch in found if epoch is not None]


@pytest.mark.parametrize("case", load("epoch").values())
def test_vectors(case: dict[str, str]) -> None:
    payload = bytes.fromhex(case["payload"])
    if case["expect"] == "malformed":
        with pytest.raises(MalformedError):
            EpochEntry.from_payload(payload)
        return
    entry = EpochEntry.from_payload(payload)
    assert entry.to_payload() == payload
    secret = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["x25519_secret"]))
    number = bytes.fromhex(node_id(bytes.fromhex(case["author"])))
    ledger_id = LedgerId(bytes.fromhex(case["ledger"]))
    epoch = open_epoch(entry, ledger_id, number, HpkeUnwrapper(secret))
    if case["expect"] == "refused":
        assert epoch is None
        return
    assert epoch is not None
    assert epoch.key.hex() == case["key"]
    assert epoch.epoch_id.hex() == case["id"]
    assert str(epoch.depth) == str(case["depth"])
    assert [one.hex() for one in epoch.after] == list(case["after"])


@given(st.binary(max_size=400))
def test_any_bytes_are_an_entry_or_malformed(payload: bytes) -> None:
    with suppress(MalformedError):
        assert EpochEntry.from_payload(payload).to_payload() == payload


@pytest.mark.parametrize("post_quantum", [False, True])
def test_an_epoch_opens_for_those_it_was_made_for_and_nobody_else(post_quantum: bool) -> None:
    made = {
        name: NodeKeys.generate(name, Drbg(name), post_quantum=post_quantum)
        for name in ("ada", "bea", "cyd")
    }
    epoch = Epoch(key=bytes(range(32)), depth=1, after=(bytes(16),))
    cards = [made["ada"].card, made["bea"].card]
    entries = epoch_entries(epoch, LEDGER, cards, HpkeWrapper())
    read = [EpochEntry.from_payload(one.to_payload()) for one in entries]
    assert opened(made["ada"], read) == opened(made["bea"], read) == [epoch]
    assert opened(made["cyd"], read) == []


def test_a_key_that_keeps_no_secret_gets_none_and_stops_nobody() -> None:
    signing = keys_of("eve").signing
    eve = Card.sign(signing, name="eve", keys=((int(Algorithm.X25519), bytes(32)),))
    epoch = Epoch(key=bytes(range(32)), depth=1, after=())
    entries = epoch_entries(epoch, LEDGER, [eve, keys_of("ada").card], HpkeWrapper())
    assert opened(keys_of("ada"), entries) == [epoch]
    assert epoch_entries(epoch, LEDGER, [eve], HpkeWrapper()) == []


def test_somebody_elses_stanza_under_ones_own_name_opens_nothing() -> None:
    epoch = Epoch(key=bytes(range(32)), depth=1, after=())
    (entry,) = epoch_entries(epoch, LEDGER, [keys_of("ada").card], HpkeWrapper())
    (stanza,) = entry.stanzas.values()
    number = bytes.fromhex(keys_of("bea").card.node_id)
    assert opened(keys_of("bea"), [replace(entry, stanzas={number: stanza})]) == []


def test_an_epoch_for_many_takes_several_entries_that_fit_a_payload() -> None:
    count = 300
    keys = [NodeKeys.generate("n", Drbg(f"{n}")) for n in range(count - 1)]
    keys.append(NodeKeys.generate("n", Drbg("last"), post_quantum=True))
    epoch = Epoch(key=bytes(32), depth=0, after=())
    entries = epoch_entries(epoch, LEDGER, [one.card for one in keys], HpkeWrapper())
    assert sum(len(one.stanzas) for one in entries) == count
    assert {one.epoch_id for one in entries} == {epoch.epoch_id}
    # Were all of them hybrid:
    longest = max(len(one.stanzas) for one in entries) * 1200
    assert max(longest, *(len(one.to_payload()) for one in entries)) < MAX_PAYLOAD_BYTES
    assert opened(keys[-1], entries) == [epoch]


@given(KEYS, st.integers(0, MAX_DEPTH), st.sets(IDS, max_size=3))
def test_the_id_binds_key_depth_and_what_the_maker_knew(
    key: bytes, depth: int, after: set[bytes]
) -> None:
    epoch = Epoch(key=key, depth=depth, after=tuple(sorted(after)))
    others = [
        Epoch(key=bytes([key[0] ^ 1]) + key[1:], depth=depth, after=epoch.after),
        Epoch(key=key, depth=depth ^ 1, after=epoch.after),
        Epoch(key=key, depth=depth, after=tuple(sorted({*after, b"another revoked!"}))),
    ]
    assert len(epoch.epoch_id) == 8
    assert all(one.epoch_id != epoch.epoch_id for one in others)


def test_of_concurrent_epochs_the_greater_seals_whatever_the_order() -> None:
    epochs = [
        Epoch(key=bytes([n]) * 32, depth=depth, after=()) for n, depth in enumerate((0, 1, 1, 1))
    ]
    greatest = max(epochs[1:], key=lambda one: one.epoch_id)
    for order in permutations(epochs):
        assert sealing_epoch(order, frozenset()) == greatest


@given(
    st.lists(st.tuples(KEYS, st.integers(0, 5), st.sets(IDS, max_size=3)), max_size=6),
    st.sets(IDS, max_size=3),
)
def test_what_seals_knows_every_revocation_and_none_that_does_is_greater(
    made: list[tuple[bytes, int, set[bytes]]], standing: set[bytes]
) -> None:
    epochs = [Epoch(key=key, depth=depth, after=tuple(sorted(after))) for key, depth, after in made]
    chosen = sealing_epoch(epochs, standing)
    usable = [one for one in epochs if standing <= set(one.after)]
    assert (chosen is None) == (not usable)
    if chosen is not None:
        assert chosen in usable
        assert all(one.rank <= chosen.rank for one in usable)


def test_the_next_epoch_is_deeper_than_all_and_knows_all_that_stands() -> None:
    known = [
        EpochEntry(epoch_id=bytes(8), depth=depth, after=(), stanzas={}) for depth in (4, 7, 0)
    ]
    revoked = [bytes([2] * 16), bytes([1] * 16)]
    epoch = next_epoch(known, revoked, bytes(32))
    assert (epoch.depth, epoch.after) == (8, tuple(sorted(revoked)))
    assert next_epoch([], [], bytes(32)).depth == 0


def test_the_greatest_depth_does_not_stop_what_follows() -> None:
    last = EpochEntry(epoch_id=bytes(8), depth=MAX_DEPTH, after=(), stanzas={})
    old = Epoch(key=bytes([1] * 32), depth=MAX_DEPTH, after=())
    new = next_epoch([last], [bytes(16)], bytes(32))
    assert sealing_epoch([old, new], {bytes(16)}) == new


def test_no_key_is_shown() -> None:
    epoch = Epoch(key=bytes(range(32)), depth=0, after=())
    assert repr(epoch.key) not in repr(epoch)
