"""Which entries a peer lacks, in pieces that make a section each."""

from collections.abc import Iterator

from bundler import plan
from bundler.notices import ROOT_START_BYTES, HeldLog
from bundler.plan import Span
from ledger.close import has_gone_astray
from ledger.lazy_dataclass import dataclass
from ledger.log import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    LogState,
    LogStatus,
    root_at,
)
from ledger.members import members, passed_on
from ledger.storage_errors import damage_in
from ledger.store import Store
from pannier.home import Peer
from pannier.way import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Entries of one log that become one section.

    Attributes:
        store: Of which ledger.
        state: The log.
        span: Which of its entries.
        with_cover: Whether the peer needs the seeds of their payloads.
    """

    store: Store
    state: LogState
    span: Span
    with_cover: bool


def pieces(way: Way) -> Iterator[Piece]:
    """Yield what the peer lacks and no bundle is carrying to it, grants before what they allow.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    for store in way.stores:
        if _is_own(way, store):
            for state in in_order(store):
                yield from _pieces_of_log(way, store, state, passed_on(store, state))


def _is_own(way: Way, store: Store) -> bool:
    """Whether this node is a member itself: nobody hears one that is not."""
    return way.node.card.author in members(store)


def in_order(store: Store) -> list[LogState]:
    """Return the logs of a ledger that are not empty, those of admins first.

    Each comes behind those of whoever granted its author: a reader takes what nobody has granted
    so far in another pass over all, and goes through so many and no more.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    known = members(store)
    logs = [state for state in store.logs() if state.size]
    return sorted(logs, key=lambda one: (not known.decides(one.name, 0), known.seniority(one.name)))


def _pieces_of_log(way: Way, store: Store, state: LogState, end: int) -> Iterator[Piece]:
    for span in _spans(way, store, state, end):
        with_cover = needs_cover(way, store, state)
        for part in parts(store, state, span):
            yield Piece(store=store, state=state, span=part, with_cover=with_cover)


def needs_cover(way: Way, store: Store, state: LogState) -> bool:
    """Return whether a peer may lack the seeds of a log: another branch of it may have others.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return way.confirmed(store, state) == 0


def spans_lacked(way: Way, store: Store, state: LogState) -> list[Span]:
    """Return which entries of a log the peer lacks that no bundle is carrying to it.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return _spans(way, store, state, passed_on(store, state))


def _spans(way: Way, store: Store, state: LogState, end: int) -> list[Span]:
    held = way.known.log(store.ledger_id, state.name)
    confirmed = _confirmed(way.peer, held, store, state)
    if confirmed is None or confirmed >= end:
        return []
    states = ("queued", "sent") if way.is_oneway else ("queued",)
    on_the_way = way.node.db.spans_for(
        way.peer.node_id, store.ledger_id, state.name, states, without=way.held_back
    )
    in_vain = way.left_out.get((store.ledger_id, state.name), ())
    return plan.lacking(end, confirmed, [*on_the_way, *in_vain])


def parts(store: Store, state: LogState, span: Span) -> Iterator[Span]:
    """Cut *span* into sections; so much is looked at at once as two checkpoints may have between.

    A part ends with a checkpoint, the last one beyond *span* if need be.

    Raises:
        DamagedError: what is signed of a log does not reach that far, or it cannot be read.
    """
    first = span.first
    while first < span.end:
        signed = [one.size for one in store.checkpoints(state, first, first + MAX_BATCH_ENTRIES)]
        sizes = [size for size in signed if size < span.end]
        sizes += signed[len(sizes) : len(sizes) + 1]
        if not sizes:
            raise damage_in(store.path, f"no signature after entry {first} of a log")
        costs = store.costs(state, first, sizes[-1])
        yield from plan.cut(Span(first, sizes[-1]), sizes, costs, limit_bytes=MAX_BATCH_BYTES)
        first = sizes[-1]


def _confirmed(peer: Peer, held: HeldLog | None, store: Store, state: LogState) -> int | None:
    """Return how much of a log *peer* holds as we do; None if nothing of it should be sent."""
    if held is None or held.size == 0:
        return 0
    if (
        held.size <= state.size
        and root_at(state, held.size, store.nodes(state))[:ROOT_START_BYTES] == held.root
    ):
        return held.size
    is_forked = state.status is LogStatus.FORKED
    if state.name.author == peer.card.author and is_forked:
        return state.fork_index or 0  # its author must see the branch that is held here
    if state.close is not None:
        return None if has_gone_astray(state) else 0  # all others give way to the one closed
    # Where only checkpoints say that there are two branches, both must come together once.
    is_unseen = is_forked and state.fork_index is None
    is_open = state.status is LogStatus.OPEN
    return 0 if (is_open or is_unseen) and held.size <= state.size else None
