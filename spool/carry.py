"""What is carried for others: a file of fragments, and what its name in the spool says."""

from collections.abc import Iterable
from typing import NamedTuple

from spool.file_system import footprint_bytes
from spool.name import FragmentName

FOLDER = "carry"
# A name has at most 255 bytes: 44 of the fragment and 33 for each source.
MAX_SOURCES = 6


class Carry(NamedTuple):
    """A file of fragments that is carried.

    Attributes:
        name: Of the fragment file.
        sources: The first 1 to 6 media and links that have it, its origin before all others.
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
        return carry_path(self.name, self.sources)

    @property
    def origin(self) -> str:
        """The medium or link that it came from."""
        return self.sources[0]

    @property
    def is_handed_on(self) -> bool:
        """Whether it is elsewhere, too: then less is lost with it."""
        return len(self.sources) > 1

    @property
    def is_widespread(self) -> bool:
        """Whether so many have it that its name has no place for one more."""
        return len(self.sources) >= MAX_SOURCES

    @property
    def footprint_bytes(self) -> int:
        """What it takes on the disk."""
        return footprint_bytes(self.size_bytes)


def carry_path(name: FragmentName, sources: Iterable[str]) -> str:
    """Return where a file of that name lies in the spool."""
    return f"{FOLDER}/{name.bundle_id}/{'.'.join((name.to_text(), *sources))}"
