"""Fragments for others, taken along within a quota: `carry/<bundle id>/<file>`.

The name of a file is the fragment file's, followed by `.<source>` for each medium or link that it
came from or was given to, newest last: state is in the name, so that a rename changes it in one
step, and nothing is offered back to where it came from.

Nobody on the way can tell which of two files with one name is genuine. So neither replaces the
other: the later one is carried beside the first, under `FragmentName.beside`, in the share of
whoever brought it. Only what its own origin made longer is one file.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from spool.carry import FOLDER, MAX_SOURCES, Carry, carry_path
from spool.errors import FullError, GoneError, MalformedNameError
from spool.expiry import IsLate, Waiting
from spool.files import Files, Order, Write
from spool.name import (
    FRAGMENT_NAME_LENGTH,
    FragmentName,
    check_bundle_id,
    check_source,
    is_bundle_id,
)
from spool.quotas import Quotas
from spool.shares import Shares


class Place(NamedTuple):
    """Where a file is carried, or would be.

    Attributes:
        name: Its own, or the one beside it.
        before: What is carried under that name: the same, more of it, or a beginning.
        is_here: Whether all of it is carried already.
    """

    name: FragmentName
    before: Carry | None = None
    is_here: bool = False


class Carried:
    """Owner of `carry/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas

    def known(self) -> dict[FragmentName, Carry]:
        """Return all that is carried, by name.

        Raises:
            StorageError: the disk refused.
        """
        found: dict[FragmentName, Carry] = {}
        for bundle_id in filter(is_bundle_id, self._files.names(FOLDER)):
            found |= self._of(bundle_id)
        return found

    def of(self, bundle_id: str) -> list[Carry]:
        """Return what is carried of one bundle.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        return list(self._of(bundle_id).values())

    def offered(self, excluding_source: str) -> list[Carry]:
        """Return what *excluding_source* has not, the most urgent first, then the smallest.

        Raises:
            StorageError: the disk refused.
        """
        offers = [each for each in self.known().values() if excluding_source not in each.sources]
        return sorted(offers, key=lambda each: (*_urgency(each.name), each.size_bytes, each.name))

    def take(
        self, fragments: Mapping[FragmentName, bytes], source: str, *, today_days: int
    ) -> frozenset[FragmentName]:
        """Take fragment files along; return the names now carried, durable on return.

        When the quota is full something gives way, or the newcomer is not taken, as `Shares` says;
        nor is it when the disk is full, or when something else has both names that it may have.

        Raises:
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        check_source(source)
        shares = self.shares(today_days)
        writes: list[Write] = []
        here, written = set(), set()
        shorter: list[Carry] = []
        for name, data in sorted(fragments.items()):
            place = self.place(shares, name, data, source)
            if place is None:
                continue
            if place.before is not None and place.is_here:
                self.note_there(place.before, len(data), source)
                here.add(name)
            elif shares.add(place.name, len(data), source):
                sources = _joined(place.before.sources if place.before else (), source)
                writes.append(Write(carry_path(place.name, sources), data, Order.REPLACE))
                shorter += [place.before] if place.before else []
                written.add(name)
        # What gives way is there until what it gives way to is: the disk may be full.
        try:
            self._files.publish_over(writes, [each.path for each in (*shares.victims, *shorter)])
        except FullError:
            return frozenset(here)
        return frozenset(here | written)

    def place(self, shares: Shares, name: FragmentName, data: bytes, source: str) -> Place | None:
        """Return where *data* from *source* is carried, or would be; None: nowhere.

        Args:
            shares: What is carried.
            name: Of the file.
            data: All of it.
            source: The medium or link that it is on.

        Raises:
            StorageError: the disk refused.
        """
        for one in (name, name.beside(sha256(data).digest())):
            before = shares.find(one)
            held = None if before is None else self._content(before)
            if before is None or held is None:
                return Place(one)
            if held.startswith(data):
                return Place(one, before, is_here=True)
            if data.startswith(held) and source == before.origin:
                return Place(one, before)
        return None

    def note_there(self, carry: Carry, size_bytes: int, source: str) -> None:
        """Remember that *source* has the file, unless it has but a beginning of *size_bytes*.

        Raises:
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        if size_bytes == carry.size_bytes:
            self.add_source(carry, source)

    def shares(self, today_days: int) -> Shares:
        """Return a reckoning of the room, to ask what would be taken before it is read.

        Raises:
            StorageError: the disk refused.
        """
        return Shares(self.known().values(), self._quotas.carried_bytes, today_days)

    def read(self, name: FragmentName) -> bytes:
        """Return a carried file of fragments.

        Raises:
            GoneError: it is not carried any more.
            StorageError: the disk refused.
        """
        for text in self._files.names(f"{FOLDER}/{name.bundle_id}"):
            if text.startswith(name.to_text()):
                path = f"{FOLDER}/{name.bundle_id}/{text}"
                return self._files.read(path, limit_bytes=self._quotas.file_bytes)
        raise GoneError(f"{name.to_text()} is not carried any more")

    def _content(self, carry: Carry) -> bytes | None:
        """Return the bytes of a carried file; None if it gave way just now."""
        with suppress(GoneError):
            return self.read(carry.name)
        return None

    def add_source(self, carry: Carry, source: str) -> None:
        """Remember that *source* has the file, too; gone is no error.

        Raises:
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        check_source(source)
        if source not in carry.sources:
            self._files.move(carry.path, carry_path(carry.name, _joined(carry.sources, source)))

    def drop_expired(self, is_late: IsLate) -> int:
        """Drop what is of no use any more; return how many files that were.

        Raises:
            StorageError: the disk refused.
        """
        late = [
            each
            for each in self.known().values()
            if is_late(Waiting(each.name.bundle_id, each.name.expiry_days))
        ]
        for each in late:
            self._files.remove(each.path)
        return len(late)

    def _of(self, bundle_id: str) -> dict[FragmentName, Carry]:
        found: dict[FragmentName, Carry] = {}
        for text in self._files.names(f"{FOLDER}/{bundle_id}"):
            carry = self._look(bundle_id, text)
            # A crash between two names of one fragment leaves both; the larger is the newer.
            if carry is not None and not _is_better(found.get(carry.name), carry):
                found[carry.name] = carry
        return found

    def _look(self, bundle_id: str, text: str) -> Carry | None:
        with suppress(MalformedNameError):
            name = FragmentName.from_text(text[:FRAGMENT_NAME_LENGTH])
            sources = tuple(text[FRAGMENT_NAME_LENGTH + 1 :].split("."))
            for source in sources:
                check_source(source)
            facts = self._files.inspect(f"{FOLDER}/{bundle_id}/{text}")
            if facts is not None and name.bundle_id == bundle_id:
                return Carry(name, sources, facts.size_bytes, facts.modified_ns)
        return None


def _is_better(one: Carry | None, other: Carry) -> bool:
    return one is not None and (one.size_bytes, len(one.sources)) >= (
        other.size_bytes,
        len(other.sources),
    )


def _urgency(name: FragmentName) -> tuple[int, int]:
    return name.priority, name.expiry_days


def _joined(sources: Iterable[str], source: str) -> tuple[str, ...]:
    kept = [each for each in sources if each != source]
    return (*kept, source)[-MAX_SOURCES:]
