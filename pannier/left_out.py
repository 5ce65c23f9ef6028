"""What a peer had, merged, and yet does not hold by its word: it left that out, and would again.

Who was removed from a ledger is told nothing of it, so it goes on to send what it holds, and the
others leave out what is void and do not say what they have of the rest. The same goes again only
when something is otherwise than it was then, or else from time to time (docs/format.md 5.6).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256

from bundler.have_digest import digest_of
from bundler.plan import Span
from ledger.genesis import LedgerId
from ledger.log import LogName, root_at
from pannier.have import KnownHave
from pannier.have_rows import LogKey
from pannier.home import Peer
from pannier.node import Node
from pannier.out_bundle import OutBundle
from pannier.unreadable import held_back

LEFT_OUT = "left out"
_DAY_US = 86_400_000_000
_LONGEST_US = 30 * _DAY_US
_MOST_BUNDLES = 256
"""So many are looked at, the newest; what was in older ones goes again, in one, which is new."""


def note(node: Node, peer: Peer, known: KnownHave, bundle: OutBundle) -> None:
    """Note that *peer*, which holds *known*, has merged a bundle of ours and left it out."""
    mark = _Now(node, peer, known).mark(node.db.spans(bundle.bundle_id))
    node.db.end_bundle(bundle.bundle_id, LEFT_OUT, mark)


def left_out(node: Node, peer: Peer, known: KnownHave) -> Mapping[LogKey, Sequence[Span]]:
    """Return which entries *peer*, which holds *known*, would leave out again, as far as is known.

    What was left out again is tried again after as long a time as it was tried for, a day at least
    and thirty at most.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    newest = node.db.bundles(peer.node_id, LEFT_OUT)[-_MOST_BUNDLES:]
    if not newest:
        return {}
    now, now_us, held = _Now(node, peer, known), node.clock(), held_back(node)
    first_us: dict[tuple[LogKey, int], int] = {}
    found = defaultdict[LogKey, list[Span]](list)
    for bundle in newest:
        spans = node.db.spans(bundle.bundle_id)
        # Of a ledger that cannot be read nobody can tell whether it is otherwise; the others that
        # were in one bundle with it go again once, alone, and then that can be told of them.
        if bundle.bundle_id in held or bundle.note != now.mark(spans):
            continue
        for ledger_id, log, span in spans:
            key = ledger_id, log
            tried_us = bundle.created_us - first_us.setdefault((key, span.first), bundle.created_us)
            if abs(now_us - bundle.created_us) < min(max(tried_us, _DAY_US), _LONGEST_US):
                found[key].append(span)
    return found


class _Now:
    """All on which it depends what a peer leaves out, as it is now."""

    def __init__(self, node: Node, peer: Peer, known: KnownHave) -> None:
        self._node, self._known = node, known
        self._incarnation = node.db.peer(peer.node_id).incarnation or b""
        self._words: dict[LedgerId, bytes] = {}

    def mark(self, spans: Sequence[tuple[LedgerId, LogName, Span]]) -> str:
        """Return what is another if the peer, its word on a ledger, or what goes is another."""
        ledgers = sorted({ledger_id for ledger_id, _, _ in spans})
        roots = (self._root(ledger_id, log, span.end) for ledger_id, log, span in spans)
        parts = (self._incarnation, *map(self._word, ledgers), *roots)
        return sha256(b"".join(parts)).hexdigest()

    def _word(self, ledger_id: LedgerId) -> bytes:
        """Return a digest of what the peer says that it holds of a ledger."""
        if ledger_id not in self._words:
            logs = self._known.logs.items()
            self._words[ledger_id] = digest_of(
                (one, held) for (one, _), held in logs if one == ledger_id
            )
        return self._words[ledger_id]

    def _root(self, ledger_id: LedgerId, log: LogName, size: int) -> bytes:
        store = self._node.readable(ledger_id)
        state = store.log(log) if store is not None else None
        if store is None or state is None or size > state.size:
            return b""
        return root_at(state, size, store.nodes(state))
