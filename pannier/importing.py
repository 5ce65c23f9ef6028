"""What came from others: joined, opened, verified, merged; or held, or quarantined with a reason.

Every step may be killed and is done again: fragments leave the inbox only after what they carry is
in the ledgers, or in `held/`, or in quarantine.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bundler.content import Keyring, Opened, PeerKey, open_bundle
from bundler.errors import BundleError
from bundler.hpke import HpkeUnwrapper
from bundler.join import Cause
from ledger.errors import LedgerError
from pannier.home import Peer
from pannier.joining import join
from pannier.merging import Merging, Wait
from pannier.node import Node
from pannier.statements import believe
from spool.errors import FullError
from spool.name import BundleName

_MAX_REASON_CHARACTERS = 200
# A held bundle is found by its id and by what it waits for; nobody looks at the rest of its name.
_NO_HINT, _NO_SYMBOLS = "0" * 8, 0


class Outcome(Enum):
    """What became of a bundle."""

    MERGED = "merged"
    HELD = "held"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    SEEN = "seen"


@dataclass(kw_only=True)
class Report:
    """What an import did, for people.

    Attributes:
        outcomes: By bundle id.
        entries: New entries, by (ledger name, author's name).
        notes: Lines that a person should read: joined ledgers, forks, incarnations.
        reasons: Why bundles were refused, by bundle id.
        senders: Names of the peers whose bundles were merged.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)

    def count(self, outcome: Outcome) -> int:
        """Return how many bundles ended so."""
        return sum(one is outcome for one in self.outcomes.values())

    def ids(self, *outcomes: Outcome) -> list[str]:
        """Return the bundles that ended so."""
        return [number for number, one in self.outcomes.items() if one in outcomes]


def import_arrived(node: Node) -> Report:
    """Take in everything in the inbox that is whole, and what waited for it.

    Raises:
        PannierError: the home cannot be read or written.
        LedgerError: a ledger file cannot be read or written.
        SpoolError: the spool cannot be read or written.
    """
    report = Report()
    for number in node.spool.inbox.bundles():
        report.outcomes[number] = _take(node, number, report)
    _retry_held(node, report)
    return report


def _take(node: Node, number: str, report: Report) -> Outcome:
    """Join and import one bundle of the inbox."""
    if node.db.seen(number) is not None:
        node.spool.inbox.discard(number)
        return Outcome.SEEN
    joined = join(
        bytes.fromhex(number), lambda: (one.data for one in node.spool.inbox.read(number))
    )
    if joined is None:
        return Outcome.INCOMPLETE
    if isinstance(joined, Cause):
        return _quarantine(node, number, joined.value, report)
    return _import(node, number, joined, report)


def _import(node: Node, number: str, sealed: bytes, report: Report) -> Outcome:
    """Open and merge one whole bundle that lies in the inbox."""
    try:
        opened = open_bundle(sealed, keyring(node))
    except BundleError as error:
        return _quarantine(node, number, str(error), report)
    peer = node.peer_by_author(opened.sender)
    if peer is None:
        return _quarantine(node, number, "its sender is not a peer", report)
    waits = _merge(node, number, peer, opened, report)
    if waits is None:
        return Outcome.REFUSED
    if waits:
        believe(node, peer, opened, report.notes)
        _note_waits(node, number, peer, waits)
        return _hold(node, number, sealed, opened, report)
    _finish(node, number, peer, opened, report)
    node.spool.inbox.discard(number)
    return Outcome.MERGED


def _merge(
    node: Node, number: str, peer: Peer, opened: Opened, report: Report
) -> list[Wait] | None:
    """Merge what a bundle says; return what it waits for, or None if it was refused for good."""
    merging = Merging(node=node, peer=peer)
    try:
        merging.run(opened)
    except (BundleError, LedgerError) as error:
        if not merging.is_their_fault(error):
            raise
        reason = str(error)[:_MAX_REASON_CHARACTERS]
        node.db.owe_receipt(peer.node_id, number, _line(reason), opened.stamp.counter)
        node.db.note_seen(number, peer.node_id, opened.header.expiry_days, "refused")
        _quarantine(node, number, f"from {peer.name}: {reason}", report)
        return None
    finally:
        merging.close()
    for key, count in merging.entries.items():
        report.entries[key] = report.entries.get(key, 0) + count
    report.notes += merging.notes
    report.senders.add(peer.name)
    return merging.waits


def _finish(node: Node, number: str, peer: Peer, opened: Opened, report: Report) -> None:
    """Note that a bundle is merged for good, and believe what its sender says of itself."""
    has_data = believe(node, peer, opened, report.notes)
    with node.db.transaction():
        node.db.note_seen(number, peer.node_id, opened.header.expiry_days, "merged")
        if has_data:
            node.db.owe_receipt(peer.node_id, number, "", opened.stamp.counter)
        node.db.run("DELETE FROM waiting WHERE bundle = ?", number)


def _hold(node: Node, number: str, sealed: bytes, opened: Opened, report: Report) -> Outcome:
    """Put a whole bundle where what waits is; its fragments have done their work."""
    name = BundleName(
        opened.header.priority, opened.header.expiry_days, _NO_HINT, number, _NO_SYMBOLS
    )
    try:
        node.spool.held.hold(name, sealed)
    except FullError as error:
        report.notes.append(f"bundle {number} waits in the inbox: {error}")
        return Outcome.INCOMPLETE
    node.spool.inbox.discard(number)
    return Outcome.HELD


def _note_waits(node: Node, number: str, peer: Peer, waits: Sequence[Wait]) -> None:
    with node.db.transaction():
        node.db.run("DELETE FROM waiting WHERE bundle = ?", number)
        for wait in waits:
            node.db.run(
                "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)",
                number,
                peer.node_id,
                *wait,
            )


def _retry_held(node: Node, report: Report) -> None:
    """Import again what waited and may have got what it waited for, until nothing moves."""
    moved = True
    while moved:
        moved = False
        for name in list(_ready(node)):
            sealed = node.spool.held.read(name)
            try:
                opened = open_bundle(sealed, keyring(node))
            except BundleError as error:
                # It opened once: a peer's card or a key is gone.
                report.notes.append(f"bundle {name.bundle_id} no longer opens: {error}")
                continue
            peer = node.peer_by_author(opened.sender)
            if peer is None:
                continue
            waits = _merge(node, name.bundle_id, peer, opened, report)
            if waits:
                _note_waits(node, name.bundle_id, peer, waits)
                continue
            if waits is not None:
                _finish(node, name.bundle_id, peer, opened, report)
                report.outcomes[name.bundle_id] = Outcome.MERGED
            node.spool.held.release(name)
            moved = True


def _ready(node: Node) -> Iterator[BundleName]:
    """Yield the held bundles of which at least one wait is over."""
    for name in node.spool.held.names():
        found = node.db.rows(
            "SELECT kind, ledger, author, incarnation, number FROM waiting WHERE bundle = ?",
            name.bundle_id,
        )
        waits = [Wait.from_row(row) for row in found]
        if not waits or any(wait.is_over(node) for wait in waits):
            yield name


def keyring(node: Node) -> Keyring:
    """Return all that *node* needs to open what comes."""
    authors = {bytes.fromhex(peer.node_id): peer.card.author for peer in node.peers.values()}
    return Keyring(
        author=node.card.author,
        unwrapper=HpkeUnwrapper(node.keys.x25519),
        author_of=authors.get,
        peer_keys=[
            PeerKey(peer.card.author, key)
            for peer in node.peers.values()
            for key in node.pairwise_keys(peer).values()
        ],
    )


def _quarantine(node: Node, number: str, reason: str, report: Report) -> Outcome:
    node.spool.reject(number, reason)
    report.reasons[number] = reason
    return Outcome.REFUSED


def _line(text: str) -> str:
    """Return *text* as a line that a receipt may carry."""
    line = "".join(char if char.isprintable() else " " for char in text)
    while len(line.encode()) > 255:
        line = line[:-1]
    return line


def merged_ids(reports: Iterable[Report]) -> list[str]:
    """Return the ids of all bundles that are done with: their fragments may go from a medium."""
    return [number for report in reports for number in report.ids(Outcome.MERGED, Outcome.SEEN)]
