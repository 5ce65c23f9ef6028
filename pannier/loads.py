"""Which contents of files a peer lacks, and which of them go together in a bundle.

Which files there are, entries say, and those go first (`pannier.sending`). Sealing them is for
`pannier.files_sending`.
"""

from collections.abc import Generator, Iterator
from dataclasses import field

from bundler.limits import DEFAULT_LIMITS
from ledger.file_payload import FilePayload
from ledger.lazy_dataclass import dataclass
from ledger.members import members, passed_on
from ledger.store import Store
from ledger.store_blobs import Place
from pannier import content_rows
from pannier.lacks import in_order
from pannier.way import Way

MOST_BYTES = 64 << 30
"""What is made at once for a carrier that does not tell its room."""

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


# -- what is lacking --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lack:
    """A chunk that the peer lacks, and where it lies here."""

    store: Store
    digest: bytes
    place: Place


@dataclass(slots=True)
class Look:
    """One pass over the files that a peer lacks something of.

    Attributes:
        way: To the peer.
        fresh: Names of the chunks that were found, and are not noted in any bundle yet.
        awaited: The queued bundles that carry something lacking.
    """

    way: Way
    fresh: set[bytes] = field(default_factory=set)
    awaited: set[str] = field(default_factory=set)

    def lacking(self) -> Iterator[Lack]:
        """Yield what the peer lacks, and is in no bundle on its way to it."""
        way = self.way
        for store in way.stores:
            if way.node.card.author not in members(store):
                continue  # nobody hears one that is not
            for state in in_order(store):
                held = way.known.log(store.ledger_id, state.name)
                first = held.files if held else 0
                is_said = held is not None and first < held.size
                has_lost, doubted_bytes = False, _DOUBTED_BYTES
                in_vain = way.left_out.get((store.ledger_id, state.name), ())
                for number, file in store.files(state, first, passed_on(store, state)):
                    if any(span.first <= number < span.end for span in in_vain):
                        continue  # nothing there names it
                    # It may have lost more with the first file that it says it lacks some of.
                    is_doubted = is_said and number == first
                    is_doubted |= has_lost and file.size <= doubted_bytes
                    has_lost |= yield from self._of_file(store, file, is_doubted=is_doubted)
                    doubted_bytes -= file.size

    def _of_file(
        self, store: Store, file: FilePayload, *, is_doubted: bool
    ) -> Generator[Lack, None, bool]:
        """Yield what of a file is not on its way; *is_doubted*: the peer may have lost some.

        Returns:
            Whether it has: it had confirmed all of the file. Where some is not here either, nobody
            can tell that from what it never had, and what is here would go again for ever.
        """
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
        is_all = len(here) == len(names) and names.keys() <= carriers.keys()
        has_lost = is_doubted and is_all and not queued and not self.way.is_oneway
        if has_lost:
            carriers = {}
        for name, digest in here.items():
            if name not in carriers and name not in self.fresh:
                self.fresh.add(name)
                yield Lack(store, digest, places[digest])
        return has_lost


# -- what goes together -----------------------------------------------------------------------


@dataclass(slots=True)
class Load:
    """The chunks of one bundle; all are of one ledger."""

    store: Store
    places: dict[bytes, Place] = field(default_factory=dict)
    size_bytes: int = 0
    decoded_bytes: int = 0

    def add(self, lack: Lack, target_bytes: int) -> bool:
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


def loads(lacks: Iterator[Lack], room: Room, target_bytes: int) -> Iterator[Load]:
    """Put lacking chunks together as bundles, as many as there is room for."""
    load: Load | None = None
    for lack in lacks:
        if load is not None and load.add(lack, min(target_bytes, room.left_bytes)):
            continue
        if load is not None:
            room.take(load.size_bytes)
            yield load
        load = Load(lack.store)
        load.add(lack, 0)
        if bytes_around(load.size_bytes) > room.left_bytes:
            room.is_cut = True
            return
    if load is not None:
        room.take(load.size_bytes)
        yield load
