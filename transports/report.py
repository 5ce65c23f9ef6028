"""What an exchange did, as values."""

from typing import NamedTuple

from spool.name import BundleName


class Collected(NamedTuple):
    """What one pass over a medium took over; all of it is durable.

    Attributes:
        received: (peer, bundle id) of what is in the inbox, ascending, each once.
        taken: (peer, bundle id) of what the node took in straight from the medium, likewise.
        refused: Ids of bundles that found no room in the inbox; they stay on the medium.
        carried: Files of fragments for others that we carry along now.
        others: Files of fragments for others, all together.
        seen: Files of bundles that were merged before.
        repeated: The ids of those bundles, ascending, each once.
        ours: Files that this node wrote.
        expired: Files of no use any more.
        unfinished: Files that somebody seems to be writing.
        forged: Fragments for us that were damaged or forged; they were thrown away.
        newer: Files of a later version; they stay on the medium.
        bad: Paths of files for others in which nothing looks whole; the first 100 are copied to
            quarantine.
        unreadable: Paths of files that could not be read, or are too long.
        removed: Files taken off the medium.
        foreign: Names that are none of ours; they were left alone.
        is_cut: There was more than a pass looks at.
    """

    received: tuple[tuple[str, str], ...] = ()
    taken: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()
    carried: int = 0
    others: int = 0
    seen: int = 0
    repeated: tuple[str, ...] = ()
    ours: int = 0
    expired: int = 0
    unfinished: int = 0
    forged: int = 0
    newer: int = 0
    bad: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    removed: int = 0
    foreign: int = 0
    is_cut: bool = False


class Delivered(NamedTuple):
    """What a delivery put on a medium; what is written is durable.

    Attributes:
        written: (peer, bundle name) of what is on the medium now.
        already_there: (peer, bundle name) of what was complete on it before.
        left: (peer, bundle name, reason) of what is not on it.
        carried_written: Files of fragments for others that are on it now.
        carried_left: Those that are not.
    """

    written: tuple[tuple[str, BundleName], ...] = ()
    already_there: tuple[tuple[str, BundleName], ...] = ()
    left: tuple[tuple[str, BundleName, str], ...] = ()
    carried_written: int = 0
    carried_left: int = 0

    def and_then(self, other: "Delivered") -> "Delivered":
        """Return what this and a further delivery to the same medium did."""
        return Delivered(
            written=self.written + other.written,
            already_there=self.already_there + other.already_there,
            left=self.left + other.left,
            carried_written=self.carried_written + other.carried_written,
            carried_left=self.carried_left + other.carried_left,
        )
