"""Whole bundles, opened, that wait for something else: `held/<bundle id>/<bundle name>`."""

from contextlib import suppress

from spool.errors import FullError, MalformedNameError
from spool.expiry import IsLate, Waiting
from spool.file_system import footprint_bytes
from spool.files import Files
from spool.name import BundleName, check_bundle_id, is_bundle_id
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
        ids = filter(is_bundle_id, self._files.names(_FOLDER))
        return sorted(name for bundle_id in ids for name in self.names_of(bundle_id))

    def names_of(self, bundle_id: str) -> list[BundleName]:
        """Return under which names a bundle is held: none or, after a crash, several.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        found = []
        for text in self._files.names(f"{_FOLDER}/{bundle_id}"):
            with suppress(MalformedNameError):
                found.append(BundleName.from_text(text))
        return found

    def read(self, name: BundleName) -> bytes:
        """Return a held bundle.

        Raises:
            GoneError: it is not held any more.
            StorageError: the disk refused.
        """
        return self._files.read(_path(name), limit_bytes=self._quotas.file_bytes)

    def size_bytes(self, name: BundleName) -> int:
        """Return the size of a held bundle; 0 when it is not held any more.

        Raises:
            StorageError: the disk refused.
        """
        facts = self._files.inspect(_path(name))
        return 0 if facts is None else facts.size_bytes

    def release(self, name: BundleName) -> None:
        """Let a bundle go; missing is no error.

        Raises:
            StorageError: the disk refused.
        """
        self._files.remove(_path(name))

    def expire(self, is_late: IsLate) -> list[BundleName]:
        """Let go and return what is of no use any more.

        Raises:
            StorageError: the disk refused.
        """
        late = [name for name in self.names() if is_late(Waiting(name.bundle_id, name.expiry_days))]
        for name in late:
            self.release(name)
        return late

    def _footprint(self, name: BundleName) -> int:
        facts = self._files.inspect(_path(name))
        return 0 if facts is None else footprint_bytes(facts.size_bytes)


def _path(name: BundleName) -> str:
    return f"{_FOLDER}/{name.bundle_id}/{name.to_text()}"
