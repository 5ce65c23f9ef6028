"""The small sections: what a node holds, has sent, has taken, and gives (docs/format.md section 5).

Genesis and fork keep their bytes: the ledger room reads and verifies them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from bundler import items
from bundler.errors import MalformedError, ledger_errors_converted
from bundler.limits import Limits
from bundler.sealed import BUNDLE_ID_BYTES
from ledger import cbor
from ledger.genesis import LedgerId
from ledger.seeds import MAX_ENTRIES

KEY_ID_BYTES = 8
ROOT_START_BYTES = 16
MAX_REASON_BYTES = 255
_LEDGER_ID_BYTES = 16
_AUTHOR_BYTES = 32
_INCARNATION_BYTES = 8
_PAIRWISE_KEY_BYTES = 32


class Seen(NamedTuple):
    """The last message of a node that another has seen.

    Attributes:
        incarnation: Of the node, 8 bytes.
        counter: The highest of that incarnation.
    """

    incarnation: bytes
    counter: int


class HeldLog(NamedTuple):
    """How much a node holds of one log.

    Attributes:
        author: 32 bytes.
        incarnation: 8 bytes.
        size: Number of entries.
        root: First 16 bytes of the root over them.
    """

    author: bytes
    incarnation: bytes
    size: int
    root: bytes


class LedgerHave(NamedTuple):
    """What a node holds of one ledger.

    Attributes:
        ledger: Which ledger.
        logs: Its logs.
    """

    ledger: LedgerId
    logs: tuple[HeldLog, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HaveSection:
    """What the sender holds, so that it is sent no more and no less.

    Attributes:
        seen: The highest that it has seen from the recipient, if anything.
        key_ids: Pairwise keys that it has, 8 bytes each.
        ledgers: What it holds of each ledger that both may have.
    """

    TYPE: ClassVar[int] = 2

    seen: Seen | None
    key_ids: tuple[bytes, ...]
    ledgers: tuple[LedgerHave, ...]

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        return cbor.encode([self.seen, self.key_ids, self.ledgers])

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a have section.
        """
        with ledger_errors_converted():
            seen, key_ids, ledgers = _fields(data, 3, limits)
            return cls(
                seen=None if seen is None else _seen(seen),
                key_ids=_ids(key_ids, KEY_ID_BYTES),
                ledgers=tuple(map(_ledger, cbor.as_list(ledgers))),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSection:
    """Bundles that are on their way to the recipient."""

    TYPE: ClassVar[int] = 4

    bundle_ids: tuple[bytes, ...]

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        return cbor.encode(self.bundle_ids)

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a sent section.
        """
        with ledger_errors_converted():
            bundle_ids = cbor.decode(data, limit_bytes=limits.small_section_bytes)
            return cls(bundle_ids=_ids(bundle_ids, BUNDLE_ID_BYTES))


class Receipt(NamedTuple):
    """What became of a bundle.

    Attributes:
        bundle_id: 8 bytes.
        reason: Empty if it was merged, else why it was refused for good: one printable line.
    """

    bundle_id: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSection:
    """Bundles that the recipient may forget."""

    TYPE: ClassVar[int] = 6

    receipts: tuple[Receipt, ...]

    def to_body(self) -> bytes:
        """Return the section's CBOR.

        Raises:
            MalformedError: a reason is too long, or more than one line.
        """
        for receipt in self.receipts:
            _check_reason(receipt.reason)
        return cbor.encode(self.receipts)

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a receipt section.
        """
        with ledger_errors_converted():
            receipts = cbor.as_list(cbor.decode(data, limit_bytes=limits.small_section_bytes))
            return cls(receipts=tuple(map(_receipt, receipts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisSection:
    """The beginning of a ledger; *genesis* is its encoding, not yet looked at."""

    TYPE: ClassVar[int] = 9

    genesis: bytes

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        return items.array_head(1) + self.genesis

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a genesis section.
        """
        with ledger_errors_converted():
            (genesis,) = _fields(data, 1, limits)
            return cls(genesis=cbor.encode(genesis))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySection:
    """A key that sender and recipient share from now on, 32 random bytes."""

    TYPE: ClassVar[int] = 10

    key: bytes

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        return cbor.encode([self.key])

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a key section.
        """
        with ledger_errors_converted():
            (key,) = _fields(data, 1, limits)
            return cls(key=cbor.as_bytes(key, _PAIRWISE_KEY_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkSection:
    """Proof that an author signed two histories; *fork* is its encoding, not yet looked at."""

    TYPE: ClassVar[int] = 11

    ledger: LedgerId
    author: bytes
    incarnation: bytes
    fork: bytes

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        ids = map(items.byte_string, (self.ledger, self.author, self.incarnation))
        return b"".join((items.array_head(4), *ids, self.fork))

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a fork section.
        """
        with ledger_errors_converted():
            ledger, author, incarnation, fork = _fields(data, 4, limits)
            return cls(
                ledger=_ledger_id(ledger),
                author=cbor.as_bytes(author, _AUTHOR_BYTES),
                incarnation=cbor.as_bytes(incarnation, _INCARNATION_BYTES),
                fork=cbor.encode(fork),
            )


def _fields(data: bytes, count: int, limits: Limits) -> Sequence[object]:
    return cbor.as_list(cbor.decode(data, limit_bytes=limits.small_section_bytes), count)


def _ids(value: object, length: int) -> tuple[bytes, ...]:
    return tuple(cbor.as_bytes(item, length) for item in cbor.as_list(value))


def _seen(value: object) -> Seen:
    incarnation, counter = cbor.as_list(value, 2)
    return Seen(cbor.as_bytes(incarnation, _INCARNATION_BYTES), cbor.as_uint(counter))


def _ledger(value: object) -> LedgerHave:
    ledger, logs = cbor.as_list(value, 2)
    return LedgerHave(_ledger_id(ledger), tuple(map(_held, cbor.as_list(logs))))


def _held(value: object) -> HeldLog:
    author, incarnation, size, root = cbor.as_list(value, 4)
    return HeldLog(
        cbor.as_bytes(author, _AUTHOR_BYTES),
        cbor.as_bytes(incarnation, _INCARNATION_BYTES),
        cbor.as_uint(size, maximum=MAX_ENTRIES),
        cbor.as_bytes(root, ROOT_START_BYTES),
    )


def _receipt(value: object) -> Receipt:
    bundle_id, reason = cbor.as_list(value, 2)
    text = cbor.as_text(reason)
    _check_reason(text)
    return Receipt(cbor.as_bytes(bundle_id, BUNDLE_ID_BYTES), text)


def _check_reason(reason: str) -> None:
    if not reason.isprintable() or len(reason.encode()) > MAX_REASON_BYTES:
        raise MalformedError(f"the reason in a receipt is no line of {MAX_REASON_BYTES} bytes")


def _ledger_id(value: object) -> LedgerId:
    return LedgerId(cbor.as_bytes(value, _LEDGER_ID_BYTES))
