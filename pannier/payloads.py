"""Making the payloads of entries: data alone, on behalf of a device, sealed for some members."""

from collections.abc import Callable, Sequence
from functools import cached_property

from ledger.algorithm import KEMS, HpkeKey
from ledger.card import Card
from ledger.data import PayloadEncoder
from ledger.genesis import Term
from ledger.members import Members, members
from ledger.on_behalf import DeviceEncoder
from ledger.sealed_entry import Place, seal_payload
from ledger.store import Store
from pannier.errors import UsageError
from pannier.node import Node


class Payloads:
    """Makes payloads for one ledger, many of them quickly."""

    def __init__(self, node: Node, choose: Callable[[], Store]) -> None:
        """Make payloads for the ledger that *choose* gives, asked for it only where it matters."""
        self._node = node
        self._choose = choose
        self._encoder = PayloadEncoder()
        self._devices = DeviceEncoder(self._encoder)
        self._keys: dict[tuple[str, ...], list[HpkeKey]] = {}

    def make(
        self, thing: str, value: object, *, device: str | None = None, to: Sequence[str] = ()
    ) -> bytes:
        """Return the payload by which *value* is said about *thing*.

        Args:
            thing: What the entry is about.
            value: The data.
            device: On whose behalf; None: the writer says it.
            to: Names or node ids of the members who may read it besides the writer; empty: all.

        Raises:
            UsageError: the ledger has no devices, or nobody in it is called so.
            MalformedError: something is out of bounds.
        """
        if device is None:
            payload = self._encoder.encode(value)
        else:
            self._check_devices()
            payload = self._devices.encode(device, value)
        if not to:
            return payload
        node, keys = self._node, self._recipients(tuple(to))
        place = Place(self._store.ledger_id, node.card.author, thing)
        return seal_payload(payload, place, keys, node.wrapper, node.entropy).to_payload()

    @cached_property
    def _store(self) -> Store:
        return self._choose()

    def _check_devices(self) -> None:
        genesis = self._store.genesis
        if Term.CENTRALIZED not in genesis.terms:
            raise UsageError(
                f"{genesis.name} is a distributed ledger, where each writes under its own key: "
                "`pannier ledger new NAME --centralized` makes one in which admins write for "
                "devices"
            )

    def _recipients(self, names: tuple[str, ...]) -> list[HpkeKey]:
        if names not in self._keys:
            known = members(self._store)
            authors = {self._node.card.author: self._node.card}
            for name in names:
                author = self._author_named(known, name)
                authors.setdefault(author, known[author].card)
            self._keys[names] = [self._key(card) for card in authors.values()]
        return self._keys[names]

    def _author_named(self, known: Members, name: str) -> bytes:
        node_ids = [author for author, one in known.items() if one.card.node_id == name]
        called = [author for author in known if self._node.who(author) == name]
        found = node_ids or called
        if len(found) == 1:
            return found[0]
        cards = [one.card for one in known.values()]
        is_taken = found or [self._own_name(card) for card in cards].count(name) > 1
        what = "several members" if is_taken else "no member"
        listed = sorted(f"{self._node.who_has(card)} ({card.node_id})" for card in cards)
        raise UsageError(
            f"{name} is {what} of {self._store.genesis.name}; say one of: {', '.join(listed)}"
        )

    def _own_name(self, card: Card) -> str:
        peer = self._node.peer_by_author(card.author)
        return card.name if peer is None else peer.name

    def _key(self, card: Card) -> HpkeKey:
        """Return the strongest key of a member, by the card in the ledger or by the one here."""
        peer = self._node.peer_by_author(card.author)
        keys = [one.hpke_key for one in ([card] if peer is None else [peer.card, card])]
        return min(keys, key=lambda key: KEMS.index(key.algorithm))
