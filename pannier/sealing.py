"""Sealing what was put together for a peer: noted in ``node.db``, published in the spool."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bundler.content import Recipient, pack_clear, pack_compact, pack_full, pack_pairwise
from bundler.head import Stamp
from bundler.plan import Span
from bundler.seal import Sealer, compact_key, directed_key
from bundler.sealed import MAX_EXPIRY_DAYS, Header, bundle_id
from bundler.sections import BodySection
from ledger.genesis import LedgerId
from ledger.log import LogName
from pannier import tail_rows
from pannier.have import note_own_have
from pannier.notice import Notice
from pannier.out_bundle import OutBundle
from pannier.way import Way
from spool.name import BundleName

CONTROL_PRIORITY = 1
Spans = Sequence[tuple[LedgerId, LogName, Span]]


class _Packed(NamedTuple):
    """A sealed bundle.

    Attributes:
        sealed: Its bytes.
        key_id: Of the pairwise key that it is under, or None.
        is_compact: Whether it is a compact one.
    """

    sealed: bytes
    key_id: bytes | None = None
    is_compact: bool = False


def seal(way: Way, sections: Sequence[bytes], spans: Spans, notice: Notice | None) -> None:
    """Seal a bundle, note it and what it replaces, then publish it.

    Args:
        way: For whom.
        sections: Each as `bundler.sections.encode_section` gave it.
        spans: Which entries they carry.
        notice: What of them is said of this node, if anything is.

    Raises:
        BundleError: it cannot be made.
        SpoolError: the spool cannot take it.
    """
    _publish(way, spans, notice, lambda header, stamp: _pack(way, sections, header, stamp))


def seal_compact(
    way: Way, sections: Sequence[BodySection], spans: Spans, notice: Notice | None
) -> None:
    """Do the same for a peer that can open compact bundles (`Way.is_compact`).

    Raises:
        BundleError: it cannot be made.
        SpoolError: the spool cannot take it.
    """
    _publish(way, spans, notice, lambda header, stamp: _compact(way, sections, header, stamp))


def expiry_day(way: Way, days: int) -> int:
    """Return when a bundle made now expires.

    Never, while neither the peer nor two others have been heard: it would have expired already
    where it arrives, were this node's clock behind.
    """
    node, peer = way.node, way.peer.node_id
    if not (way.is_oneway or node.time.is_confirmed(peer)):
        return MAX_EXPIRY_DAYS
    return min(node.time.today(peer) + days, MAX_EXPIRY_DAYS)


def _publish(
    way: Way, spans: Spans, notice: Notice | None, pack: Callable[[Header, Stamp], _Packed]
) -> None:
    node, peer = way.node, way.peer
    settings = node.settings(peer)
    header = Header(
        settings.priority if spans else CONTROL_PRIORITY, expiry_day(way, settings.expiry_days)
    )
    stamp = node.counting.stamp()
    packed = pack(header, stamp)
    bundle = _noted(way, header, stamp, packed, is_control=not spans)
    older = [one for one in node.db.bundles(peer.node_id) if one.control] if notice else []
    with node.db.transaction():
        node.db.add_bundle(bundle, spans)
        if packed.is_compact:
            tail_rows.note_compact(node.db, bundle.bundle_id, stamp.incarnation)
        if notice is not None:
            _note_told(way, notice, bundle)
        for one in older:
            if way.has_small_frames and one.written:
                node.db.rely_on(one.bundle_id, bundle.bundle_id)
            node.db.end_bundle(one.bundle_id, "replaced")
    node.spool.outbox.publish(peer.node_id, BundleName.from_text(bundle.name), packed.sealed)
    for one in older:
        node.spool.outbox.withdraw(peer.node_id, BundleName.from_text(one.name))


def _noted(
    way: Way, header: Header, stamp: Stamp, packed: _Packed, *, is_control: bool
) -> OutBundle:
    number = bundle_id(packed.sealed)
    hint = way.node.shared.hint_to(way.peer, number).hex()
    name = BundleName(header.priority, header.expiry_days, hint, number.hex(), way.symbol_bytes)
    return OutBundle(
        bundle_id=number.hex(),
        peer=way.peer.node_id,
        name=name.to_text(),
        state="queued",
        control=is_control,
        counter=stamp.counter,
        written=0,
        created_us=stamp.time_us,
        expiry_days=header.expiry_days,
        size_bytes=len(packed.sealed),
        key_id=packed.key_id,
    )


def _note_told(way: Way, notice: Notice, bundle: OutBundle) -> None:
    node, peer = way.node, way.peer
    node.db.note_told(peer.node_id, notice.digest, bundle.bundle_id, bundle.created_us)
    node.db.note_answered(peer.node_id)
    note_own_have(node, peer, notice.have, bundle.counter)
    node.db.note_receipts_told(peer.node_id, notice.receipts, bundle.bundle_id)
    if notice.has_witness:
        node.db.note_witness_told(peer.node_id, bundle.bundle_id, bundle.created_us)


def _pack(way: Way, sections: Sequence[bytes], header: Header, stamp: Stamp) -> _Packed:
    """Return a bundle in the form that the peer is served in."""
    node, peer = way.node, way.peer
    if way.is_clear:
        return _Packed(
            pack_clear(
                sections,
                header=header,
                stamp=stamp,
                signing_key=node.keys.signing,
                recipients=[peer.card.author],
            )
        )
    sealer = Sealer(node.entropy, node.wrapper, node.settings(peer).pad)
    shared = way.shared_key_ids()
    if shared:
        key = directed_key(
            node.shared.pairwise_keys(peer)[shared[-1]],
            sender=node.card.author,
            recipient=peer.card.author,
        )
        sealed = pack_pairwise(sections, header=header, stamp=stamp, key=key, sealer=sealer)
        return _Packed(sealed, shared[-1])
    return _Packed(
        pack_full(
            sections,
            header=header,
            stamp=stamp,
            signing_key=node.keys.signing,
            recipients=[Recipient(peer.card.author, peer.card.hpke_key)],
            sealer=sealer,
        )
    )


def _compact(way: Way, sections: Sequence[BodySection], header: Header, stamp: Stamp) -> _Packed:
    node, peer, key_id = way.node, way.peer, way.shared_key_ids()[-1]
    key = compact_key(
        node.shared.pairwise_keys(peer)[key_id],
        sender=node.card.author,
        recipient=peer.card.author,
        incarnation=stamp.incarnation,
    )
    is_padded = node.settings(peer).pad
    sealed = pack_compact(sections, header=header, stamp=stamp, key=key, is_padded=is_padded)
    return _Packed(sealed, key_id, is_compact=True)
