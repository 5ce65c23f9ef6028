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
    UNREAD = "unread"
    UNOPENED = "unopened"


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
        bugs: What this program did wrong with bundles, which stay where they are, by bundle id.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    content_bytes: int = 0
    no_room_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)
    bugs: dict[str, str] = field(default_factory=dict)

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
        self.bugs |= other.bugs

    def count(self, outcome: Outcome) -> int:
        """Return how many bundles ended so."""
        return sum(one is outcome for one in self.outcomes.values())

    def ids(self, *outcomes: Outcome) -> list[str]:
        """Return the bundles that ended so."""
        return [number for number, one in self.outcomes.items() if one in outcomes]


def left_undone(report: Report) -> list[str]:
    """Return what is said of what came and could not be taken in; nothing if all was."""
    lines = []
    if report.no_room_bytes:
        what = f"no room here for {report.no_room_bytes:,} bytes of files"
        lines.append(f"{what}: free some, then exchange again")
    if report.bugs:
        number, why = next(iter(report.bugs.items()))
        more = f", and {len(report.bugs) - 1} more" if len(report.bugs) > 1 else ""
        lines.append(
            f"{why}: bundle {number}{more} waits for a version that mends it; please report it"
        )
    return lines
