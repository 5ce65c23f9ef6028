"""What others said of a file that the one on this disk takes into account, as ``node.db`` knows it.

Of two who change a file at once neither knows what the other wrote: what is added supersedes only
what it was made from. Where nothing is known of a file, that is nothing of what others said.

A file stands there by a name under the key of its ledger's packs: whoever steals ``node.db`` reads
neither paths nor names of things in it.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ledger.entry import MAX_FOLLOWS
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from ledger.views import Placed
from pannier.node import Node
from pannier.nodedb_file import as_blob, as_int

_LABEL = b"origin\0"
_DIGEST_BYTES = 16
_MARK_BYTES = 32 + 8 + 4 + _DIGEST_BYTES
# What is written in one transaction.
_MAX_NOTED = 4096


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a file on this disk.

    Attributes:
        place: By what name ``node.db`` knows the file.
        heads: What stands for entries of others (`mark_of`) that it was made from, or whose content
            it had.
        is_fresh: Whether it was read so soon after its last change that the next one may have left
            it the same time.
    """

    place: bytes
    heads: frozenset[bytes] = frozenset()
    is_fresh: bool = False


def mark_of(head: Placed) -> bytes:
    """Return what stands for an entry: where it is, and what it says, as a log may have branches.

    A hash of all of it would cost more than to look at a file that is unchanged.
    """
    return b"".join((*head.log, head.number.to_bytes(4, "big"), head.entry.digest[:_DIGEST_BYTES]))


class Origins:
    """The origins of the files of one ledger."""

    def __init__(self, node: Node, store: Store) -> None:
        """Keep those of the files of *store*, as *node* adds and checks them out."""
        self._db = node.db
        self._author = node.author.public
        self._store = store
        self._noted: dict[bytes, Origin] = {}
        self._folder = self._real_folder = ""
        self._last: tuple[str, Path, Origin] | None = None

    def of(self, thing: str, path: Path) -> Origin:
        """Return what is known of the file at *path*, which the ledger calls *thing*.

        Raises:
            PannierError: ``node.db`` cannot be read, or is damaged.
        """
        if self._last is None or self._last[:2] != (thing, path):
            self._last = thing, path, self._look(self._place(thing, path))
        return self._last[2]

    def _look(self, place: bytes) -> Origin:
        if place in self._noted:
            return self._noted[place]
        found = self._db.rows("SELECT heads, fresh FROM origin WHERE place = ?", place)
        if not found:
            return Origin(place)
        heads, fresh = found[0]
        return Origin(place, _marks(as_blob(heads)), bool(as_int(fresh)))

    def is_fresh(self, thing: str, path: Path) -> bool:
        """Return whether that file was fresh (`Origin.is_fresh`) when the run began.

        Raises:
            PannierError: as `of`.
        """
        return bool(self._fresh) and self._place(thing, path) in self._fresh

    def is_own(self, head: Placed) -> bool:
        """Return whether this node wrote *head*: it always knows what it said."""
        return head.log.author == self._author

    def note(
        self, thing: str, path: Path, heads: Sequence[Placed], *, is_fresh: bool = False
    ) -> None:
        """Note of a file that lies there what it takes into account, durable with `write`.

        Args:
            thing: What the ledger calls it.
            path: Where.
            heads: Entries that it was made from; of this node's own nothing need be noted.
            is_fresh: As `Origin.is_fresh`.

        Raises:
            PannierError: ``node.db`` cannot be read or written, or is damaged.
        """
        others = [mark_of(one) for one in heads if not self.is_own(one)]
        if not (others or is_fresh or self._fresh):
            return
        was = self.of(thing, path)
        now = replace(was, heads=frozenset(others[:MAX_FOLLOWS]), is_fresh=is_fresh)
        if now == was:
            return
        self._noted[was.place] = now
        self._last = None
        if len(self._noted) >= _MAX_NOTED:
            self.write()

    def write(self) -> None:
        """Make all that was noted durable.

        Raises:
            PannierError: ``node.db`` cannot be written.
        """
        if not self._noted:
            return
        rows = [
            (one.place, b"".join(sorted(one.heads)), int(one.is_fresh))
            for one in self._noted.values()
        ]
        with self._db.transaction():
            self._db.run_many("INSERT OR REPLACE INTO origin VALUES (?, ?, ?)", rows)
        self._noted.clear()

    @cached_property
    def _fresh(self) -> frozenset[bytes]:
        found = self._db.rows("SELECT place FROM origin WHERE fresh = 1")
        return frozenset(as_blob(place) for (place,) in found)

    def _place(self, thing: str, path: Path) -> bytes:
        folder, _, name = os.fspath(path).rpartition("/")
        if folder != self._folder or not self._real_folder:
            whole = folder or ("/" if path.is_absolute() else ".")
            self._folder, self._real_folder = folder, os.path.realpath(whole)
        where = os.fsencode(f"{self._real_folder}/{name}")
        return self._store.blobs.keys.name(_LABEL + thing.encode() + b"\0" + where)


def _marks(joined: bytes) -> frozenset[bytes]:
    """Return the marks that stand there; what the disk spoiled fits no entry."""
    starts = range(0, len(joined), _MARK_BYTES)
    return frozenset(joined[start : start + _MARK_BYTES] for start in starts)
