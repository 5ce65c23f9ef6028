"""Fragments for others, taken along within a quota: `carry/<bundle id>/<file>`.

The name of a file is the fragment file's, followed by `.<source>` for the medium or link that it
came from, and for the first that it was given to or met on: state is in the name, so that a rename
changes it in one step, and nothing is offered back to where it came from. Of further ones that have
it this process remembers some; those it forgot it looks at again.

Nobody on the way can tell which of two files with one name is genuine. So neither replaces the
other: the later one is carried beside the first, under `FragmentName.beside`, in the share of
whoever brought it. Only what its own origin made longer is one file.

After a kill, or where two processes take the same at once, there may be several files of one name.
The longest counts until `take` or `drop_expired` leaves one, and all of them take room.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

from spool.carry import FOLDER, MAX_SOURCES, Carry, carry_path
from spool.errors import BusyError, FullError, GoneError, MalformedNameError, UnreadableError
from spool.expiry import IsLate, Waiting
from spool.files import Files, Order, Write
from spool.name import (
    FRAGMENT_NAME_LENGTH,
    FragmentName,
    check_bundle_id,
    check_source,
    is_bundle_id,
)
from spool.quarantine import PutAway
from spool.quotas import Quotas
from spool.shares import Shares

# While a file is read, another process may note a further source of it: then it has another path.
_TRIES: Final = 3
# As many files as the usual quota holds, by two media that no name has a place for.
_MOST_MET: Final = 1 << 15
# No source has this name.
_SETTLING: Final = "settling-copies"

_Met: TypeAlias = tuple[str, FragmentName, int, int]


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


class _Found(NamedTuple):
    """What lies there.

    Attributes:
        known: What counts under each name.
        copies: What else has one of the names.
    """

    known: dict[FragmentName, Carry]
    copies: list[Carry]


class Carried:
    """Owner of `carry/`."""

    def __init__(self, files: Files, quotas: Quotas, *, put_away: PutAway) -> None:
        """Own the tree in *files*; what the disk cannot read is *put away*."""
        self._files = files
        self._quotas = quotas
        self._put_away = put_away
        self._met: dict[_Met, None] = {}

    def known(self) -> dict[FragmentName, Carry]:
        """Return all that is carried, by name.

        Raises:
            StorageError: the disk refused.
        """
        return self._found().known

    def of(self, bundle_id: str) -> list[Carry]:
        """Return what is carried of one bundle.

        Raises:
            MalformedNameError: *bundle_id* is none.
            StorageError: the disk refused.
        """
        check_bundle_id(bundle_id)
        return list(_sorted_out(self._of(bundle_id)).known.values())

    def offered(self, excluding_source: str) -> list[Carry]:
        """Return what *excluding_source* has not, the most urgent first, then the smallest.

        Raises:
            StorageError: the disk refused.
        """
        offers = [each for each in self.known().values() if not self.is_at(each, excluding_source)]
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
        shares = self._shares(self._settled(), today_days)
        writes: list[Write] = []
        here: dict[FragmentName, Carry] = {}
        written = set()
        shorter: list[Carry] = []
        for name, data in sorted(fragments.items()):
            place = self.place(shares, name, data, source)
            if place is None:
                continue
            if place.before is not None and place.is_here:
                here[name] = place.before
            elif shares.add(place.name, len(data), source):
                # Whoever had the beginning has not the rest.
                writes.append(Write(carry_path(place.name, (source,)), data, Order.REPLACE))
                shorter += [place.before] if place.before else []
                written.add(name)
        # What gives way is there until what it gives way to is: the disk may be full.
        try:
            self._files.publish_over(writes, [each.path for each in (*shares.victims, *shorter)])
        except FullError:
            written.clear()
        for name, carry in here.items():
            self.note_there(carry, len(fragments[name]), source)
        return frozenset(written | here.keys())

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
        return self._shares(self._found(), today_days)

    def _shares(self, found: _Found, today_days: int) -> Shares:
        copies_bytes = sum(each.footprint_bytes for each in found.copies)
        quota_bytes = self._quotas.carried_bytes - copies_bytes
        return Shares(found.known.values(), quota_bytes, today_days)

    def read(self, name: FragmentName) -> bytes:
        """Return a carried file of fragments.

        Raises:
            GoneError: it is not carried any more; or not from now on, since the disk cannot read
                it: then it is put away, and may come again.
            StorageError: the disk refused.
        """
        for _ in range(_TRIES):
            files = self._of(name.bundle_id, name.to_text())
            carry = _sorted_out(files).known.get(name)
            if carry is None:
                break
            with suppress(GoneError):
                return self._read(carry)
        raise GoneError(f"{name.to_text()} is not carried any more")

    def _read(self, carry: Carry) -> bytes:
        try:
            return self._files.read(carry.path, limit_bytes=self._quotas.file_bytes)
        except UnreadableError as error:
            self._put_away(carry.name.bundle_id, str(error), [carry.path])
            raise GoneError(str(error)) from error

    def _content(self, carry: Carry) -> bytes | None:
        """Return the bytes of a carried file; None if it gave way just now."""
        with suppress(GoneError):
            return self.read(carry.name)
        return None

    def is_at(self, carry: Carry, source: str) -> bool:
        """Say whether *source* is known to have the file: these bytes, and not just their name."""
        return source in carry.sources or _met(carry, source) in self._met

    def add_source(self, carry: Carry, source: str) -> None:
        """Remember that *source* has the file, too; gone is no error.

        Of a file that so many have that its name has no place for one more, this process alone
        remembers: else each exchange would rename all of it. So it is where the disk is too full
        for a longer name: then the next process takes another look.

        Raises:
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        check_source(source)
        if self.is_at(carry, source):
            return
        if not carry.is_widespread:
            with suppress(FullError):
                self._files.move(carry.path, carry_path(carry.name, (*carry.sources, source)))
                return
        if len(self._met) >= _MOST_MET:
            del self._met[next(iter(self._met))]
        self._met[_met(carry, source)] = None

    def drop_expired(self, is_late: IsLate) -> int:
        """Drop what is of no use any more; return how many files that were.

        Raises:
            StorageError: the disk refused.
        """
        found = self._settled()
        late = [
            each
            for each in (*found.known.values(), *found.copies)
            if is_late(Waiting(each.name.bundle_id, each.name.expiry_days))
        ]
        for each in late:
            self._files.remove(each.path)
        return len(late)

    def _settled(self) -> _Found:
        """Return what lies there once each name has one file, unless another process is at that.

        Nobody else does it meanwhile: else each of two could remove what the other one keeps.
        """
        found = self._found()
        if not found.copies:
            return found
        with suppress(BusyError), self._files.alone(_SETTLING, "another process settles copies"):
            found = self._found()
            for copy in found.copies:
                self._settle(found.known[copy.name], copy)
        return self._found()

    def _settle(self, kept: Carry, copy: Carry) -> None:
        """Make one file of two of a name, or give the one that does not count the name beside."""
        try:
            data, other = self._read(kept), self._read(copy)
        except GoneError:
            return
        beside = copy.name.beside(sha256(other).digest())
        if data == other:
            sources = tuple(dict.fromkeys((*kept.sources, *copy.sources)))[:MAX_SOURCES]
            with suppress(FullError):  # what is not noted costs another look
                self._files.move(kept.path, carry_path(kept.name, sources))
            self._files.remove(copy.path)
        elif data.startswith(other) and kept.origin == copy.origin:
            self._files.remove(copy.path)
        elif any(self._of(beside.bundle_id, beside.to_text())):
            self._files.remove(copy.path)  # the same, or something else has both of its names
        else:
            with suppress(FullError):
                self._files.move(copy.path, carry_path(beside, copy.sources))

    def _found(self) -> _Found:
        ids = filter(is_bundle_id, self._files.names(FOLDER))
        return _sorted_out(each for bundle_id in ids for each in self._of(bundle_id))

    def _of(self, bundle_id: str, beginning: str = "") -> Iterator[Carry]:
        for text in self._files.names(f"{FOLDER}/{bundle_id}"):
            carry = self._look(bundle_id, text) if text.startswith(beginning) else None
            if carry is not None:
                yield carry

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


def _sorted_out(files: Iterable[Carry]) -> _Found:
    """Tell what counts under each name, the longest, from copies; always the same one."""
    found = _Found({}, [])
    for each in files:
        other = found.known.setdefault(each.name, each)
        if other is not each:
            worse, better = sorted((other, each), key=_rank)
            found.known[each.name] = better
            found.copies.append(worse)
    return found


def _rank(carry: Carry) -> tuple[int, int, tuple[str, ...]]:
    return carry.size_bytes, len(carry.sources), carry.sources


def _met(carry: Carry, source: str) -> _Met:
    """Return what says that *source* has this very file: what replaces it has another time."""
    return source, carry.name, carry.size_bytes, carry.modified_ns


def _urgency(name: FragmentName) -> tuple[int, int]:
    return name.priority, name.expiry_days
