"""What nodes tell each other that they hold (docs/format.md section 5, ``have``)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bundler.limits import DEFAULT_LIMITS
from bundler.notices import ROOT_START_BYTES, HaveSection, HeldLog, LedgerHave, Seen
from ledger.genesis import LedgerId
from ledger.log import LogName
from ledger.store import Store
from pannier.home import Peer
from pannier.node import Node


@dataclass(frozen=True, slots=True)
class KnownHave:
    """What a peer has said that it holds; nothing, before it said anything."""

    key_ids: frozenset[bytes]
    logs: Mapping[tuple[LedgerId, LogName], HeldLog]

    def log(self, ledger_id: LedgerId, log: LogName) -> HeldLog | None:
        """Return what the peer holds of one log."""
        return self.logs.get((ledger_id, log))

    def has_ledger(self, ledger_id: LedgerId) -> bool:
        """Return whether the peer holds anything of a ledger."""
        return any(one == ledger_id for one, _ in self.logs)


def known_have(node: Node, peer: Peer) -> KnownHave:
    """Return what *peer* said last."""
    body = node.db.peer(peer.node_id).have
    if body is None:
        return KnownHave(frozenset(), {})
    have = HaveSection.from_body(body, limits=DEFAULT_LIMITS)
    logs = {
        (ledger_id, LogName(held.author, held.incarnation)): held
        for ledger_id, logs in have.ledgers
        for held in logs
    }
    return KnownHave(frozenset(have.key_ids), logs)


def forget_shared_keys(node: Node, peer: Peer) -> None:
    """Forget which pairwise keys *peer* said that it holds, until it says so again."""
    body = node.db.peer(peer.node_id).have
    if body is not None:
        have = HaveSection.from_body(body, limits=DEFAULT_LIMITS)
        node.db.set_have(peer.node_id, replace(have, key_ids=()).to_body())


def own_have(node: Node, peer: Peer, shared: Iterable[Store]) -> HaveSection:
    """Return what this node tells *peer* that it holds: of the ledgers that both are in, *shared*.

    Raises:
        LedgerError: one of them cannot be read.
    """
    state = node.db.peer(peer.node_id)
    seen = None if state.incarnation is None else Seen(state.incarnation, state.counter)
    return HaveSection(
        seen=seen,
        key_ids=tuple(sorted(node.pairwise_keys(peer))),
        ledgers=tuple(
            LedgerHave(
                store.ledger_id,
                tuple(
                    HeldLog(*log.name, log.size, log.frontier.root()[:ROOT_START_BYTES])
                    for log in store.logs()
                    if log.size
                ),
            )
            for store in shared
        ),
    )
