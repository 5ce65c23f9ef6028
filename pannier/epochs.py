"""The epochs of a ledger as this node can open them (docs/format.md section 3.6).

Epoch keys are never written: they are unwrapped from the ledger when they are needed, and stay in
memory while the ledger does not change. That of a passphrase ledger is in its file, sealed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property

from bundler.fragment_key import group_fragment_key
from bundler.hint import group_hint_key
from bundler.keyring import GroupKey
from ledger.card import node_id
from ledger.entry import Action
from ledger.epochs import Epoch, EpochEntry, open_epoch, sealing_epoch
from ledger.errors import MalformedError
from ledger.facts import Fact
from ledger.genesis import LedgerId, Term
from ledger.keys import NodeKeys
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from ledger.members import Members, members
from ledger.passphrase import NETWORK_KEY, NETWORK_KEY_LABEL, network_epoch
from ledger.storage_errors import found_in
from ledger.store import Store


@dataclass(frozen=True, slots=True)
class PlacedEpoch:
    """An epoch entry that an admin wrote, and where it stands."""

    log: LogName
    number: int
    entry: EpochEntry


@dataclass(frozen=True, kw_only=True)
class KnownEpochs:
    """The epochs of one ledger.

    Attributes:
        placed: All entries that count.
        opened: By id, those whose key this node holds.
        standing: The ids of all revocations that stand.
    """

    placed: tuple[PlacedEpoch, ...]
    opened: Mapping[bytes, Epoch] = field(repr=False)
    standing: frozenset[bytes]

    @cached_property
    def sealing(self) -> Epoch | None:
        """The epoch under which this node seals for all members; None if there is none."""
        return sealing_epoch(self.opened.values(), self.standing)

    @cached_property
    def hint_keys(self) -> Mapping[str, bytes]:
        """The keys of the hints of bundles under each epoch, by its id in 16 hex digits."""
        return {number.hex(): group_hint_key(one.key) for number, one in self.opened.items()}

    @cached_property
    def fragment_keys(self) -> Mapping[str, bytes]:
        """The keys of the checks of fragments under each epoch, by its id in 16 hex digits."""
        return {number.hex(): group_fragment_key(one.key) for number, one in self.opened.items()}

    def entries_of(self, epoch: Epoch) -> list[PlacedEpoch]:
        """Return the entries that give *epoch* to members."""
        return [
            one
            for one in self.placed
            if (one.entry.epoch_id, one.entry.depth, one.entry.after)
            == (epoch.epoch_id, epoch.depth, epoch.after)
        ]


class Keychain:
    """All epochs that one node can open, by ledger."""

    def __init__(self, keys: NodeKeys) -> None:
        """Open what is for the node that has *keys*."""
        self._number = bytes.fromhex(node_id(keys.author))
        self._unwrapper = keys.unwrapper()
        self._known: dict[LedgerId, tuple[Members, bytes | None, KnownEpochs]] = {}
        self._unwrapped: dict[tuple[object, ...], Epoch | None] = {}

    def of(self, store: Store) -> KnownEpochs:
        """Return the epochs of the ledger in *store*.

        Raises:
            LedgerError: it cannot be read.
        """
        # Worked out anew with each change of the facts, and so are the epochs: not at every put.
        of_facts, sealed = members(store), store.meta(NETWORK_KEY)
        known = self._known.get(store.ledger_id)
        if known is None or known[0] is not of_facts or known[1] != sealed:
            known = self._known[store.ledger_id] = of_facts, sealed, self._read(store)
        return known[2]

    def group_keys(self, store: Store) -> list[GroupKey]:
        """Return what opens bundles for all members of the ledger in *store*, newest first.

        Raises:
            LedgerError: it cannot be read.
        """
        opened = sorted(self.of(store).opened.values(), key=lambda one: one.rank, reverse=True)
        return [GroupKey(one.epoch_id, one.key) for one in opened]

    def _read(self, store: Store) -> KnownEpochs:
        if Term.PASSPHRASE in store.genesis.terms:
            key = network_key(store)
            epochs = [network_epoch(key)] if key is not None else []
            placed: tuple[PlacedEpoch, ...] = ()
            standing: frozenset[bytes] = frozenset()
        else:
            found = members(store)
            standing = found.revocations
            facts = store.facts((Action.EPOCH,))
            counting = (one for one in facts if found.decides(one.log, one.number))
            placed = tuple(one for fact in counting if (one := _placed(fact)) is not None)
            epochs = self._open(store.ledger_id, placed)
        return KnownEpochs(
            placed=placed, opened={one.epoch_id: one for one in epochs}, standing=standing
        )

    def _open(self, ledger_id: LedgerId, placed: Iterable[PlacedEpoch]) -> list[Epoch]:
        epochs = []
        for one in placed:
            stanza = one.entry.stanzas.get(self._number)
            if stanza is None:
                continue
            # The stanza is bound to all of these.
            key = ledger_id, one.entry.epoch_id, one.entry.depth, one.entry.after, stanza
            if key not in self._unwrapped:
                self._unwrapped[key] = open_epoch(
                    one.entry, ledger_id, self._number, self._unwrapper
                )
            epoch = self._unwrapped[key]
            if epoch is not None:
                epochs.append(epoch)
        return epochs


def network_key(store: Store) -> bytes | None:
    """Return the key that all members of a passphrase ledger have; None before it is kept.

    Raises:
        AlteredError: it was altered.
    """
    sealed = store.meta(NETWORK_KEY)
    with found_in(store.path):
        return None if sealed is None else store.rest.open(NETWORK_KEY_LABEL, sealed)


def keep_network_key(store: Store, key: bytes) -> None:
    """Keep the key of a passphrase ledger, sealed under that of the node.

    Raises:
        LedgerError: the disk said no.
    """
    with store.transaction():
        store.set_meta(NETWORK_KEY, store.rest.seal(NETWORK_KEY_LABEL, key))


def _placed(fact: Fact) -> PlacedEpoch | None:
    try:
        entry = EpochEntry.from_payload(fact.entry.payload or b"")
    except MalformedError:
        return None  # an admin's nonsense
    return PlacedEpoch(fact.log, fact.number, entry)
