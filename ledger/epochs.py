"""Epochs: the keys that all members of a ledger share for a while (docs/format.md section 3.6).

An admin makes one and wraps it for each member; with a revocation the next one begins, and the
removed member gets no stanza in it. An epoch's id is derived from its key, its depth and the
revocations that its maker knew, so that nobody can make an old key look like a newer one.

No I/O: which entries there are, and who is a member, is for the caller to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import field
from functools import cached_property
from typing import Self

from ledger import cbor
from ledger.card import Card
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError
from ledger.genesis import LedgerId
from ledger.hpke import Unwrapper, Wrapper
from ledger.kdf import KEY_BYTES, derive
from ledger.lazy_dataclass import dataclass

EPOCH_ID_BYTES = 8
NODE_ID_BYTES = 8
REVOCATION_ID_BYTES = 16
MAX_DEPTH = 2**63 - 1
# At up to 1.2 kB each they take a third of what a payload may.
_STANZAS_OF_ENTRY = 256
_DEPTH_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """An epoch whose key this node holds.

    Attributes:
        key: 32 bytes.
        depth: One more than that of the epoch that it follows; 0..2^63-1.
        after: The revocations, 16 bytes each and ascending, that its maker knew: who is removed by
            one of them got no stanza.
    """

    key: bytes = field(repr=False)
    depth: int
    after: tuple[bytes, ...]

    @cached_property
    def epoch_id(self) -> bytes:
        """8 bytes, bound to everything else."""
        info = b"pannier epoch id 1\0" + _depth_bytes(self.depth) + b"".join(self.after)
        return derive(self.key, info)[:EPOCH_ID_BYTES]

    @property
    def rank(self) -> tuple[int, bytes]:
        """Of epochs that may seal the one of the greatest rank does."""
        return self.depth, self.epoch_id


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEntry:
    """What an entry says about an epoch. Nothing of it is proven before `open_epoch`.

    Attributes:
        epoch_id: 8 bytes.
        depth: See `Epoch`.
        after: See `Epoch`.
        stanzas: By node id, 8 bytes.
    """

    epoch_id: bytes
    depth: int
    after: tuple[bytes, ...]
    stanzas: Mapping[bytes, bytes]

    def to_payload(self) -> bytes:
        """Return the payload of the entry."""
        return cbor.encode(
            {
                "after": list(self.after),
                "depth": self.depth,
                "id": self.epoch_id,
                "stanzas": [[number, self.stanzas[number]] for number in sorted(self.stanzas)],
            }
        )

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read what `to_payload` gave.

        Raises:
            MalformedError: *payload* is not that of an epoch entry.
        """
        item = cbor.decode(payload, limit_bytes=MAX_PAYLOAD_BYTES)
        fields = cbor.as_map(item, "after", "depth", "id", "stanzas")
        pairs = [cbor.as_list(pair, 2) for pair in cbor.as_list(fields["stanzas"])]
        stanzas = [
            (cbor.as_bytes(number, NODE_ID_BYTES), cbor.as_bytes(one)) for number, one in pairs
        ]
        after = [cbor.as_bytes(one, REVOCATION_ID_BYTES) for one in cbor.as_list(fields["after"])]
        numbers = [number for number, _ in stanzas]
        for ids in (after, numbers):
            if ids != sorted(set(ids)):
                raise MalformedError("the ids in an epoch entry ascend and do not repeat")
        return cls(
            epoch_id=cbor.as_bytes(fields["id"], EPOCH_ID_BYTES),
            depth=cbor.as_uint(fields["depth"], maximum=MAX_DEPTH),
            after=tuple(after),
            stanzas=dict(stanzas),
        )


def epoch_entries(
    epoch: Epoch, ledger_id: LedgerId, cards: Iterable[Card], wrapper: Wrapper
) -> list[EpochEntry]:
    """Return the entries that give *epoch* to the nodes of *cards*, each under its strongest key.

    A card with a key that keeps no secret gets none, and keeps nobody else from theirs.
    """
    info = _info(ledger_id, epoch.epoch_id, epoch.depth)
    stanzas: list[tuple[bytes, bytes]] = []
    for card in sorted(cards, key=lambda one: one.node_id):
        with suppress(MalformedError):
            stanza = wrapper.wrap(epoch.key, card.hpke_key, info)
            stanzas.append((bytes.fromhex(card.node_id), stanza))
    return [
        EpochEntry(
            epoch_id=epoch.epoch_id,
            depth=epoch.depth,
            after=epoch.after,
            stanzas=dict(stanzas[start : start + _STANZAS_OF_ENTRY]),
        )
        for start in range(0, len(stanzas), _STANZAS_OF_ENTRY)
    ]


def open_epoch(
    entry: EpochEntry, ledger_id: LedgerId, node_id: bytes, unwrapper: Unwrapper
) -> Epoch | None:
    """Return the epoch, or None if *entry* does not give it to this node, or lies about it.

    Args:
        entry: Of a ledger.
        ledger_id: Of which.
        node_id: This node's, 8 bytes.
        unwrapper: With this node's HPKE keys.
    """
    stanza = entry.stanzas.get(node_id)
    if stanza is None:
        return None
    key = unwrapper.unwrap(stanza, _info(ledger_id, entry.epoch_id, entry.depth))
    if key is None or len(key) != KEY_BYTES:
        return None
    epoch = Epoch(key=key, depth=entry.depth, after=entry.after)
    return epoch if epoch.epoch_id == entry.epoch_id else None


def sealing_epoch(epochs: Iterable[Epoch], standing: AbstractSet[bytes]) -> Epoch | None:
    """Return the epoch under which this node may seal, or None if there is none.

    Whoever is removed by a revocation that an epoch's maker did not know may hold its key.

    Args:
        epochs: Those whose key this node holds.
        standing: The ids of all revocations that stand, as far as is known here.
    """
    usable = (one for one in epochs if standing <= set(one.after))
    return max(usable, key=lambda one: one.rank, default=None)


def next_epoch(entries: Sequence[EpochEntry], standing: Iterable[bytes], key: bytes) -> Epoch:
    """Return the epoch that follows all of *entries*.

    Args:
        entries: Every epoch entry that counts, also of epochs that do not open here.
        standing: The ids of all revocations that stand.
        key: 32 random bytes.
    """
    depth = max((entry.depth for entry in entries), default=-1) + 1
    # Who wrote the greatest depth of all keeps nobody from going on: what seals must also know the
    # revocations.
    return Epoch(key=key, depth=min(depth, MAX_DEPTH), after=tuple(sorted(set(standing))))


def _info(ledger_id: LedgerId, epoch_id: bytes, depth: int) -> bytes:
    return b"pannier epoch 1\0" + ledger_id + epoch_id + _depth_bytes(depth)


def _depth_bytes(depth: int) -> bytes:
    return depth.to_bytes(_DEPTH_BYTES, "big")
