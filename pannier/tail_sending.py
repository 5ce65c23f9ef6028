"""Tails: what is new of a log for a peer that holds, by its word, what comes before.

So few bytes that they fit one frame of a slow link (docs/format.md section 5.5). Whatever does not
follow from what the peer confirmed goes as a log section, which builds on nothing.
"""

from itertools import accumulate, takewhile

from bundler.errors import BundleError
from bundler.plan import Span
from bundler.tail_section import (
    MAX_CONTEXT,
    MAX_CONTEXT_BYTES,
    MAX_ENTRIES,
    MAX_PAYLOADS_BYTES,
    MAX_TAILS_ENTRIES,
    Context,
    TailSection,
    log_reference,
)
from ledger.entry import Entry
from ledger.genesis import LedgerId
from ledger.log import LogName, LogStatus
from ledger.note import Checkpoint
from pannier import tail_rows
from pannier.lacks import Piece
from pannier.way import Way

_LARGE_FRAMES_CONTEXT = 64
"""Where bytes cost little, learning from more entries costs more than it saves."""

_LARGE_FRAMES_PAYLOADS_BYTES = 4 << 10
"""So much is modelled there in all: each byte takes its microseconds, which zstd's do not."""

_LOAD_BYTES = 48 << 10
_LOAD_SECTIONS = 4_000


class TailLoad:
    """The tails of one compact bundle, and which entries they carry.

    Attributes:
        sections: One for each piece that was added.
        spans: What of which log they carry.
    """

    def __init__(self, way: Way) -> None:
        """Begin with nothing."""
        self.sections: list[TailSection] = []
        self.spans: list[tuple[LedgerId, LogName, Span]] = []
        self._way = way
        self._entries_left = MAX_TAILS_ENTRIES
        self._bytes_left = _LOAD_BYTES
        self._payloads_bytes_left = (
            MAX_PAYLOADS_BYTES * _LOAD_SECTIONS
            if way.has_small_frames
            else _LARGE_FRAMES_PAYLOADS_BYTES
        )

    def add(self, piece: Piece) -> bool:
        """Add a tail of *piece*; False if it must go as a log section.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        if len(self.sections) == _LOAD_SECTIONS or not may_be_tail(self._way, piece):
            return False
        end = piece.span.end
        with piece.store.snapshot():  # another process may put another branch in its place
            entries = piece.store.entries(piece.state, *piece.span)
            signed = piece.store.checkpoints(piece.state, end - 1, end)
        if len(entries) != end - piece.span.first or not signed:
            return False  # there it shows as damage
        payloads_bytes = sum(len(one.payload) for one in entries if one.payload is not None)
        if payloads_bytes > min(MAX_PAYLOADS_BYTES, self._payloads_bytes_left):
            return False
        section = self._tail(piece, entries, signed[0])
        if section is None:
            return False
        begin, end = section.context.span(section.first)
        count, size = section.count + end - begin, len(section.to_body())
        if count > self._entries_left or size > self._bytes_left:
            return False
        self._entries_left -= count
        self._bytes_left -= size
        self._payloads_bytes_left -= payloads_bytes
        self.sections.append(section)
        self.spans.append((piece.store.ledger_id, piece.state.name, piece.span))
        return True

    def _tail(
        self, piece: Piece, entries: list[Entry], checkpoint: Checkpoint
    ) -> TailSection | None:
        from bundler.tail_model import encode_tail  # noqa: PLC0415 -- large, and often no tail goes

        store, state, (first, _) = piece.store, piece.state, piece.span
        if checkpoint.mldsa44 is not None:
            return None
        context = _context(self._way, piece)
        known = store.entries(state, *context.span(first))
        try:
            data = encode_tail(entries, known)
        except BundleError:
            return None
        return TailSection(
            reference=log_reference(store.ledger_id, state.name),
            signature=checkpoint.signature,
            first=first,
            count=len(entries),
            context=context,
            data=data,
        )


def may_be_tail(way: Way, piece: Piece) -> bool:
    """Return whether a peer holds, by its word, what a tail of *piece* builds on.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    confirmed = way.confirmed(piece.store, piece.state)
    return (
        way.is_compact
        and not piece.with_cover
        and piece.state.status is LogStatus.OPEN
        and piece.span.end - piece.span.first <= MAX_ENTRIES
        and _floor(way, piece) < confirmed <= piece.span.first
    )


def is_sent_back(way: Way, piece: Piece) -> bool:
    """Return whether a peer could make nothing of a tail, and has not got past that yet."""
    return 0 < way.confirmed(piece.store, piece.state) <= _floor(way, piece)


def _floor(way: Way, piece: Piece) -> int:
    """Return the first entry that may be built on: what is before, the peer could not use."""
    return tail_rows.floor(way.node.db, way.peer.node_id, piece.store.ledger_id, piece.state.name)


def _context(way: Way, piece: Piece) -> Context:
    """Return the longest context that the peer holds and that costs not too much to learn from."""
    store, state, end = piece.store, piece.state, way.confirmed(piece.store, piece.state)
    longest = MAX_CONTEXT if way.has_small_frames else _LARGE_FRAMES_CONTEXT
    begin = max(_floor(way, piece), end - longest)
    costs = accumulate(reversed(store.costs(state, begin, end)))
    begin = end - sum(1 for _ in takewhile(lambda cost: cost <= MAX_CONTEXT_BYTES, costs))
    known = store.entries(state, begin, end)
    missing = [number for number, one in enumerate(known, begin + 1) if one.payload is None]
    return Context.of(first=piece.span.first, begin=max([begin, *missing]), end=end)
