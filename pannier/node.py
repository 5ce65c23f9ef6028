"""A node: what all commands and the daemon work with. Built from a home folder, closed after use.

Holds what is open (keys, peers, ledgers, spool, bookkeeping), knows the clock and the entropy, and
decides nothing: `pannier.sending`, `pannier.importing` and `pannier.exchange` do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from bundler.hint import hint, hint_key
from bundler.kdf import derive
from bundler.notices import KEY_ID_BYTES
from ledger.append import Author
from ledger.card import Card
from ledger.genesis import Genesis, LedgerId
from ledger.hpke import HpkeWrapper, Wrapper
from ledger.keys import Entropy, NodeKeys
from ledger.members import members
from ledger.store import Store
from pannier.config import Config, PeerConfig, read_config
from pannier.errors import PannierError, UsageError
from pannier.home import Home, Peer, read_peers
from pannier.nodedb import NodeDb
from spool.quotas import Quotas
from spool.tree import Spool, open_spool

Clock = Callable[[], int]
"""Returns microseconds since 1970 UTC, as far as this machine knows."""

_DAY_US = 86_400_000_000
_INCARNATION_BYTES = 8
# An incarnation is seconds since 1970, then this many random bits.
_INCARNATION_RANDOM_BITS = 24
_EPOCH_2020_DAYS = 18_262
_MAX_DAYS = 65_535


def day_of(time_us: int) -> int:
    """Return the day number (since 2020-01-01 UTC) of a time, within what a header can say."""
    return min(max(time_us // _DAY_US - _EPOCH_2020_DAYS, 0), _MAX_DAYS)


@dataclass(kw_only=True)
class Node:
    """An open node."""

    home: Home
    config: Config
    keys: NodeKeys
    clock: Clock
    entropy: Entropy
    db: NodeDb
    spool: Spool
    wrapper: Wrapper = field(default_factory=HpkeWrapper)
    peers: dict[str, Peer] = field(default_factory=dict)
    _stores: dict[LedgerId, Store] = field(default_factory=dict)

    @classmethod
    def open(cls, home: Home, keys: NodeKeys, *, clock: Clock, entropy: Entropy) -> Self:
        """Open the node in *home*.

        Raises:
            PannierError: something in the home cannot be read.
            SpoolError: the spool cannot be opened.
        """
        config = read_config(home.config)
        home.locks.mkdir(exist_ok=True)
        quotas = Quotas(carried_bytes=config.spool.carry_bytes, inbox_bytes=config.spool.peer_bytes)
        return cls(
            home=home,
            config=config,
            keys=keys,
            clock=clock,
            entropy=entropy,
            db=NodeDb.open(home.node_db),
            spool=open_spool(home.spool, entropy=entropy, quotas=quotas),
            peers=read_peers(home),
        )

    def close(self) -> None:
        """Close everything."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- who ----------------------------------------------------------------------------------

    @cached_property
    def card(self) -> Card:
        """This node's card."""
        return self.keys.card

    @property
    def author(self) -> Author:
        """This node as a writer of ledgers."""
        return Author(key=self.keys.signing, entropy=self.entropy)

    def today(self) -> int:
        """Return the day number, by this node's clock or by that of whoever is ahead of it.

        What is made must not have expired where it arrives.
        """
        return day_of(max(self.clock(), self._heard_us()))

    def is_clock_confirmed(self) -> bool:
        """Return whether a peer was heard, so that this node cannot be behind for years."""
        return self.db.meta("heard") is not None

    def past_day(self) -> int:
        """Return a day that has come for certain: its clock says so, and a peer's message.

        What has expired by one wrong clock would be lost for nothing. A node without peers has
        only its clock.
        """
        return day_of(min(self.clock(), self._heard_us())) if self.peers else self.today()

    def hear(self, time_us: int) -> None:
        """Take note of the time that a peer's message bears."""
        if time_us > self._heard_us():
            self.db.set_meta("heard", time_us.to_bytes(8, "big", signed=True))

    def _heard_us(self) -> int:
        return int.from_bytes(self.db.meta("heard") or b"", "big", signed=True)

    def peer_named(self, name: str) -> Peer:
        """Return the peer called *name*.

        Raises:
            UsageError: nobody is.
        """
        for peer in self.peers.values():
            if peer.name == name:
                return peer
        known = ", ".join(peer.name for peer in self.peers.values()) or "nobody yet"
        raise UsageError(f"no peer is called {name} (known: {known}); `pannier peer add` its card")

    def peer_by_author(self, author: bytes) -> Peer | None:
        """Return the peer whose signing key *author* is, or None."""
        for peer in self.peers.values():
            if peer.card.author == author:
                return peer
        return None

    def who(self, author: bytes) -> str:
        """Return how people here call *author*."""
        if author == self.card.author:
            return self.card.name
        peer = self.peer_by_author(author)
        if peer is not None:
            return peer.name
        for store in self.ledgers():
            member = members(store).get(author)
            if member is not None:
                return member.card.name
        return author.hex()[:8]

    def settings(self, peer: Peer) -> PeerConfig:
        """Return how *peer* is to be served."""
        return self.config.peer(peer.name)

    def is_sent_enough(self, peer: str, written: int) -> bool:
        """Return whether a bundle need not go out again: *peer* (a node id) cannot answer."""
        if peer not in self.peers:
            return False
        settings = self.settings(self.peers[peer])
        return settings.oneway and written >= settings.repeat

    # -- ledgers ------------------------------------------------------------------------------

    def ledgers(self) -> Iterator[Store]:
        """Yield every ledger of this node."""
        for path in sorted(self.home.ledgers.glob("*.db")):
            yield self._opened(LedgerId(bytes.fromhex(path.stem)))

    def ledger(self, ledger_id: LedgerId) -> Store | None:
        """Return one ledger, or None if this node does not have it."""
        if (self.home.ledgers / f"{ledger_id.hex()}.db").exists():
            return self._opened(ledger_id)
        return None

    def make_ledger(self, genesis: Genesis) -> Store:
        """Make the file of a ledger that is new here."""
        store = Store.create(self.home.ledgers, genesis)
        self._stores[store.ledger_id] = store
        return store

    def shared_with(self, peer: Peer) -> list[Store]:
        """Return the ledgers that *peer* is a member of."""
        return [store for store in self.ledgers() if peer.card.author in members(store)]

    def _opened(self, ledger_id: LedgerId) -> Store:
        if ledger_id not in self._stores:
            self._stores[ledger_id] = Store.open(self.home.ledgers / f"{ledger_id.hex()}.db")
        return self._stores[ledger_id]

    # -- how the node counts what it says -----------------------------------------------------

    def incarnation(self) -> bytes:
        """Return the 8 bytes under which this node counts its bundles."""
        found = self.db.meta("incarnation")
        if found is None:
            found = self._new_incarnation(above=bytes(_INCARNATION_BYTES))
            with self.db.transaction():
                self.db.set_meta("incarnation", found)
        return found

    def renew_incarnation(self, *, above: bytes) -> None:
        """Count anew: what this node remembers is older than what others saw of it."""
        incarnation = self._new_incarnation(above=max(above, self.incarnation()))
        with self.db.transaction():
            self.db.set_meta("incarnation", incarnation)
            self.db.set_meta("counter", (0).to_bytes(8, "big"))
            self.db.tell_all_again()

    def _new_incarnation(self, *, above: bytes) -> bytes:
        """Return an incarnation that follows *above*, and all before it if the clock is right."""
        seconds = max(self.clock() // 1_000_000, 0)
        low = int.from_bytes(self.entropy(_INCARNATION_RANDOM_BITS // 8), "big")
        number = max(seconds << _INCARNATION_RANDOM_BITS | low, int.from_bytes(above, "big") + 1)
        return number.to_bytes(_INCARNATION_BYTES, "big")

    def counter(self) -> int:
        """Return the counter of the bundle made last; 0 before the first."""
        return int.from_bytes(self.db.meta("counter") or b"", "big")

    def next_counter(self) -> int:
        """Return the counter for the next bundle."""
        with self.db.transaction():
            counter = self.counter() + 1
            self.db.set_meta("counter", counter.to_bytes(8, "big"))
        return counter

    # -- secrets shared with peers ------------------------------------------------------------

    def hint_from(self, peer: Peer, bundle_id: bytes) -> bytes:
        """Return the hint of a bundle that *peer* sent to this node."""
        return hint(self._hint_keys[peer.node_id][0], bundle_id)

    def hint_to(self, peer: Peer, bundle_id: bytes) -> bytes:
        """Return the hint of a bundle that this node sends to *peer*."""
        return hint(self._hint_keys[peer.node_id][1], bundle_id)

    def pairwise_keys(self, peer: Peer) -> dict[bytes, bytes]:
        """Return the keys shared with *peer*, by key id."""
        found = self.db.rows("SELECT id, sealed FROM pairwise WHERE peer = ?", peer.node_id)
        return {_raw(number): self._unwrap(_raw(sealed)) for number, sealed in found}

    def add_pairwise_key(self, peer: Peer, key: bytes, *, mine: bool) -> None:
        """Keep a key shared with *peer*; *mine*: this node made it."""
        self.db.run(
            "INSERT OR IGNORE INTO pairwise VALUES (?, ?, ?, ?)",
            peer.node_id,
            pairwise_key_id(key),
            self._wrap(key),
            int(mine),
        )

    def own_pairwise_key(self, peer: Peer) -> bytes:
        """Return the key that this node offers to *peer*, made when first asked for."""
        found = self.db.rows(
            "SELECT sealed FROM pairwise WHERE peer = ? AND mine = 1", peer.node_id
        )
        if found:
            return self._unwrap(_raw(found[0][0]))
        key = self.entropy(32)
        self.add_pairwise_key(peer, key, mine=True)
        return key

    @cached_property
    def _hint_keys(self) -> dict[str, tuple[bytes, bytes]]:
        own = self.card.author
        return {
            peer.node_id: tuple(  # type: ignore[misc]
                hint_key(self.keys.x25519, peer.card.x25519, sender=sender, recipient=recipient)
                for sender, recipient in ((peer.card.author, own), (own, peer.card.author))
            )
            for peer in self.peers.values()
        }

    @cached_property
    def _rest_key(self) -> bytes:
        secret = self.keys.signing.private_bytes_raw() + self.keys.x25519.private_bytes_raw()
        return derive(secret, b"pannier at rest 1\0")

    def _wrap(self, secret: bytes) -> bytes:
        nonce = self.entropy(12)
        return nonce + AESGCMSIV(self._rest_key).encrypt(nonce, secret, None)

    def _unwrap(self, sealed: bytes) -> bytes:
        try:
            return AESGCMSIV(self._rest_key).decrypt(sealed[:12], sealed[12:], None)
        except InvalidTag as error:
            raise PannierError(
                "node.db is of another node: move it away, it is made anew"
            ) from error


def pairwise_key_id(key: bytes) -> bytes:
    """Return the 8 bytes by which a have section names a pairwise key."""
    return derive(key, b"pannier key id 1\0")[:KEY_ID_BYTES]


def _raw(value: int | str | bytes | None) -> bytes:
    if not isinstance(value, bytes):
        raise PannierError("node.db is damaged: move it away, it is made anew")
    return value
