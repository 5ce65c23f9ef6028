"""Keeping the epochs of ledgers in order: what an admin's node does by itself.

A function of what is in the ledger: after a crash, or a merge that changed who is a member, the
same question gets the same answer. Two admins who answer at once make two epochs; both open.
"""

from collections.abc import Iterable

from ledger.append import Draft
from ledger.card import Card
from ledger.entry import MAX_PAYLOAD_BYTES, MEMBERS_THING, Action
from ledger.epochs import Epoch, epoch_entries, next_epoch
from ledger.genesis import Term
from ledger.hpke import can_seal_for
from ledger.members import Role, members
from ledger.store import Store
from pannier.duties import put_off
from pannier.epochs import KnownEpochs
from pannier.node import Node

_LEAST_MEMBERS = 3
"""Two have a key of their own."""


def tend_all_epochs(node: Node, notes: list[str]) -> None:
    """Tend the epochs of every ledger of which this node is an admin.

    Args:
        node: The admin.
        notes: Takes lines for people.

    Raises:
        PannierError: the home cannot be written.
        LedgerError: the disk does not let a ledger be read or written.
    """
    for store in node.ledgers():
        with put_off(store, notes):
            tend_epochs(node, store)


def tend_epochs(node: Node, store: Store) -> None:
    """Give the members of a ledger an epoch that no removed one can open, if they have none.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    known = members(store)
    own = known.get(node.card.author)
    is_admin = own is not None and own.role is Role.ADMIN
    if not is_admin or len(known) < _LEAST_MEMBERS or Term.PASSPHRASE in store.genesis.terms:
        return
    epochs = node.epochs.of(store)
    cards = [member.card for member in known.values()]
    sealing = epochs.sealing
    if sealing is not None:
        cards = _without(cards, epochs, sealing)
    elif _was_tried(epochs, node.card.author):
        return
    cards = list(filter(can_seal_for, cards))  # an admin grants whatever card it likes
    epoch = sealing or next_epoch(
        [one.entry for one in epochs.placed], epochs.standing, node.entropy(32)
    )
    payloads = [
        one.to_payload() for one in epoch_entries(epoch, store.ledger_id, cards, node.wrapper)
    ]
    # A hostile admin can have written more revocations than an entry holds: then each member gets
    # all alone.
    if payloads and max(map(len, payloads)) <= MAX_PAYLOAD_BYTES:
        from pannier.ledgers import put  # noqa: PLC0415 -- few epochs are made

        put(node, store, _drafts(node, payloads))


def _without(cards: Iterable[Card], epochs: KnownEpochs, epoch: Epoch) -> list[Card]:
    """Return those of *cards* whose nodes were not given *epoch*."""
    given = {number for one in epochs.entries_of(epoch) for number in one.entry.stanzas}
    return [card for card in cards if bytes.fromhex(card.node_id) not in given]


def _was_tried(epochs: KnownEpochs, author: bytes) -> bool:
    """Return whether *author* made an epoch that would do, and cannot open it.

    So it is where its card in the ledger holds other keys than it has now. Another try would fail
    in the same way, at every exchange.
    """
    return any(
        one.log.author == author and epochs.standing <= set(one.entry.after)
        for one in epochs.placed
    )


def _drafts(node: Node, payloads: Iterable[bytes]) -> list[Draft]:
    return [
        Draft(thing=MEMBERS_THING, payload=payload, time_us=node.clock(), action=Action.EPOCH)
        for payload in payloads
    ]
