"""Whole bundles, opened, that wait for something else: `held/<bundle id>/<bundle name>`."""

from contextlib import suppress
from typing import NamedTuple

from spool.errors import FullError, MalformedNameError
from spool.expiry import IsLate, Waiting
from spool.file_system import footprint_bytes
from spool.files import Files
from spool.name import BundleName, check_bundle_id, is_bundle_id
from spool.quotas import Quotas

_FOLDER = "held"


class _Room(NamedTuple):
    """What some bundles take: how many there are, and their blocks on the disk."""

    bundles: int
    size_bytes: int

    def plus(self, other: "_Room") -> "_Room":
        """Return what both take together."""
        return _Room(self.bundles + other.bundles, self.size_bytes + other.size_bytes)

    def minus(self, other: "_Room") -> "_Room":
        """Return what is left without the other."""
        return _Room(self.bundles - other.bundles, self.size_bytes - other.size_bytes)


_NONE = _Room(0, 0)


class Held:
    """Owner of `held/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas
        # Not all is looked at for each that is held; other processes hold and release, too.
        self._taken: _Room | None = None
        self._was_full = False

    def hold(self, name: BundleName, data: bytes) -> None:
        """Keep a bundle; durable on return, and may be repeated.

        Nothing that is held gives way: the newcomer is refused, and its fragments stay where
        they are.

        Raises:
            ConflictError: other bytes are held under that name.
            FullError: the quota or the disk is full.
            StorageError: the disk refused.
        """
        before, after = self._room_of(name), _Room(1, footprint_bytes(len(data)))
        more = after.minus(before)
        taken = self._taken_now(more)
        if not self._fits(taken.plus(more)):
            raise FullError(
                f"bundle {name.bundle_id} does not fit: {taken.bundles} that wait for something"
                f" take {taken.size_bytes} of {self._quotas.held_bytes} bytes"
                f" and of {self._quotas.held_bundles} places"
            )
        self._files.create_same(_path(name), data)
        self._taken = taken.plus(more)

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
        room = _NONE if self._taken is None else self._room_of(name)
        self._files.remove(_path(name))
        if self._taken is not None:
            self._taken = self._taken.minus(room)

    def expire(self, is_late: IsLate) -> list[BundleName]:
        """Let go and return what is of no use any more; how much is held is then counted anew.

        Raises:
            StorageError: the disk refused.
        """
        late = [name for name in self.names() if is_late(Waiting(name.bundle_id, name.expiry_days))]
        for name in late:
            self.release(name)
        self._taken, self._was_full = None, False
        return late

    def _taken_now(self, more: _Room) -> _Room:
        """Return what all that is held takes; counted again, once, where *more* would not fit.

        Once until `expire`: where it is full, else, each newcomer would cost a look at all.
        """
        if self._taken is None:
            self._taken = self._count()
        elif not self._was_full and not self._fits(self._taken.plus(more)):
            self._taken, self._was_full = self._count(), True
        return self._taken

    def _fits(self, room: _Room) -> bool:
        quotas = self._quotas
        return room.bundles <= quotas.held_bundles and room.size_bytes <= quotas.held_bytes

    def _count(self) -> _Room:
        room = _NONE
        for name in self.names():
            room = room.plus(self._room_of(name))
        return room

    def _room_of(self, name: BundleName) -> _Room:
        facts = self._files.inspect(_path(name))
        return _NONE if facts is None else _Room(1, footprint_bytes(facts.size_bytes))


def _path(name: BundleName) -> str:
    return f"{_FOLDER}/{name.bundle_id}/{name.to_text()}"
