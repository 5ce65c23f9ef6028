"""Which entries a peer lacks, in pieces that make a section each."""

from collections.abc import Iterator
from dataclasses import dataclass

from bundler import plan
from bundler.notices import ROOT_START_BYTES, HeldLog
from bundler.plan import Span
from ledger.log import MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, LogState, LogStatus
from ledger.members import Role, members
from ledger.merge import has_gone_astray, root_at
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
        admins = {author for author, one in members(store).items() if one.role is Role.ADMIN}
        logs = [state for state in store.logs() if state.size]
        for state in sorted(logs, key=lambda one: one.name.author not in admins):
            yield from _pieces_of_log(way, store, state)


def _pieces_of_log(way: Way, store: Store, state: LogState) -> Iterator[Piece]:
    held = way.known.log(store.ledger_id, state.name)
    confirmed = _confirmed(way.peer, held, store, state)
    if confirmed is None:
        return
    states = ("queued", "sent") if way.is_oneway else ("queued",)
    on_the_way = way.node.db.spans_for(way.peer.node_id, store.ledger_id, state.name, states)
    for span in plan.lacking(state.size, confirmed, on_the_way):
        for part in _parts(store, state, span):
            yield Piece(store=store, state=state, span=part, with_cover=held is None)


def _parts(store: Store, state: LogState, span: Span) -> Iterator[Span]:
    """Cut *span* into sections; so much is looked at at once as two checkpoints may have between.

    A part ends with a checkpoint, the last one beyond *span* if need be.
    """
    first = span.first
    while first < span.end:
        signed = [one.size for one in store.checkpoints(state, first, first + MAX_BATCH_ENTRIES)]
        sizes = [size for size in signed if size < span.end]
        sizes += signed[len(sizes) : len(sizes) + 1]
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
    if state.name.author == peer.card.author and state.fork_index is not None:
        return state.fork_index  # its author must see the branch that is held here
    if state.close is not None:
        return None if has_gone_astray(state) else 0  # all others give way to the one closed
    return 0 if state.status is LogStatus.OPEN and held.size <= state.size else None
