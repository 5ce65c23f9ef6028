"""What several members of a ledger lack goes to all of them once (docs/format.md section 3.6).

A bundle under the key of the ledger's epoch lies on a medium once, whoever reads it. Its *audience*
are the peers that hold that key and lack what is in it; it stays, there and in the queue, until all
of them have said that they have it: until it expires, if one of them can say nothing. What only one
of them lacks goes to that one alone, and so does all that a node says of itself: nobody can tell
who wrote a group bundle.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from bundler import plan
from bundler.geometry import symbol_bytes_for
from bundler.head import Stamp
from bundler.limits import DEFAULT_LIMITS
from bundler.plan import Span
from bundler.sealed import Header, bundle_id
from ledger.epochs import Epoch
from ledger.genesis import Term
from ledger.lazy_dataclass import dataclass
from ledger.log import LogState
from ledger.members import members
from ledger.store import Store
from pannier.epochs import KnownEpochs, PlacedEpoch
from pannier.home import Peer
from pannier.lacks import Piece, in_order, needs_cover, parts, spans_lacked
from pannier.node import Node
from pannier.out_bundle import OutBundle, withdraw
from pannier.sending import reconcile, take_back
from pannier.unreadable import free
from pannier.way import Way
from spool.name import BundleName

if TYPE_CHECKING:
    from pannier.load import Load

_LEAST_AUDIENCE = 2
_PATIENCE_US = 30 * 86_400_000_000
"""Who speaks so long after a bundle was made and has not read it gets it alone."""


def prepare_groups(node: Node, peers: Sequence[Peer]) -> None:
    """Make the bundles that *peers* get together; `pannier.sending.prepare` returns them, too.

    Args:
        node: The sender.
        peers: All that one carrier serves.

    Raises:
        BusyError: another process is preparing bundles in this home.
        BundleError: a bundle cannot be made.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot take a bundle.
    """
    with node.alone("send", "preparing bundles"):
        _tidy(node)
        stores = [one for one in node.ledgers() if node.epochs.of(one).sealing is not None]
        if not stores:
            return
        for peer in peers:
            reconcile(node, peer.node_id)
            take_back(node, peer.node_id)
        ways = [
            Way.to(node, peer, symbol_bytes=symbol_bytes_for(node.settings(peer).mtu))
            for peer in peers
            if not node.settings(peer).clear
        ]
        ways.sort(key=lambda way: way.symbol_bytes)
        for _, alike in groupby(ways, key=lambda way: way.symbol_bytes):
            found = list(alike)
            for store in stores:
                _make(node, store, [way for way in found if store in way.stores])


def _tidy(node: Node) -> None:
    """Take back what no carrier has touched, and what waits for nobody or must not go on."""
    groups = {one.peer for one in node.db.queued_bundles()} - set(node.peers)
    groups |= set(node.spool.outbox.peers()) - set(node.peers)
    for group in groups:
        reconcile(node, group)
        store = node.groups.ledger(bytes.fromhex(group))
        for bundle in free(node, node.db.bundles(group)):
            if bundle.control:
                continue  # for nobody in particular, see `pannier.passphrase_ledgers`
            if store is None or not _may_go_on(node, store, bundle):
                withdraw(node, bundle, "replaced", "not for those who belong to the ledger now")
            elif bundle.written == 0:
                node.db.forget_bundle(bundle.bundle_id)
                node.spool.outbox.withdraw(group, BundleName.from_text(bundle.name))


def _may_go_on(node: Node, store: Store, bundle: OutBundle) -> bool:
    """Return whether a bundle still waits for a member, and no removed one can open it.

    Those of its audience who are members no more, or cannot open it, are waited for no longer.
    """
    epochs = node.epochs.of(store)
    epoch = epochs.opened.get(bytes.fromhex(bundle.peer))
    known, heard = members(store), node.db.heard()
    for peer in node.db.audience(bundle.bundle_id):
        is_member = peer in node.peers and node.peers[peer].card.author in known
        if not is_member or heard.get(peer, 0) > bundle.created_us + _PATIENCE_US:
            node.db.set_meta(_alone(bundle.peer, peer), b"")
            node.db.leave_audience(bundle.bundle_id, peer)
    return (
        epoch is not None
        and epochs.standing <= set(epoch.after)
        and bool(node.db.audience(bundle.bundle_id))
    )


# -- what goes together -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """A piece of a log, and the ways of those who lack it."""

    piece: Piece
    ways: tuple[Way, ...]


def _make(node: Node, store: Store, ways: Sequence[Way]) -> None:
    """Make the bundles of one ledger for those who can open them."""
    epochs = node.epochs.of(store)
    epoch = epochs.sealing
    if epoch is None:
        return
    holders = [way for way in ways if _holds(way, store, epochs, epoch)]
    if not holders:
        return
    from pannier.load import Load  # noqa: PLC0415 -- see `seal_for_group`

    symbol_bytes = holders[0].symbol_bytes
    target = plan.bundle_bytes_for(symbol_bytes, DEFAULT_LIMITS)
    load, audience = Load([], symbol_bytes=symbol_bytes), dict[str, Way]()
    for shared in _shared(store, holders):
        if not load.add(shared.piece, target):
            _seal(node, epoch, load, list(audience.values()))
            load, audience = Load([], symbol_bytes=symbol_bytes), {}
            load.add(shared.piece, target)
        audience |= {way.peer.node_id: way for way in shared.ways}
    if load.spans:
        _seal(node, epoch, load, list(audience.values()))


def _shared(store: Store, ways: Sequence[Way]) -> Iterable[_Shared]:
    """Yield what at least two lack, grants before what they allow."""
    if len(ways) < _LEAST_AUDIENCE:
        return
    for state in in_order(store):
        lacks = [spans_lacked(way, store, state) for way in ways]
        for span in plan.common(lacks, least=_LEAST_AUDIENCE):
            for part in parts(store, state, span):
                lacking = tuple(
                    way
                    for way, spans in zip(ways, lacks, strict=True)
                    if any(one.first < part.end and part.first < one.end for one in spans)
                )
                yield _Shared(piece=_piece(store, state, part, lacking), ways=lacking)


def _piece(store: Store, state: LogState, span: Span, ways: Iterable[Way]) -> Piece:
    with_cover = any(needs_cover(way, store, state) for way in ways)
    return Piece(store=store, state=state, span=span, with_cover=with_cover)


# -- who can open it --------------------------------------------------------------------------


def _holds(way: Way, store: Store, epochs: KnownEpochs, epoch: Epoch) -> bool:
    """Return whether a peer is known to have the key of *epoch*."""
    if way.node.db.meta(_alone(epoch.epoch_id.hex(), way.peer.node_id)) is not None:
        return False
    if Term.PASSPHRASE in store.genesis.terms:
        return True  # nobody becomes a member without it
    number = bytes.fromhex(way.peer.node_id)
    giving = (one for one in epochs.entries_of(epoch) if number in one.entry.stanzas)
    return any(_has_entry(way, store, one) for one in giving)


def _alone(group: str, peer: str) -> str:
    """Return the key under which it is noted that a peer did not read what was for its group.

    So it is where an admin gave it another key than the others: on purpose, or to an old card.
    """
    return f"alone {group} {peer}"


def _has_entry(way: Way, store: Store, placed: PlacedEpoch) -> bool:
    """Return whether a peer said that it has an entry, or was sent it often enough."""
    held = way.known.log(store.ledger_id, placed.log)
    if held is not None and held.size > placed.number:
        return True
    return way.is_oneway and any(
        ledger_id == store.ledger_id and log == placed.log and first <= placed.number < end
        for bundle in _sent(way)
        for ledger_id, log, (first, end) in way.node.db.spans(bundle.bundle_id)
    )


def _sent(way: Way) -> list[OutBundle]:
    """Return what a peer that cannot answer was sent as often as it is to be."""
    db, peer = way.node.db, way.peer.node_id
    queued = [*db.bundles(peer), *db.group_bundles(peer)]
    enough = (one for one in queued if way.node.is_sent_enough(peer, one.bundle_id))
    return [*enough, *db.bundles(peer, "sent"), *db.group_bundles(peer, "sent")]


# -- sealing ----------------------------------------------------------------------------------


def _seal(node: Node, epoch: Epoch, load: "Load", audience: Sequence[Way]) -> None:
    """Seal a bundle for a group, note it and for whom, then publish it."""
    from pannier.sealing import expiry_day  # noqa: PLC0415 -- see `seal_for_group`

    settings = [node.settings(way.peer) for way in audience]
    header = Header(
        min(one.priority for one in settings),
        max(expiry_day(way, one.expiry_days) for way, one in zip(audience, settings, strict=True)),
    )
    bundle, name, sealed = seal_for_group(
        node,
        epoch,
        load.encoded,
        header,
        symbol_bytes=audience[0].symbol_bytes,
        is_padded=any(one.pad for one in settings),
    )
    with node.db.transaction():
        node.db.add_bundle(bundle, load.spans)
        node.db.note_audience(bundle.bundle_id, [way.peer.node_id for way in audience])
    node.spool.outbox.publish(bundle.peer, name, sealed)


def seal_for_group(
    node: Node,
    epoch: Epoch,
    sections: Sequence[bytes],
    header: Header,
    *,
    symbol_bytes: int,
    is_padded: bool = False,
) -> tuple[OutBundle, BundleName, bytes]:
    """Return a bundle for all who hold the key of *epoch*: what to note, its name, its bytes.

    Raises:
        BundleError: it cannot be made.
        PannierError: this node does not hold the key itself.
    """
    from bundler.content import pack_group  # noqa: PLC0415 -- often nothing is new
    from bundler.seal import Sealer  # noqa: PLC0415

    stamp = node.counting.stamp()
    sealed = pack_group(
        sections,
        header=header,
        stamp=stamp,
        sender=node.card.author,
        key=epoch.key,
        sealer=Sealer(node.entropy, node.wrapper, is_padded),
    )
    number, group = bundle_id(sealed), epoch.epoch_id.hex()
    name = BundleName(
        header.priority,
        header.expiry_days,
        node.groups.hint_to(group, number).hex(),
        number.hex(),
        symbol_bytes,
    )
    return _queued(name, group, stamp, len(sealed)), name, sealed


def _queued(name: BundleName, group: str, stamp: Stamp, size_bytes: int) -> OutBundle:
    return OutBundle(
        bundle_id=name.bundle_id,
        peer=group,
        name=name.to_text(),
        state="queued",
        control=False,
        counter=stamp.counter,
        written=0,
        created_us=stamp.time_us,
        expiry_days=name.expiry_days,
        size_bytes=size_bytes,
    )
