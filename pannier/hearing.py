"""Hearing what a peer holds: have sections applied to what it said before (docs/format.md 5, have).

What a difference does not name is believed anew only if its digest is that of all that is known
then; so whatever was lost, late or repeated on the way, nothing counts as held that is not.
"""

from dataclasses import dataclass, replace

from bundler.have_digest import Holding, digest_of
from bundler.head import Stamp
from bundler.notices import HaveSection
from pannier import have_rows
from pannier.have import KnownHave, known_have
from pannier.have_rows import MAX_LOGS, HaveState
from pannier.home import Peer
from pannier.node import Node

_MAX_SECTIONS = 32
"""All that may be told fits half as many; each costs a look at all that is known."""


@dataclass(kw_only=True)
class Hearing:
    """The have sections of one bundle, in order; inside one transaction of ``node.db``.

    Attributes:
        node: Who hears.
        peer: Who speaks; `pannier.nodedb.NodeDb.advance_peer` knows of it.
        stamp: Of the bundle.
        first: The first section that was taken: what it says besides logs counts.
        is_whole: Whether all is known that the peer held when it said so (`conclude`).
    """

    node: Node
    peer: Peer
    stamp: Stamp
    first: HaveSection | None = None
    is_whole: bool = False
    _digest: bytes | None = None
    _count: int = 0
    _sections: int = 0

    def take(self, section: HaveSection) -> bool:
        """Note what a section says; return whether it counts: nothing newer was said before."""
        if self.first is None and not self._begin(section):
            return False
        holdings = [(ledger_id, held) for ledger_id, logs in section.ledgers for held in logs]
        self._count += len(holdings)
        self._sections += 1
        if self._is_too_much():
            return True
        db, peer = self.node.db, self.peer.node_id
        if section.scope is None:
            have_rows.forget_held(db, peer)
        else:
            have_rows.forget_buckets(db, peer, section.scope.bits, section.scope.buckets)
            self._digest = section.scope.digest
        have_rows.note_held(db, peer, holdings)
        return True

    def conclude(self) -> KnownHave:
        """Return what is confirmed now that all sections were taken: no log, if in doubt."""
        known = known_have(self.node, self.peer)
        self.is_whole = self._leads_to(known)
        if not self.is_whole:
            return replace(known, logs={})
        self._note(self.stamp.counter)
        return known

    def _begin(self, section: HaveSection) -> bool:
        state = self.node.db.peer(self.peer.node_id)
        last = state.have.counter if state.have is not None else -1
        if state.incarnation != self.stamp.incarnation or self.stamp.counter < last:
            return False
        self.first = section
        whole = state.have.whole if state.have is not None else None
        # The same again proves nothing of the time before it.
        self._note(whole if whole != self.stamp.counter else None)
        return True

    def _is_too_much(self) -> bool:
        return self._count > MAX_LOGS or self._sections > _MAX_SECTIONS

    def _leads_to(self, known: KnownHave) -> bool:
        """Whether what is known by now is what the peer holds."""
        if self._is_too_much() or len(known.logs) > MAX_LOGS:
            have_rows.forget_held(self.node.db, self.peer.node_id)
            return False
        holdings: list[Holding] = [(key[0], held) for key, held in known.logs.items()]
        return self._digest is None or self._digest == digest_of(holdings)

    def _note(self, whole: int | None) -> None:
        assert self.first is not None  # noqa: S101 -- `take` came first
        state = HaveState(
            counter=self.stamp.counter,
            whole=whole,
            key_ids=frozenset(self.first.key_ids),
            seen=self.first.seen,
            base=self.first.base,
            ask=self.first.ask,
        )
        have_rows.set_have_state(self.node.db, self.peer.node_id, state)
