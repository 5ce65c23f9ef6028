"""Long files taken straight from a medium: opened where they lie, their contents kept at once.

A bundle that carries contents of files and nothing else needs no inbox: it is whole or it is left,
and what is in it either is named by an entry here or not. So it is written once here, into the
packs of its ledger. All else goes the usual way (`pannier.importing`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from bundler.blob_section import BlobSection
from bundler.content import Opened, open_bundle
from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.geometry import Geometry
from bundler.head import Stamp
from bundler.keyring import Keyring
from bundler.padding import PAD
from bundler.sealed import Header, bundle_id
from bundler.sections import Skipped
from bundler.sequence import parse_sequence
from ledger.blob import Chunk
from pannier.contents import keeping
from pannier.errors import BusyError
from pannier.home import Peer
from pannier.importing import MAX_COUNTER, Outcome, Report, import_arrived, keyring
from pannier.lock import exclusive
from pannier.node import Node
from pannier.origin import origin_of
from spool.name import FragmentName
from transports.questions import Offer

# Opened ahead of the one that is being kept: two cores' work, and bounded memory.
_AHEAD = 2
# So much is lost when the disk fills up; it is on the medium still.
_BATCH_BYTES = 256 << 20
_PAD = Skipped(PAD)


class _Open(NamedTuple):
    """A bundle with nothing in it but contents of files."""

    opened: Opened
    chunks: tuple[Chunk, ...]


@dataclass(slots=True)
class Taking:
    """Takes long files for one exchange.

    Attributes:
        node: For whom.
        report: What is taken is added to it.
    """

    node: Node
    report: Report

    def take(self, offers: Sequence[Offer]) -> frozenset[FragmentName]:
        """Answer `transports.questions.Questions.take`.

        Raises:
            PannierError: the home cannot be read or written.
            LedgerError: a ledger cannot be read or written.
            SpoolError: the spool cannot be read or written.
        """
        try:
            # What names the contents may have come by the same medium.
            self.report.add(import_arrived(self.node))
            with exclusive(self.node.home.locks / "import", "importing"):
                return self._take(offers)
        except BusyError:
            return frozenset()

    def _take(self, offers: Sequence[Offer]) -> frozenset[FragmentName]:
        taken: set[FragmentName] = set()
        keys = keyring(self.node)
        with ThreadPoolExecutor(_AHEAD) as pool:
            opened = _ahead(pool, offers, lambda offer: _open(offer, keys))
            while some := self._take_some(opened):
                taken |= some
        return frozenset(taken)

    def _take_some(self, opened: Iterator[tuple[Offer, _Open | None]]) -> frozenset[FragmentName]:
        """Keep what is in some bundles, durably, then note that they came."""
        done: list[tuple[FragmentName, Peer, Header, Stamp]] = []
        size = 0
        with keeping(self.node) as keeper:
            for offer, found in opened:
                peer = self._sender(offer, found) if found is not None else None
                if found is None or peer is None or keeper.add(found.chunks):
                    continue
                done.append((offer.name, peer, found.opened.header, found.opened.stamp))
                size += sum(len(chunk.body) for chunk in found.chunks)
                if size >= _BATCH_BYTES:
                    break
            keeper.keep()
        self.report.content_bytes += keeper.content_bytes
        with self.node.db.transaction():
            for name, peer, header, stamp in done:
                db, sender = self.node.db, peer.node_id
                db.hear(sender, stamp.time_us)
                db.advance_peer(sender, stamp.incarnation, stamp.counter)
                db.note_seen(name.bundle_id, sender, header.expiry_days, "merged")
                db.owe_receipt(sender, name.bundle_id, "", stamp.counter)
                self.report.outcomes[name.bundle_id] = Outcome.MERGED
                self.report.senders.add(peer.name)
        return frozenset(name for name, *_ in done)

    def _sender(self, offer: Offer, found: _Open) -> Peer | None:
        peer = origin_of(self.node, found.opened)
        is_known = isinstance(peer, Peer) and found.opened.stamp.counter <= MAX_COUNTER
        is_new = self.node.db.seen(offer.name.bundle_id) is None
        return peer if isinstance(peer, Peer) and is_known and is_new else None


def _ahead(
    pool: ThreadPoolExecutor, offers: Sequence[Offer], work: Callable[[Offer], _Open | None]
) -> Iterator[tuple[Offer, _Open | None]]:
    """Yield each offer with what *work* makes of it, a few of them being worked on already."""
    rest = iter(offers)
    begun: list[tuple[Offer, Future[_Open | None]]] = [
        (offer, pool.submit(work, offer)) for offer in islice(rest, _AHEAD)
    ]
    while begun:
        offer, found = begun.pop(0)
        result = found.result()
        begun += [(one, pool.submit(work, one)) for one in islice(rest, 1)]
        yield offer, result


def _open(offer: Offer, keys: Keyring) -> _Open | None:
    """Return what is in a file, in any thread; None unless it is a whole bundle of contents."""
    data = offer.read()
    sealed = None if data is None else _joined(bytes.fromhex(offer.name.bundle_id), data)
    if sealed is None:
        return None
    try:
        opened = open_bundle(sealed, keys)
        found = [section for section in opened.sections() if section != _PAD]
        chunks = [section.chunk() for section in found if isinstance(section, BlobSection)]
    except BundleError:
        return None
    return _Open(opened, tuple(chunks)) if 0 < len(chunks) == len(found) else None


def _joined(number: bytes, data: bytes) -> bytes | None:
    """Return the bundle that *data* is all of; its id proves that, so no other check is needed.

    On a medium its fragments stand in order. Where they do not, the inbox puts them together.
    """
    parts: list[bytes | memoryview] = []
    size = 0
    try:
        for part in parse_sequence(data, is_plausible):
            if not isinstance(part, Fragment) or part.bundle_id != number:
                return None
            geometry = Geometry.of(part.transfer_bytes, part.symbol_bytes)
            run = geometry.run(part.payload_id, len(part.symbols))
            if not run.is_source or geometry.run_offset(run) != size:
                return None
            parts.append(part.symbols)
            size += len(part.symbols)
    except BundleError:
        return None
    sealed = b"".join(parts)
    return sealed if bundle_id(sealed) == number else None
