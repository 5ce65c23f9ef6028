"""What goes to a peer: what it lacks, planned, packed and sealed when a carrier takes it.

A bundle that no carrier has touched is taken back and planned again, so that a year of small puts
leaves as a few large bundles. One that was handed out stays, as the same bytes, and goes onto
every further medium until the peer has confirmed it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from bundler import plan
from bundler.content import Recipient, Stamp, pack_full, pack_pairwise
from bundler.geometry import symbol_bytes_for
from bundler.hpke import HpkeWrapper
from bundler.limits import DEFAULT_LIMITS
from bundler.log_section import LogSection
from bundler.notices import (
    ForkSection,
    GenesisSection,
    KeySection,
    Receipt,
    ReceiptSection,
    SentSection,
)
from bundler.plan import Span
from bundler.rows import encode_rows
from bundler.seal import Sealer, directed_key
from bundler.sealed import MAX_EXPIRY_DAYS, Header, bundle_id
from bundler.sections import Section, encode_section
from ledger.log import MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, LogState, LogStatus
from ledger.members import Role, members
from ledger.merge import root_at
from ledger.store import Store
from pannier.have import KnownHave, known_have, own_have
from pannier.home import Peer
from pannier.lock import exclusive
from pannier.node import Node
from pannier.nodedb import OutBundle
from spool.name import BundleName

CONTROL_PRIORITY = 1
MAX_MTU = 65_564
_LEVEL = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Entries of one log that become one section."""

    store: Store
    state: LogState
    span: Span
    with_cover: bool


def prepare(node: Node, peer: Peer, *, mtu: int | None = None) -> list[OutBundle]:
    """Make what *peer* should be sent now; return all bundles that wait for it, first ones first.

    Args:
        node: The sender.
        peer: The recipient.
        mtu: Most bytes of a frame of this carrier, if that is less than the peer's.

    Raises:
        BusyError: another process is preparing bundles in this home.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot take a bundle.
    """
    with exclusive(node.home.locks / "send", "preparing bundles"):
        symbol_bytes = symbol_bytes_for(min(mtu or MAX_MTU, node.settings(peer).mtu))
        _reconcile(node, peer)
        _take_back(node, peer, symbol_bytes)
        known = known_have(node, peer)
        way = _Way(node=node, peer=peer, known=known, symbol_bytes=symbol_bytes)
        _make(way, _pieces(node, peer, known))
    return sorted(node.db.bundles(peer.node_id), key=lambda one: (one.name[0], one.counter))


def _reconcile(node: Node, peer: Peer) -> None:
    """Make ``node.db`` and the spool agree again after a crash between the two."""
    files = {name.to_text(): name for name in node.spool.outbox.queued(peer.node_id)}
    rows = {one.name: one for one in node.db.bundles(peer.node_id)}
    for text, bundle in rows.items():
        if text not in files:
            node.db.forget_bundle(bundle.bundle_id)
        elif bundle.expiry_days < node.today():
            node.spool.outbox.withdraw(peer.node_id, files[text])
            node.db.end_bundle(bundle.bundle_id, "expired")
    for text, name in files.items():
        if text not in rows:
            node.spool.outbox.withdraw(peer.node_id, name)


def _take_back(node: Node, peer: Peer, symbol_bytes: int) -> None:
    """Take back what no carrier has touched, and what does not fit this one's frames."""
    for bundle in node.db.bundles(peer.node_id):
        name = BundleName.from_text(bundle.name)
        if bundle.written == 0:
            node.spool.outbox.withdraw(peer.node_id, name)
            node.db.forget_bundle(bundle.bundle_id)
        elif name.symbol_bytes > symbol_bytes:
            node.spool.outbox.withdraw(peer.node_id, name)
            node.db.end_bundle(bundle.bundle_id, "replaced", "made anew for smaller frames")


# -- which entries ----------------------------------------------------------------------------


def _pieces(node: Node, peer: Peer, known: KnownHave) -> Iterator[_Piece]:
    for store in node.shared_with(peer):
        admins = {author for author, one in members(store).items() if one.role is Role.ADMIN}
        logs = [state for state in store.logs() if state.size]
        for state in sorted(logs, key=lambda one: one.name.author not in admins):
            yield from _pieces_of_log(node, peer, known, store, state)


def _pieces_of_log(
    node: Node, peer: Peer, known: KnownHave, store: Store, state: LogState
) -> Iterator[_Piece]:
    confirmed = _confirmed(peer, known, store, state)
    if confirmed is None:
        return
    states = ("queued", "confirmed") if node.settings(peer).oneway else ("queued",)
    on_the_way = node.db.spans_for(peer.node_id, store.ledger_id, state.name, states)
    for span in plan.lacking(state.size, confirmed, on_the_way):
        sizes = [one.size for one in store.checkpoints(state, span.first, span.end)]
        if not sizes or sizes[-1] < span.end:
            # The span ends inside what one checkpoint covers: then it goes as far as that does.
            sizes += [one.size for one in store.checkpoints(state, span.end, state.size)[:1]]
        costs = [cost + 128 for cost in store.costs(state, span.first, max(sizes))]
        cuts = plan.cut(
            Span(span.first, max(sizes)),
            sizes,
            costs,
            limit_bytes=MAX_BATCH_BYTES,
            limit_count=MAX_BATCH_ENTRIES,
        )
        for one in cuts:
            with_cover = known.log(store.ledger_id, state.name) is None
            yield _Piece(store=store, state=state, span=one, with_cover=with_cover)


def _confirmed(peer: Peer, known: KnownHave, store: Store, state: LogState) -> int | None:
    """Return how much of a log *peer* holds as we do; None if nothing of it should be sent."""
    held = known.log(store.ledger_id, state.name)
    if held is None or held.size == 0:
        return 0
    if held.size > state.size:
        return None
    if root_at(state, held.size, store.nodes(state))[:16] == held.root:
        return held.size
    if state.name.author == peer.card.author:
        return state.fork_index or 0
    return None if state.status in (LogStatus.FORKED, LogStatus.HOSTILE) else 0


# -- what is to be said -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Control:
    """What this node says of itself in the first bundle to a peer.

    Attributes:
        sections: have, sent, receipt, key.
        digest: Of the have section without what changes with every contact.
        is_news: Whether it alone is worth a bundle.
    """

    sections: tuple[Section, ...]
    digest: bytes
    is_news: bool


def _control(node: Node, peer: Peer, known: KnownHave) -> _Control:
    have = own_have(node, peer)
    digest = sha256(replace(have, seen=None).to_body()).digest()
    sections: list[Section] = []
    if not _shared_key_ids(node, peer, known):
        sections.append(KeySection(key=node.own_pairwise_key(peer)))
    sections.append(have)
    sent = tuple(
        bytes.fromhex(one.bundle_id) for one in node.db.bundles(peer.node_id) if not one.control
    )
    if sent:
        sections.append(SentSection(bundle_ids=sent))
    receipts = node.db.receipts(peer.node_id)
    if receipts:
        items = (Receipt(bytes.fromhex(one), reason) for one, reason in receipts)
        sections.append(ReceiptSection(receipts=tuple(items)))
    told = node.db.peer(peer.node_id).told
    news = bool(node.db.receipts(peer.node_id, untold=True)) or (
        digest != told and bool(have.ledgers or have.key_ids)
    )
    return _Control(sections=tuple(sections), digest=digest, is_news=news)


def _facts(node: Node, peer: Peer, known: KnownHave) -> Iterator[Section]:
    """Yield what a peer must know of a ledger besides its logs: its genesis, and forks."""
    for store in node.shared_with(peer):
        if not known.has_ledger(store.ledger_id):
            yield GenesisSection(genesis=store.genesis.to_bytes())
        for state, fork in store.evidence("fork"):
            if state.status in (LogStatus.FORKED, LogStatus.HOSTILE):
                yield ForkSection(
                    ledger=store.ledger_id,
                    author=state.name.author,
                    incarnation=state.name.incarnation,
                    fork=fork,
                )


def _shared_key_ids(node: Node, peer: Peer, known: KnownHave) -> list[bytes]:
    """Return the pairwise keys that both sides are known to hold, ascending."""
    return sorted(known.key_ids & set(node.pairwise_keys(peer)))


# -- bundles ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """To whom bundles go, and for which symbol size they are made."""

    node: Node
    peer: Peer
    known: KnownHave
    symbol_bytes: int


class _Draft:
    """A bundle in the making: sections encoded, and the pieces that they carry."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self.encoded = [encode_section(one, level=_LEVEL) for one in sections]
        self.pieces: list[_Piece] = []

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.encoded))


def _make(way: _Way, pieces: Iterator[_Piece]) -> None:
    """Pack the pieces into bundles, what is to be said of us into the first of them."""
    node, peer, known = way.node, way.peer, way.known
    target = plan.bundle_bytes_for(way.symbol_bytes, DEFAULT_LIMITS)
    control = None if node.settings(peer).oneway else _control(node, peer, known)
    draft = _Draft([*(control.sections if control else ()), *_facts(node, peer, known)])
    for piece in pieces:
        section = encode_section(_log_section(piece), level=_LEVEL)
        if draft.pieces and draft.size_bytes + len(section) > target:
            _seal(way, draft, control)
            draft, control = _Draft([]), None
        draft.encoded.append(section)
        draft.pieces.append(piece)
    if draft.pieces or (control is not None and control.is_news):
        _seal(way, draft, control)


def _log_section(piece: _Piece) -> LogSection:
    store, state, span = piece.store, piece.state, piece.span
    return LogSection(
        ledger=store.ledger_id,
        author=state.name.author,
        incarnation=state.name.incarnation,
        first=span.first,
        cover=state.cover if piece.with_cover else (),
        checkpoint=store.checkpoints(state, span.end - 1, span.end)[0],
        columns=tuple(encode_rows(store.entries(state, span.first, span.end))),
    )


def _seal(way: _Way, draft: _Draft, control: _Control | None) -> None:
    """Seal a bundle, note it, publish it; then what it replaces goes."""
    node, peer = way.node, way.peer
    settings = node.settings(peer)
    is_control = not draft.pieces
    header = Header(
        CONTROL_PRIORITY if is_control else settings.priority,
        min(node.today() + settings.expiry_days, MAX_EXPIRY_DAYS),
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
    older = [one for one in node.db.bundles(peer.node_id) if one.control] if control else []
    with node.db.transaction():
        spans = [(one.store.ledger_id, one.state.name, one.span) for one in draft.pieces]
        node.db.add_bundle(bundle, spans)
        if control is not None:
            node.db.set_told(peer.node_id, control.digest)
            node.db.note_told(peer.node_id, bundle.bundle_id)
    node.spool.outbox.publish(peer.node_id, name, sealed)
    for one in older:
        node.spool.outbox.withdraw(peer.node_id, BundleName.from_text(one.name))
        node.db.end_bundle(one.bundle_id, "replaced")


def _pack(
    way: _Way, sections: Sequence[bytes], header: Header, stamp: Stamp
) -> tuple[bytes | None, bytes]:
    """Return (pairwise key id or None, sealed bundle)."""
    node, peer, known = way.node, way.peer, way.known
    shared = _shared_key_ids(node, peer, known)
    if shared:
        key = directed_key(
            node.pairwise_keys(peer)[shared[-1]],
            sender=node.card.author,
            recipient=peer.card.author,
        )
        return shared[-1], pack_pairwise(
            sections, header=header, stamp=stamp, key=key, entropy=node.entropy
        )
    return None, pack_full(
        sections,
        header=header,
        stamp=stamp,
        signing_key=node.keys.signing,
        recipients=[Recipient(peer.card.author, peer.card.x25519)],
        sealer=Sealer(node.entropy, HpkeWrapper()),
    )
