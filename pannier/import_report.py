"""What became of the bundles that came, for people."""

from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What became of a bundle."""

    MERGED = "merged"
    HELD = "held"
    REVIEW = "review"
    REFUSED = "refused"
    UNFOUNDED = "unfounded"
    INCOMPLETE = "incomplete"
    SEEN = "seen"
    NO_ROOM = "no room"


@dataclass(kw_only=True)
class Report:
    """What an import did, for people.

    Attributes:
        outcomes: By bundle id.
        entries: New entries, by (ledger name, author's name).
        content_bytes: New contents of files.
        no_room_bytes: Of what came and stays where it is, because the disk is full.
        notes: Lines that a person should read: joined ledgers, forks, incarnations.
        reasons: Why bundles were refused, by bundle id.
        senders: Names of the peers whose bundles were merged.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    content_bytes: int = 0
    no_room_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)

    def add(self, other: "Report") -> None:
        """Add what another import did."""
        self.outcomes |= other.outcomes
        for key, count in other.entries.items():
            self.entries[key] = self.entries.get(key, 0) + count
        self.content_bytes += other.content_bytes
        self.no_room_bytes += other.no_room_bytes
        self.notes += other.notes
        self.reasons |= other.reasons
        self.senders |= other.senders

    def count(self, outcome: Outcome) -> int:
        """Return how many bundles ended so."""
        return sum(one is outcome for one in self.outcomes.values())

    def ids(self, *outcomes: Outcome) -> list[str]:
        """Return the bundles that ended so."""
        return [number for number, one in self.outcomes.items() if one in outcomes]


def no_room(report: Report) -> list[str]:
    """Return what is said of what found no room on this node's disk; nothing if all did."""
    if not report.no_room_bytes:
        return []
    what = f"no room here for {report.no_room_bytes:,} bytes of files"
    return [f"{what}: free some, then exchange again"]
