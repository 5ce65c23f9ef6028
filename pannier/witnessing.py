"""Countersigning what this node holds, and passing on what it heard (docs/format.md section 3.8).

A witness section rides along with other news and is none itself: a quiet network stays quiet.
"""

from collections.abc import Iterator

from bundler.limits import DEFAULT_LIMITS
from bundler.witness_section import LedgerWitness, WitnessedLog, WitnessSection
from ledger import cbor
from ledger.append import is_written
from ledger.contradiction import Contradiction
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName, LogState, LogStatus, log_origin
from ledger.members import members
from ledger.note import Checkpoint
from ledger.store import Store
from ledger.testimony import hear, heard_of
from ledger.witness import Witnessed, cosign, gather
from pannier.node import Node
from pannier.rollback import begin_anew
from pannier.turns import turn
from pannier.way import Way

_DAY_US = 86_400_000_000
_SMALL_MTU = 512
_SMALL_MTU_DAYS = 7
"""Between two sections to a peer over small frames; else a day."""

_MAX_SYMBOLS = 64
"""A section is no longer than so many symbols: it never doubles what a short bundle costs."""

_OVERHEAD_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Two histories that came out by what somebody passed on.

    Attributes:
        store: In which ledger.
        log: Of which log.
        contradiction: The proof.
    """

    store: Store
    log: LogName
    contradiction: Contradiction


def witness_section(way: Way) -> WitnessSection | None:
    """Return what is to be said of logs in the next bundle; None if it is too early, or nothing.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    if not _is_due(way):
        return None
    room = min(DEFAULT_LIMITS.small_section_bytes, _MAX_SYMBOLS * way.symbol_bytes)
    room -= _OVERHEAD_BYTES * (1 + len(way.stores))
    chosen: dict[LedgerId, list[WitnessedLog]] = {}
    for ledger_id, item in _items(way):
        room -= len(cbor.encode(item.to_cbor()))
        if room < 0:
            break
        chosen.setdefault(ledger_id, []).append(item)
    ledgers = (LedgerWitness(ledger, tuple(logs)) for ledger, logs in sorted(chosen.items()))
    return WitnessSection(ledgers=tuple(ledgers)) if chosen else None


def hear_all(node: Node, section: WitnessSection) -> Iterator[Heard]:
    """Take in a section; yield the logs of which it shows two histories.

    A node that learns that of a log of its own is older than others know, and begins anew.

    Args:
        node: Who was sent it.
        section: Nothing of it verified.

    Raises:
        PannierError: ``node.db`` cannot be written.
        LedgerError: a ledger cannot be read or written.
    """
    for ledger_id, logs in section.ledgers:
        store = node.readable(ledger_id)
        if store is None:
            continue  # it is said again, every few days
        known = members(store)
        for author, incarnation, witnessed in logs:
            log = LogName(author, incarnation)
            if author == node.card.author:
                contradiction = _hear_of_own(node, store, log, witnessed)
            else:
                contradiction = hear(store, known, log, witnessed)
            if contradiction is not None:
                yield Heard(store=store, log=log, contradiction=contradiction)


def _hear_of_own(
    node: Node, store: Store, log: LogName, witnessed: Witnessed
) -> Contradiction | None:
    """Hear what others saw of a log of this node.

    If that is another history, or more than is here, it begins anew before it keeps the word: but
    what was lost of a log that it has left is known to be lost, whoever says so once more.
    """
    with store.transaction():
        state = store.log(log)
        is_left = state.row is not None and not is_written(store, log)
        before = _heard_beyond(store, state)
        contradiction = hear(store, members(store), log, witnessed)
        is_news = not is_left and _heard_beyond(store, store.log(log)) - before
        if contradiction is not None or is_news:
            begin_anew(node, above=node.counting.incarnation())
    return contradiction


def _heard_beyond(store: Store, state: LogState) -> set[Checkpoint]:
    """Return the checkpoints heard of a log that reach further than what is here of it."""
    heard = {one.checkpoint for one in heard_of(store, state)}
    return {one for one in heard if one.size > state.size}


def _is_due(way: Way) -> bool:
    told_us = way.node.db.witness_told_us(way.peer.node_id)
    days = _SMALL_MTU_DAYS if way.node.settings(way.peer).mtu < _SMALL_MTU else 1
    return told_us is None or abs(way.node.clock() - told_us) >= days * _DAY_US


def _items(way: Way) -> Iterator[tuple[LedgerId, WitnessedLog]]:
    """Yield all that could be said; where not all fits, each day chooses others."""
    day = way.node.time.today()
    logs = [(turn(day, state.name), state, store) for store, state in _logs(way)]
    for _, state, store in sorted(logs, key=lambda one: one[0]):
        for witnessed in _worth_saying(way.node, store, state):
            yield store.ledger_id, WitnessedLog(*state.name, witnessed)


def _logs(way: Way) -> Iterator[tuple[Store, LogState]]:
    for store in way.stores:
        known = members(store)
        for state in store.logs():
            is_sound = state.status in (LogStatus.OPEN, LogStatus.CLOSED)
            if is_sound and known.is_known(state.name.author):
                yield store, state


def _worth_saying(node: Node, store: Store, state: LogState) -> Iterator[Witnessed]:
    """Yield the checkpoint that this node holds, countersigned, and those that it cannot check.

    What lies behind has been compared with what is held: this node's word covers it.
    """
    heard = heard_of(store, state)
    held = store.last_checkpoint(state)
    if held is not None:
        seconds = max(node.clock() // 1_000_000, 0)
        own = cosign(node.keys.signing, log_origin(store.ledger_id, state.name), held, seconds)
        same = [one for one in heard if one.checkpoint.root == held.root]
        (*_, newest) = gather(same, Witnessed(held, (own,)))
        yield newest
    if state.status is LogStatus.OPEN:  # after a close nothing beyond it counts
        yield from (one for one in heard if one.checkpoint.size > (held.size if held else 0))
