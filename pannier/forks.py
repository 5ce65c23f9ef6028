"""What an author does about a fork of its own that nobody can mend with it (docs/format.md 6)."""

from struct import Struct

from ledger.append import close_log
from ledger.log import LogState, LogStatus
from ledger.members import may_close, members
from ledger.store import Store
from pannier.duties import put_off
from pannier.errors import DamagedFileError
from pannier.node import Node
from pannier.nodedb_file import MEND_NODE_DB
from pannier.trusted_time import Moment

_MOMENT = Struct(">3q")
_PATIENCE_US = 30 * 86_400_000_000
"""So long the branch that others hold may take to come here, which keeps both in view."""


def settle_own_forks(node: Node, notes: list[str]) -> None:
    """End the forked logs of this node where they are here, if no other branch came for a month.

    There may be none any more: the only bundle that it travelled in got lost, or was refused by
    all. Until their author speaks, nobody takes those logs any further. Where its word would not
    count, since it may only read or is no admin any more, it says nothing.

    Args:
        node: The author.
        notes: Takes lines for people.

    Raises:
        PannierError: ``node.db`` cannot be read or written.
        LedgerError: the disk does not let a ledger be read or written.
    """
    for store in node.ledgers():
        with put_off(store, notes):
            for state in _forked(node, store):
                _settle(node, store, state, notes)


def _forked(node: Node, store: Store) -> list[LogState]:
    """Return the logs of this node that go on in no history until it speaks, if it may."""
    known = members(store)
    return [
        state
        for state in store.logs()
        if state.name.author == node.card.author
        and state.size
        and state.status is LogStatus.FORKED
        and may_close(known, state.name)
    ]


def moment_from(known: bytes | None) -> Moment:
    """Return the moment that is kept in ``node.db``.

    Raises:
        PannierError: it is damaged.
    """
    if known is None or len(known) != _MOMENT.size:
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return Moment(*_MOMENT.unpack(known))


def _settle(node: Node, store: Store, state: LogState, notes: list[str]) -> None:
    key = f"fork {store.ledger_id.hex()} {state.name.incarnation.hex()}"
    known, now = node.db.meta(key), node.time.moment()
    if known is None:
        node.db.set_meta(key, _MOMENT.pack(*now))
    elif now.after_us(moment_from(known)) > _PATIENCE_US:
        close_log(store, node.author, state, time_us=now.clock_us)
        notes.append(
            f"{store.genesis.name}: of two histories of our own the one that is here counts from "
            "now on; the other came from nobody"
        )
