"""What nodes tell each other that they hold (docs/format.md section 5, ``have``).

Who has said once that it knows all that was told is told the differences from then on. A difference
that does not lead to what the other holds shows by its digest, and then only what it names is
believed (`pannier.hearing`), and the rest is asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import islice

from bundler.have_digest import Holding, ask_for, bucket_of, differing, digest_of
from bundler.notices import (
    ROOT_START_BYTES,
    Ask,
    HaveSection,
    HeldLog,
    LedgerHave,
    Scope,
    Seen,
)
from ledger.genesis import LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from ledger.store import Store
from pannier import have_rows
from pannier.have_rows import MAX_LOGS, HaveState, LogKey, Told
from pannier.home import Peer
from pannier.node import Node

_SECTION_LOGS = 8_000
"""Logs of one section: at most 90 bytes each, so that it stays well below 1 MiB."""


@dataclass(frozen=True, slots=True)
class KnownHave:
    """What a peer has said that it holds; nothing, before it said anything.

    Attributes:
        key_ids: Pairwise keys.
        logs: Of each log how much.
        seen: The last message of this node that it had seen.
    """

    key_ids: frozenset[bytes]
    logs: Mapping[LogKey, HeldLog]
    seen: Seen | None = None

    def log(self, ledger_id: LedgerId, log: LogName) -> HeldLog | None:
        """Return what the peer holds of one log."""
        return self.logs.get((ledger_id, log))

    def has_ledger(self, ledger_id: LedgerId) -> bool:
        """Return whether the peer holds anything of a ledger."""
        return any(one == ledger_id for one, _ in self.logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHave:
    """What this node tells a peer that it holds.

    Attributes:
        sections: One, or more where there are very many logs.
        digest: Of all that is said, but for what was seen of the peer.
        news: The same without what is plain to the peer anyway.
        marks: What is said of each log that is named; empty: that it is held no more.
        spelt: The marks of those that are not, where no more than a digest was kept of it.
        is_full: Whether all else that the peer was told counts no more.
        holds_anything: Whether there is a log.
    """

    sections: tuple[HaveSection, ...]
    digest: bytes
    news: bytes
    marks: Mapping[LogKey, bytes]
    spelt: Mapping[LogKey, bytes]
    is_full: bool
    holds_anything: bool


NOTHING_SAID = OwnHave(
    sections=(), digest=b"", news=b"", marks={}, spelt={}, is_full=False, holds_anything=False
)


def known_have(node: Node, peer: Peer) -> KnownHave:
    """Return what *peer* said last."""
    state = node.db.peer(peer.node_id).have
    logs = {_key(one): one[1] for one in have_rows.held_by(node.db, peer.node_id)}
    return KnownHave(state.key_ids, logs, state.seen) if state else KnownHave(frozenset(), logs)


def forget_shared_keys(node: Node, peer: Peer) -> None:
    """Forget which pairwise keys *peer* said that it holds, until it says so again."""
    state = node.db.peer(peer.node_id).have
    if state is not None:
        forgotten = replace(state, key_ids=frozenset())
        have_rows.set_have_state(node.db, peer.node_id, forgotten)


def own_have(
    node: Node,
    peer: Peer,
    shared: Iterable[Store],
    *,
    is_plain: Callable[[Holding], bool] = lambda _: False,
) -> OwnHave:
    """Return what this node tells *peer* that it holds: of the ledgers that both are in, *shared*.

    Args:
        node: Who tells.
        peer: Who is told.
        shared: The ledgers.
        is_plain: Whether the peer can tell by itself that this node holds that of a log.

    Of a ledger that cannot be read the peer is told what it was told before: neither that it is
    gone, nor anything new. Where that is not known, or too much with all else, nothing is said of
    any.

    Raises:
        LedgerError: one of them cannot be read.
    """
    kept = _as_told(node, peer)
    if kept is None:
        return NOTHING_SAID
    holdings = [*kept, *own_holdings(shared)]
    if len(holdings) > MAX_LOGS:
        return NOTHING_SAID
    return telling(node, peer, holdings, is_plain=is_plain)


def _as_told(node: Node, peer: Peer) -> list[Holding] | None:
    """Return what *peer* was told of ledgers that cannot be read; None if that is not known.

    Who was never told of one, but of others, is not known to be in it. Nor is who was told nothing,
    being met just now; but who was told all and forgotten since looks the same. It has spoken of
    this node, or else nobody was told of such a ledger, as far as is known.
    """
    unreadable = node.unreadable
    if not unreadable:
        return []
    told = have_rows.told(node.db, peer.node_id)
    kept = {key: one for key, one in told.items() if one.mark and key[0] in unreadable}
    state = node.db.peer(peer.node_id)
    has_forgotten = not told and (
        state.told is not None
        or (state.have is not None and state.have.seen is not None)
        or not all(have_rows.is_told_of(node.db, one) for one in unreadable)
    )
    if has_forgotten or not all(one.is_spelt_out for one in kept.values()):
        return None
    return [have_rows.told_of(key, one) for key, one in kept.items()]


def telling(
    node: Node,
    peer: Peer,
    holdings: Sequence[Holding],
    *,
    is_plain: Callable[[Holding], bool] = lambda _: False,
) -> OwnHave:
    """Return what this node tells *peer*, if *holdings* is all that it holds."""
    state = node.db.peer(peer.node_id)
    heard = state.have
    is_clear = node.settings(peer).clear
    head = HaveSection(
        seen=None if state.incarnation is None else Seen(state.incarnation, state.counter),
        key_ids=() if is_clear else tuple(sorted(node.shared.pairwise_keys(peer))),
        ledgers=(),
        back=None if heard is None or heard.whole is None else state.counter - heard.whole,
        ask=_ask(node, peer, heard),
    )
    told = have_rows.told(node.db, peer.node_id)
    said = _difference(holdings, told, _base(node, heard), heard.ask if heard else None)
    digest = digest_of(holdings)
    news = digest_of(_news(holdings, is_plain))
    parts = list(_parts(_whole(holdings) if said is None else said))
    sections = tuple(_sections(head, parts, digest, is_full=said is None))
    question = heard.ask.digests if heard and heard.ask else b""
    rest = sha256(question).digest() + replace(head, seen=None, back=None).to_body()
    return OwnHave(
        sections=sections,
        digest=sha256(digest + rest).digest(),
        news=sha256(news + rest).digest(),
        marks={_key(one): have_rows.mark_of(one) for part in parts for one in part.holdings},
        spelt={
            _key(one): have_rows.mark_of(one)
            for one in holdings
            if (last := told.get(_key(one))) and not last.is_spelt_out and last.says(one)
        },
        is_full=said is None,
        holds_anything=bool(holdings),
    )


def _news(holdings: Iterable[Holding], is_plain: Callable[[Holding], bool]) -> Iterator[Holding]:
    """Yield what a peer cannot tell by itself; of a log that is plain, from where on files lack."""
    for one in holdings:
        ledger_id, held = one
        if not is_plain(one):
            yield one
        elif held.lacking is not None:
            yield ledger_id, held._replace(size=held.lacking + 1, root=bytes(ROOT_START_BYTES))


def note_own_have(node: Node, peer: Peer, own: OwnHave, counter: int) -> None:
    """Note that *peer* is told *own* in a bundle of ours under *counter*."""
    heard = node.db.peer(peer.node_id).have
    with node.db.transaction():
        if own.is_full:
            have_rows.forget_told(node.db, peer.node_id)
        elif heard is not None and heard.base is not None:
            have_rows.forget_gone(node.db, peer.node_id, heard.base)
        have_rows.spell_out(node.db, peer.node_id, own.spelt)
        have_rows.note_told(node.db, peer.node_id, own.marks, counter)


def own_holdings(shared: Iterable[Store]) -> list[Holding]:
    """Return what this node holds of some ledgers, as much of it as a peer is told of.

    Raises:
        LedgerError: one of them cannot be read.
    """
    return list(islice((one for store in shared for one in _held(store)), MAX_LOGS))


def _held(store: Store) -> Iterator[Holding]:
    for log in store.logs():
        if log.size:
            root, files = log.frontier.root()[:ROOT_START_BYTES], store.files_complete(log)
            lacking = files if files < log.size else None
            yield store.ledger_id, HeldLog(*log.name, log.size, root, lacking)


def _base(node: Node, heard: HaveState | None) -> int | None:
    """Return under which counter a peer was told what it knows to be all; None: it does not."""
    if heard is None or heard.seen is None or heard.seen.incarnation != node.counting.incarnation():
        return None
    return heard.base


def _ask(node: Node, peer: Peer, heard: HaveState | None) -> Ask | None:
    """Return what to ask a peer, if what it said last did not lead to what it holds."""
    if heard is None or heard.counter < 0 or heard.whole == heard.counter:
        return None
    return ask_for(have_rows.held_by(node.db, peer.node_id))


# -- differences ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A part of what is held.

    Attributes:
        holdings: Logs one by one; of size 0 those that are held no more.
        bits: There are 2^bits buckets.
        buckets: All that is in some of them, and nothing else is.
    """

    holdings: Sequence[Holding]
    bits: int = 0
    buckets: Mapping[int, Sequence[Holding]]


def _whole(holdings: Sequence[Holding]) -> _Said:
    return _Said(holdings=holdings, buckets={})


def _difference(
    holdings: Sequence[Holding], told: Mapping[LogKey, Told], base: int | None, ask: Ask | None
) -> _Said | None:
    """Return what a peer must be told that knows what it was told up to *base*; None: all."""
    if base is None:
        return None
    buckets = differing(ask, holdings) if ask else {}
    bits = ask.bits if ask else 0
    changed = [
        one
        for one in _changes(holdings, told, base)
        if not buckets or bucket_of(one, bits) not in buckets
    ]
    sizes = list(map(len, buckets.values()))
    if len(changed) + sum(sizes) >= len(holdings) or max(sizes, default=0) > _SECTION_LOGS:
        return None
    return _Said(holdings=changed, bits=bits, buckets=buckets)


def _changes(
    holdings: Sequence[Holding], told: Mapping[LogKey, Told], base: int
) -> Iterator[Holding]:
    """Yield the logs of which a peer does not know for certain what is held."""
    here = set()
    for one in holdings:
        key = _key(one)
        here.add(key)
        last = told.get(key)
        if last is None or last.counter > base or not last.says(one):
            yield one
    for key, last in told.items():
        if key not in here and (last.mark or last.counter > base):
            ledger_id, log = key
            yield ledger_id, HeldLog(*log, 0, bytes(ROOT_START_BYTES))


@dataclass(slots=True)
class _Part:
    """What one section says."""

    holdings: list[Holding]
    bits: int
    buckets: list[int]


def _parts(said: _Said) -> Iterator[_Part]:
    """Cut what is said into as much as a section takes; there is at least one."""
    pieces: list[tuple[list[int], Sequence[Holding]]] = [([], [one]) for one in said.holdings]
    pieces += [([number], inside) for number, inside in said.buckets.items()]
    part = _Part([], said.bits, [])
    for buckets, inside in pieces:
        if part.holdings and len(part.holdings) + len(inside) > _SECTION_LOGS:
            yield part
            part = _Part([], said.bits, [])
        part.holdings += inside
        part.buckets += buckets
    yield part


def _sections(
    head: HaveSection, parts: Sequence[_Part], digest: bytes, *, is_full: bool
) -> Iterator[HaveSection]:
    """Yield the sections; what is not about logs stands in the first alone."""
    for number, part in enumerate(parts):
        first = head if number == 0 else HaveSection(seen=None, key_ids=(), ledgers=())
        is_all = is_full and number == 0
        scope = Scope(digest, part.bits if part.buckets else 0, tuple(part.buckets))
        yield replace(first, ledgers=_by_ledger(part.holdings), scope=None if is_all else scope)


def _by_ledger(holdings: Iterable[Holding]) -> tuple[LedgerHave, ...]:
    found: dict[LedgerId, list[HeldLog]] = {}
    for ledger_id, held in holdings:
        found.setdefault(ledger_id, []).append(held)
    return tuple(LedgerHave(ledger_id, tuple(logs)) for ledger_id, logs in found.items())


def _key(holding: Holding) -> LogKey:
    ledger_id, held = holding
    return ledger_id, LogName(held.author, held.incarnation)
