"""What a node opens bundles with."""

from collections.abc import Callable, Sequence

from ledger.hpke import Unwrapper
from ledger.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class PeerKey:
    """A key shared with one peer, as the receiver of what that peer sends.

    Attributes:
        sender: The peer's author, 32 bytes.
        key: The pairwise key, 32 bytes.
        incarnation: Under which that node counts its bundles now, 8 bytes; None if it never spoke.
    """

    sender: bytes
    key: bytes
    incarnation: bytes | None = None


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A key that all members of a group have.

    Attributes:
        group: Which group in which epoch, 8 bytes.
        key: The epoch key, 32 bytes.
    """

    group: bytes
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """All that a node needs to open what comes.

    Attributes:
        author: Its own, 32 bytes.
        unwrapper: With its HPKE key.
        author_of: From a node id (8 bytes) to the author of that node, None if it has no card.
        peer_keys: Tried one after another; a peer may have several.
        group_keys: Tried after those.
        clear_senders: Authors from whom a bundle may come unencrypted: those with whom it was
            agreed. Nobody else can talk this node into reading in clear.
    """

    author: bytes
    unwrapper: Unwrapper
    author_of: Callable[[bytes], bytes | None]
    peer_keys: Sequence[PeerKey]
    group_keys: Sequence[GroupKey] = ()
    clear_senders: frozenset[bytes] = frozenset()
