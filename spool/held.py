"""Whole bundles, opened, that wait for something else: `held/<bundle id>/<bundle name>`."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import reduce
from typing import NamedTuple

from spool.errors import FullError, GoneError, MalformedNameError, UnreadableError
from spool.expiry import IsLate, Waiting
from spool.file_system import footprint_bytes
from spool.files import Files
from spool.name import BundleName, check_bundle_id, is_bundle_id
from spool.quarantine import PutAway
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

OwnerOf = Callable[[str], str]
"""Says by the id of a bundle in whose name it takes room."""


def _nobody(_: str) -> str:
    return ""


class Held:
    """Owner of `held/`.

    Whoever has much there leaves as much free for others: nobody fills it alone, and nothing that
    is held has to give way.
    """

    def __init__(self, files: Files, quotas: Quotas, *, put_away: PutAway) -> None:
        """Own the tree in *files*; what the disk cannot read is *put away*."""
        self._files = files
        self._quotas = quotas
        self._put_away = put_away
        # Not all is looked at for each that is held; other processes hold and release, too.
        self._taken: dict[str, _Room] | None = None
        self._owners: dict[str, str] = {}
        self._was_full = False

    def hold(self, name: BundleName, data: bytes, owner_of: OwnerOf = _nobody) -> None:
        """Keep a bundle; durable on return, and may be repeated.

        Nothing that is held gives way: the newcomer is refused, and its fragments stay where
        they are.

        Args:
            name: Of the bundle.
            data: Its bytes.
            owner_of: For this bundle and those that are held. One owner may have as much as it
                leaves free.

        Raises:
            ConflictError: other bytes are held under that name.
            FullError: the owner has its share, or the quota or the disk is full.
            StorageError: the disk refused.
        """
        before, after = self._room_of(name), _Room(1, footprint_bytes(len(data)))
        more, owner = after.minus(before), owner_of(name.bundle_id)
        taken = self._taken_now(owner, more, owner_of)
        if not self._fits(taken, owner, more):
            own, all_ = taken.get(owner, _NONE), _sum(taken)
            raise FullError(
                f"bundle {name.bundle_id} does not fit: {own.bundles} of its sender that wait for"
                f" something take {own.size_bytes} bytes, and of {self._quotas.held_bytes} bytes"
                f" and {self._quotas.held_bundles} places all that wait take"
                f" {all_.size_bytes} and {all_.bundles}"
            )
        self._files.create_same(_path(name), data)
        self._owners[name.bundle_id] = owner
        taken[owner] = taken.get(owner, _NONE).plus(more)

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
            GoneError: it is not held any more; or not from now on, since the disk cannot read it.
            StorageError: the disk refused.
        """
        try:
            return self._files.read(_path(name), limit_bytes=self._quotas.file_bytes)
        except UnreadableError as error:
            self._put_away(name.bundle_id, str(error), [_path(name)])
            raise GoneError(str(error)) from error

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
            owner = self._owners.get(name.bundle_id, "")
            self._taken[owner] = self._taken.get(owner, _NONE).minus(room)

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

    def _taken_now(self, owner: str, more: _Room, owner_of: OwnerOf) -> dict[str, _Room]:
        """Return what each owner takes; counted again, once, where *more* would not fit.

        Once until `expire`: where it is full, else, each newcomer would cost a look at all.
        """
        if self._taken is None:
            self._taken = self._count(owner_of)
        elif not self._was_full and not self._fits(self._taken, owner, more):
            self._taken, self._was_full = self._count(owner_of), True
        return self._taken

    def _fits(self, taken: Mapping[str, _Room], owner: str, more: _Room) -> bool:
        """Return whether *owner* has, with *more*, no more than is free without that."""
        if more.bundles <= 0 and more.size_bytes <= 0:
            return True  # it is there
        free = _Room(self._quotas.held_bundles, self._quotas.held_bytes).minus(_sum(taken))
        own = taken.get(owner, _NONE).plus(more)
        return own.bundles <= free.bundles and own.size_bytes <= free.size_bytes

    def _count(self, owner_of: OwnerOf) -> dict[str, _Room]:
        taken: dict[str, _Room] = {}
        self._owners.clear()
        for name in self.names():
            owner = self._owners[name.bundle_id] = owner_of(name.bundle_id)
            taken[owner] = taken.get(owner, _NONE).plus(self._room_of(name))
        return taken

    def _room_of(self, name: BundleName) -> _Room:
        facts = self._files.inspect(_path(name))
        return _NONE if facts is None else _Room(1, footprint_bytes(facts.size_bytes))


def _sum(taken: Mapping[str, _Room]) -> _Room:
    return reduce(_Room.plus, taken.values(), _NONE)


def _path(name: BundleName) -> str:
    return f"{_FOLDER}/{name.bundle_id}/{name.to_text()}"
