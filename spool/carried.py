"""Fragments for others, taken along within a quota: `carry/<bundle id>/<file>`.

The name of a file is the fragment file's, followed by `.<source>` for each medium or link that it
came from or was given to, newest last: state is in the name, so that a rename changes it in one
step, and nothing is offered back to where it came from.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from spool.errors import FullError, GoneError, MalformedNameError
from spool.file_system import footprint_bytes
from spool.files import Files, Order, Write
from spool.name import FRAGMENT_NAME_LENGTH, FragmentName, check_source, is_bundle_id
from spool.quotas import Quotas

_FOLDER = "carry"
# A name has at most 255 bytes: 44 of the fragment and 33 for each source.
_MAX_SOURCES = 6


class Carry(NamedTuple):
    """A file of fragments that is carried.

    Attributes:
        name: Of the fragment file.
        sources: Media and links that have it, 1 to 6 of them; older ones are forgotten.
        size_bytes: Its length.
        modified_ns: When it was taken, by our clock.
    """

    name: FragmentName
    sources: tuple[str, ...]
    size_bytes: int
    modified_ns: int

    @property
    def path(self) -> str:
        """Where it lies in the spool."""
        return _path(self.name, self.sources)


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
        for bundle_id in filter(is_bundle_id, self._files.names(_FOLDER)):
            for text in self._files.names(f"{_FOLDER}/{bundle_id}"):
                carry = self._look(bundle_id, text)
                # A crash between two names of one fragment leaves both; the larger is the newer.
                if carry is not None and not _is_better(found.get(carry.name), carry):
                    found[carry.name] = carry
        return found

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

        For a newcomer what has expired gives way first, then what is less urgent, the oldest
        first. One that finds no room even so, or a full disk, is not taken. Of two files with one
        name the longer is kept, unless there is no room for it.

        Raises:
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        check_source(source)
        load = _Load(self.known().values(), self._quotas.carried_bytes, today_days)
        writes: dict[FragmentName, Write] = {}
        taken = set()
        for name, data in sorted(fragments.items()):
            before = load.find(name)
            if before is not None and before.size_bytes >= len(data):
                self.add_source(before, source)
            elif load.add(name, len(data)):
                sources = _joined(before.sources if before else (), source)
                writes[name] = Write(_path(name, sources), data, Order.REPLACE)
            else:
                continue
            taken.add(name)
        for victim in load.victims:
            self._files.remove(victim.path)
        return frozenset(taken if self._publish(writes) else taken - set(writes))

    def read(self, name: FragmentName) -> bytes:
        """Return a carried file of fragments.

        Raises:
            GoneError: it is not carried any more.
            StorageError: the disk refused.
        """
        for text in self._files.names(f"{_FOLDER}/{name.bundle_id}"):
            if text.startswith(name.to_text()):
                path = f"{_FOLDER}/{name.bundle_id}/{text}"
                return self._files.read(path, limit_bytes=self._quotas.file_bytes)
        raise GoneError(f"{name.to_text()} is not carried any more")

    def add_source(self, carry: Carry, source: str) -> None:
        """Remember that *source* has the file, too; gone is no error.

        Raises:
            MalformedNameError: *source* is none.
            StorageError: the disk refused.
        """
        check_source(source)
        if source not in carry.sources:
            self._files.move(carry.path, _path(carry.name, _joined(carry.sources, source)))

    def drop_expired(self, today_days: int) -> int:
        """Drop what is of no use after *today_days*; return how many files that were.

        Raises:
            StorageError: the disk refused.
        """
        late = [each for each in self.known().values() if each.name.expiry_days < today_days]
        for each in late:
            self._files.remove(each.path)
        return len(late)

    def _publish(self, writes: Mapping[FragmentName, Write]) -> bool:
        try:
            self._files.publish(writes.values())
        except FullError:
            return False
        for name, write in writes.items():
            self._remove_others(name, write.path)
        return True

    def _remove_others(self, name: FragmentName, path: str) -> None:
        """Remove what an older file of that name was called."""
        folder = f"{_FOLDER}/{name.bundle_id}"
        for text in self._files.names(folder):
            if text.startswith(name.to_text()) and f"{folder}/{text}" != path:
                self._files.remove(f"{folder}/{text}")

    def _look(self, bundle_id: str, text: str) -> Carry | None:
        with suppress(MalformedNameError):
            name = FragmentName.from_text(text[:FRAGMENT_NAME_LENGTH])
            sources = tuple(text[FRAGMENT_NAME_LENGTH + 1 :].split("."))
            for source in sources:
                check_source(source)
            facts = self._files.inspect(f"{_FOLDER}/{bundle_id}/{text}")
            if facts is not None and name.bundle_id == bundle_id:
                return Carry(name, sources, facts.size_bytes, facts.modified_ns)
        return None


class _Load:
    """What is carried while `Carried.take` decides what to take and what gives way."""

    def __init__(self, known: Iterable[Carry], quota_bytes: int, today_days: int) -> None:
        self._known = {each.name: each for each in known}
        self._free_bytes = quota_bytes - sum(map(_footprint, self._known.values()))
        # What gives way first stands last: expired, then the least urgent, then the oldest.
        self._expendable = sorted(
            self._known.values(),
            key=lambda each: (
                each.name.expiry_days < today_days, each.name.priority, -each.modified_ns
            ),
        )  # fmt: skip
        self._today_days = today_days
        self.victims: list[Carry] = []

    def find(self, name: FragmentName) -> Carry | None:
        return self._known.get(name)

    def add(self, name: FragmentName, size_bytes: int) -> bool:
        """Count a newcomer if there is room or something gives way; say whether.

        It takes the room of the file whose name it has.
        """
        replaced = self._known.get(name)
        freed = self._free_bytes + (_footprint(replaced) if replaced else 0)
        needed = footprint_bytes(size_bytes) - freed
        victims: list[Carry] = []
        for each in reversed(self._expendable):
            if needed <= 0 or not self._yields(each, name):
                break
            victims.append(each)
            needed -= _footprint(each)
        if needed > 0:
            return False
        for each in victims:
            self._expendable.pop()
            del self._known[each.name]
        if replaced:
            self._expendable.remove(replaced)
            del self._known[name]
        self.victims += victims
        self._free_bytes = -needed
        return True

    def _yields(self, carry: Carry, name: FragmentName) -> bool:
        is_late = carry.name.expiry_days < self._today_days
        return carry.name != name and (is_late or carry.name.priority > name.priority)


def _footprint(carry: Carry) -> int:
    return footprint_bytes(carry.size_bytes)


def _is_better(one: Carry | None, other: Carry) -> bool:
    return one is not None and (one.size_bytes, len(one.sources)) >= (
        other.size_bytes,
        len(other.sources),
    )


def _urgency(name: FragmentName) -> tuple[int, int]:
    return name.priority, name.expiry_days


def _joined(sources: Iterable[str], source: str) -> tuple[str, ...]:
    kept = [each for each in sources if each != source]
    return (*kept, source)[-_MAX_SOURCES:]


def _path(name: FragmentName, sources: Iterable[str]) -> str:
    return f"{_FOLDER}/{name.bundle_id}/{'.'.join((name.to_text(), *sources))}"
