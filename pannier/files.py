"""What adding and checking out share: names of files, and what the ledger says of them."""

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from ledger.blob import CHUNK_BYTES
from ledger.entry import Action
from ledger.file_payload import FilePayload, file_from_payload
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from ledger.views import Placed, count_at, history

TEMPORARY = ".pannier-"
"""How the names of files begin that are being written."""

WINDOW_CHUNKS = 8
"""Chunks that are in memory at once, in each of two forms at most."""

WORKERS = max(1, min(4, os.cpu_count() or 1))
"""Threads that hash and compress."""

SMALL_BYTES = 64 << 10
"""As much is hashed sooner than another thread is told to."""

_T = TypeVar("_T")
_RESERVED_STEMS = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left as it is.

    Attributes:
        path: Which, as a person would look for it.
        why: For a person.
    """

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Version:
    """A file as an entry describes it.

    Attributes:
        file: Its content and flags.
        time_us: When its content was changed last.
    """

    file: FilePayload
    time_us: int


def ahead(steps: Iterable[_T], count: int = WINDOW_CHUNKS) -> Iterator[_T]:
    """Yield *steps*, each when *count* of those that follow are under way."""
    waiting: deque[_T] = deque()
    for step in steps:
        waiting.append(step)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def version_of(placed: Placed) -> Version | None:
    """Return the file that an entry is; None if it is something else."""
    entry = placed.entry
    file = file_from_payload(entry.payload) if entry.action == Action.PUT else None
    return None if file is None else Version(file, entry.time_us)


def best_version(heads: Iterable[Placed]) -> Version | None:
    """Return the file that a thing with those *heads* is: the first that is one; None if none is.

    A deletion or data beside it takes no content away from who looks for it, however late it was:
    that would be to settle a conflict by clocks.
    """
    return next(filter(None, map(version_of, heads)), None)


def versions(store: Store, thing: str) -> Iterator[Version]:
    """Yield all files that *thing* ever was.

    Raises:
        LedgerError: the ledger file cannot be read.
    """
    for placed in history(store, thing):
        version = version_of(placed)
        if version is not None:
            yield version


def has_double(store: Store, thing: str, size: int, time_us: int) -> bool:
    """Return whether two contents of *thing* have one size and one time: some programs set it.

    Raises:
        LedgerError: the ledger file cannot be read.
    """
    if count_at(store, thing, time_us) < 2:
        return False
    alike = (one for one in versions(store, thing) if one.time_us == time_us)
    return len({one.file.digests for one in alike if one.file.size == size}) > 1


def unsafe_name(thing: str, *, windows: bool) -> str | None:
    """Return why *thing* cannot be the path of a file below a folder; None if it can.

    Args:
        thing: A valid thing, which whoever wrote it chose.
        windows: Whether the names are for that system, which takes fewer.
    """
    for part in thing.split("/"):
        if part in ("", ".", ".."):
            return "its name would lead out of the folder, or nowhere"
        if part.startswith(TEMPORARY):
            return f"names that begin with {TEMPORARY} are for files being written"
        if windows and _is_reserved(part):
            return "this system has no such names"
    return None


def lacking_bytes(file: FilePayload, held: Collection[bytes]) -> int:
    """Return how many bytes of *file* are in chunks that are not among *held*."""
    return sum(
        size for digest, size in zip(file.digests, file.sizes(), strict=True) if digest not in held
    )


def chunk_spans(size: int) -> Iterator[tuple[int, int]]:
    """Yield the offset and the size of each chunk of a file of *size* bytes."""
    for offset in range(0, size, CHUNK_BYTES):
        yield offset, min(CHUNK_BYTES, size - offset)


def _is_reserved(part: str) -> bool:
    stem = part.partition(".")[0].rstrip(" ").lower()
    return stem in _RESERVED_STEMS or part[-1] in ". " or bool(set(part) & set('\\:*?"<>|'))
