"""What goes to a peer: what it lacks, planned, packed and sealed when a carrier takes it.

A bundle that no carrier has touched is taken back and planned again, so that a year of small puts
leaves as a few large bundles. One that was handed out stays, as the same bytes, and goes onto
every further medium until the peer has confirmed it.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from bundler import plan
from bundler.geometry import symbol_bytes_for
from bundler.limits import DEFAULT_LIMITS
from ledger.members import members
from pannier import tail_rows
from pannier.clear import settle
from pannier.home import Peer
from pannier.housekeeping import end_expired
from pannier.lacks import Piece, pieces
from pannier.node import Node
from pannier.notice import Notice, known_facts, notice_for, refusals_for
from pannier.out_bundle import OutBundle, withdraw
from pannier.tail_sending import TailLoad, is_sent_back
from pannier.unreadable import free, stuck
from pannier.way import Way
from spool.name import BundleName

MAX_MTU = 65_564
_SMALL_NOTICE_BYTES = 2_048
"""What is said in more is compressed, which a compact bundle is not."""


def prepare(
    node: Node, peer: Peer, *, mtu: int | None = None, medium: str | None = None
) -> list[OutBundle]:
    """Make what *peer* should be sent now; return the bundles for this carrier, first ones first.

    Among them are those for groups that *peer* is one of (`pannier.group_sending`). All of them
    stay queued until they are confirmed or expire. A peer that cannot answer gets a
    bundle as often as is configured, and a medium gets each notice once: it would be read, taken
    off and written again for ever. Where that one got lost, *medium* is left out. What is of a
    ledger that cannot be read goes nowhere (`pannier.unreadable.held_back`).

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
    with node.alone("send", "preparing bundles"):
        symbol_bytes = symbol_bytes_for(min(mtu or MAX_MTU, node.settings(peer).mtu))
        reconcile(node, peer.node_id)
        settle(node, peer)
        take_back(node, peer.node_id)
        _take_back_from_removed(node, peer)
        _take_back_large(node, peer, symbol_bytes)
        _take_back_stale(node, peer)
        _tell_otherwise(node, peer)
        _make(Way.to(node, peer, symbol_bytes=symbol_bytes))
    had = node.db.bundles_on(medium) if medium is not None else frozenset()
    queued = sorted(free(node, _bundles(node, peer)), key=lambda one: (one.name[0], one.counter))
    return [
        one
        for one in queued
        if not node.is_sent_enough(peer.node_id, one.bundle_id)
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
        elif bundle.expiry_days < node.time.day_at(queue):
            end_expired(node, bundle.bundle_id)
            node.spool.outbox.withdraw(queue, files[text])
    for text, name in files.items():
        if text not in rows:
            node.spool.outbox.withdraw(queue, name)


def take_back(node: Node, queue: str) -> None:
    """Take back what no carrier has touched, but for what could not be made anew."""
    for bundle in free(node, node.db.bundles(queue)):
        if bundle.written == 0:
            node.db.forget_bundle(bundle.bundle_id)
            node.spool.outbox.withdraw(queue, BundleName.from_text(bundle.name))


def _take_back_from_removed(node: Node, peer: Peer) -> None:
    """Take back what *peer* was to have as a member, also where it lies on a medium already."""
    for bundle in node.db.bundles(peer.node_id):
        ledgers = {ledger_id for ledger_id, _, _ in node.db.spans(bundle.bundle_id)}
        stores = filter(None, map(node.readable, ledgers))
        if any(peer.card.author not in members(store) for store in stores):
            withdraw(node, bundle, "replaced", "no member any more")


def _take_back_large(node: Node, peer: Peer, symbol_bytes: int) -> None:
    """Take back what does not fit this carrier's frames, but for what went out often enough."""
    for bundle in free(node, _bundles(node, peer)):
        is_large = BundleName.from_text(bundle.name).symbol_bytes > symbol_bytes
        if is_large and not node.is_sent_enough(peer.node_id, bundle.bundle_id):
            withdraw(node, bundle, "replaced", "made anew for smaller frames")


def _take_back_stale(node: Node, peer: Peer) -> None:
    """Take back compact bundles of a former incarnation: who knows of this opens them no more."""
    for bundle in free(node, node.db.bundles(peer.node_id)):
        under = tail_rows.compact_under(node.db, bundle.bundle_id)
        if under not in (None, node.counting.incarnation()):
            withdraw(node, bundle, "replaced", "made anew under another incarnation")


def _tell_otherwise(node: Node, peer: Peer) -> None:
    """Have said anew, in what goes, what is told in bundles that stay here.

    Receipts and what is held of all other ledgers may ride with entries of one that cannot be read,
    and *peer* would wait for them as long as those do.
    """
    for bundle in stuck(node, node.db.bundles(peer.node_id)):
        node.db.untell(bundle.bundle_id)


def _bundles(node: Node, peer: Peer) -> list[OutBundle]:
    """Return what is queued for *peer*, alone or as one of a group."""
    return [*node.db.bundles(peer.node_id), *node.db.group_bundles(peer.node_id)]


def _make(way: Way) -> None:
    """Pack the pieces into bundles, what is to be said of us into the first of them."""
    notice = None if way.is_oneway else _notice(way)
    tails = TailLoad(way)
    is_said = _make_large(way, (one for one in pieces(way) if not tails.add(one)), notice)
    notice = None if is_said else notice
    if way.is_compact:
        _make_compact(way, tails, notice)
    elif notice is not None and notice.is_news:
        _seal_alone(way, notice)


def _notice(way: Way) -> Notice | None:
    return refusals_for(way) if way.is_dismissed else notice_for(way)


def _make_large(way: Way, rest: Iterator[Piece], notice: Notice | None) -> bool:
    """Pack pieces as log sections; return whether there was any, so that *notice* is said."""
    first = next(rest, None)
    if first is None:
        return False
    from pannier.load import Load  # noqa: PLC0415 -- most exchanges bring a peer nothing large
    from pannier.sealing import seal  # noqa: PLC0415

    target = plan.bundle_bytes_for(way.symbol_bytes, DEFAULT_LIMITS)
    draft = Load(notice.sections if notice else known_facts(way), symbol_bytes=way.symbol_bytes)
    for piece in chain([first], rest):
        # Who could make nothing of a tail may lack the seeds of the payloads, too.
        whole = replace(piece, with_cover=True) if is_sent_back(way, piece) else piece
        if not draft.add(whole, target):
            seal(way, draft.encoded, draft.spans, notice)
            draft, notice = Load([], symbol_bytes=way.symbol_bytes), None
            draft.add(whole, target)
    seal(way, draft.encoded, draft.spans, notice)
    return True


def _make_compact(way: Way, tails: TailLoad, notice: Notice | None) -> None:
    """Seal the tails, with what is to be said if it is worth that."""
    if notice is not None and not (notice.is_news or (tails.spans and _may_ride(way, notice))):
        notice = None
    sections = notice.sections if notice else ()
    if notice is not None and sum(len(one.to_body()) for one in sections) > _SMALL_NOTICE_BYTES:
        _seal_alone(way, notice)
        sections, notice = (), None
    if sections or tails.sections:
        from pannier.sealing import seal_compact  # noqa: PLC0415 -- often there is nothing to say

        seal_compact(way, (*sections, *tails.sections), tails.spans, notice)


def _seal_alone(way: Way, notice: Notice) -> None:
    """Seal what is to be said, with nothing else."""
    from pannier.load import Load  # noqa: PLC0415 -- often there is nothing to say
    from pannier.sealing import seal  # noqa: PLC0415

    seal(way, Load(notice.sections, symbol_bytes=way.symbol_bytes).encoded, (), notice)


def _may_ride(way: Way, notice: Notice) -> bool:
    return notice.is_due or notice.has_witness or not way.has_small_frames
