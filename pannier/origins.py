"""What others said of a file that the one on this disk takes into account, as ``node.db`` knows it.

Of two who change a file at once neither knows what the other wrote: what is added supersedes only
what it was made from. Where nothing is known of a file, that is nothing of what others said.

A file stands there by a name under the key of its ledger's packs: whoever steals ``node.db`` reads
neither paths nor names of things in it.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from ledger import cbor
from ledger.entry import MAX_FOLLOWS, Follow, follows_from, sort_follows
from ledger.errors import MalformedError
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from ledger.views import Placed
from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_blob, as_int

_LABEL = b"origin\0"
_MAX_BYTES = 1 << 14
# What is written in one transaction.
_MAX_NOTED = 4096


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a file on this disk.

    Attributes:
        heads: Entries of others that it was made from, or that were settled by its content.
        is_fresh: Whether it was read so soon after its last change that the next one may have left
            it the same time.
    """

    heads: frozenset[Follow] = frozenset()
    is_fresh: bool = False


UNKNOWN = Origin()


class Origins:
    """The origins of the files of one ledger."""

    def __init__(self, db: NodeDb, store: Store) -> None:
        """Keep those of the files of *store* in *db*."""
        self._db = db
        self._store = store
        self._noted: dict[bytes, Origin] = {}
        self._folder = self._real_folder = ""

    def of(self, thing: str, path: Path) -> Origin:
        """Return what is known of the file at *path*, which the ledger calls *thing*.

        Raises:
            PannierError: ``node.db`` cannot be read, or is damaged.
        """
        return self._of(self._place(thing, path))

    def note(self, thing: str, path: Path, origin: Origin) -> None:
        """Note it, to be durable with `write` at the latest: only once the file lies there.

        Raises:
            PannierError: ``node.db`` cannot be read or written, or is damaged.
        """
        place = self._place(thing, path)
        if origin != self._of(place):
            self._noted[place] = origin
        if len(self._noted) >= _MAX_NOTED:
            self.write()

    def note_heads(self, thing: str, path: Path, heads: Iterable[Placed]) -> None:
        """Note that the file at *path* takes *heads* into account.

        Raises:
            PannierError: as `note`.
        """
        self.note(thing, path, Origin(frozenset(one.as_follow() for one in heads)))

    def write(self) -> None:
        """Make all that was noted durable.

        Raises:
            PannierError: ``node.db`` cannot be written.
        """
        if not self._noted:
            return
        rows = [(place, _to_blob(one), int(one.is_fresh)) for place, one in self._noted.items()]
        with self._db.transaction():
            self._db.run_many("INSERT OR REPLACE INTO origin VALUES (?, ?, ?)", rows)
        self._noted.clear()

    def _of(self, place: bytes) -> Origin:
        if place in self._noted:
            return self._noted[place]
        found = self._db.rows("SELECT heads, fresh FROM origin WHERE place = ?", place)
        if not found:
            return UNKNOWN
        heads, fresh = found[0]
        return Origin(_from_blob(as_blob(heads)), bool(as_int(fresh)))

    def _place(self, thing: str, path: Path) -> bytes:
        folder, name = os.path.split(path)
        if folder != self._folder or not self._real_folder:
            self._folder, self._real_folder = folder, os.path.realpath(folder)
        where = os.fsencode(f"{self._real_folder}/{name}")
        return self._store.blobs.keys.name(_LABEL + thing.encode() + b"\0" + where)


def _to_blob(origin: Origin) -> bytes:
    return cbor.encode([list(one) for one in sort_follows(origin.heads)[:MAX_FOLLOWS]])


def _from_blob(heads: bytes) -> frozenset[Follow]:
    """Return what `_to_blob` wrote; nothing where the disk spoiled it: nothing is lost with it."""
    try:
        return frozenset(follows_from(cbor.decode(heads, limit_bytes=_MAX_BYTES)))
    except MalformedError:
        return frozenset()
