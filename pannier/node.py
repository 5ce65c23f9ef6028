"""A node: what all commands and the daemon work with. Built from a home folder, closed after use.

Holds what is open (keys, peers, ledgers, spool, bookkeeping), knows the clock and the entropy, and
decides nothing: `pannier.sending`, `pannier.importing` and `pannier.exchange` do. What a command
does not ask for is not opened for it, nor is its module imported.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ledger.append import Author
from ledger.errors import DamagedError
from ledger.genesis import Genesis, LedgerId
from ledger.hpke import HpkeWrapper, Wrapper
from ledger.kdf import derive
from ledger.members import members
from ledger.rest import RestKey
from ledger.store import Store
from pannier.config import Config, PeerConfig, read_config
from pannier.errors import PannierError, UsageError
from pannier.home import Home, Peer, read_peers
from pannier.lock import exclusive
from pannier.open_ledgers import OpenLedgers
from pannier.trusted_time import TrustedTime, Uptime, no_uptime

if TYPE_CHECKING:
    from ledger.card import Card
    from ledger.keys import Entropy, NodeKeys
    from pannier.counting import Counting
    from pannier.epochs import Keychain
    from pannier.groups import Groups
    from pannier.names import Names, NamesBeside
    from pannier.nodedb import NodeDb
    from pannier.shared_keys import SharedKeys
    from spool.tree import Spool

Clock = Callable[[], int]
"""Returns microseconds since 1970 UTC, as far as this machine knows."""


@dataclass(kw_only=True)
class Node:
    """An open node.

    Attributes:
        home: Its folder.
        config: What its user has set.
        keys: Its private keys.
        clock: What time it is, as far as this machine knows.
        entropy: Where it draws keys and names from.
        uptime: A clock that never steps.
        wrapper: What seals keys for others.
        patience_seconds: How long it waits for another process at the same home (`alone`).
    """

    home: Home
    config: Config
    keys: "NodeKeys"
    clock: Clock
    entropy: "Entropy"
    uptime: Callable[[], Uptime] = no_uptime
    wrapper: Wrapper = field(default_factory=HpkeWrapper)
    patience_seconds: float = 0.0
    _knows_left: bool = field(default=False, init=False, repr=False)

    @classmethod
    def open(
        cls,
        home: Home,
        keys: "NodeKeys",
        *,
        clock: Clock,
        entropy: "Entropy",
        uptime: Callable[[], Uptime] = no_uptime,
    ) -> Self:
        """Open the node in *home*.

        Raises:
            PannierError: its configuration cannot be read.
        """
        home.locks.mkdir(exist_ok=True)
        config = read_config(home.config)
        return cls(home=home, config=config, keys=keys, clock=clock, entropy=entropy, uptime=uptime)

    def close(self) -> None:
        """Close everything."""
        self.let_go()
        if "db" in self.__dict__:
            self.db.close()
            del self.__dict__["db"]

    def let_go(self) -> None:
        """Close all ledgers; one is opened again when it is asked for."""
        self._open_ledgers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def alone(self, lock: str, what: str) -> AbstractContextManager[None]:
        """Be the only process at this home that does *what*, as long as the block runs.

        Args:
            lock: A name.
            what: What is being done, for the message.

        Raises:
            BusyError: another process has been at it for longer than `patience_seconds`.
            PannierError: the file system knows no locks, or refused.
        """
        path = self.home.locks / lock
        return exclusive(path, what, patience_seconds=self.patience_seconds)

    # -- what is opened when it is asked for --------------------------------------------------

    @cached_property
    def db(self) -> "NodeDb":
        """Its bookkeeping.

        Raises:
            PannierError: it cannot be opened.
        """
        from pannier.nodedb import NodeDb  # noqa: PLC0415 -- a `put` needs none

        return NodeDb.open(self.home.node_db)

    @cached_property
    def spool(self) -> "Spool":
        """Its queues.

        Raises:
            SpoolError: they cannot be opened.
        """
        from spool.quotas import Quotas  # noqa: PLC0415 -- a `put` needs none
        from spool.tree import open_spool  # noqa: PLC0415

        settings = self.config.spool
        quotas = Quotas(carried_bytes=settings.carry_bytes, inbox_bytes=settings.peer_bytes)
        return open_spool(
            self.home.spool,
            entropy=self.entropy,
            quotas=quotas,
            patience_seconds=self.patience_seconds,
        )

    @cached_property
    def peers(self) -> dict[str, Peer]:
        """The nodes that it knows, by node id, in the order of their names.

        Raises:
            PannierError: a card cannot be read.
        """
        return read_peers(self.home)

    @cached_property
    def time(self) -> TrustedTime:
        """What it knows of time."""
        return TrustedTime(self)

    @cached_property
    def counting(self) -> "Counting":
        """How it counts what it says."""
        from pannier.counting import Counting  # noqa: PLC0415 -- a `put` needs none

        return Counting(self)

    @cached_property
    def shared(self) -> "SharedKeys":
        """The secrets that it shares with each peer."""
        from pannier.shared_keys import SharedKeys  # noqa: PLC0415 -- a `put` needs none

        return SharedKeys(self)

    @cached_property
    def epochs(self) -> "Keychain":
        """The epochs of its ledgers, as this node can open them."""
        from pannier.epochs import Keychain  # noqa: PLC0415 -- a `put` needs none

        return Keychain(self.keys)

    @cached_property
    def groups(self) -> "Groups":
        """What it shares with all members of a ledger."""
        from pannier.groups import Groups  # noqa: PLC0415 -- a `put` needs none

        return Groups(self)

    @cached_property
    def _names(self) -> "Names":
        from pannier.names import Names  # noqa: PLC0415 -- a `put` names nobody

        return Names(self)

    # -- who ----------------------------------------------------------------------------------

    @cached_property
    def card(self) -> "Card":
        """This node's card."""
        return self.keys.card

    @property
    def author(self) -> Author:
        """This node as a writer of ledgers."""
        return Author(signer=self.keys.signer, entropy=self.entropy)

    def meet(self, peer: Peer) -> None:
        """Know one peer more from now on; its card is kept already."""
        self.peers[peer.node_id] = peer
        self.shared.forget_ways()

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
        """Return how people here call *author*, and nobody else.

        Raises:
            PannierError: a card of a peer cannot be read, or a file with another name lies among
                the ledgers.
            BusyError: another process held a ledger for too long.
            DiskError: the disk, and not what stands on it, is at fault.
        """
        return self._names.of(author)

    def who_has(self, card: "Card") -> str:
        """Return how people here call the owner of *card*, in whatever bundle that came.

        Raises:
            PannierError: as `who`.
            BusyError: as `who`.
            DiskError: as `who`.
        """
        return self._names.of_card(card)

    def names_beside(self, cards: "Collection[Card]") -> "NamesBeside":
        """Return how people here call all who are shown at once, owners of *cards* among them."""
        return self._names.beside(cards)

    def settings(self, peer: Peer) -> PeerConfig:
        """Return how *peer* is to be served."""
        return self.config.peer(peer.name)

    def is_sent_enough(self, peer: str, bundle_id: str) -> bool:
        """Return whether a bundle need not go out again: *peer* (a node id) cannot answer.

        What counts is what serves *peer*: others may read the same bundle, from other media.
        """
        if peer not in self.peers:
            return False
        settings = self.settings(self.peers[peer])
        return settings.oneway and self.db.times_served(bundle_id, peer) >= settings.repeat

    # -- ledgers ------------------------------------------------------------------------------

    @cached_property
    def _open_ledgers(self) -> OpenLedgers:
        return OpenLedgers(self.home.ledgers, lambda: self.rest_key)

    def ledgers(self) -> Iterator[Store]:
        """Yield every ledger of this node that can be read.

        One that cannot is not gone (`unreadable`): where it matters what is in no ledger, or that
        somebody is in none, nothing follows from these alone.

        Raises:
            PannierError: a file with another name lies among them.
            BusyError: another process held one for too long.
            DiskError: the disk, and not what stands on it, is at fault.
        """
        return self._open_ledgers.readable()

    def every_ledger(self) -> Iterator[Store]:
        """Yield every ledger of this node, for who cannot do without one of them.

        Raises:
            PannierError: as `ledgers`.
            LedgerError: one cannot be read.
        """
        yield from map(self._open_ledgers.open, self.ledger_ids())

    @property
    def unreadable(self) -> Mapping[LedgerId, str]:
        """The ledgers that cannot be read now, and why: a line for people, who have to mend them.

        Raises:
            PannierError: as `ledgers`.
            BusyError: as `ledgers`.
            DiskError: as `ledgers`.
        """
        return self._open_ledgers.unreadable()

    def close_ledger(self, error: DamagedError) -> bool:
        """Close the ledger in which *error* was found: the next who asks for it opens it anew.

        What was begun with it is to be given up first.

        Returns:
            Whether there is one that was read until now.
        """
        return self._open_ledgers.close_one(error) is not None

    def leave(self, error: DamagedError) -> bool:
        """Take the ledger for unreadable from now on in which *error* was found.

        As `close_ledger`; but nobody opens it, and other processes at this home hear of it
        (`leave_known`).
        """
        ledger_id = self._open_ledgers.leave(error)
        left = None if ledger_id is None else self._open_ledgers.left_file(ledger_id)
        if ledger_id is not None and left is not None:
            from pannier.left_rows import note_left  # noqa: PLC0415 -- a `put` needs none

            with suppress(PannierError):  # then each of them finds out by itself
                note_left(self.db, ledger_id, left)
        return ledger_id is not None

    def look_again(self) -> None:
        """Try ledgers once more that could not be read, where their files are others by now."""
        self._open_ledgers.look_again()

    def leave_known(self) -> None:
        """Take those for unreadable that other processes left, unless they are other files now.

        Who never asks for this tries each file, as who is asked for one ledger should. Asked for
        again it does nothing.

        Raises:
            PannierError: ``node.db`` cannot be read, or written to.
        """
        from pannier.left_rows import forget_left, left_files  # noqa: PLC0415 -- a `put` needs none

        if not self._knows_left:
            self._knows_left = True
            for ledger_id, left in left_files(self.db).items():
                if not self._open_ledgers.leave_as(ledger_id, left):
                    forget_left(self.db, ledger_id)

    def try_again(self, ledger_id: LedgerId) -> None:
        """Read a ledger from now on, also in other processes: all of it was found to be sound.

        Raises:
            PannierError: ``node.db`` cannot be read, or written to.
        """
        from pannier.left_rows import forget_left, left_files  # noqa: PLC0415 -- a `put` needs none

        self._open_ledgers.try_again(ledger_id)
        if ledger_id in left_files(self.db):
            forget_left(self.db, ledger_id)

    def ledger_ids(self) -> list[LedgerId]:
        """Return the ids of the ledgers of which there is a file, readable or not.

        Raises:
            PannierError: a file with another name lies among them.
        """
        return self._open_ledgers.ids()

    def ledger_path(self, ledger_id: LedgerId) -> Path:
        """Return where the file of a ledger is, or would be."""
        return self._open_ledgers.path(ledger_id)

    def has_ledger(self, ledger_id: LedgerId) -> bool:
        """Return whether this node has a ledger, be it readable or not."""
        return self.ledger_path(ledger_id).exists()

    def ledger(self, ledger_id: LedgerId) -> Store | None:
        """Return one ledger, or None if this node does not have it.

        Raises:
            LedgerError: it cannot be read.
        """
        return self._open_ledgers.open(ledger_id) if self.has_ledger(ledger_id) else None

    def readable(self, ledger_id: LedgerId) -> Store | None:
        """Return one ledger, or None if it cannot be read, or this node does not have it.

        Raises:
            PannierError: as `ledgers`.
            BusyError: as `ledgers`.
            DiskError: as `ledgers`.
        """
        return self._open_ledgers.find(ledger_id) if self.has_ledger(ledger_id) else None

    def make_ledger(self, genesis: Genesis, *, hide_names: bool = False) -> Store:
        """Make the file of a ledger that is new here; it may hide names even if others do not."""
        key = RestKey(self.rest_key.key, hide_names or self.rest_key.hides_names)
        store = Store.create(self.home.ledgers, genesis, key)
        self._open_ledgers.add(store)
        return store

    def shared_with(self, peer: Peer) -> list[Store]:
        """Return the ledgers that *peer* is a member of, as far as they can be read."""
        return [store for store in self.ledgers() if peer.card.author in members(store)]

    # -- at rest ------------------------------------------------------------------------------

    @cached_property
    def rest_key(self) -> RestKey:
        """What the files of this node are under."""
        secret = self.keys.signing.private_bytes_raw() + self.keys.x25519_secret
        key = derive(secret, b"pannier at rest 1\0")
        return RestKey(key, hides_names=self.config.hide_names)
