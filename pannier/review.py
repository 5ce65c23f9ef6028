"""What waits for a person's word: found, looked into, accepted or refused."""

from collections.abc import Sequence

from bundler.content import open_bundle
from bundler.errors import BundleError
from ledger.errors import LedgerError
from ledger.lazy_dataclass import dataclass
from pannier import decisions
from pannier.decisions import Decision
from pannier.errors import UsageError
from pannier.import_report import Report
from pannier.importing import import_arrived, keyring
from pannier.node import Node
from pannier.nodedb import NodeDb
from pannier.nodedb_file import as_id
from pannier.origin import group_of
from pannier.summary import LedgerSummary, one_line, summarise
from spool.name import BundleName

_LEAST_ID_LETTERS = 4
_MAX_WHY_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A bundle that waits for a person's word.

    Attributes:
        name: In the spool.
        content: Digest of what it would change.
        sender: What its sender, or the group that it is in, is called here; or the id of that.
        size_bytes: Sealed.
    """

    name: BundleName
    content: bytes
    sender: str
    size_bytes: int

    @property
    def bundle_id(self) -> str:
        """16 hex digits."""
        return self.name.bundle_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What is in a bundle that waits.

    Attributes:
        waiting: The bundle.
        time_us: When its sender says that it was made; None if it cannot be opened.
        is_proven: Whether its sender is; anybody in a group can write that group's bundles.
        ledgers: What it would bring.
        problem: Why that cannot be told, or empty.
    """

    waiting: Waiting
    time_us: int | None = None
    is_proven: bool = False
    ledgers: tuple[LedgerSummary, ...] = ()
    problem: str = ""


def waiting(node: Node) -> list[Waiting]:
    """Return what waits for a person's word, the most urgent first.

    Raises:
        PannierError: ``node.db`` cannot be read.
        LedgerError: the ledger of a group cannot be read.
        SpoolError: the spool cannot be read.
    """
    asked = senders(node.db)
    found = []
    for name in node.spool.held.names():
        if name.bundle_id in asked:
            peer, content = asked[name.bundle_id]
            sender = _name(node, peer)
            size_bytes = node.spool.held.size_bytes(name)
            found.append(Waiting(name=name, content=content, sender=sender, size_bytes=size_bytes))
    return found


def senders(db: NodeDb) -> dict[str, tuple[str, bytes]]:
    """Return who sent each bundle that waits, and the digest of its content, by the bundle's id.

    Raises:
        PannierError: *db* cannot be read, or is damaged.
    """
    found = db.rows("SELECT bundle, peer, author FROM waiting WHERE kind = 'review'")
    return {
        str(bundle): (as_id(peer), content)
        for bundle, peer, content in found
        if isinstance(content, bytes)
    }


def _name(node: Node, sender: str) -> str:
    if sender in node.peers:
        return node.peers[sender].name
    group = group_of(node, bytes.fromhex(sender))
    return sender if group is None else group.name


def find(node: Node, ids: Sequence[str]) -> list[Waiting]:
    """Return the waiting bundles that *ids* name, each by its id or the start of it.

    Raises:
        UsageError: one names none, or several.
        PannierError: ``node.db`` cannot be read.
        LedgerError: the ledger of a group cannot be read.
        SpoolError: the spool cannot be read.
    """
    known = waiting(node)
    found: dict[str, Waiting] = {}
    for text in ids:
        fitting = [one for one in known if one.bundle_id.startswith(text.lower())]
        if len(text) < _LEAST_ID_LETTERS or len(fitting) != 1:
            why = "names several" if len(fitting) > 1 else "waits for no review"
            raise UsageError(f"{text!r} {why}: see `pannier review list`")
        found[fitting[0].bundle_id] = fitting[0]
    return list(found.values())


def look(node: Node, one: Waiting) -> Inside:
    """Open a waiting bundle and say what is in it; no ledger is touched.

    Raises:
        PannierError: ``node.db`` cannot be read.
        SpoolError: the spool cannot be read.
    """
    try:
        opened = open_bundle(node.spool.held.read(one.name), keyring(node))
        ledgers = tuple(summarise(node, opened))
    except (BundleError, LedgerError) as error:
        return Inside(waiting=one, problem=str(error))
    return Inside(
        waiting=one,
        time_us=opened.stamp.time_us,
        is_proven=opened.sender is not None,
        ledgers=ledgers,
    )


def accept(node: Node, chosen: Sequence[Waiting]) -> Report:
    """Let bundles into the ledgers, at once; return what came in.

    Raises:
        BusyError: another process is importing; what was decided is done with the next import.
        PannierError: the home cannot be read or written.
        LedgerError: a ledger cannot be read or written.
        SpoolError: the spool cannot be read or written.
    """
    return _decide(node, chosen, decisions.ACCEPTED, "")


def refuse(node: Node, chosen: Sequence[Waiting], why: str) -> Report:
    """Put bundles into quarantine and tell their senders why.

    Raises:
        UsageError: *why* is no line that a receipt can carry.
        BusyError: as for `accept`.
        PannierError: the home cannot be read or written.
        LedgerError: a ledger cannot be read or written.
        SpoolError: the spool cannot be read or written.
    """
    if len(why.encode(errors="replace")) > _MAX_WHY_BYTES or not why.isprintable():
        raise UsageError(f"the reason is one line of at most {_MAX_WHY_BYTES} bytes")
    reason = f"{decisions.AT_REVIEW}: {why}" if why else decisions.AT_REVIEW
    return _decide(node, chosen, decisions.REFUSED, reason)


def _decide(node: Node, chosen: Sequence[Waiting], verdict: str, reason: str) -> Report:
    for one in chosen:
        decision = Decision(
            content=one.content,
            bundle=one.bundle_id,
            sender=one.sender,
            verdict=verdict,
            reason=reason,
            time_us=node.clock(),
            summary=one_line(look(node, one).ledgers),
        )
        decisions.decide(node.db, decision)
    return import_arrived(node)
