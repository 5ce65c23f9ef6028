"""Room on a disk: what files need, what lacks for them, and what gives way for that. Pure.

Nothing gives way unless what it gives way to then fits: in bytes, and in files, of which a disk may
have none left though it has bytes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from spool.file_system import Space, parent_of


class Room(NamedTuple):
    """Room for files and folders.

    Attributes:
        size_bytes: Whole clusters; a folder takes as much as the shortest file.
        entries: How many there are.
    """

    size_bytes: int
    entries: int


class Victim(NamedTuple):
    """A file that may give way, and how long it is."""

    path: str
    size_bytes: int


def needed(sizes_bytes: Iterable[int], new_folders: Collection[str], space: Space) -> Room:
    """Return what files of *sizes_bytes* need, with the folders that must be made for them."""
    clusters = [max(1, -(-size // space.cluster_bytes)) for size in sizes_bytes]
    size_bytes = (sum(clusters) + len(new_folders)) * space.cluster_bytes
    return Room(size_bytes, len(clusters) + len(new_folders))


def lacking(need: Room, space: Space) -> Room:
    """Return what lacks, by what the disk says of its room; all of *need* if by that nothing does.

    Then it refused for want of something else: of a user's share, or of files it does not count.
    """
    lack = Room(
        0 if space.free_bytes is None else need.size_bytes - space.free_bytes,
        0 if space.free_files is None else need.entries - space.free_files,
    )
    return lack if max(lack) > 0 else need


def enough(
    victims: Sequence[Victim], lack: Room, in_folder: Mapping[str, int], space: Space
) -> list[str]:
    """Return the first of *victims* that together make the room that lacks; none if all do not.

    Args:
        victims: In the order in which they go.
        lack: What must get free.
        in_folder: How many names are in each folder that goes with its last one.
        space: Of the disk.
    """
    gone: dict[str, int] = defaultdict(int)
    free = Room(0, 0)
    for number, victim in enumerate(victims):
        folder = parent_of(victim.path)
        gone[folder] += 1
        emptied = [folder] if in_folder.get(folder) == gone[folder] else []
        freed = needed([victim.size_bytes], emptied, space)
        free = Room(free.size_bytes + freed.size_bytes, free.entries + freed.entries)
        if free.size_bytes >= lack.size_bytes and free.entries >= lack.entries:
            return [each.path for each in victims[: number + 1]]
    return []
