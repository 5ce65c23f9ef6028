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
from ledger.log import LogStatus
from pannier.have import own_have
from pannier.way import Way

_RETELL_US = 30 * 86_400_000_000
"""What a node holds is said again so often, should it have got lost in spite of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What this node says of itself, and knows of ledgers, in the first bundle to a peer.

    Attributes:
        sections: have, sent, receipt, key; genesis, fork.
        receipts: For which bundles.
        digest: Of what is news if it changes.
        is_news: Whether it alone is worth a bundle.
    """

    sections: tuple[Section, ...]
    receipts: tuple[str, ...]
    digest: bytes
    is_news: bool


def notice_for(way: Way) -> Notice:
    """Return what the peer should be told now.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    node, peer = way.node, way.peer
    sections: list[Section] = []
    if not way.shared_key_ids():
        sections.append(KeySection(key=node.own_pairwise_key(peer)))
    have = own_have(node, peer, way.stores)
    sections.append(have)
    sent = tuple(
        bytes.fromhex(one.bundle_id) for one in node.db.bundles(peer.node_id) if not one.control
    )
    if sent:
        sections.append(SentSection(bundle_ids=sent))
    receipts = node.db.receipts(peer.node_id)
    if receipts:
        items = (Receipt(bytes.fromhex(one), reason) for one, reason in receipts)
        sections.append(ReceiptSection(receipts=tuple(items)))
    forks = list(_forks(way))
    news = [replace(have, seen=None).to_body(), *(one.to_body() for one in forks)]
    digest = sha256(b"".join(news)).digest()
    return Notice(
        sections=(*sections, *_geneses(way), *forks),
        receipts=tuple(one for one, _ in receipts),
        digest=digest,
        is_news=node.db.has_untold(peer.node_id) or _is_news(way, have, digest),
    )


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
        for state, fork in store.evidence("fork"):
            if state.status in (LogStatus.FORKED, LogStatus.HOSTILE):
                yield ForkSection(
                    ledger=store.ledger_id,
                    author=state.name.author,
                    incarnation=state.name.incarnation,
                    fork=fork,
                )
