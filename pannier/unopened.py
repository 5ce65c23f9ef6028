"""What came for the members of a ledger whose keys cannot be read, and stays in the inbox.

It is joined and tried once, and again where other ledgers cannot be read than then, or where the
group that it is for turns out to be another's: to try is work, and nothing but a repair helps.
"""

from collections.abc import Iterable
from hashlib import sha256

from bundler.errors import BundleError, UnopenableError
from pannier.node import Node
from spool.name import UNKNOWN_PEER

_TRIED = "what was tried in vain while which ledgers could not be read"
_DIGEST_BYTES, _ID_BYTES = 32, 8


def may_open_later(node: Node, error: BundleError, senders: Iterable[str]) -> bool:
    """Return whether a bundle may be for the members of a ledger that cannot be read now.

    Its keys are in there.

    Args:
        node: Who could not open it.
        error: Why.
        senders: Whom it is from: node ids of peers, or the epoch id of a group.

    Raises:
        PannierError: ``node.db`` or a name among the ledger files cannot be read.
        LedgerError: a ledger turns out to be damaged.
    """
    return isinstance(error, UnopenableError) and _waits_for_keys(node, senders)


def tried(node: Node) -> frozenset[str]:
    """Return the bundles in the inbox that were tried, and that nothing has changed for.

    Raises:
        PannierError: as `may_open_later`.
        LedgerError: as `may_open_later`.
        SpoolError: the spool cannot be read.
    """
    noted = node.db.meta(_TRIED) or b""
    if noted[:_DIGEST_BYTES] != _unread(node):
        return frozenset()
    ids = noted[_DIGEST_BYTES:].hex()
    numbers = (ids[at : at + 2 * _ID_BYTES] for at in range(0, len(ids), 2 * _ID_BYTES))
    inbox = node.spool.inbox
    return frozenset(one for one in numbers if _waits_for_keys(node, inbox.senders(one)))


def note_tried(node: Node, numbers: Iterable[str]) -> None:
    """Note which bundles in the inbox no key opens as long as no other ledgers can be read.

    Raises:
        PannierError: ``node.db`` cannot be written, or as `may_open_later`.
    """
    ids = b"".join(map(bytes.fromhex, sorted(numbers)))
    note = _unread(node) + ids if ids else b""
    if note != (node.db.meta(_TRIED) or b""):
        node.db.set_meta(_TRIED, note)


def _waits_for_keys(node: Node, senders: Iterable[str]) -> bool:
    """Return whether keys that cannot be read now may be of those whom a bundle is from."""
    return bool(node.unreadable) and not any(_has_keys_of(node, one) for one in senders)


def _has_keys_of(node: Node, sender: str) -> bool:
    """Return whether all keys of a peer, or of a group, are at hand."""
    if sender in node.peers:
        return True
    return sender != UNKNOWN_PEER and node.groups.ledger(bytes.fromhex(sender)) is not None


def _unread(node: Node) -> bytes:
    return sha256(b"".join(sorted(node.unreadable))).digest()
