"""The small sections: what a node holds, has sent, has taken, and gives (docs/format.md section 5).

Genesis and fork keep their bytes: the ledger room reads and verifies them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, NamedTuple, Self

from bundler import items
from bundler.errors import MalformedError, ledger_errors_converted
from bundler.limits import Limits
from bundler.sealed import BUNDLE_ID_BYTES
from ledger import cbor
from ledger.genesis import LEDGER_ID_BYTES, LedgerId
from ledger.lazy_dataclass import dataclass
from ledger.seeds import MAX_ENTRIES

KEY_ID_BYTES = 8
ROOT_START_BYTES = 16
MAX_REASON_BYTES = 255
_AUTHOR_BYTES = 32
_INCARNATION_BYTES = 8
_PAIRWISE_KEY_BYTES = 32
_HELD_FIELDS = 4
_HAVE_FIELDS = 3
SCOPE_DIGEST_BYTES = 8
ASK_DIGEST_BYTES = 6
MAX_ASK_BITS = 14


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
        lacking: The first entry that names a file of which something lacks here; None: none does.
    """

    author: bytes
    incarnation: bytes
    size: int
    root: bytes
    lacking: int | None = None

    @property
    def files(self) -> int:
        """How many leading entries it holds together with all content of the files they name."""
        return self.size if self.lacking is None else self.lacking


class LedgerHave(NamedTuple):
    """What a node holds of one ledger.

    Attributes:
        ledger: Which ledger.
        logs: Its logs.
    """

    ledger: LedgerId
    logs: tuple[HeldLog, ...]


class Scope(NamedTuple):
    """That a have section says but a part of what is held, and which.

    Attributes:
        digest: Of all that is held (`bundler.have_digest`), 8 bytes.
        bits: There are 2^bits buckets; 0 where none is named.
        buckets: Those that the section says all of, ascending.
    """

    digest: bytes
    bits: int = 0
    buckets: tuple[int, ...] = ()


class Ask(NamedTuple):
    """The question what the recipient holds, since the sender no longer knows.

    Attributes:
        bits: 0 to 14.
        digests: Of the 2^bits buckets of what the sender remembers, 6 bytes each.
    """

    bits: int
    digests: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HaveSection:
    """What the sender holds, so that it is sent no more and no less.

    Attributes:
        seen: The highest that it has seen from the recipient, if anything.
        key_ids: Pairwise keys that it has, 8 bytes each.
        ledgers: What it holds of each ledger that both may have. Under a *scope* a log of size 0 is
            one that is held no more.
        back: How far before ``seen.counter`` the recipient sent the last have section that the
            sender of this one remembers as it was meant; None if there is none.
        scope: None where *ledgers* is all that is held.
        ask: What the sender asks the recipient, if anything.
    """

    TYPE: ClassVar[int] = 2

    seen: Seen | None
    key_ids: tuple[bytes, ...]
    ledgers: tuple[LedgerHave, ...]
    back: int | None = None
    scope: Scope | None = None
    ask: Ask | None = None

    @property
    def base(self) -> int | None:
        """The counter that *back* stands for."""
        return None if self.seen is None or self.back is None else self.seen.counter - self.back

    def to_body(self) -> bytes:
        """Return the section's CBOR."""
        ledgers = [(ledger, list(map(_written, logs))) for ledger, logs in self.ledgers]
        scope = self.scope and (self.scope if self.scope.buckets else self.scope[:1])
        fields = [self.seen, self.key_ids, ledgers, self.back, scope, self.ask]
        while len(fields) > _HAVE_FIELDS and fields[-1] is None:
            fields.pop()
        return cbor.encode(fields)

    @classmethod
    def from_body(cls, data: bytes, *, limits: Limits) -> Self:
        """Read a section.

        Raises:
            MalformedError: *data* is not a have section.
        """
        with ledger_errors_converted():
            fields = cbor.as_list(
                cbor.decode(data, limit_bytes=limits.small_section_bytes), 3, 4, 5, 6
            )
            if len(fields) > _HAVE_FIELDS and fields[-1] is None:
                raise MalformedError("a have section that ends with nothing")
            seen, key_ids, ledgers, back, scope, ask = (*fields, None, None, None)[:6]
            known = None if seen is None else _seen(seen)
            return cls(
                seen=known,
                key_ids=_ids(key_ids, KEY_ID_BYTES),
                ledgers=tuple(map(_ledger, cbor.as_list(ledgers))),
                back=None if back is None else _back(back, known),
                scope=None if scope is None else _scope(scope),
                ask=None if ask is None else _ask(ask),
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


def _back(value: object, seen: Seen | None) -> int:
    return cbor.as_uint(value, maximum=seen.counter if seen is not None else -1)


def _scope(value: object) -> Scope:
    digest, *rest = cbor.as_list(value, 1, 3)
    start = cbor.as_bytes(digest, SCOPE_DIGEST_BYTES)
    if not rest:
        return Scope(start)
    bits = cbor.as_uint(rest[0], maximum=MAX_ASK_BITS)
    last = (1 << bits) - 1
    buckets = tuple(cbor.as_uint(one, maximum=last) for one in cbor.as_list(rest[1]))
    if not buckets or any(one >= other for one, other in pairwise(buckets)):
        raise MalformedError("the buckets that a have section says all of ascend, one at least")
    return Scope(start, bits, buckets)


def _ask(value: object) -> Ask:
    bits, digests = cbor.as_list(value, 2)
    count = cbor.as_uint(bits, maximum=MAX_ASK_BITS)
    return Ask(count, cbor.as_bytes(digests, ASK_DIGEST_BYTES << count))


def _ledger(value: object) -> LedgerHave:
    ledger, logs = cbor.as_list(value, 2)
    return LedgerHave(_ledger_id(ledger), tuple(map(_held, cbor.as_list(logs))))


def _written(held: HeldLog) -> Sequence[object]:
    return held[:_HELD_FIELDS] if held.lacking is None else held


def _held(value: object) -> HeldLog:
    author, incarnation, size, root, *lacking = cbor.as_list(value, _HELD_FIELDS, _HELD_FIELDS + 1)
    count = cbor.as_uint(size, maximum=MAX_ENTRIES)
    return HeldLog(
        cbor.as_bytes(author, _AUTHOR_BYTES),
        cbor.as_bytes(incarnation, _INCARNATION_BYTES),
        count,
        cbor.as_bytes(root, ROOT_START_BYTES),
        cbor.as_uint(lacking[0], maximum=count - 1) if lacking else None,
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
    return LedgerId(cbor.as_bytes(value, LEDGER_ID_BYTES))
