"""What failed, kept for a person to look at: `bad/<bundle id>/<file>` and a `reason.txt` each.

Bounded in bytes and bundles; the oldest go first. Losing some of it loses nothing: whoever sent it
keeps the bundle until its receipt.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

from spool.errors import FullError, GoneError, StorageError
from spool.file_system import footprint_bytes
from spool.files import Files, Order, Write
from spool.name import check_bundle_id, is_bundle_id
from spool.quotas import Quotas

_FOLDER = "bad"
_REASON = "reason.txt"
MAX_REASON_BYTES: Final = 1000
# To look at all of a full quarantine takes as long as to put some hundred bundles there.
_NOTED_BY_ONE_LOOK: Final = 256


PutAway: TypeAlias = Callable[[str, str, Iterable[str]], None]
"""Moves files of a bundle here: its id, the reason, their paths; see `Quarantine.move`."""


class Bad(NamedTuple):
    """A bundle in quarantine.

    Attributes:
        bundle_id: As its name said.
        reason: Why, in words for people.
        size_bytes: Of its files together.
        modified_ns: When the reason was written, by our clock.
    """

    bundle_id: str
    reason: str
    size_bytes: int
    modified_ns: int


class Quarantine:
    """Owner of `bad/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas
        # What each bundle takes, the oldest first; looked at when the first is noted.
        self._kept: dict[str, int] = {}
        self._used_bytes = 0
        self._noted_count = 0

    def put(self, bundle_id: str, reason: str, parts: Mapping[str, bytes]) -> None:
        """Keep *parts*, bytes by file name, of a bundle that failed.

        A disk too full for them keeps nothing: that must not stop the rest.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        folder = f"{_FOLDER}/{bundle_id}"
        writes = [Write(f"{folder}/{name}", data, Order.REPLACE) for name, data in parts.items()]
        self._publish([*writes, _reason(folder, reason)], keep=bundle_id)

    def move(self, bundle_id: str, reason: str, paths: Iterable[str]) -> None:
        """Move the files *paths* of this spool here; those that are gone are no error.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        folder = f"{_FOLDER}/{bundle_id}"
        for path in paths:
            with suppress(FullError):
                self._files.move(path, f"{folder}/{path.rpartition('/')[2]}")
        self._publish([_reason(folder, reason)], keep=bundle_id)

    def list(self) -> list[Bad]:
        """Return what is in quarantine, the oldest first.

        Raises:
            StorageError: the disk refused.
        """
        found = map(self._look, filter(is_bundle_id, self._files.names(_FOLDER)))
        kept = [bad for bad in found if bad is not None]
        return sorted(kept, key=lambda bad: (bad.modified_ns, bad.bundle_id))

    def discard(self, bundle_id: str) -> None:
        """Forget one; missing is no error.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        self._files.remove_tree(f"{_FOLDER}/{bundle_id}")
        self._uncount(bundle_id)

    def _publish(self, writes: Iterable[Write], *, keep: str) -> None:
        with suppress(FullError):
            self._files.publish(writes)
        self._shrink(keep)

    def _shrink(self, keep: str) -> None:
        """Drop the oldest until the bounds are kept, and if need be the largest files of *keep*."""
        self._note(keep)
        while self._is_over and (oldest := next((one for one in self._kept if one != keep), None)):
            self.discard(oldest)
        if self._used_bytes <= self._quotas.quarantine_bytes:
            return
        sizes = self._sizes(keep)
        for name in sorted(sizes, key=lambda name: -sizes[name]):
            if sum(sizes.values()) <= self._quotas.quarantine_bytes:
                break
            self._files.remove(f"{_FOLDER}/{keep}/{name}")
            del sizes[name]
        self._count(keep)

    @property
    def _is_over(self) -> bool:
        is_full = self._used_bytes > self._quotas.quarantine_bytes
        return is_full or len(self._kept) > self._quotas.quarantine_bundles

    def _note(self, bundle_id: str) -> None:
        """Count a bundle that came just now: it is the newest.

        Now and then all is looked at: other processes put and discard, too.
        """
        if self._noted_count % _NOTED_BY_ONE_LOOK == 0:
            found = self.list()
            self._kept = {bad.bundle_id: footprint_bytes(bad.size_bytes) for bad in found}
            self._used_bytes = sum(self._kept.values())
        else:
            self._count(bundle_id)
        self._noted_count += 1

    def _count(self, bundle_id: str) -> None:
        self._uncount(bundle_id)
        bad = self._look(bundle_id)
        if bad is not None:
            self._kept[bundle_id] = footprint_bytes(bad.size_bytes)
            self._used_bytes += self._kept[bundle_id]

    def _uncount(self, bundle_id: str) -> None:
        self._used_bytes -= self._kept.pop(bundle_id, 0)

    def _sizes(self, bundle_id: str) -> dict[str, int]:
        folder = f"{_FOLDER}/{bundle_id}"
        facts = {
            name: self._files.inspect(f"{folder}/{name}") for name in self._files.names(folder)
        }
        return {
            name: footprint_bytes(found.size_bytes)
            for name, found in facts.items()
            if found is not None and name != _REASON
        }

    def _look(self, bundle_id: str) -> Bad | None:
        """Return what is of a bundle; None if nothing, but what somebody else put there."""
        path = f"{_FOLDER}/{bundle_id}/{_REASON}"
        facts = self._files.inspect(path)
        sizes = self._sizes(bundle_id)
        if facts is None and not sizes:
            return None
        reason = b""
        # A person may have edited or removed it meanwhile.
        with suppress(GoneError, StorageError):
            reason = self._files.read(path, limit_bytes=MAX_REASON_BYTES)
        return Bad(
            bundle_id,
            reason.decode(errors="replace"),
            sum(sizes.values()),
            facts.modified_ns if facts else 0,
        )


def _reason(folder: str, reason: str) -> Write:
    data = reason.encode(errors="backslashreplace")[:MAX_REASON_BYTES]
    return Write(f"{folder}/{_REASON}", data, Order.REPLACE)
