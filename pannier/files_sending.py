"""Contents of files that a peer lacks: in bundles of their own, as many as a carrier has room for.

Which those are, `pannier.loads` says. A bundle of contents is sealed for the carrier that takes it
at once, and only its recipe is kept (`pannier.recipe`), from which any further carrier gets the
same bytes. It is under a key of its own, or in clear for a clear peer: what is sealed under shared
keys is sealed ten times as slowly.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from bundler import plan
from bundler.geometry import symbol_bytes_for
from bundler.limits import DEFAULT_LIMITS
from bundler.plan import Span
from bundler.remade import Frame, Signing, clear_frame, full_frame, outside_clear, outside_full
from bundler.sealed import MAX_PRIORITY, Header, bundle_id
from ledger.adopt import forget
from ledger.errors import DamagedError
from ledger.kdf import KEY_BYTES
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from pannier import content_rows
from pannier.files import ahead
from pannier.home import Peer
from pannier.loads import Load, Look, Room, loads
from pannier.node import Node
from pannier.out_bundle import OutBundle, withdraw
from pannier.recipe import Recipe, placement_of, sections
from pannier.rooms import Rooms
from pannier.sealing import expiry_day
from pannier.sending import MAX_MTU
from pannier.way import Way
from spool.name import BundleName
from spool.outbox import Recipe as Waiting

# Begun at once, of which as many as there are threads are being sealed: 8 MB each.
_AHEAD = 3
# One reads and hashes while the other encrypts; more of them would only take memory.
_THREADS = 2
# Drawn for so many in one transaction, and as many noted at the latest: each takes some flushes.
_DRAWN_COUNT = 8
_NOTED_COUNT = 16
_NO_LOG = LogName(b"", b"")


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was made just now.

    Attributes:
        bundle: As ``node.db`` will know it.
        sealed: Its bytes, until the next one is asked for: who takes them at once need not make
            them again.
        note: Notes and queues it durably, and all that were made before it; to be called before
            anybody can find its bytes. May be called again.
    """

    bundle: OutBundle
    sealed: memoryview
    note: Callable[[], None]


def make_files(node: Node, peer: Peer, room: Room, *, mtu: int | None = None) -> Iterator[Made]:
    """Make bundles with contents of files that *peer* lacks, as they are asked for.

    Those made before come with `pannier.sending.prepare`, which takes back what no carrier touched:
    it is asked first. A bundle of which the peer has said that it lacks nothing is withdrawn.

    Args:
        node: The sender.
        peer: The recipient.
        room: Of the carrier; counts what is made.
        mtu: Most bytes of a frame of this carrier, if that is less than the peer's.

    Yields:
        Bundles; all of them are queued at the end.

    Raises:
        BusyError: another process is preparing bundles in this home.
        BundleError: a bundle cannot be made.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot take a bundle.
    """
    symbol_bytes = symbol_bytes_for(min(mtu or MAX_MTU, node.settings(peer).mtu))
    way = Way.to(node, peer, symbol_bytes=symbol_bytes)
    before = content_rows.queued(node.db, peer.node_id)
    look = Look(way)
    some = loads(look.lacking(), room, plan.bundle_bytes_for(symbol_bytes, DEFAULT_LIMITS))
    notes, rooms = _Notes(look), Rooms(DEFAULT_LIMITS.bundle_bytes)
    with ThreadPoolExecutor(_THREADS) as pool:
        begun = (_Work.begin(one, pool, rooms.take()) for one in _drafts(way, some))
        for draft, one_room, found in ahead(begun, _AHEAD):
            result = found.result()
            if result is None:
                look.fresh.difference_update(draft.load.names())
                _forget_damaged(draft.load)
            else:
                recipe, number, sealed = result
                bundle = notes.add(draft, recipe, number, len(sealed))
                yield Made(bundle, sealed, notes.write)
            rooms.give_back(one_room)
            if notes.count >= _NOTED_COUNT:
                notes.write()
    notes.write()
    if not (room.is_cut or way.is_oneway):
        _settle(way, before - look.awaited - way.held_back)


def unpacked_bytes(node: Node, peer: Peer) -> int:
    """Return how many bytes of contents *peer* lacks that are in no bundle for it yet.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    way = Way.to(node, peer, symbol_bytes=symbol_bytes_for(node.settings(peer).mtu))
    return sum(one.place.span.length for one in Look(way).lacking())


def _settle(way: Way, spent: Iterable[str]) -> None:
    """Withdraw what was sent and has come by another way."""
    for number in spent:
        bundle = way.node.db.bundle(number)
        if bundle is not None:
            withdraw(way.node, bundle, "confirmed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A bundle of which everything was drawn that must be."""

    load: Load
    header: Header
    key: bytes
    outside: bytes
    signing: Signing
    is_clear: bool
    is_padded: bool

    def finish(self, room: memoryview) -> tuple[Recipe, bytes, memoryview] | None:
        """Return the recipe of the bundle, its id and its bytes; None: its chunks are damaged.

        Any thread may ask. The bytes are put into *room*.
        """
        blobs, places = self.load.store.blobs, self.load.places
        try:
            recipe = Recipe(
                ledger_id=self.load.store.ledger_id,
                key=self.key,
                frame=self._frame(),
                digests=tuple(places),
                placement=placement_of(places.values()),
            )
            sealed = recipe.make(blobs, places, room)
        except DamagedError:
            return None
        return recipe, bundle_id(sealed), sealed

    def _frame(self) -> Frame:
        if not self.is_clear:
            return full_frame(self.outside, self.header, self.signing, is_padded=self.is_padded)
        parts = sections(self.load.store.blobs, self.load.places.values())
        return clear_frame(self.outside, self.header, self.signing, parts)


class _Work(NamedTuple):
    """A bundle that is being sealed, and where it is put."""

    draft: _Draft
    room: memoryview
    found: Future[tuple[Recipe, bytes, memoryview] | None]

    @classmethod
    def begin(cls, draft: _Draft, pool: ThreadPoolExecutor, room: memoryview) -> "_Work":
        return cls(draft, room, pool.submit(draft.finish, room))


class _Notes:
    """Bundles that were sealed, until they are noted and queued together."""

    def __init__(self, look: Look) -> None:
        """Begin with none."""
        self._look = look
        self._bundles: list[tuple[OutBundle, Load]] = []
        self._recipes: dict[BundleName, Waiting] = {}

    @property
    def count(self) -> int:
        """How many are not noted yet."""
        return len(self._bundles)

    def add(self, draft: _Draft, recipe: Recipe, number: bytes, size_bytes: int) -> OutBundle:
        """Add a bundle; return what will be noted of it."""
        way = self._look.way
        name, stamp = _name(way, draft.header, number), draft.signing.stamp
        bundle = OutBundle(
            bundle_id=name.bundle_id,
            peer=way.peer.node_id,
            name=name.to_text(),
            state=content_rows.QUEUED,
            control=False,
            counter=stamp.counter,
            written=0,
            created_us=stamp.time_us,
            expiry_days=name.expiry_days,
            size_bytes=size_bytes,
        )
        data = recipe.seal(way.node.rest_key.key, way.node.entropy)
        self._bundles.append((bundle, draft.load))
        self._recipes[name] = Waiting(size_bytes, data)
        return bundle

    def write(self) -> None:
        """Note and queue all that were added, durably.

        Raises:
            BusyError: another process is preparing bundles in this home.
            SpoolError: the spool cannot take them.
        """
        bundles, recipes = self._bundles, self._recipes
        self._bundles, self._recipes = [], {}
        if not bundles:
            return
        way = self._look.way
        db = way.node.db
        with way.node.alone("send", "preparing bundles"):
            with db.transaction():
                for bundle, load in bundles:
                    db.add_bundle(bundle, [(load.store.ledger_id, _NO_LOG, Span(0, 0))])
                    content_rows.note(db, bundle.bundle_id, load.names())
                    self._look.fresh.difference_update(load.names())
            way.node.spool.outbox.publish_recipes(way.peer.node_id, recipes)


def _drafts(way: Way, some: Iterator[Load]) -> Iterator[_Draft]:
    """Yield what is to be sealed, some more of them being drawn than were asked for."""
    while drawn := list(islice(some, _DRAWN_COUNT)):
        for load in drawn:
            _ = load.store.blobs.keys  # read here once: threads cannot ask the ledger file
        with way.node.db.transaction():
            drafts = [_draft(way, load) for load in drawn]
        yield from drafts


def _draft(way: Way, load: Load) -> _Draft:
    node, peer = way.node, way.peer
    settings = node.settings(peer)
    # After the entries that name what is in it.
    priority = min(settings.priority + 1, MAX_PRIORITY)
    header = Header(priority, expiry_day(way, settings.expiry_days))
    key = node.entropy(KEY_BYTES)
    outside = (
        outside_clear(header)
        if way.is_clear
        else outside_full(header, peer.card.hpke_key, key, node.wrapper)
    )
    stamp = node.counting.stamp()
    return _Draft(
        load=load,
        header=header,
        key=key,
        outside=outside,
        signing=Signing(key=node.keys.signing, stamp=stamp, recipient=peer.card.author),
        is_clear=way.is_clear,
        is_padded=settings.pad,
    )


def _name(way: Way, header: Header, number: bytes) -> BundleName:
    hint = way.node.shared.hint_to(way.peer, number).hex()
    return BundleName(header.priority, header.expiry_days, hint, number.hex(), way.symbol_bytes)


def _forget_damaged(load: Load) -> None:
    """Take what the disk spoiled for missing: somebody may send it again."""
    damaged: list[bytes] = []
    for digest, place in load.places.items():
        try:
            load.store.blobs.read_at(place, digest)
        except DamagedError:
            damaged.append(digest)
    forget(load.store, damaged)
