"""Fragments that arrived for us and are not merged yet: `in/<bundle id>/<delivery>`.

Every delivery is a file of its own, published by rename. Nothing is ever appended, so that a crash
cannot leave half a fragment before a whole one; and what arrives twice has the same digest in its
name (`spool.delivery`) and is kept once.
"""

from collections.abc import Iterable, Iterator

from spool.admission import Admission
from spool.delivery import (
    Arrival,
    Delivery,
    DeliveryKey,
    Receipt,
    StoredDelivery,
    digest_of,
    parse_stored,
)
from spool.errors import GoneError, UnreadableError
from spool.expiry import IsLate, Waiting
from spool.files import Files, Order, Write
from spool.name import check_bundle_id, is_bundle_id
from spool.quarantine import PutAway
from spool.quotas import Quotas

_FOLDER = "in"


class Inbox:
    """Owner of `in/`."""

    def __init__(self, files: Files, quotas: Quotas, *, put_away: PutAway) -> None:
        """Own the tree in *files*; what the disk cannot read is *put away*."""
        self._files = files
        self._quotas = quotas
        self._put_away = put_away
        # What is in a file stands in its name: it never changes.
        self._sizes: dict[StoredDelivery, int] = {}

    def receive(self, deliveries: Iterable[Delivery]) -> Receipt:
        """Take deliveries over; those stored are durable on return, all for two flushes.

        A peer over its quota loses its bundles of less urgent priority than the newcomer, the least
        urgent first. What finds no room even so is refused, and its carrier keeps it: among equals
        the first to come are the first to be merged.

        Raises:
            MalformedNameError: a peer or source is none.
            FullError: the disk is full; then nothing has given way, unless that freed too little.
            StorageError: the disk refused.
        """
        admission = Admission(self._quotas)
        self._sizes = {
            stored: size for stored in self._stored() if (size := self._size(stored)) is not None
        }
        for stored, size_bytes in self._sizes.items():
            admission.count(stored, size_bytes)
        for delivery in deliveries:
            admission.ask(delivery)
        admitted = admission.admitted.items()
        # What gives way is there until what it gives way to is: the disk may be full.
        self._files.publish_over(
            [Write(_path(stored), data, Order.SAME) for stored, data in admitted],
            map(_path, admission.dropped),
        )
        # What was there may be left by a process that was killed before its last flush.
        self._files.settle(f"{_FOLDER}/{bundle_id}" for bundle_id in sorted(admission.repeated))
        return admission.receipt()

    def known(self) -> frozenset[DeliveryKey]:
        """Return the keys of all deliveries that are here.

        Raises:
            StorageError: the disk refused.
        """
        return frozenset(stored.key for stored in self._stored())

    def bundles(self) -> list[str]:
        """Return the ids of the bundles that something arrived of, the most urgent first.

        Raises:
            StorageError: the disk refused.
        """
        return list(dict.fromkeys(stored.bundle_id for stored in sorted(self._stored())))

    def size_bytes(self, bundle_id: str) -> int:
        """Return how many bytes arrived of a bundle.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        facts = [self._files.inspect(_path(stored)) for stored in self._of(bundle_id)]
        return sum(found.size_bytes for found in facts if found is not None)

    def sources(self, bundle_id: str) -> frozenset[str]:
        """Return the media and links that any part of a bundle came by.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        return frozenset(stored.source for stored in self._of(bundle_id))

    def senders(self, bundle_id: str) -> list[str]:
        """Return from whom any part of a bundle came, as `Arrival.peer` says, each once.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        return list(dict.fromkeys(stored.peer for stored in self._of(bundle_id)))

    def read(self, bundle_id: str, peer: str | None = None) -> Iterator[Arrival]:
        """Yield what arrived of a bundle, all or from *peer* alone, one file after another.

        A file that the disk has spoiled is removed: under its name the carrier's copy, which is
        sound, would never be taken. One that it cannot read is put away: it may some day.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        for stored in self._of(bundle_id, peer):
            try:
                data = self._files.read(_path(stored), limit_bytes=self._quotas.file_bytes)
            except GoneError:
                continue  # another process has merged it
            except UnreadableError as error:
                self._put_away(bundle_id, str(error), [_path(stored)])
                continue
            if digest_of(data) != stored.digest:
                self._files.remove(_path(stored))
                continue
            yield Arrival(stored.peer, stored.source, data)

    def paths(self, bundle_id: str, peer: str | None = None) -> list[str]:
        """Return the paths in the spool of what arrived of a bundle, all or from *peer* alone.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        return [_path(stored) for stored in self._of(bundle_id, peer)]

    def discard(self, bundle_id: str) -> None:
        """Forget what arrived of a bundle; missing is no error.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        self._files.remove_tree(f"{_FOLDER}/{bundle_id}")

    def forget(self, paths: Iterable[str]) -> None:
        """Forget what lies at some of the `paths` of a bundle; missing is no error.

        Raises:
            StorageError: the disk refused.
        """
        for path in paths:
            self._files.remove(path)

    def expire(self, is_late: IsLate) -> list[str]:
        """Forget bundles of which nothing is of use any more; return their ids.

        Raises:
            StorageError: the disk refused.
        """
        last: dict[str, Waiting] = {}
        for stored in self._stored():
            here = Waiting(stored.bundle_id, stored.expiry_days, stored.peer)
            last[stored.bundle_id] = max(here, last.get(stored.bundle_id, here))
        late = [bundle_id for bundle_id, waiting in last.items() if is_late(waiting)]
        for bundle_id in late:
            self.discard(bundle_id)
        return late

    def _size(self, stored: StoredDelivery) -> int | None:
        known = self._sizes.get(stored)
        if known is None and (facts := self._files.inspect(_path(stored))) is not None:
            known = facts.size_bytes
        return known

    def _stored(self) -> list[StoredDelivery]:
        ids = filter(is_bundle_id, self._files.names(_FOLDER))
        return [stored for bundle_id in ids for stored in self._of(bundle_id)]

    def _of(self, bundle_id: str, peer: str | None = None) -> list[StoredDelivery]:
        check_bundle_id(bundle_id)
        names = self._files.names(f"{_FOLDER}/{bundle_id}")
        found = (parse_stored(bundle_id, name) for name in names)
        return [one for one in found if one is not None and peer in (None, one.peer)]


def _path(stored: StoredDelivery) -> str:
    return f"{_FOLDER}/{stored.bundle_id}/{stored.file_name}"
