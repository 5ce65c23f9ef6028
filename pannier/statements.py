"""What a peer says of itself, believed in order: have, sent, lack, receipts, keys.

Format: docs/format.md section 5.
"""

from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING

from bundler.blob_section import BlobSection
from bundler.lack_section import LackSection
from bundler.log_section import LogSection
from bundler.notices import (
    ROOT_START_BYTES,
    HaveSection,
    HeldLog,
    KeySection,
    ReceiptSection,
    Seen,
    SentSection,
)
from bundler.tail_section import TailSection
from ledger.genesis import LedgerId
from ledger.log import LogName, root_at
from pannier import tail_rows
from pannier.counting import LAST_INCARNATION
from pannier.decisions import AT_REVIEW
from pannier.have import KnownHave, known_have
from pannier.have_rows import forget_held, note_held
from pannier.hearing import Hearing
from pannier.home import Peer
from pannier.lack_rows import note_lack
from pannier.left_out import note as note_left_out
from pannier.node import Node
from pannier.nodedb import TAKEN
from pannier.nodedb_peers import KEY_LOST
from pannier.out_bundle import OutBundle, withdraw
from pannier.rollback import begin_anew
from pannier.unreadable import held_back

if TYPE_CHECKING:
    from bundler.content import Opened

UNFOUNDED = "what it builds on is not here"
"""The reason of a receipt for a bundle with tails that could not be read or verified here."""

# What a receipt is owed for. Not genesis and fork: notices have them as well, also those that bring
# receipts, and where both sides do each would be answered by another one, without end.
_DATA = (LogSection, TailSection, BlobSection)
_REASONS = {"merged": "", TAKEN: "", "unfounded": UNFOUNDED}
_DAY_US = 86_400_000_000
_MOST_CLAIMS_A_DAY = 8
_CLAIMS = Struct(">qB")  # the day, and how many there were then


def believe(node: Node, peer: Peer, opened: "Opened", notes: list[str]) -> bool:
    """Note what *peer* says in a bundle; return whether it carries what a receipt is owed for.

    Receipts and keys are always believed; sent and lack only if nothing newer was said before, and
    have only if no newer have was. All of it or nothing: what is believed in part is never heard
    again.

    Args:
        node: Who is told.
        peer: Who says it.
        opened: The bundle.
        notes: Takes lines for people.
    """
    stamp = opened.stamp
    has_data = says_sent = False
    lack: LackSection | None = None
    merged: list[OutBundle] = []
    hearing = Hearing(node=node, peer=peer, stamp=stamp)
    with node.db.transaction():
        node.db.hear(peer.node_id, stamp.time_us)
        node.db.count_unanswered(peer.node_id)
        is_newest = node.db.advance_peer(peer.node_id, stamp.incarnation, stamp.counter)
        if opened.is_compact and not is_newest:
            node.db.tell_again(peer.node_id)  # as below: a compact one need not say what it holds
        for section in opened.sections():
            match section:
                case HaveSection() if hearing.take(section):
                    pass
                case HaveSection():
                    # Late, or by a node that was restored and must hear how much was seen of it.
                    node.db.tell_again(peer.node_id)
                    # What it saw of this node it saw, or two that were restored would wait for
                    # each other for ever.
                    _notice_restored_backup(node, peer, section.seen, notes)
                case SentSection() if is_newest:
                    says_sent = True
                    _settle(node, peer, section, stamp.counter)
                case LackSection() if is_newest:
                    lack = section
                case ReceiptSection():
                    merged += _take_receipts(node, peer, section, notes)
                case KeySection():
                    node.shared.add_pairwise_key(peer, section.key, mine=False)
                case _:
                    has_data = has_data or isinstance(section, _DATA)
        if hearing.first is not None:
            _believe_have(hearing, hearing.first.seen, merged, notes)
        if hearing.first is not None and is_newest:
            note_lack(node.db, peer.node_id, lack)
            if not says_sent:
                node.db.settle_receipts(peer.node_id, [], stamp.counter)
    return has_data


def note_sender_holds(
    node: Node, peer: Peer, opened: "Opened", taken: Iterable[tuple[LedgerId, LogName, int]]
) -> None:
    """Note that *peer* holds what it sent, unless it said something newer already.

    Args:
        node: Who noted what *peer* says of itself (`believe`).
        peer: Who sent it.
        opened: The bundle.
        taken: Which logs it verified for, up to which size.
    """
    said, stamp = node.db.peer(peer.node_id), opened.stamp
    if (said.incarnation, said.counter) != (stamp.incarnation, stamp.counter):
        return
    known = known_have(node, peer)
    for ledger_id, log, size in taken:
        held, store = known.log(ledger_id, log), node.ledger(ledger_id)
        state = store.log(log) if store is not None else None
        if store is None or state is None or size > state.size or (held and held.size >= size):
            continue
        root = root_at(state, size, store.nodes(state))[:ROOT_START_BYTES]
        holding = HeldLog(*log, size, root, held.lacking if held else None)
        with node.db.transaction():
            note_held(node.db, peer.node_id, [(ledger_id, holding)])


def _believe_have(
    hearing: Hearing, seen: Seen | None, merged: Iterable[OutBundle], notes: list[str]
) -> None:
    """Conclude what follows from a have; *merged* were said to be merged in the same bundle."""
    node, peer, known = hearing.node, hearing.peer, hearing.conclude()
    _notice_restored_backup(node, peer, seen, notes)
    _confirm(node, peer, seen, known)
    for bundle in merged:
        has_entries = any(span.end for _, _, span in node.db.spans(bundle.bundle_id))
        is_lacking = has_entries and hearing.is_whole and not _is_covered(node, bundle, known)
        # Of a ledger that cannot be read nobody can tell whether the peer holds it.
        if is_lacking and bundle.bundle_id not in held_back(node):
            note_left_out(node, peer, known, bundle)


def _notice_restored_backup(node: Node, peer: Peer, seen: Seen | None, notes: list[str]) -> None:
    """Start anew if a peer has seen more of this node than it remembers itself."""
    if seen is None or seen <= (node.counting.incarnation(), node.counting.counter()):
        return
    if seen.incarnation == LAST_INCARNATION:
        return
    if not _is_believed_today(node, peer):
        node.counting.renew(above=seen.incarnation)
        return
    begin_anew(node, above=seen.incarnation)
    notes.append(
        "this node was restored from an older copy of itself: it writes in new logs from now on, "
        "and takes back what others hold of the old ones"
    )


def _is_believed_today(node: Node, peer: Peer) -> bool:
    """Count that *peer* says that this node is older; return whether it has not said so too often.

    Nothing but its word proves it, and each new log is one for all members to hold. Who is older
    indeed learns it from the entries as well, from proofs and from witnesses.
    """
    key, day = f"older, says {peer.node_id}", node.clock() // _DAY_US
    said = node.db.meta(key) or b""
    last, count = _CLAIMS.unpack(said) if len(said) == _CLAIMS.size else (day, 0)
    count = count + 1 if last == day else 1
    if count > _MOST_CLAIMS_A_DAY:
        return False
    node.db.set_meta(key, _CLAIMS.pack(day, count))
    return True


def _confirm(node: Node, peer: Peer, seen: Seen | None, known: KnownHave) -> None:
    """End the bundles that did their work, and those that *peer* can no longer open."""
    for bundle in node.db.bundles(peer.node_id):
        under = tail_rows.compact_under(node.db, bundle.bundle_id)
        if bundle.key_id is not None and bundle.key_id not in known.key_ids:
            withdraw(node, bundle, "replaced", "the peer lost the key that it is sealed under")
        elif under is not None and (seen is None or seen.incarnation != under):
            withdraw(node, bundle, "replaced", "the peer forgot under which incarnation we count")
        elif bundle.control:
            if seen is not None and seen >= (node.counting.incarnation(), bundle.counter):
                withdraw(node, bundle, "confirmed")
        elif _is_covered(node, bundle, known):
            withdraw(node, bundle, "confirmed")
    for bundle in node.db.group_bundles(peer.node_id):
        if _is_covered(node, bundle, known):
            _confirm_for(node, bundle, peer)


def _confirm_for(node: Node, bundle: OutBundle, peer: Peer) -> None:
    """Note that one of a group has what a bundle carries; end it with the last of them.

    Of those that cannot answer nobody knows whether they have looked, however often it went out:
    for them it stays where it is until it expires, as what goes to one of them alone does.
    """
    node.db.leave_audience(bundle.bundle_id, peer.node_id)
    if not node.db.audience(bundle.bundle_id):
        withdraw(node, bundle, "confirmed")


def _is_covered(node: Node, bundle: OutBundle, known: KnownHave) -> bool:
    spans = node.db.spans(bundle.bundle_id)
    for ledger_id, log, span in spans:
        held, store = known.log(ledger_id, log), node.readable(ledger_id)
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
        outcome = node.db.seen(number, peer.node_id)
        if outcome is not None and not node.db.owes(peer.node_id, number):
            reason = _REASONS.get(outcome, "it was refused before")
            node.db.owe_receipt(peer.node_id, number, reason, counter)


def _take_receipts(
    node: Node, peer: Peer, section: ReceiptSection, notes: list[str]
) -> list[OutBundle]:
    """End the bundles that *peer* says are merged or refused; return the merged ones."""
    merged = []
    for receipt in section.receipts:
        bundle = node.db.bundle(receipt.bundle_id.hex())
        if bundle is None or bundle.peer != peer.node_id:
            continue
        if bundle.key_id is not None and _may_lack_key(bundle, receipt.reason):
            is_news = node.db.forget_key(peer.node_id, bundle.key_id)
            if is_news and receipt.reason == KEY_LOST:
                # Who lost a key was restored, or its bookkeeping is gone: what it said that it
                # holds it may have lost as well. Where it counts this node as no member yet, as it
                # did once, it will not say so.
                forget_held(node.db, peer.node_id)
        if bundle.state != "queued":
            continue
        if receipt.reason:
            if receipt.reason == UNFOUNDED:
                _send_whole(node, bundle)
            withdraw(node, bundle, "refused", receipt.reason)
            if receipt.reason != UNFOUNDED:
                notes.append(f"{peer.name} refused bundle {bundle.bundle_id}: {receipt.reason}")
        else:
            withdraw(node, bundle, "confirmed")
            merged.append(bundle)
    return merged


def _may_lack_key(bundle: OutBundle, reason: str) -> bool:
    """Return whether a peer may have lost the key of a bundle: it can read nothing under it then.

    Where it says so, it does not matter whether another has taken the bundle's place: that is under
    the same key.
    """
    if reason == KEY_LOST:
        return True
    is_refused = reason not in {"", UNFOUNDED} and not reason.startswith(AT_REVIEW)
    return is_refused and bundle.state == "queued"


def _send_whole(node: Node, bundle: OutBundle) -> None:
    """Build on nothing in the logs of a bundle that the peer was to have by then already."""
    for ledger_id, log, span in node.db.spans(bundle.bundle_id):
        tail_rows.raise_floor(node.db, bundle.peer, ledger_id, log, span.first)
