"""What a node offers to the other end of a link, looked up anew whenever something has changed.

A bundle that nobody asked for yet is taken back and planned again, as with any carrier; from the
first byte handed out it stays as it is. What the other end has is noted: it goes there no second
time, nor back to where it came from. Only what no receipt comes for is offered again, after a day.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from bundler.errors import BundleError
from ledger.members import members
from pannier import content_rows, unreadable
from pannier.clear import refusal, refusing
from pannier.files_sending import make_files
from pannier.group_sending import prepare_groups
from pannier.home import Peer
from pannier.links.cargo import (
    CarriedFile,
    File,
    Own,
    OwnFile,
    carried_files,
    file_ware,
    own_files,
)
from pannier.links.news import Look, own
from pannier.loads import Room, bytes_around
from pannier.node import Node
from pannier.out_bundle import OutBundle
from pannier.passphrase_ledgers import hellos
from pannier.queued import sealed_bundle
from pannier.sending import prepare
from pannier.unreadable import free, held_back
from spool.carry import Carry
from spool.errors import SpoolError
from spool.name import BundleName
from spool.partial import MAX_OBJECT_BYTES
from transports.link.wares import Ware

CONTENT_BYTES = 4 << 20
"""So much of files' contents waits for a peer at a time; the next is made when some has gone."""

_AGAIN_US = 86_400_000_000
_MOST_PATHS = 4096


class Plan(NamedTuple):
    """What there is to offer.

    Attributes:
        wares: The most urgent first, among equals the shortest.
        problems: What was left out, for people.
        look: As `pannier.links.news.own` found things afterwards.
        is_cut: More contents of files are made when some of these have gone.
    """

    wares: tuple[Ware, ...]
    problems: tuple[str, ...]
    look: Look
    is_cut: bool


def is_served(node: Node, peer: Peer, kind: str) -> bool:
    """Return whether links of a kind ("serial", "tcp", "udp") serve *peer*, by its settings."""
    transports = node.settings(peer).transports
    return not transports or kind in transports


@dataclass(slots=True)
class Offering:
    """Looks up what goes to one peer by one link; used by one thread at a time.

    Attributes:
        peer: Node id of the other end.
        source: What the spool calls the link.
        kind: "serial", "tcp" or "udp".
        carries: Whether the other end takes what is for others.
    """

    peer: str
    source: str
    kind: str
    carries: bool
    _digests: dict[tuple[object, ...], list[Ware]] = field(default_factory=dict)
    _gone: dict[OwnFile | CarriedFile, bool] = field(default_factory=dict)
    _last: tuple[object, list[File]] | None = None

    def plan(self, node: Node, without: AbstractSet[object]) -> Plan:
        """Make what is due, and return all that there is to offer.

        Args:
            node: The sender.
            without: Keys of what the other end does not want.

        Raises:
            PannierError: the home cannot be read or written, or is busy.
            LedgerError: a ledger cannot be read.
            SpoolError: the spool cannot be read or written.
        """
        problems: list[str] = []
        peers = self._served(node)
        due, is_cut = self._due(node, peers, problems)
        problems += unreadable.problems(node)
        wares = [
            ware
            for ware in (*self._own(node, due), *self._carried(node))
            if ware.key not in without
        ]
        wares.sort(key=lambda ware: (ware.priority, ware.expiry_days, ware.size))
        return Plan(tuple(wares), tuple(problems), own(node, self.peer), is_cut)

    def contents(self, node: Node, ware: Ware) -> bytes | memoryview | None:
        """Return the bytes of what was offered; None if it is not as it was.

        Raises:
            PannierError: the home cannot be read or written.
            LedgerError: a ledger cannot be read.
        """
        key = ware.key
        if isinstance(key, (Own, OwnFile)) and key.name.bundle_id in held_back(node):
            return None  # since it was offered
        try:
            if isinstance(key, (Own, OwnFile)) and not node.db.note_begun(key.name.bundle_id):
                return None
            if isinstance(key, Own):
                return sealed_bundle(node, key.queue, key.name)
            if isinstance(key, (OwnFile, CarriedFile)):
                return self._file(node, ware, key)
        except SpoolError:
            pass
        return None

    def waits(self, node: Node) -> bool:
        """Return whether bundles that were made for the other end are still to go there.

        Raises:
            PannierError: ``node.db`` cannot be read.
        """
        handed = node.db.handed_over(self.source)
        made = free(node, node.db.bundles(self.peer))
        return any(_is_due(node, bundle, handed) for bundle in made)

    def note(self, node: Node, keys: Iterable[object]) -> None:
        """Note what the other end has, durably.

        Raises:
            PannierError: ``node.db`` cannot be written.
            SpoolError: the spool cannot be written.
        """
        for key in keys:
            if isinstance(key, Own):
                self._note_handed_over(node, key, [self.peer])
            elif isinstance(key, (OwnFile, CarriedFile)):
                self._gone[key] = True
                self._note_if_all(node, key)

    def note_refused(self, node: Node, keys: Iterable[object]) -> None:
        """Note what the other end does not want: made anew, it would be offered once more.

        Raises:
            PannierError: ``node.db`` cannot be written.
        """
        for key in keys:
            if isinstance(key, (Own, OwnFile)):
                node.db.note_begun(key.name.bundle_id)

    # -- what is due --------------------------------------------------------------------------

    def _served(self, node: Node) -> list[Peer]:
        """Return the peers that this link serves: with one that carries nothing, that one alone."""
        peers = [one for one in node.peers.values() if is_served(node, one, self.kind)]
        return [one for one in peers if self.carries or one.node_id == self.peer]

    def _due(
        self, node: Node, peers: list[Peer], problems: list[str]
    ) -> tuple[dict[str, OutBundle], bool]:
        """Return the bundles to offer, by id, and whether there are more contents of files."""
        due: list[OutBundle] = []
        is_cut = False
        handed = node.db.handed_over(self.source)
        due += hellos(node, problems) if self.carries else []
        try:
            prepare_groups(node, peers)
        except BundleError as error:
            problems.append(f"nothing was made for several at once: {error}")
        for peer in peers:
            problems += [refusal(one, peer) for one in refusing(node, peer)]
            try:
                due += prepare(node, peer)
                more, is_more = self._files(node, peer, handed.keys())
            except BundleError as error:
                problems.append(f"nothing was made for {peer.name}: {error}")
                continue
            due += more
            is_cut |= is_more
        found = {one.bundle_id: one for one in due if _is_due(node, one, handed)}
        return found, is_cut

    def _files(
        self, node: Node, peer: Peer, handed: AbstractSet[str]
    ) -> tuple[list[OutBundle], bool]:
        """Make bundles with contents of files, unless enough of them wait; more may be left."""
        queued = content_rows.queued(node.db, peer.node_id) - handed
        own_ones = free(node, node.db.bundles(peer.node_id))
        waiting = [one for one in own_ones if one.bundle_id in queued]
        left_bytes = CONTENT_BYTES - sum(bytes_around(one.size_bytes) for one in waiting)
        if waiting and left_bytes < CONTENT_BYTES // 2:
            return [], True
        room = Room(left_bytes)
        made = [one.bundle for one in make_files(node, peer, room)]
        for one in made:
            # Else the next look would make it anew, and what was sent of it would be lost.
            node.db.note_begun(one.bundle_id)
        return made, room.is_cut

    # -- as wares -----------------------------------------------------------------------------

    def _own(self, node: Node, due: dict[str, OutBundle]) -> Iterator[Ware]:
        for bundle in due.values():
            name = BundleName.from_text(bundle.name)
            if self.peer in (bundle.peer, *node.db.audience(bundle.bundle_id)):
                yield Own(bundle.peer, name).ware(bundle.size_bytes)
            else:
                yield from self._as_files(node, bundle.peer, name)

    def _as_files(self, node: Node, queue: str, name: BundleName) -> Iterator[Ware]:
        """Yield a bundle for somebody else as files to be carried; those there already not."""

        def make() -> list[Ware]:
            found = self._made(name, lambda: own_files(node, queue, name))
            return [file_ware(OwnFile(queue, name, one.payload_id), one) for one in found]

        yield from self._known((queue, name), make)

    def _carried(self, node: Node) -> Iterator[Ware]:
        today = node.time.past_day()
        for carry in node.spool.carried.offered(self.source):
            if carry.name.expiry_days >= today:
                yield from self._carried_parts(node, carry)

    def _carried_parts(self, node: Node, carry: Carry) -> Iterator[Ware]:
        def make() -> list[Ware]:
            found = carried_files(node, carry)
            return [file_ware(CarriedFile(carry.name, one.payload_id), one) for one in found]

        yield from self._known((carry.name, carry.size_bytes, carry.modified_ns), make)

    def _known(self, what: tuple[object, ...], make: Callable[[], list[Ware]]) -> Iterator[Ware]:
        """Yield the files of something, made once: their digests are asked for at each look."""
        if what not in self._digests:
            while len(self._digests) >= _MOST_PATHS:
                del self._digests[next(iter(self._digests))]
            try:
                self._digests[what] = make()
            except SpoolError:
                return
        for ware in self._digests[what]:
            if ware.key not in self._gone:
                yield ware

    def _file(self, node: Node, ware: Ware, key: OwnFile | CarriedFile) -> bytes | None:
        if isinstance(key, OwnFile):
            files = self._made(key.name, lambda: own_files(node, key.queue, key.name))
        else:
            carry = node.spool.carried.known().get(key.name)
            files = carried_files(node, carry) if carry is not None else []
        for file in files:
            if file.payload_id == key.payload_id and file.digest == ware.digest:
                return file.data
        return None

    def _made(self, name: BundleName, make: Callable[[], list[File]]) -> list[File]:
        """Return the files of a bundle; the last ones are kept, since one after another goes."""
        if self._last is None or self._last[0] != name:
            self._last = name, make()
        return self._last[1]

    def _note_if_all(self, node: Node, key: OwnFile | CarriedFile) -> None:
        """Note that a bundle or carried file is at the other end once all its parts are."""
        parts = next(
            (wares for wares in self._digests.values() if any(ware.key == key for ware in wares)),
            None,
        )
        if parts is None or not all(ware.key in self._gone for ware in parts):
            return
        if isinstance(key, OwnFile):
            self._note_handed_over(node, key, self._carried_for(node, key))
        else:
            carry = node.spool.carried.known().get(key.name)
            if carry is not None:
                node.spool.carried.add_source(carry, self.source)
        for ware in parts:
            del self._gone[ware.key]  # type: ignore[arg-type]

    def _note_handed_over(self, node: Node, key: Own | OwnFile, peers: Iterable[str]) -> None:
        node.db.note_handed_over(key.name.bundle_id, self.source, node.clock(), peers)

    def _carried_for(self, node: Node, key: OwnFile) -> list[str]:
        """Return to whom the other end may carry a bundle: a member reads its own and keeps it."""
        if key.queue not in node.peers:
            store, other = node.groups.ledger(bytes.fromhex(key.queue)), node.peers.get(self.peer)
            if store is None or other is None or other.card.author in members(store):
                return []
        return [one.node_id for one in self._served(node)]


def _is_due(node: Node, bundle: OutBundle, handed: Mapping[str, int]) -> bool:
    """Return whether a bundle is to be offered; *handed* is when the other end got those it has."""
    handed_us = handed.get(bundle.bundle_id)
    if handed_us is None:
        return bundle.size_bytes <= MAX_OBJECT_BYTES
    return not bundle.control and abs(node.clock() - handed_us) > _AGAIN_US
