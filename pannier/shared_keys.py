"""The secrets that a node shares with one peer each: of hints, of checks of fragments, of seals."""

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from bundler.fragment_key import agree, fragment_key
from bundler.hint import hint, hint_key
from bundler.notices import KEY_ID_BYTES
from ledger.algorithm import is_weaker
from ledger.kdf import derive
from pannier.errors import DamagedFileError
from pannier.nodedb_file import MEND_NODE_DB

if TYPE_CHECKING:
    from ledger.card import Card
    from pannier.home import Peer
    from pannier.node import Node

_NONCE_BYTES = 12


class WayKeys(NamedTuple):
    """What shows carriers' files of one direction to the two who know its keys.

    Attributes:
        hint: Of the hints in file names.
        fragment: Of the checks of fragments.
    """

    hint: bytes
    fragment: bytes


class SharedKeys:
    """What a node shares with its peers."""

    def __init__(self, node: "Node") -> None:
        """Share what is in the bookkeeping of *node*, or follows from its keys."""
        self._node = node

    def forget_ways(self) -> None:
        """Look anew whose keys there are: a peer has come."""
        for name in ("_keys_from", "_keys_to"):
            self.__dict__.pop(name, None)

    def hint_from(self, peer: "Peer", bundle_id: bytes) -> bytes:
        """Return the hint of a bundle that *peer* sent to this node."""
        return hint(self._keys_from[peer.node_id].hint, bundle_id)

    def hint_to(self, peer: "Peer", bundle_id: bytes) -> bytes:
        """Return the hint of a bundle that this node sends to *peer*."""
        return hint(self._keys_to[peer.node_id].hint, bundle_id)

    def fragment_key_from(self, peer: str) -> bytes:
        """Return the key of the checks of fragments from *peer* (a node id) to this node.

        Raises:
            PannierError: it is no peer, and no group that this node is in.
        """
        if peer in self._keys_from:
            return self._keys_from[peer].fragment
        return self._node.groups.known(peer).fragment_keys[peer]

    def fragment_key_to(self, peer: str) -> bytes:
        """Return the key of the checks of fragments from this node to *peer* (a node id).

        Raises:
            PannierError: it is no peer, and no group that this node is in.
        """
        if peer in self._keys_to:
            return self._keys_to[peer].fragment
        return self._node.groups.known(peer).fragment_keys[peer]

    def pairwise_keys(self, peer: "Peer", *, recipient: "Card | None" = None) -> dict[bytes, bytes]:
        """Return the keys shared with *peer*, by key id.

        Args:
            peer: With whom.
            recipient: The card of one of the two. Then only keys under which something may be
                sealed for it: one that was itself sent under less than that card promises would
                take the promise back.
        """
        found = self._node.db.rows(
            "SELECT id, sealed, mine FROM pairwise WHERE peer = ?", peer.node_id
        )
        sent_under = {True: peer.card.hpke_key.algorithm, False: self._node.card.hpke_key.algorithm}
        return {
            _raw(number): self._unwrap(_raw(sealed))
            for number, sealed, mine in found
            if recipient is None
            or not is_weaker(sent_under[bool(mine)], recipient.hpke_key.algorithm)
        }

    def add_pairwise_key(self, peer: "Peer", key: bytes, *, mine: bool) -> None:
        """Keep a key shared with *peer*; *mine*: this node made it."""
        self._node.db.run(
            "INSERT OR IGNORE INTO pairwise VALUES (?, ?, ?, ?)",
            peer.node_id,
            pairwise_key_id(key),
            self._wrap(key),
            int(mine),
        )

    def own_pairwise_key(self, peer: "Peer") -> bytes:
        """Return the key that this node offers to *peer*, made when first asked for."""
        found = self._node.db.rows(
            "SELECT sealed FROM pairwise WHERE peer = ? AND mine = 1", peer.node_id
        )
        if found:
            return self._unwrap(_raw(found[0][0]))
        key = self._node.entropy(32)
        self.add_pairwise_key(peer, key, mine=True)
        return key

    @cached_property
    def _keys_from(self) -> dict[str, WayKeys]:
        return {
            peer.node_id: self._way_keys(peer, peer.card.author, self._node.card.author)
            for peer in self._node.peers.values()
        }

    @cached_property
    def _keys_to(self) -> dict[str, WayKeys]:
        return {
            peer.node_id: self._way_keys(peer, self._node.card.author, peer.card.author)
            for peer in self._node.peers.values()
        }

    def _way_keys(self, peer: "Peer", sender: bytes, recipient: bytes) -> WayKeys:
        secret = agree(self._node.keys.x25519, peer.card.x25519)
        return WayKeys(
            hint_key(secret, sender=sender, recipient=recipient),
            fragment_key(secret, sender=sender, recipient=recipient),
        )

    def _wrap(self, secret: bytes) -> bytes:
        nonce = self._node.entropy(_NONCE_BYTES)
        return nonce + AESGCMSIV(self._node.rest_key.key).encrypt(nonce, secret, None)

    def _unwrap(self, sealed: bytes) -> bytes:
        try:
            return AESGCMSIV(self._node.rest_key.key).decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None
            )
        except (InvalidTag, ValueError) as error:
            raise DamagedFileError(
                f"node.db is damaged, or of another node{MEND_NODE_DB}"
            ) from error


def pairwise_key_id(key: bytes) -> bytes:
    """Return the 8 bytes by which a have section names a pairwise key."""
    return derive(key, b"pannier key id 1\0")[:KEY_ID_BYTES]


def _raw(value: int | str | bytes | None) -> bytes:
    if not isinstance(value, bytes):
        raise DamagedFileError(f"node.db is damaged{MEND_NODE_DB}")
    return value
