"""Sealed bundles that wait for a carrier: `out/<peer node id>/<bundle name>`.

A bundle stays until `withdraw`, however many media took it: only its receipt or its expiry ends
the wait.
"""

from contextlib import suppress

from spool.errors import MalformedNameError
from spool.expiry import IsLate, Waiting
from spool.files import Files
from spool.name import BundleName, check_peer, is_peer
from spool.quotas import Quotas

_FOLDER = "out"


class Outbox:
    """Owner of `out/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas

    def publish(self, peer: str, name: BundleName, data: bytes) -> None:
        """Queue a sealed bundle for *peer*; durable on return, and may be repeated.

        Raises:
            MalformedNameError: *peer* is no node id.
            ConflictError: other bytes are queued under that name.
            FullError: the disk is full.
            StorageError: the disk refused.
        """
        check_peer(peer)
        self._files.create_same(_path(peer, name), data)

    def peers(self) -> list[str]:
        """Return the node ids that something is queued for.

        Raises:
            StorageError: the disk refused.
        """
        return [name for name in self._files.names(_FOLDER) if is_peer(name) and self.queued(name)]

    def queued(self, peer: str) -> list[BundleName]:
        """Return what is queued for *peer*, the most urgent first.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        queue = []
        for text in self._files.names(f"{_FOLDER}/{peer}"):
            with suppress(MalformedNameError):
                queue.append(BundleName.from_text(text))
        return sorted(queue)

    def size_bytes(self, peer: str, name: BundleName) -> int | None:
        """Return the length of a queued bundle, None when it is not queued any more.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        facts = self._files.inspect(_path(peer, name))
        return None if facts is None else facts.size_bytes

    def read(self, peer: str, name: BundleName) -> bytes:
        """Return a queued bundle.

        Raises:
            MalformedNameError: *peer* is no node id.
            GoneError: it is not queued any more.
            StorageError: the disk refused.
        """
        check_peer(peer)
        return self._files.read(_path(peer, name), limit_bytes=self._quotas.file_bytes)

    def withdraw(self, peer: str, name: BundleName) -> None:
        """Take a bundle out of the queue; missing is no error.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        self._files.remove(_path(peer, name))

    def expire(self, is_late: IsLate) -> list[tuple[str, BundleName]]:
        """Withdraw what is of no use any more; return it, to be planned again.

        Raises:
            StorageError: the disk refused.
        """
        late = [
            (peer, name)
            for peer in self.peers()
            for name in self.queued(peer)
            if is_late(Waiting(name.bundle_id, name.expiry_days, peer))
        ]
        for peer, name in late:
            self.withdraw(peer, name)
        return late


def _path(peer: str, name: BundleName) -> str:
    return f"{_FOLDER}/{peer}/{name.to_text()}"
