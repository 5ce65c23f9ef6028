"""What a node says of itself in the first bundle to a peer (docs/format.md section 5)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from bundler.notices import (
    ForkSection,
    GenesisSection,
    HaveSection,
    KeySection,
    Receipt,
    ReceiptSection,
    SentSection,
)
from bundler.sections import Section
from ledger.log import LogState, LogStatus
from ledger.store import Store
from pannier.have import own_have
from pannier.way import Way
from pannier.witnessing import witness_section

_UNTOLD = "ask its people why: what is in clear does not say"
_RETELL_US = 30 * 86_400_000_000
"""What a node holds is said again so often, should it have got lost in spite of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What this node says of itself, and knows of ledgers, in the first bundle to a peer.

    Attributes:
        sections: have, sent, receipt, key; genesis, fork; witness.
        receipts: For which bundles.
        digest: Of what is news if it changes.
        is_news: Whether it alone is worth a bundle.
        has_witness: Whether it says what was witnessed, which is no news.
    """

    sections: tuple[Section, ...]
    receipts: tuple[str, ...]
    digest: bytes
    is_news: bool
    has_witness: bool


def notice_for(way: Way) -> Notice:
    """Return what the peer should be told now.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    node, peer = way.node, way.peer
    sections: list[Section] = []
    if not (way.is_clear or way.shared_key_ids()):
        sections.append(KeySection(key=node.own_pairwise_key(peer)))
    have = own_have(node, peer, way.stores)
    if way.is_clear:
        have = replace(have, key_ids=())
    sections.append(have)
    sent = tuple(
        bytes.fromhex(one.bundle_id) for one in node.db.bundles(peer.node_id) if not one.control
    )
    if sent:
        sections.append(SentSection(bundle_ids=sent))
    receipts = node.db.receipts(peer.node_id)
    if receipts:
        items = (Receipt(bytes.fromhex(one), _public(way, reason)) for one, reason in receipts)
        sections.append(ReceiptSection(receipts=tuple(items)))
    forks = list(_forks(way))
    news = [replace(have, seen=None).to_body(), *(one.to_body() for one in forks)]
    digest = sha256(b"".join(news)).digest()
    witness = witness_section(way)
    return Notice(
        sections=(*sections, *_geneses(way), *forks, *([witness] if witness else [])),
        receipts=tuple(one for one, _ in receipts),
        digest=digest,
        is_news=node.db.has_untold(peer.node_id) or _is_news(way, have, digest),
        has_witness=witness is not None,
    )


def _public(way: Way, reason: str) -> str:
    """Return why a bundle was refused, as the peer may be told: anybody reads what is in clear."""
    return _UNTOLD if reason and way.is_clear else reason


def _is_news(way: Way, have: HaveSection, digest: bytes) -> bool:
    """Return whether the peer was never told this, or so long ago that it may have got lost."""
    state = way.node.db.peer(way.peer.node_id)
    if state.told is None:
        return bool(have.ledgers)
    return digest != state.told or abs(way.node.clock() - state.told_us) > _RETELL_US


def known_facts(way: Way) -> list[GenesisSection | ForkSection]:
    """Return what a peer must know of ledgers besides their logs: how they begin, and forks."""
    return [*_geneses(way), *_forks(way)]


def _geneses(way: Way) -> Iterator[GenesisSection]:
    for store in way.stores:
        if not way.known.has_ledger(store.ledger_id):
            yield GenesisSection(genesis=store.genesis.to_bytes())


def _forks(way: Way) -> Iterator[ForkSection]:
    for store in way.stores:
        for state, fork in _proofs(store):
            if state.status in (LogStatus.FORKED, LogStatus.HOSTILE):
                yield ForkSection(
                    ledger=store.ledger_id,
                    author=state.name.author,
                    incarnation=state.name.incarnation,
                    fork=fork,
                )


def _proofs(store: Store) -> Iterator[tuple[LogState, bytes]]:
    """Yield one proof for each log with two histories; a fork says more than a contradiction."""
    forks = store.evidence("fork")
    yield from forks
    forked = {state.name for state, _ in forks}
    for state, contradiction in store.evidence("contradiction"):
        if state.name not in forked:
            yield state, contradiction
