"""What this node has seen of a peer, for people who decide how far to trust it.

Only evidence: what the peer signed, who countersigned it, where it contradicts itself, and what was
refused. Nothing here is a verdict.
"""

from collections.abc import Iterator
from dataclasses import asdict

from ledger.algorithm import label_of
from ledger.lazy_dataclass import dataclass
from ledger.log import LogState, root_at
from ledger.members import Members, members
from ledger.note import Checkpoint
from ledger.store import Store
from ledger.testimony import contradiction_of, heard_of
from pannier.home import Peer
from pannier.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessTrust:
    """Somebody's word that it holds a log up to a size.

    Attributes:
        who: The name of the witness.
        size: Entries of the log that it signed for.
        time_seconds: When, as it says.
        is_same: Whether that is what this node holds; None where this node holds less.
    """

    who: str
    size: int
    time_seconds: int
    is_same: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTrust:
    """One log of the peer's.

    Attributes:
        incarnation: Which, hex.
        status: ``open``, ``forked``, ``closed`` or ``hostile``.
        size: Entries held here.
        signed: Entries that the newest checkpoint covers that was seen, here or elsewhere.
        witnesses: The newest that each of them signed for.
        two_histories: Whether proof is kept that its author signed two.
    """

    incarnation: str
    status: str
    size: int
    signed: int
    witnesses: tuple[WitnessTrust, ...]
    two_histories: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTrust:
    """The peer in one ledger.

    Attributes:
        ledger: The ledger's name.
        role: ``reader``, ``writer``, ``admin``, or None of one who was removed.
        logs: What it wrote there.
    """

    ledger: str
    role: str | None
    logs: tuple[LogTrust, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All that is known of a peer.

    Attributes:
        peer: What it is called here.
        node: Its node id.
        fingerprint: Of its card, to compare.
        algorithms: Of the keys in its card.
        last_heard_us: The latest time that it signed; None if nothing ever came.
        refused_here: How many of its bundles were refused here, of those not yet expired.
        refused_there: Why it refused ours.
        ledgers: Where it is, or was, a member.
    """

    peer: str
    node: str
    fingerprint: str
    algorithms: tuple[str, ...]
    last_heard_us: int | None
    refused_here: int
    refused_there: tuple[str, ...]
    ledgers: tuple[LedgerTrust, ...]

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def trust(node: Node, peer: Peer) -> Trust:
    """Return what is known of *peer*.

    Raises:
        PannierError: the home cannot be read.
        LedgerError: a ledger cannot be read.
    """
    refused = node.db.rows(
        "SELECT count(*) FROM seen WHERE peer = ? AND outcome = 'refused'", peer.node_id
    )
    return Trust(
        peer=peer.name,
        node=peer.node_id,
        fingerprint=peer.card.fingerprint,
        algorithms=tuple(label_of(number) for number in sorted(peer.card.algorithms)),
        last_heard_us=node.db.heard().get(peer.node_id),
        refused_here=int(refused[0][0] or 0),
        refused_there=tuple(one.note for one in node.db.bundles(peer.node_id, "refused")),
        ledgers=tuple(_ledgers(node, peer)),
    )


def _ledgers(node: Node, peer: Peer) -> Iterator[LedgerTrust]:
    for store in node.ledgers():
        known = members(store)
        member = known.get(peer.card.author)
        logs = [one for one in store.logs() if one.name.author == peer.card.author]
        if member is not None or logs:
            yield LedgerTrust(
                ledger=store.genesis.name,
                role=member.role.label if member else None,
                logs=tuple(_log(node, store, known, state) for state in logs),
            )


def _log(node: Node, store: Store, known: Members, state: LogState) -> LogTrust:
    heard = heard_of(store, state)
    witnesses = [
        WitnessTrust(
            who=node.who(one.witness),
            size=witnessed.checkpoint.size,
            time_seconds=one.time_seconds,
            is_same=_is_same(store, state, witnessed.checkpoint),
        )
        for witnessed in heard
        for one in witnessed.cosignatures
        if one.witness in known and one.witness != node.card.author
    ]
    forks = store.evidence_of(state, "fork")
    return LogTrust(
        incarnation=state.name.incarnation.hex(),
        status=state.status.name.lower(),
        size=state.size,
        signed=max([state.size, *(one.checkpoint.size for one in heard)]),
        witnesses=tuple(witnesses),
        two_histories=bool(forks) or contradiction_of(store, state) is not None,
    )


def _is_same(store: Store, state: LogState, checkpoint: Checkpoint) -> bool | None:
    if checkpoint.size > state.size:
        return None
    return root_at(state, checkpoint.size, store.nodes(state)) == checkpoint.root
