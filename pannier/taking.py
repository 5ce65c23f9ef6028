"""Long files taken straight from a medium: opened where they lie, their contents kept at once.

A bundle that carries contents of files and nothing else needs no inbox: it is whole or it is left,
and what is in it either is named by an entry here or not. So it is written once here, into the
packs of its ledger. All else goes the usual way (`pannier.importing`).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from bundler.blob_section import BlobSection
from bundler.content import Opened, open_bundle
from bundler.errors import BundleError
from bundler.fragment import Fragment, Verify, fits, is_plausible, mac_check
from bundler.geometry import Geometry
from bundler.head import Stamp
from bundler.keyring import Keyring
from bundler.limits import DEFAULT_LIMITS
from bundler.padding import PAD
from bundler.sealed import Header, bundle_id
from bundler.sections import Skipped
from ledger.blob import Chunk
from ledger.errors import FullError
from pannier.contents import keeping
from pannier.errors import BusyError
from pannier.home import Peer
from pannier.import_report import Outcome, Report
from pannier.importing import MAX_COUNTER, import_arrived, keyring
from pannier.node import Node
from pannier.nodedb import TAKEN
from pannier.origin import origin_of
from pannier.rooms import Rooms
from pannier.unreadable import going_on
from spool.name import FragmentName
from transports.questions import Offer, Took

# Opened ahead of the one that is being kept: two cores' work, and bounded memory.
_AHEAD = 2
# So much is lost when the disk fills up; it is on the medium still.
_BATCH_BYTES = 256 << 20
_PAD = Skipped(PAD)
# A bundle of the largest size, and what is around its symbols.
_FILE_BYTES = DEFAULT_LIMITS.bundle_bytes + (1 << 20)


class _Open(NamedTuple):
    """A bundle with nothing in it but contents of files; they lie in its room."""

    opened: Opened
    chunks: tuple[Chunk, ...]


class _Done(NamedTuple):
    """A bundle of which all is kept."""

    offer: Offer
    peer: Peer
    header: Header
    stamp: Stamp


class _Work(NamedTuple):
    """An offer that a thread looks at."""

    offer: Offer
    rooms: tuple[memoryview, memoryview]
    found: Future[_Open | None]


@dataclass(slots=True)
class Taking:
    """Takes long files for one exchange.

    Attributes:
        node: For whom.
        report: What is taken is added to it.
    """

    node: Node
    report: Report

    def take(self, offers: Sequence[Offer]) -> Took:
        """Answer `transports.questions.Questions.take`.

        Raises:
            PannierError: the home cannot be read or written.
            LedgerError: a ledger cannot be read or written.
            SpoolError: the spool cannot be read or written.
        """
        try:
            # What names the contents may have come by the same medium.
            self.report.add(import_arrived(self.node))
            with self.node.alone("import", "importing"):
                return going_on(self.node, lambda: self._take(offers))
        except BusyError:
            return Took()

    def _take(self, offers: Sequence[Offer]) -> Took:
        """Keep as much as there is room for: where it gets short, one bundle after another."""
        taken: set[FragmentName] = set()
        rest = list(offers)
        try:
            self._take_until_full(rest, taken, _BATCH_BYTES)
        except FullError:
            with suppress(FullError):
                self._take_until_full(rest, taken, 1)
        self.report.no_room_bytes += sum(offer.size_bytes for offer in rest)
        return Took(frozenset(taken), frozenset(offer.name for offer in rest))

    def _take_until_full(
        self, rest: list[Offer], taken: set[FragmentName], batch_bytes: int
    ) -> None:
        """Take from the front of *rest* what was looked at, durably, and add to *taken*."""
        keys = keyring(self.node)
        with ThreadPoolExecutor(_AHEAD) as pool:
            opened = _ahead(pool, [(one, self._verify(one)) for one in rest], keys)
            while rest:
                looked, some = self._take_some(opened, batch_bytes)
                taken |= some
                del rest[:looked]

    def _take_some(
        self, opened: Iterator[tuple[Offer, _Open | None]], batch_bytes: int
    ) -> tuple[int, frozenset[FragmentName]]:
        """Keep what is in some bundles, durably, then note that they came.

        Returns:
            How many were looked at, and which of them were taken.
        """
        looked = 0
        done: list[_Done] = []
        size = 0
        with keeping(self.node) as keeper:
            for offer, found in opened:
                looked += 1
                peer = self._sender(offer, found) if found is not None else None
                if found is None or peer is None or keeper.add(found.chunks):
                    continue
                done.append(_Done(offer, peer, found.opened.header, found.opened.stamp))
                size += sum(len(chunk.body) for chunk in found.chunks)
                if size >= batch_bytes:
                    break
            keeper.keep()
        self.report.content_bytes += keeper.content_bytes
        with self.node.db.transaction():
            for one in done:
                self._note(one)
        return looked, frozenset(one.offer.name for one in done)

    def _note(self, done: _Done) -> None:
        """Note that a bundle came."""
        db, number, stamp = self.node.db, done.offer.name.bundle_id, done.stamp
        sender = done.peer.node_id
        # Its sender's MACs alone say so, or else its bytes did.
        outcome = TAKEN if done.offer.peer in self.node.peers else Outcome.MERGED.value
        db.hear(sender, stamp.time_us)
        db.advance_peer(sender, stamp.incarnation, stamp.counter)
        db.note_seen(number, sender, done.header.expiry_days, outcome)
        db.owe_receipt(sender, number, "", stamp.counter)
        self.report.outcomes[number] = Outcome.MERGED
        self.report.senders.add(done.peer.name)

    def _verify(self, offer: Offer) -> Verify | None:
        """Return what accepts the fragments that a peer made for us alone; None: it is a group."""
        if offer.peer not in self.node.peers:
            return None
        return fits(mac_check(self.node.shared.fragment_key_from(offer.peer)))

    def _sender(self, offer: Offer, found: _Open) -> Peer | None:
        peer = origin_of(self.node, found.opened)
        if not isinstance(peer, Peer) or found.opened.stamp.counter > MAX_COUNTER:
            return None
        # A peer's fragments prove the id of what that peer made, and not of what others did: nor is
        # what others made under that id seen then (`TAKEN`).
        is_its = offer.peer == peer.node_id or offer.peer not in self.node.peers
        is_new = self.node.db.seen(offer.name.bundle_id, peer.node_id) is None
        return peer if is_its and is_new else None


def _ahead(
    pool: ThreadPoolExecutor, offers: Sequence[tuple[Offer, Verify | None]], keys: Keyring
) -> Iterator[tuple[Offer, _Open | None]]:
    """Yield each offer with what is in it until the next one, a few being opened already."""
    rest, rooms = iter(offers), Rooms(_FILE_BYTES)

    def begin(each: tuple[Offer, Verify | None]) -> _Work:
        both = rooms.take(), rooms.take()
        return _Work(each[0], both, pool.submit(_open, *each, keys, both))

    begun = deque(map(begin, islice(rest, _AHEAD)))
    while begun:
        work = begun.popleft()
        found = work.found.result()
        file_room, content_room = work.rooms
        rooms.give_back(file_room)
        begun.extend(map(begin, islice(rest, 1)))
        yield work.offer, found
        rooms.give_back(content_room)


def _open(
    offer: Offer, verify: Verify | None, keys: Keyring, rooms: tuple[memoryview, memoryview]
) -> _Open | None:
    """Return what is in a file, in any thread; None unless it is a whole bundle of contents."""
    file_room, room = rooms
    size = offer.read(file_room)
    number = bytes.fromhex(offer.name.bundle_id)
    sealed = None if size is None else _joined(number, file_room[:size], verify)
    if sealed is None:
        return None
    try:
        opened = open_bundle(sealed, keys, room=room)
        found = [section for section in opened.sections() if section != _PAD]
        chunks = [section.chunk() for section in found if isinstance(section, BlobSection)]
    except BundleError:
        return None
    return _Open(opened, tuple(chunks)) if 0 < len(chunks) == len(found) else None


def _joined(number: bytes, data: memoryview, verify: Verify | None) -> memoryview | None:
    """Return the bundle that *data* is all of.

    That it is the one called *number* its fragments prove if *verify* accepts them: its sender made
    them, for us alone. Without that its bytes must give the id, which takes ten times as long.

    On a medium its fragments stand in order. Where they do not, the inbox puts them together. It is
    moved together where it lies: *data* is not what it was.
    """
    at = size = 0
    is_whole = False
    try:
        while at < len(data):
            part, at = Fragment.take(data, at, verify or is_plausible, DEFAULT_LIMITS)
            if part.bundle_id != number:
                return None
            geometry = Geometry.of(part.transfer_bytes, part.symbol_bytes)
            run = geometry.run(part.payload_id, len(part.symbols))
            if not run.is_source or geometry.run_offset(run) != size:
                return None
            data[size : size + len(part.symbols)] = part.symbols
            size += len(part.symbols)
            is_whole = size == part.transfer_bytes
    except BundleError:
        return None
    sealed = data[:size]
    return sealed if is_whole and (verify or bundle_id(sealed) == number) else None
