"""What a node says of itself in the first bundle to a peer (docs/format.md section 5)."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from bundler.have_digest import Holding
from bundler.notices import (
    ForkSection,
    GenesisSection,
    KeySection,
    Receipt,
    ReceiptSection,
    SentSection,
)
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from pannier import tail_rows
from pannier.have import NOTHING_SAID, OwnHave, own_have
from pannier.known_forks import KnownFork, known_forks, told_today
from pannier.nodedb_peers import KEY_LOST, UNTOLD
from pannier.way import Way
from pannier.witnessing import witness_section

if TYPE_CHECKING:
    from bundler.lack_section import LackSection
    from bundler.sections import BodySection

_UNTOLD = "ask its people why: what is in clear does not say"
_RETELL_US = 30 * 86_400_000_000
"""What a node holds is said again so often, should it have got lost in spite of all."""


_NEWS_BYTES = 32
_DUE_AFTER = 8
"""Bundles of a peer. What it says to a quiet node grows by ten bytes with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What this node says of itself, and knows of ledgers, in the first bundle to a peer.

    Attributes:
        sections: have, sent, receipt, lack, key; genesis, fork; witness.
        receipts: For which bundles.
        digest: Of what is news if it changes, 32 bytes, and of all that is said of logs.
        have: What it says that this node holds.
        is_news: Whether it alone is worth a bundle.
        is_due: Whether so much came from the peer since it was last told anything that it should
            hear of that, or it goes on repeating itself.
        has_witness: Whether it says what was witnessed, which is no news.
    """

    sections: "tuple[BodySection, ...]"
    receipts: tuple[str, ...]
    digest: bytes
    have: OwnHave
    is_news: bool
    is_due: bool
    has_witness: bool


def notice_for(way: Way) -> Notice:
    """Return what the peer should be told now.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    node, peer = way.node, way.peer
    sections: list[BodySection] = []
    if not (way.is_clear or way.shared_key_ids()):
        sections.append(KeySection(key=node.shared.own_pairwise_key(peer)))
    have = own_have(node, peer, way.stores, is_plain=_plain(way))
    sections += have.sections
    sent = tuple(
        bytes.fromhex(one.bundle_id) for one in node.db.bundles(peer.node_id) if not one.control
    )
    if sent:
        sections.append(SentSection(bundle_ids=sent))
    receipts = node.db.receipts(peer.node_id, is_brief=way.has_small_frames)
    if receipts:
        items = (Receipt(bytes.fromhex(one), _public(way, reason)) for one, reason in receipts)
        sections.append(ReceiptSection(receipts=tuple(items)))
    lack = _lack(way)
    sections += [lack] if lack else []
    forks = known_forks(way)
    # Of all that are known, not of those whose turn it is: or each day alone would be news.
    facts = [one.section.to_body() for one in forks] + ([lack.to_body()] if lack else [])
    digest = sha256(have.news + b"".join(facts)).digest() + have.digest
    witness = witness_section(way)
    said = (*sections, *_facts(way, forks), *([witness] if witness else []))
    return Notice(
        sections=said,
        receipts=tuple(one for one, _ in receipts),
        digest=digest,
        have=have,
        is_news=bool(said) and (node.db.has_untold(peer.node_id) or _is_news(way, have, digest)),
        is_due=node.db.unanswered(peer.node_id) >= _DUE_AFTER,
        has_witness=witness is not None,
    )


def refusals_for(way: Way) -> Notice | None:
    """Return what a removed peer should be told now: which of its bundles no key here opens.

    It may have something else to say than what it was removed for, under a key that is lost here.
    Why others are refused would tell it how much is held of ledgers that it was removed from.
    """
    db, peer = way.node.db, way.peer.node_id
    refused = [one for one, reason in db.receipts(peer, is_brief=True) if reason == KEY_LOST]
    if not (refused and db.has_untold(peer, KEY_LOST)):
        return None
    items = tuple(Receipt(bytes.fromhex(one), _public(way, KEY_LOST)) for one in refused)
    return Notice(
        sections=(ReceiptSection(receipts=items),),
        receipts=tuple(refused),
        digest=UNTOLD,
        have=NOTHING_SAID,
        is_news=True,
        is_due=False,
        has_witness=False,
    )


def _lack(way: Way) -> "LackSection | None":
    """Return what lacks of the peer's bundles that came in part."""
    node, peer = way.node, way.peer.node_id
    if all(sender != peer for sender, _, _ in node.spool.inbox.known()):
        return None
    from pannier.incomplete import lack_section  # noqa: PLC0415 -- most bundles come whole

    return lack_section(node, peer)


def _plain(way: Way) -> Callable[[Holding], bool]:
    """Return what tells whether the peer knows by itself that this node holds that of a log.

    It does of the node's own logs, unless they shrank; and where the node holds more than the peer,
    for then that goes to it, or went to it already.
    """
    sent = tail_rows.sent_to(way.node.db, way.peer.node_id)

    def is_plain(holding: Holding) -> bool:
        ledger_id, held = holding
        log = LogName(held.author, held.incarnation)
        theirs = way.known.log(ledger_id, log)
        their_size = theirs.size if theirs else 0
        return their_size < held.size or (
            theirs is not None
            and (theirs.size, theirs.root) == (held.size, held.root)
            and (held.author == way.node.card.author or sent.get((ledger_id, log), 0) == held.size)
        )

    return is_plain


def _public(way: Way, reason: str) -> str:
    """Return why a bundle was refused, as the peer may be told: anybody reads what is in clear."""
    return _UNTOLD if reason and way.is_clear else reason


def _is_news(way: Way, have: OwnHave, digest: bytes) -> bool:
    """Return whether the peer was never told this, or so long ago that it may have got lost."""
    state = way.node.db.peer(way.peer.node_id)
    if state.told is None:
        # Who saw something of this node that it does not remember may think that all is here still.
        return have.holds_anything or way.known.seen is not None
    if abs(way.node.clock() - state.told_us) > _RETELL_US:
        return True
    # Where bytes cost little the peer is told also what it could tell by itself.
    compared = _NEWS_BYTES if way.has_small_frames else len(digest)
    return digest[:compared] != state.told[:compared]


def known_facts(way: Way) -> list[GenesisSection | ForkSection]:
    """Return what a peer must know of ledgers besides their logs: how they begin, and forks."""
    return _facts(way, known_forks(way))


def _facts(way: Way, forks: Sequence[KnownFork]) -> list[GenesisSection | ForkSection]:
    return [*_geneses(way), *told_today(forks, way.node.time.today())]


def _geneses(way: Way) -> Iterator[GenesisSection]:
    for store in way.stores:
        if not way.known.has_ledger(store.ledger_id):
            yield GenesisSection(genesis=store.genesis.to_bytes())
