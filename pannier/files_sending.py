"""Contents of files that a peer lacks: in bundles of their own, as many as a carrier has room for.

Which files there are, entries say, and those go first (`pannier.sending`). A bundle of contents is
sealed for the carrier that takes it at once, and only its recipe is kept (`pannier.recipe`), from
which any further carrier gets the same bytes. It is under a key of its own, or in clear for a clear
peer: what is sealed under shared keys is sealed ten times as slowly.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from bundler import plan
from bundler.geometry import symbol_bytes_for
from bundler.head import Stamp
from bundler.limits import DEFAULT_LIMITS
from bundler.plan import Span
from bundler.remade import Frame, Signing, clear_frame, full_frame, outside_clear, outside_full
from bundler.sealed import MAX_PRIORITY, Header, bundle_id
from ledger.adopt import forget
from ledger.errors import DamagedError
from ledger.file_payload import FilePayload
from ledger.kdf import KEY_BYTES
from ledger.log import LogName
from ledger.members import members, passed_on
from ledger.store import Store
from ledger.store_blobs import Place
from pannier import content_rows
from pannier.home import Peer
from pannier.lacks import in_order
from pannier.lock import exclusive
from pannier.node import Node
from pannier.out_bundle import OutBundle
from pannier.recipe import Recipe, placement_of, sections
from pannier.rooms import Rooms
from pannier.sealing import expiry_day
from pannier.sending import MAX_MTU
from pannier.statements import withdraw
from pannier.way import Way
from spool.name import BundleName
from spool.outbox import Recipe as Waiting

MOST_BYTES = 64 << 30
"""What is made at once for a carrier that does not tell its room."""

# Noted and published together, for a few flushes; as many more are being sealed: 64 MB in all.
_BATCH_COUNT = 2
# One reads and hashes while the other encrypts; more of them would only take memory.
_THREADS = 2
_NO_LOG = LogName(b"", b"")
# Of files after the one that a peer lost some of, as much goes again at once without being asked
# for: with one a trip, who lost thousands would wait for years.
_DOUBTED_BYTES = 1 << 20
_MOST_SECTIONS = DEFAULT_LIMITS.sections - 2
_MOST_DECODED_BYTES = DEFAULT_LIMITS.decoded_bytes // 2


@dataclass(slots=True)
class Room:
    """What a carrier may still take.

    Attributes:
        left_bytes: So much.
        is_cut: Whether something was left out for want of it.
    """

    left_bytes: int = MOST_BYTES
    is_cut: bool = False

    def take(self, size_bytes: int) -> None:
        """Count a bundle, and what is around it on a medium."""
        self.left_bytes -= bytes_around(size_bytes)


def bytes_around(size_bytes: int) -> int:
    """Return about what a bundle of that size takes of a medium."""
    return size_bytes + size_bytes // 1000 + (64 << 10)


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was made just now.

    Attributes:
        bundle: As ``node.db`` knows it; its recipe is queued.
        sealed: Its bytes, until the next one is asked for: who takes them at once need not make
            them again.
    """

    bundle: OutBundle
    sealed: memoryview


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
        Bundles; a few more than were asked for may be queued.

    Raises:
        BusyError: another process is preparing bundles in this home.
        BundleError: a bundle cannot be made.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot take a bundle.
    """
    symbol_bytes = symbol_bytes_for(min(mtu or MAX_MTU, node.settings(peer).mtu))
    way = Way.to(node, peer, symbol_bytes=symbol_bytes)
    before = content_rows.queued(node.db, peer.node_id)
    look = _Look(way)
    loads = _loads(look.lacking(), room, plan.bundle_bytes_for(symbol_bytes, DEFAULT_LIMITS))
    with ThreadPoolExecutor(_THREADS) as pool:
        rooms = Rooms(DEFAULT_LIMITS.bundle_bytes)
        for batch in _one_ahead(_Batch(look, some, pool, rooms) for some in _some(loads)):
            yield from batch.publish()
    if not (room.is_cut or way.is_oneway):
        _settle(way, before - look.awaited)


def unpacked_bytes(node: Node, peer: Peer) -> int:
    """Return how many bytes of contents *peer* lacks that are in no bundle for it yet.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    way = Way.to(node, peer, symbol_bytes=symbol_bytes_for(node.settings(peer).mtu))
    return sum(one.place.span.length for one in _Look(way).lacking())


def _some(loads: Iterator["_Load"]) -> Iterator[list["_Load"]]:
    while some := list(islice(loads, _BATCH_COUNT)):
        yield some


def _one_ahead(batches: Iterator["_Batch"]) -> Iterator["_Batch"]:
    """Yield each batch when the next one has been begun."""
    ahead = next(batches, None)
    while ahead is not None:
        now, ahead = ahead, next(batches, None)
        yield now


def _settle(way: Way, spent: Iterable[str]) -> None:
    """Withdraw what was sent and has come by another way."""
    for number in spent:
        bundle = way.node.db.bundle(number)
        if bundle is not None:
            withdraw(way.node, bundle, "confirmed")


# -- what is lacking --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Lack:
    """A chunk that the peer lacks, and where it lies here."""

    store: Store
    digest: bytes
    place: Place


@dataclass(slots=True)
class _Look:
    """One pass over the files that a peer lacks something of.

    Attributes:
        way: To the peer.
        fresh: Names of the chunks that were found, and are not noted in any bundle yet.
        awaited: The queued bundles that carry something lacking.
    """

    way: Way
    fresh: set[bytes] = field(default_factory=set)
    awaited: set[str] = field(default_factory=set)

    def lacking(self) -> Iterator[_Lack]:
        way = self.way
        for store in way.stores:
            if way.node.card.author not in members(store):
                continue  # nobody hears one that is not
            for state in in_order(store):
                held = way.known.log(store.ledger_id, state.name)
                first = held.files if held else 0
                # What it may have lost with the first file that it says it lacks some of.
                is_said = held is not None and first < held.size
                doubted_bytes = _DOUBTED_BYTES
                for number, file in store.files(state, first, passed_on(store, state)):
                    is_doubted = is_said and (number == first or file.size <= doubted_bytes)
                    yield from self._of_file(store, file, is_doubted=is_doubted)
                    doubted_bytes -= file.size

    def _of_file(self, store: Store, file: FilePayload, *, is_doubted: bool) -> Iterator[_Lack]:
        """Yield what of a file is not on its way; *is_doubted*: the peer may have lost some."""
        names = {store.blobs.keys.name(one): one for one in dict.fromkeys(file.digests)}
        carriers = content_rows.carriers(self.way.node.db, self.way.peer.node_id, list(names))
        queued = {
            bundle
            for states in carriers.values()
            for bundle, state in states.items()
            if state == content_rows.QUEUED
        }
        self.awaited |= queued
        places = store.blobs.find(names.values())
        here = {name: one for name, one in names.items() if one in places}
        if is_doubted and not queued and here.keys() <= carriers.keys() and not self.way.is_oneway:
            carriers = {}  # it had confirmed all of it that is here, and has lost some since
        for name, digest in here.items():
            if name not in carriers and name not in self.fresh:
                self.fresh.add(name)
                yield _Lack(store, digest, places[digest])


# -- what goes together -----------------------------------------------------------------------


@dataclass(slots=True)
class _Load:
    """The chunks of one bundle; all are of one ledger."""

    store: Store
    places: dict[bytes, Place] = field(default_factory=dict)
    size_bytes: int = 0
    decoded_bytes: int = 0

    def add(self, lack: _Lack, target_bytes: int) -> bool:
        """Add a chunk; False if that would make more than one bundle of it."""
        # A record of a pack has more around the body than a section.
        size = self.size_bytes + lack.place.span.length
        decoded = self.decoded_bytes + lack.place.span.size
        if self.places and (
            lack.store is not self.store
            or size > target_bytes
            or decoded > _MOST_DECODED_BYTES
            or len(self.places) == _MOST_SECTIONS
        ):
            return False
        self.places[lack.digest] = lack.place
        self.size_bytes, self.decoded_bytes = size, decoded
        return True

    def names(self) -> Iterator[bytes]:
        """Yield by what names ``node.db`` knows the chunks."""
        return map(self.store.blobs.keys.name, self.places)


def _loads(lacks: Iterator[_Lack], room: Room, target_bytes: int) -> Iterator[_Load]:
    """Put lacking chunks together as bundles, as many as there is room for."""
    load: _Load | None = None
    for lack in lacks:
        if load is not None and load.add(lack, min(target_bytes, room.left_bytes)):
            continue
        if load is not None:
            room.take(load.size_bytes)
            yield load
        load = _Load(lack.store)
        load.add(lack, 0)
        if bytes_around(load.size_bytes) > room.left_bytes:
            room.is_cut = True
            return
    if load is not None:
        room.take(load.size_bytes)
        yield load


# -- making them ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A bundle of which everything was drawn that must be."""

    load: _Load
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


class _Batch:
    """Bundles that are sealed beside all else, then noted and published together."""

    def __init__(
        self, look: _Look, loads: Sequence[_Load], pool: ThreadPoolExecutor, rooms: Rooms
    ) -> None:
        """Begin to seal them."""
        self._look = look
        self._way = look.way
        self._rooms = rooms
        for load in loads:
            _ = load.store.blobs.keys  # read here once: threads cannot ask the ledger file
        with look.way.node.db.transaction():
            drafts = [_draft(look.way, load) for load in loads]
        self._begun = [(one, pool.submit(one.finish, rooms.take())) for one in drafts]

    def publish(self) -> Iterator[Made]:
        """Yield the bundles, noted and queued as recipes, durably."""
        node, peer = self._way.node, self._way.peer
        made: list[Made] = []
        recipes: dict[BundleName, Waiting] = {}
        finished = [(draft, begun.result()) for draft, begun in self._begun]
        self._begun.clear()
        with exclusive(node.home.locks / "send", "preparing bundles"):
            with node.db.transaction():
                for draft, found in finished:
                    self._look.fresh.difference_update(draft.load.names())
                    if found is None:
                        _forget_damaged(draft.load)
                        continue
                    recipe, number, sealed = found
                    name = _name(self._way, draft.header, number)
                    made.append(Made(_noted(self._way, draft, name, len(sealed)), sealed))
                    data = recipe.seal(node.rest_key.key, node.entropy)
                    recipes[name] = Waiting(len(sealed), data)
            node.spool.outbox.publish_recipes(peer.node_id, recipes)
        finished.clear()
        made.reverse()
        while made:
            one = made.pop()
            yield one
            self._rooms.give_back(one.sealed)


def _draft(way: Way, load: _Load) -> _Draft:
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
    stamp = Stamp(incarnation=node.incarnation(), counter=node.next_counter(), time_us=node.clock())
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
    hint = way.node.hint_to(way.peer, number).hex()
    return BundleName(header.priority, header.expiry_days, hint, number.hex(), way.symbol_bytes)


def _noted(way: Way, draft: _Draft, name: BundleName, size_bytes: int) -> OutBundle:
    db, store, stamp = way.node.db, draft.load.store, draft.signing.stamp
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
    db.add_bundle(bundle, [(store.ledger_id, _NO_LOG, Span(0, 0))])
    content_rows.note(db, bundle.bundle_id, draft.load.names())
    return bundle


def _forget_damaged(load: _Load) -> None:
    """Take what the disk spoiled for missing: somebody may send it again."""
    damaged: list[bytes] = []
    for digest, place in load.places.items():
        try:
            load.store.blobs.read_at(place, digest)
        except DamagedError:
            damaged.append(digest)
    forget(load.store, damaged)
