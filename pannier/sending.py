"""What goes to a peer: what it lacks, planned, packed and sealed when a carrier takes it.

A bundle that no carrier has touched is taken back and planned again, so that a year of small puts
leaves as a few large bundles. One that was handed out stays, as the same bytes, and goes onto
every further medium until the peer has confirmed it.
"""

from collections.abc import Iterable, Sequence

from bundler import plan
from bundler.content import Recipient, pack_clear, pack_full, pack_pairwise
from bundler.geometry import symbol_bytes_for
from bundler.head import Stamp
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.plan import Span
from bundler.rows import encode_rows
from bundler.seal import Sealer, directed_key
from bundler.sealed import MAX_EXPIRY_DAYS, Header, bundle_id
from bundler.sections import Section, encode_section
from ledger.genesis import LedgerId
from ledger.log import LogName
from ledger.members import members
from pannier.clear import settle
from pannier.home import Peer
from pannier.housekeeping import end_expired
from pannier.lacks import Piece, pieces
from pannier.lock import exclusive
from pannier.node import Node
from pannier.notice import Notice, known_facts, notice_for
from pannier.out_bundle import OutBundle
from pannier.statements import withdraw
from pannier.way import Way
from spool.name import BundleName

CONTROL_PRIORITY = 1
MAX_MTU = 65_564
_LEVEL = 9


def prepare(
    node: Node, peer: Peer, *, mtu: int | None = None, medium: str | None = None
) -> list[OutBundle]:
    """Make what *peer* should be sent now; return the bundles for this carrier, first ones first.

    Among them are those for groups that *peer* is one of (`pannier.group_sending`). All of them
    stay queued until they are confirmed or expire. A peer that cannot answer gets a
    bundle as often as is configured, and a medium gets each notice once: it would be read, taken
    off and written again for ever.

    Args:
        node: The sender.
        peer: The recipient.
        mtu: Most bytes of a frame of this carrier, if that is less than the peer's.
        medium: The id of the medium that they are for, if it is one.

    Raises:
        BusyError: another process is preparing bundles in this home.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot take a bundle.
    """
    with exclusive(node.home.locks / "send", "preparing bundles"):
        symbol_bytes = symbol_bytes_for(min(mtu or MAX_MTU, node.settings(peer).mtu))
        reconcile(node, peer.node_id)
        settle(node, peer)
        take_back(node, peer.node_id)
        _take_back_from_removed(node, peer)
        _take_back_large(node, peer, symbol_bytes)
        _make(Way.to(node, peer, symbol_bytes=symbol_bytes))
    had = node.db.bundles_on(medium) if medium is not None else frozenset()
    queued = sorted(_bundles(node, peer), key=lambda one: (one.name[0], one.counter))
    return [
        one
        for one in queued
        if not node.is_sent_enough(peer.node_id, one.written)
        and not (one.control and one.bundle_id in had)
    ]


def reconcile(node: Node, queue: str) -> None:
    """Make ``node.db`` and the spool agree again after a crash between the two.

    Args:
        node: Whose.
        queue: Node id of a peer, or the epoch id of a group.
    """
    files = {name.to_text(): name for name in node.spool.outbox.queued(queue)}
    rows = {one.name: one for one in node.db.bundles(queue)}
    for text, bundle in rows.items():
        if text not in files:
            node.db.forget_bundle(bundle.bundle_id)
        elif bundle.expiry_days < node.past_day(queue):
            end_expired(node, bundle.bundle_id)
            node.spool.outbox.withdraw(queue, files[text])
    for text, name in files.items():
        if text not in rows:
            node.spool.outbox.withdraw(queue, name)


def take_back(node: Node, queue: str) -> None:
    """Take back what no carrier has touched."""
    for bundle in node.db.bundles(queue):
        if bundle.written == 0:
            node.db.forget_bundle(bundle.bundle_id)
            node.spool.outbox.withdraw(queue, BundleName.from_text(bundle.name))


def _take_back_from_removed(node: Node, peer: Peer) -> None:
    """Take back what *peer* was to have as a member, also where it lies on a medium already."""
    for bundle in node.db.bundles(peer.node_id):
        ledgers = {ledger_id for ledger_id, _, _ in node.db.spans(bundle.bundle_id)}
        stores = filter(None, map(node.ledger, ledgers))
        if any(peer.card.author not in members(store) for store in stores):
            withdraw(node, bundle, "replaced", "no member any more")


def _take_back_large(node: Node, peer: Peer, symbol_bytes: int) -> None:
    """Take back what does not fit this carrier's frames."""
    for bundle in _bundles(node, peer):
        if BundleName.from_text(bundle.name).symbol_bytes > symbol_bytes:
            withdraw(node, bundle, "replaced", "made anew for smaller frames")


def _bundles(node: Node, peer: Peer) -> list[OutBundle]:
    """Return what is queued for *peer*, alone or as one of a group."""
    return [*node.db.bundles(peer.node_id), *node.db.group_bundles(peer.node_id)]


class Load:
    """A bundle in the making: sections encoded, and which entries they carry."""

    def __init__(self, sections: Iterable[Section]) -> None:
        """Begin with *sections*, which say nothing of logs."""
        self.encoded = [encode_section(one, level=_LEVEL) for one in sections]
        self.spans: list[tuple[LedgerId, LogName, Span]] = []
        self._size_bytes = sum(map(len, self.encoded))
        self._decoded_bytes = 0

    def add(self, piece: Piece, target_bytes: int) -> bool:
        """Add the section of *piece*; False if that would make more than one bundle of it."""
        section = log_section(piece)
        encoded = encode_section(section, level=_LEVEL)
        self._size_bytes += len(encoded)
        self._decoded_bytes += sum(map(len, section.columns))
        if self.spans and (
            self._size_bytes > target_bytes
            or self._decoded_bytes > DEFAULT_LIMITS.decoded_bytes // 2
            or len(self.encoded) == DEFAULT_LIMITS.sections - 1
        ):
            return False
        self.encoded.append(encoded)
        self.spans.append((piece.store.ledger_id, piece.state.name, piece.span))
        return True


def _make(way: Way) -> None:
    """Pack the pieces into bundles, what is to be said of us into the first of them."""
    target = plan.bundle_bytes_for(way.symbol_bytes, DEFAULT_LIMITS)
    notice = None if way.is_oneway or way.is_dismissed else notice_for(way)
    draft = Load(notice.sections if notice else known_facts(way))
    for piece in pieces(way):
        if not draft.add(piece, target):
            _seal(way, draft, notice)
            draft, notice = Load([]), None
            draft.add(piece, target)
    if draft.spans or (notice is not None and notice.is_news):
        _seal(way, draft, notice)


def log_section(piece: Piece) -> LogSection:
    """Return the section that carries *piece*.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    store, state, span = piece.store, piece.state, piece.span
    return LogSection(
        ledger=store.ledger_id,
        author=state.name.author,
        incarnation=state.name.incarnation,
        first=span.first,
        cover=state.cover if piece.with_cover else (),
        checkpoint=store.checkpoints(state, span.end - 1, span.end)[0],
        columns=tuple(encode_rows(store.entries(state, *span))),
    )


def _seal(way: Way, draft: Load, notice: Notice | None) -> None:
    """Seal a bundle, note it and what it replaces, then publish it."""
    node, peer = way.node, way.peer
    settings = node.settings(peer)
    is_control = not draft.spans
    header = Header(
        CONTROL_PRIORITY if is_control else settings.priority,
        expiry_day(way, settings.expiry_days),
    )
    stamp = Stamp(incarnation=node.incarnation(), counter=node.next_counter(), time_us=node.clock())
    key_id, sealed = _pack(way, draft.encoded, header, stamp)
    number = bundle_id(sealed)
    name = BundleName(
        header.priority,
        header.expiry_days,
        node.hint_to(peer, number).hex(),
        number.hex(),
        way.symbol_bytes,
    )
    bundle = OutBundle(
        bundle_id=number.hex(),
        peer=peer.node_id,
        name=name.to_text(),
        state="queued",
        control=is_control,
        counter=stamp.counter,
        written=0,
        created_us=stamp.time_us,
        expiry_days=header.expiry_days,
        size_bytes=len(sealed),
        key_id=key_id,
    )
    older = [one for one in node.db.bundles(peer.node_id) if one.control] if notice else []
    with node.db.transaction():
        node.db.add_bundle(bundle, draft.spans)
        if notice is not None:
            node.db.note_told(peer.node_id, notice.digest, bundle.bundle_id, stamp.time_us)
            node.db.note_receipts_told(peer.node_id, notice.receipts, bundle.bundle_id)
            if notice.has_witness:
                node.db.note_witness_told(peer.node_id, bundle.bundle_id, stamp.time_us)
        for one in older:
            node.db.end_bundle(one.bundle_id, "replaced")
    node.spool.outbox.publish(peer.node_id, name, sealed)
    for one in older:
        node.spool.outbox.withdraw(peer.node_id, BundleName.from_text(one.name))


def expiry_day(way: Way, days: int) -> int:
    """Return when a bundle made now expires.

    Never, while no peer has been heard that can be: it would have expired already where it arrives,
    were this node's clock behind.
    """
    if not (way.is_oneway or way.node.is_clock_confirmed()):
        return MAX_EXPIRY_DAYS
    return min(way.node.today(way.peer.node_id) + days, MAX_EXPIRY_DAYS)


def _pack(
    way: Way, sections: Sequence[bytes], header: Header, stamp: Stamp
) -> tuple[bytes | None, bytes]:
    """Return (pairwise key id or None, sealed bundle)."""
    node, peer = way.node, way.peer
    if way.is_clear:
        return None, pack_clear(
            sections,
            header=header,
            stamp=stamp,
            signing_key=node.keys.signing,
            recipients=[peer.card.author],
        )
    sealer = Sealer(node.entropy, node.wrapper, node.settings(peer).pad)
    shared = way.shared_key_ids()
    if shared:
        key = directed_key(
            node.pairwise_keys(peer)[shared[-1]],
            sender=node.card.author,
            recipient=peer.card.author,
        )
        return shared[-1], pack_pairwise(
            sections, header=header, stamp=stamp, key=key, sealer=sealer
        )
    return None, pack_full(
        sections,
        header=header,
        stamp=stamp,
        signing_key=node.keys.signing,
        recipients=[Recipient(peer.card.author, peer.card.hpke_key)],
        sealer=sealer,
    )
