"""A node: what all commands and the daemon work with. Built from a home folder, closed after use.

Holds what is open (keys, peers, ledgers, spool, bookkeeping), knows the clock and the entropy, and
decides nothing: `pannier.sending`, `pannier.importing` and `pannier.exchange` do.
"""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from bundler.fragment_key import agree, fragment_key
from bundler.hint import hint, hint_key
from bundler.keyring import GroupKey
from bundler.notices import KEY_ID_BYTES
from ledger.algorithm import is_weaker
from ledger.append import Author
from ledger.card import Card
from ledger.genesis import Genesis, LedgerId
from ledger.hpke import HpkeWrapper, Wrapper
from ledger.kdf import derive
from ledger.keys import Entropy, NodeKeys
from ledger.members import members
from ledger.rest import RestKey
from ledger.store import Store
from pannier.config import Config, PeerConfig, read_config
from pannier.epochs import Keychain, KnownEpochs
from pannier.errors import PannierError, UsageError
from pannier.home import Home, Peer, read_peers
from pannier.nodedb import NodeDb
from pannier.trusted_time import Moment, Uptime, count_running, no_uptime, witnessed_us
from spool.quotas import Quotas
from spool.tree import Spool, open_spool

Clock = Callable[[], int]
"""Returns microseconds since 1970 UTC, as far as this machine knows."""

_DAY_US = 86_400_000_000
_INCARNATION_BYTES = 8
# An incarnation is seconds since 1970, then this many random bits.
_INCARNATION_RANDOM_BITS = 24
_LAST_INCARNATION = (1 << 8 * _INCARNATION_BYTES) - 1
_EPOCH_2020_DAYS = 18_262
_MAX_DAYS = 65_535
_LEDGER_FILE = re.compile("[0-9a-f]{32}[.]db")


def day_of(time_us: int) -> int:
    """Return the day number (since 2020-01-01 UTC) of a time, within what a header can say."""
    return min(max(time_us // _DAY_US - _EPOCH_2020_DAYS, 0), _MAX_DAYS)


def _ledger_id(path: Path) -> LedgerId:
    if not _LEDGER_FILE.fullmatch(path.name):
        raise PannierError(f"{path} has not the name of a ledger file: move it out of that folder")
    return LedgerId(bytes.fromhex(path.stem))


class WayKeys(NamedTuple):
    """What shows carriers' files of one direction to the two who know its keys.

    Attributes:
        hint: Of the hints in file names.
        fragment: Of the checks of fragments.
    """

    hint: bytes
    fragment: bytes


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
    uptime: Callable[[], Uptime] = no_uptime
    wrapper: Wrapper = field(default_factory=HpkeWrapper)
    peers: dict[str, Peer] = field(default_factory=dict)
    _stores: dict[LedgerId, Store] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        home: Home,
        keys: NodeKeys,
        *,
        clock: Clock,
        entropy: Entropy,
        uptime: Callable[[], Uptime] = no_uptime,
    ) -> Self:
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
            uptime=uptime,
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
        return Author(signer=self.keys.signer, entropy=self.entropy)

    def today(self, peer: str | None = None) -> int:
        """Return the day number for *peer* (a node id), by this node's clock or by its peers'.

        What is made must not have expired where it arrives.
        """
        now_us = self.clock()
        return day_of(max(now_us, self._witnessed_us(peer) or now_us))

    def is_clock_confirmed(self, peer: str | None = None) -> bool:
        """Return whether enough was heard that `today` for *peer* cannot be behind for years."""
        return self._witnessed_us(peer) is not None

    def past_day(self, peer: str | None = None) -> int:
        """Return a day that has come for certain: this node's clock says so, and peers do.

        What has expired by one wrong clock would be lost for nothing. A node that no peer can ever
        tell the time has only its clock.

        Args:
            peer: Node id of who sent what the question is about, or is to get it; None if unknown.
        """
        now_us = self.clock()
        if self._speakers() == 0:
            return day_of(now_us)
        witnessed = self._witnessed_us(peer)
        return 0 if witnessed is None else day_of(min(now_us, witnessed))

    def moment(self) -> Moment:
        """Return now, by all that tells the time."""
        clock_us, witnessed = self.clock(), self._witnessed_us(None)
        running_us = count_running(self.db, self.uptime())
        return Moment(clock_us, clock_us if witnessed is None else witnessed, running_us)

    def _witnessed_us(self, peer: str | None) -> int | None:
        met = self.db.met()
        voices = self._speakers(met)
        # Who has a passphrase can make up any number of members that agree: such tell the time only
        # where there is nobody whom a person knows.
        heard = {
            one: time_us
            for one, time_us in self._heard().items()
            if not voices or one not in met or one == peer
        }
        return witnessed_us(heard, peer, speakers=voices or self._speakers())

    def _heard(self) -> dict[str, int]:
        return {peer: heard for peer, heard in self.db.heard().items() if peer in self.peers}

    def _speakers(self, without: AbstractSet[str] = frozenset()) -> int:
        known = (peer for peer in self.peers.values() if peer.node_id not in without)
        return sum(not self.settings(peer).oneway for peer in known)

    def meet(self, peer: Peer) -> None:
        """Know one peer more from now on; its card is kept already."""
        self.peers[peer.node_id] = peer
        for name in ("_keys_from", "_keys_to"):
            self.__dict__.pop(name, None)

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
            card = members(store).card(author)
            if card is not None:
                return card.name
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
        """Yield every ledger of this node.

        Raises:
            PannierError: a file with another name lies among them.
            LedgerError: one cannot be opened.
        """
        for path in sorted(self.home.ledgers.glob("*.db")):
            yield self._opened(_ledger_id(path))

    def ledger(self, ledger_id: LedgerId) -> Store | None:
        """Return one ledger, or None if this node does not have it."""
        if (self.home.ledgers / f"{ledger_id.hex()}.db").exists():
            return self._opened(ledger_id)
        return None

    def make_ledger(self, genesis: Genesis, *, hide_names: bool = False) -> Store:
        """Make the file of a ledger that is new here; it may hide names even if others do not."""
        key = RestKey(self.rest_key.key, hide_names or self.rest_key.hides_names)
        store = Store.create(self.home.ledgers, genesis, key)
        self._stores[store.ledger_id] = store
        return store

    def shared_with(self, peer: Peer) -> list[Store]:
        """Return the ledgers that *peer* is a member of."""
        return [store for store in self.ledgers() if peer.card.author in members(store)]

    @cached_property
    def epochs(self) -> Keychain:
        """The epochs of its ledgers, as this node can open them."""
        return Keychain(self.keys)

    def group_keys(self) -> list[GroupKey]:
        """Return all that opens bundles for groups which this node is, or was, in."""
        return [key for store in self.ledgers() for key in self.epochs.group_keys(store)]

    def group_hinted(self, hint_: bytes, bundle_id: bytes) -> str | None:
        """Return the group (an epoch id, 16 hex digits) that a bundle is for, by its hint."""
        for store in self.ledgers():
            for group, key in self.epochs.of(store).hint_keys.items():
                if hint(key, bundle_id) == hint_:
                    return group
        return None

    def hint_to_group(self, group: str, bundle_id: bytes) -> bytes:
        """Return the hint of a bundle for all who have the key of an epoch.

        Raises:
            PannierError: this node does not have it.
        """
        return hint(self._group_keys(group).hint_keys[group], bundle_id)

    def _group_keys(self, group: str) -> KnownEpochs:
        store = self.group_ledger(bytes.fromhex(group))
        if store is None:
            raise PannierError(f"no peer, and no group that this node is in, is called {group}")
        return self.epochs.of(store)

    def group_ledger(self, group: bytes) -> Store | None:
        """Return the ledger whose members a group is, by the id of its epoch."""
        for store in self.ledgers():
            if group in self.epochs.of(store).opened:
                return store
        return None

    def _opened(self, ledger_id: LedgerId) -> Store:
        if ledger_id not in self._stores:
            path = self.home.ledgers / f"{ledger_id.hex()}.db"
            self._stores[ledger_id] = Store.open(path, self.rest_key)
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
        """Return an incarnation that follows *above*, and all before it if the clock is right.

        Also by a clock that stands in the past it is one that was never drawn before: a backup may
        be restored twice.
        """
        seconds = max(self.clock() // 1_000_000, 0)
        low = int.from_bytes(self.entropy(_INCARNATION_RANDOM_BITS // 8), "big")
        number, last = seconds << _INCARNATION_RANDOM_BITS | low, int.from_bytes(above, "big")
        if number <= last:
            number = last + 1 + low
        return min(number, _LAST_INCARNATION).to_bytes(_INCARNATION_BYTES, "big")

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
        return hint(self._keys_from[peer.node_id].hint, bundle_id)

    def hint_to(self, peer: Peer, bundle_id: bytes) -> bytes:
        """Return the hint of a bundle that this node sends to *peer*."""
        return hint(self._keys_to[peer.node_id].hint, bundle_id)

    def fragment_key_from(self, peer: str) -> bytes:
        """Return the key of the checks of fragments from *peer* (a node id) to this node.

        Raises:
            PannierError: it is no peer, and no group that this node is in.
        """
        if peer in self._keys_from:
            return self._keys_from[peer].fragment
        return self._group_keys(peer).fragment_keys[peer]

    def fragment_key_to(self, peer: str) -> bytes:
        """Return the key of the checks of fragments from this node to *peer* (a node id).

        Raises:
            PannierError: it is no peer, and no group that this node is in.
        """
        if peer in self._keys_to:
            return self._keys_to[peer].fragment
        return self._group_keys(peer).fragment_keys[peer]

    def pairwise_keys(self, peer: Peer, *, recipient: Card | None = None) -> dict[bytes, bytes]:
        """Return the keys shared with *peer*, by key id.

        Args:
            peer: With whom.
            recipient: The card of one of the two. Then only keys under which something may be
                sealed for it: one that was itself sent under less than that card promises would
                take the promise back.
        """
        found = self.db.rows("SELECT id, sealed, mine FROM pairwise WHERE peer = ?", peer.node_id)
        sent_under = {True: peer.card.hpke_key.algorithm, False: self.card.hpke_key.algorithm}
        return {
            _raw(number): self._unwrap(_raw(sealed))
            for number, sealed, mine in found
            if recipient is None
            or not is_weaker(sent_under[bool(mine)], recipient.hpke_key.algorithm)
        }

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
    def _keys_from(self) -> dict[str, WayKeys]:
        return {
            peer.node_id: self._way_keys(peer, peer.card.author, self.card.author)
            for peer in self.peers.values()
        }

    @cached_property
    def _keys_to(self) -> dict[str, WayKeys]:
        return {
            peer.node_id: self._way_keys(peer, self.card.author, peer.card.author)
            for peer in self.peers.values()
        }

    def _way_keys(self, peer: Peer, sender: bytes, recipient: bytes) -> WayKeys:
        secret = agree(self.keys.x25519, peer.card.x25519)
        return WayKeys(
            hint_key(secret, sender=sender, recipient=recipient),
            fragment_key(secret, sender=sender, recipient=recipient),
        )

    @cached_property
    def rest_key(self) -> RestKey:
        """What the files of this node are under."""
        secret = self.keys.signing.private_bytes_raw() + self.keys.x25519.private_bytes_raw()
        key = derive(secret, b"pannier at rest 1\0")
        return RestKey(key, hides_names=self.config.hide_names)

    def _wrap(self, secret: bytes) -> bytes:
        nonce = self.entropy(12)
        return nonce + AESGCMSIV(self.rest_key.key).encrypt(nonce, secret, None)

    def _unwrap(self, sealed: bytes) -> bytes:
        try:
            return AESGCMSIV(self.rest_key.key).decrypt(sealed[:12], sealed[12:], None)
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
