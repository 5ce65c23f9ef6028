"""What a link has brought of something so far: `part/<name>.<size>.<digest>.<source>`.

A journal of pieces, appended as they come, so that a process killed at any instant goes on where it
was. What is appended survives a kill at once, and a power cut after `settle`. Each piece has a
check of its own: one that was half written, and all after it, is forgotten and comes again.
docs/format.md section 9.7 has the layout.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from spool.errors import FullError, GoneError, MalformedNameError
from spool.expiry import IsLate, Waiting
from spool.file_system import footprint_bytes
from spool.files import Files, Order, Write
from spool.name import BundleName, FragmentName, check_source
from spool.quotas import Quotas

MAX_OBJECT_BYTES: Final = 1 << 24
"""Of what a link brings in one piece."""

_FOLDER: Final = "part"
_TEXT: Final = re.compile(r"(.{1,64})\.([0-9a-f]{7})\.([0-9a-f]{16})\.([0-9a-z]{1,32})")
_DIGEST: Final = re.compile("[0-9a-f]{16}")
_HEAD_BYTES: Final = 8
_CHECK_BYTES: Final = 4
# A journal that is longer than twice its claim and this was sent in crumbs, and is made anew.
_SLACK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PartName:
    """Names something that a link brings.

    Attributes:
        name: Of the file of fragments, or of the sealed bundle.
        size_bytes: Of all of it, 1 to 2**24.
        digest: First 8 bytes of its SHA-256, 16 hex digits; of a sealed bundle that is its id.
        source: The link.
    """

    name: FragmentName | BundleName
    size_bytes: int
    digest: str
    source: str

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            MalformedNameError: one of them is out of bounds.
        """
        check_source(self.source)
        if not 1 <= self.size_bytes <= MAX_OBJECT_BYTES or not _DIGEST.fullmatch(self.digest):
            raise MalformedNameError(f"{self.size_bytes} bytes with the digest {self.digest!r}")

    def to_text(self) -> str:
        """Return the name of its file; `from_text` is the inverse."""
        return f"{self.name.to_text()}.{self.size_bytes:07x}.{self.digest}.{self.source}"

    @classmethod
    def from_text(cls, text: str) -> "PartName":
        """Parse a file name; only the one form that `to_text` gives is accepted.

        Raises:
            MalformedNameError: *text* is not that form.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise MalformedNameError(f"{text[:64]!r} is not the name of a part")
        name: FragmentName | BundleName
        if found[1].endswith(".bundle"):
            name = BundleName.from_text(found[1])
        else:
            name = FragmentName.from_text(found[1])
        return cls(name, int(found[2], 16), found[3], found[4])


class Piece(NamedTuple):
    """Some bytes of the whole, from *offset* on."""

    offset: int
    data: bytes


class Partials:
    """Owner of `part/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas
        self._claims: dict[PartName, int] = {}

    def names(self) -> list[PartName]:
        """Return of what something is here, by name.

        Raises:
            StorageError: the disk refused.
        """
        found = []
        for text in self._files.names(_FOLDER):
            with suppress(MalformedNameError):
                found.append(PartName.from_text(text))
        return found

    def begin(self, name: PartName, room_bytes: int) -> None:
        """Claim room for at most *room_bytes* of something until `drop` or `release`.

        What is not claimed here gives way: of the source that has most, the least urgent first.

        Raises:
            FullError: the quota is taken by what is claimed, or by sources that have less.
            StorageError: the disk refused.
        """
        claims = {one: size for one, size in self._claims.items() if one != name}
        claimed_bytes = sum(map(footprint_bytes, (*claims.values(), room_bytes)))
        others = [one for one in self.names() if one != name and one not in claims]
        for victim in self._victims(name.source, claimed_bytes, others):
            self._files.remove(_path(victim))
        self._claims[name] = room_bytes

    def _victims(
        self, source: str, claimed_bytes: int, others: Iterable[PartName]
    ) -> list[PartName]:
        """Return which of *others* give way, so that *source* may have what it claims.

        Raises:
            FullError: that would be unfair.
        """
        sizes = {one: footprint_bytes(self._size_bytes(one)) for one in others}
        over_bytes = claimed_bytes + sum(sizes.values()) - self._quotas.partial_bytes
        pools: dict[str, list[PartName]] = {}
        for one in sorted(sizes, key=lambda one: one.name.to_text()):
            pools.setdefault(one.source, []).append(one)
        used = {each: sum(sizes[one] for one in pool) for each, pool in pools.items()}
        used[source] = used.get(source, 0) + claimed_bytes
        victims: list[PartName] = []
        while over_bytes > 0:
            most = max(used, key=lambda each: used[each])
            if not pools.get(most):
                raise FullError("no room for more of what links have begun")
            victims.append(pools[most].pop())
            used[most] -= sizes[victims[-1]]
            over_bytes -= sizes[victims[-1]]
        return victims

    def release(self, name: PartName) -> None:
        """Claim room no longer; what is here stays as long as there is room."""
        self._claims.pop(name, None)

    def read(self, name: PartName) -> list[Piece]:
        """Return the pieces that are here, in the order in which they came.

        Pieces may overlap. What follows a piece that is not whole is removed.

        Raises:
            StorageError: the disk refused.
        """
        data = b""
        with suppress(GoneError):
            limit_bytes = 2 * (self._quotas.file_bytes + _SLACK_BYTES)
            data = self._files.read(_path(name), limit_bytes=limit_bytes)
        pieces, end = _parsed(data, name.size_bytes)
        if end < len(data):
            self.replace(name, pieces)
        return pieces

    def append(self, name: PartName, pieces: Iterable[Piece]) -> None:
        """Add pieces; a kill at any instant leaves them, or some, or none.

        However short they are, no more is kept than twice what is claimed, and 1 MiB.

        Raises:
            FullError: the disk is full.
            StorageError: the disk refused.
        """
        self._files.append(_path(name), b"".join(map(_record, _joined(pieces))))
        if self._size_bytes(name) > 2 * self._claims.get(name, name.size_bytes) + _SLACK_BYTES:
            self.replace(name, _joined(_apart(self.read(name))))

    def settle(self, name: PartName) -> None:
        """Make what was added survive a power cut.

        Raises:
            StorageError: the disk refused.
        """
        self._files.settle([_path(name)])

    def replace(self, name: PartName, pieces: Iterable[Piece]) -> None:
        """Keep just *pieces*, durably; none is like `drop`, but for the claim.

        Raises:
            FullError: the disk is full.
            StorageError: the disk refused.
        """
        data = b"".join(map(_record, pieces))
        if data:
            self._files.publish([Write(_path(name), data, Order.REPLACE)])
        else:
            self._files.remove(_path(name))

    def drop(self, name: PartName) -> None:
        """Forget what came; missing is no error.

        Raises:
            StorageError: the disk refused.
        """
        self.release(name)
        self._files.remove(_path(name))

    def drop_expired(self, is_late: IsLate) -> int:
        """Forget what is of no use any more; return of how many things.

        Raises:
            StorageError: the disk refused.
        """
        late = [
            one
            for one in self.names()
            if is_late(Waiting(one.name.bundle_id, one.name.expiry_days))
        ]
        for one in late:
            self._files.remove(_path(one))
        return len(late)

    def _size_bytes(self, name: PartName) -> int:
        facts = self._files.inspect(_path(name))
        return 0 if facts is None else facts.size_bytes


def _path(name: PartName) -> str:
    return f"{_FOLDER}/{name.to_text()}"


def _apart(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the same bytes, ascending, each once."""
    end = 0
    for offset, data in sorted(pieces, key=lambda one: one.offset):
        if offset + len(data) > end:
            start = max(offset, end)
            end = offset + len(data)
            yield Piece(start, data[start - offset :])


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the same, with those as one that follow each other."""
    start, run = 0, bytearray()
    for offset, data in pieces:
        if run and offset != start + len(run):
            yield Piece(start, bytes(run))
            run.clear()
        start = start if run else offset
        run += data
    if run:
        yield Piece(start, bytes(run))


def _record(piece: Piece) -> bytes:
    head = piece.offset.to_bytes(4, "big") + len(piece.data).to_bytes(4, "big")
    body = head + piece.data
    return body + crc32(body).to_bytes(_CHECK_BYTES, "big")


def _parsed(data: bytes, size_bytes: int) -> tuple[list[Piece], int]:
    """Return the pieces at the beginning of *data* that are whole, and where they end."""
    pieces: list[Piece] = []
    at = 0
    while at + _HEAD_BYTES + _CHECK_BYTES < len(data):
        offset = int.from_bytes(data[at : at + 4], "big")
        length = int.from_bytes(data[at + 4 : at + _HEAD_BYTES], "big")
        end = at + _HEAD_BYTES + length
        check = data[end : end + _CHECK_BYTES]
        is_within = length > 0 and offset + length <= size_bytes
        if not is_within or check != crc32(data[at:end]).to_bytes(_CHECK_BYTES, "big"):
            break
        pieces.append(Piece(offset, data[at + _HEAD_BYTES : end]))
        at = end + _CHECK_BYTES
    return pieces, at
