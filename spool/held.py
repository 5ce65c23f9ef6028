"""Whole bundles, opened, that wait for something else: `held/<bundle id>/<bundle name>`."""

from contextlib import suppress

from spool.errors import FullError, MalformedNameError
from spool.file_system import footprint_bytes
from spool.files import Files
from spool.name import BundleName, is_bundle_id
from spool.quotas import Quotas

_FOLDER = "held"


class Held:
    """Owner of `held/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas

    def hold(self, name: BundleName, data: bytes) -> None:
        """Keep a bundle; durable on return, and may be repeated.

        Nothing that is held gives way: the newcomer is refused, and its fragments stay where
        they are.

        Raises:
            ConflictError: other bytes are held under that name.
            FullError: the quota or the disk is full.
            StorageError: the disk refused.
        """
        used = sum(self._footprint(other) for other in self.names() if other != name)
        if used + footprint_bytes(len(data)) > self._quotas.held_bytes:
            raise FullError(
                f"bundle {name.bundle_id} does not fit: {used} of {self._quotas.held_bytes} bytes"
                " are taken by bundles that wait for something"
            )
        self._files.create_same(_path(name), data)

    def names(self) -> list[BundleName]:
        """Return what is held, the most urgent first.

        Raises:
            StorageError: the disk refused.
        """
        found = []
        for bundle_id in filter(is_bundle_id, self._files.names(_FOLDER)):
            for text in self._files.names(f"{_FOLDER}/{bundle_id}"):
                with suppress(MalformedNameError):
                    found.append(BundleName.from_text(text))
        return sorted(found)

    def read(self, name: BundleName) -> bytes:
        """Return a held bundle.

        Raises:
            GoneError: it is not held any more.
            StorageError: the disk refused.
        """
        return self._files.read(_path(name), limit_bytes=self._quotas.file_bytes)

    def release(self, name: BundleName) -> None:
        """Let a bundle go; missing is no error.

        Raises:
            StorageError: the disk refused.
        """
        self._files.remove(_path(name))

    def expire(self, today_days: int) -> list[BundleName]:
        """Let go and return what is of no use after *today_days*.

        Raises:
            StorageError: the disk refused.
        """
        late = [name for name in self.names() if name.expiry_days < today_days]
        for name in late:
            self.release(name)
        return late

    def _footprint(self, name: BundleName) -> int:
        facts = self._files.inspect(_path(name))
        return 0 if facts is None else footprint_bytes(facts.size_bytes)


def _path(name: BundleName) -> str:
    return f"{_FOLDER}/{name.bundle_id}/{name.to_text()}"
