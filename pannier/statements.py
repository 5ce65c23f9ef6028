"""What a peer says of itself, believed in order: have, sent, receipts, keys (docs/format.md 5)."""

from bundler.content import Opened
from bundler.log_section import LogSection
from bundler.notices import (
    ForkSection,
    GenesisSection,
    HaveSection,
    KeySection,
    ReceiptSection,
    Seen,
    SentSection,
)
from ledger.append import open_incarnation
from ledger.log import root_at
from pannier.have import KnownHave, known_have
from pannier.home import Peer
from pannier.node import Node
from pannier.out_bundle import OutBundle
from spool.name import BundleName

_LAST_INCARNATION = b"\xff" * 8


def believe(node: Node, peer: Peer, opened: Opened, notes: list[str]) -> bool:
    """Note what *peer* says in a bundle; return whether the bundle carries anything else.

    Receipts and keys are always believed; have and sent only if nothing newer was said before. All
    of it or nothing: what is believed in part is never heard again.

    Args:
        node: Who is told.
        peer: Who says it.
        opened: The bundle.
        notes: Takes lines for people.
    """
    stamp = opened.stamp
    has_data = says_all = says_sent = False
    with node.db.transaction():
        node.db.hear(peer.node_id, stamp.time_us)
        is_newest = node.db.advance_peer(peer.node_id, stamp.incarnation, stamp.counter)
        for section in opened.sections():
            match section:
                case HaveSection() if is_newest:
                    says_all = True
                    _believe_have(node, peer, section, notes)
                case HaveSection():
                    # Late, or by a node that was restored and must hear how much was seen of it.
                    node.db.tell_again(peer.node_id)
                case SentSection() if is_newest:
                    says_sent = True
                    _settle(node, peer, section, stamp.counter)
                case ReceiptSection():
                    _take_receipts(node, peer, section, notes)
                case KeySection():
                    node.add_pairwise_key(peer, section.key, mine=False)
                case LogSection() | GenesisSection() | ForkSection():
                    has_data = True
                case _:
                    pass
        if says_all and not says_sent:
            node.db.settle_receipts(peer.node_id, [], stamp.counter)
    return has_data


def withdraw(node: Node, bundle: OutBundle, state: str, note: str = "") -> None:
    """End a bundle of ours: it leaves the queue."""
    node.db.end_bundle(bundle.bundle_id, state, note)
    node.spool.outbox.withdraw(bundle.peer, BundleName.from_text(bundle.name))


def _believe_have(node: Node, peer: Peer, have: HaveSection, notes: list[str]) -> None:
    node.db.set_have(peer.node_id, have.to_body())
    if have.seen is not None:
        _notice_restored_backup(node, have.seen, notes)
    _confirm(node, peer, have.seen)


def _notice_restored_backup(node: Node, seen: Seen, notes: list[str]) -> None:
    """Start anew if a peer has seen more of this node than it remembers itself."""
    if seen <= (node.incarnation(), node.counter()) or seen.incarnation == _LAST_INCARNATION:
        return
    node.renew_incarnation(above=seen.incarnation)
    for store in node.ledgers():
        open_incarnation(store, node.author)
    notes.append(
        "this node was restored from an older copy of itself: it writes in new logs from now on, "
        "and takes back what others hold of the old ones"
    )


def _confirm(node: Node, peer: Peer, seen: Seen | None) -> None:
    """End the bundles that did their work, and those that *peer* can no longer open."""
    known = known_have(node, peer)
    for bundle in node.db.bundles(peer.node_id):
        if bundle.key_id is not None and bundle.key_id not in known.key_ids:
            withdraw(node, bundle, "replaced", "the peer lost the key that it is sealed under")
        elif bundle.control:
            if seen is not None and seen >= (node.incarnation(), bundle.counter):
                withdraw(node, bundle, "confirmed")
        elif _is_covered(node, bundle, known):
            withdraw(node, bundle, "confirmed")
    for bundle in node.db.group_bundles(peer.node_id):
        if _is_covered(node, bundle, known):
            _confirm_for(node, bundle, peer)


def _confirm_for(node: Node, bundle: OutBundle, peer: Peer) -> None:
    """Note that one of a group has what a bundle carries; end it with the last of them.

    Those that cannot answer stay in its audience: they have what they were sent often enough.
    """
    audience = set(node.db.audience(bundle.bundle_id)) - {peer.node_id}
    is_over = all(node.is_sent_enough(one, bundle.written) for one in audience)
    if not node.settings(peer).oneway:
        node.db.leave_audience(bundle.bundle_id, peer.node_id)
    if is_over:
        withdraw(node, bundle, "sent" if audience else "confirmed")


def _is_covered(node: Node, bundle: OutBundle, known: KnownHave) -> bool:
    spans = node.db.spans(bundle.bundle_id)
    for ledger_id, log, span in spans:
        held, store = known.log(ledger_id, log), node.ledger(ledger_id)
        if held is None or store is None or held.size < span.end:
            return False
        state = store.log(log)
        if held.size > state.size:
            continue  # the peer is ahead of us; that it forked will show when its entries come
        if root_at(state, held.size, store.nodes(state))[:16] != held.root:
            return False
    return bool(spans)


def _settle(node: Node, peer: Peer, section: SentSection, counter: int) -> None:
    """Drop receipts that have arrived; tell again what *peer* still waits to hear."""
    sent = [number.hex() for number in section.bundle_ids]
    node.db.settle_receipts(peer.node_id, sent, counter)
    for number in sent:
        outcome = node.db.seen(number)
        if outcome is not None and not node.db.owes(peer.node_id, number):
            reason = "" if outcome == "merged" else "it was refused before"
            node.db.owe_receipt(peer.node_id, number, reason, counter)


def _take_receipts(node: Node, peer: Peer, section: ReceiptSection, notes: list[str]) -> None:
    for receipt in section.receipts:
        bundle = node.db.bundle(receipt.bundle_id.hex())
        if bundle is None or bundle.peer != peer.node_id or bundle.state != "queued":
            continue
        if receipt.reason:
            if bundle.key_id is not None:
                # It may be that the peer lost the key: then it can read nothing under it.
                node.db.forget_key(peer.node_id, bundle.key_id)
            withdraw(node, bundle, "refused", receipt.reason)
            notes.append(f"{peer.name} refused bundle {bundle.bundle_id}: {receipt.reason}")
        else:
            withdraw(node, bundle, "confirmed")
