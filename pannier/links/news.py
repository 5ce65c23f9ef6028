"""Noticing that another process, or another link, gave this node something to send: a cheap look.

A `put` is seen by its ledger's file, what other links brought by the folder of what is carried,
what a stick brought by the ledgers and by what is owed for it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pannier.node import Node

Look = dict[str, object]
"""What was seen where."""


class News:
    """Looks at the home of a node, for the thread that made it."""

    def __init__(self, node: Node, peer: str) -> None:
        """Look for what concerns *peer* (a node id)."""
        self._node, self._peer = node, peer
        self._ledgers: dict[Path, sqlite3.Connection] = {}

    def close(self) -> None:
        """Let go of all files."""
        for connection in self._ledgers.values():
            connection.close()
        self._ledgers.clear()

    def outside(self) -> Look:
        """Return how things are that preparing what goes out does not change."""
        home = self._node.home
        found: Look = {str(path): self._version(path) for path in _files(home.ledgers, ".db")}
        found |= {str(path): _changed(path) for path in (home.config, home.cards)}
        folder = home.spool / "carry"
        with suppress(OSError), os.scandir(folder) as entries:
            found |= {one.path: one.stat(follow_symlinks=False).st_mtime_ns for one in entries}
        return found

    def _version(self, path: Path) -> object:
        """Return what changes whenever anybody else has changed a ledger."""
        try:
            if path not in self._ledgers:
                self._ledgers[path] = sqlite3.connect(
                    f"{path.absolute().as_uri()}?mode=ro", uri=True
                )
            return self._ledgers[path].execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None


def own(node: Node, peer: str) -> Look:
    """Return how things are that preparing what goes to *peer* changes itself.

    Raises:
        PannierError: ``node.db`` cannot be read.
        SpoolError: the spool cannot be read.
    """
    owed = node.db.rows("SELECT bundle FROM due WHERE peer = ? AND told IS NULL", peer)
    return {"queued": node.spool.outbox.queued(peer), "owed": sorted(owed)}


def _files(folder: Path, ending: str) -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path in folder.iterdir() if path.suffix == ending)


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
