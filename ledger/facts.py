"""What entries about members say: grants and revocations (docs/format.md section 3.4). No I/O.

Whether what they say counts is not decided here but by `ledger.tenure`.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from ledger import cbor
from ledger.card import Card
from ledger.entry import FOLLOW_LEAF_BYTES, Action, Entry, leaf_bytes
from ledger.errors import LedgerError, MalformedError, RefusedError
from ledger.lazy_dataclass import dataclass
from ledger.log import LogName
from ledger.merkle import leaf_hash

MAX_AFTER = 256
"""Revocations that one grant overrules."""

MAX_REVOKED_LOGS = 512
"""Logs that one revocation names."""

_MAX_GRANT_BYTES = 1 << 14
_MAX_REVOCATION_BYTES = 1 << 14
_MAX_SIZE = 2**32
# Verifying the card in a grant costs 100 us, and members are asked for at every merge.
_KNOWN_GRANTS = 32_768


class Role(IntEnum):
    """What a member may do; each role may do what the ones before it may."""

    READER = 0
    WRITER = 1
    ADMIN = 2

    @property
    def label(self) -> str:
        """The role's name in entries and on the command line."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An admin's word that somebody is a member.

    Attributes:
        card: Whose.
        role: What it may do.
        after: Ids of the revocations of that member which this grant overrules, ascending.
    """

    card: Card
    role: Role
    after: tuple[bytes, ...] = ()

    def to_payload(self) -> bytes:
        """Return the payload of the entry that says it."""
        return cbor.encode(
            {"after": list(self.after), "card": self.card.to_bytes(), "role": self.role.label}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """An admin's word that somebody is no longer a member.

    Attributes:
        author: Who, 32 bytes.
        sizes: How many entries of each log of that author count, by incarnation. Of a log that is
            not named none do.
    """

    author: bytes
    sizes: Mapping[bytes, int]

    def to_payload(self) -> bytes:
        """Return the payload of the entry that says it."""
        logs = sorted([incarnation, size] for incarnation, size in self.sizes.items())
        return cbor.encode({"author": self.author, "logs": logs})


class Fact(NamedTuple):
    """An entry and where it stands: what membership follows from.

    Attributes:
        log: Which log.
        number: Which entry of it.
        entry: The entry, with its payload.
    """

    log: LogName
    number: int
    entry: Entry

    @property
    def id(self) -> bytes:
        """The 16 bytes by which other entries name this one."""
        return leaf_hash(leaf_bytes(self.entry))[:FOLLOW_LEAF_BYTES]

    def says(self) -> Grant | Revocation | None:
        """Return what the entry says; None if nothing, or nothing that can be read."""
        try:
            if self.entry.action == Action.GRANT:
                return grant_from_payload(self.entry.payload or b"")
            if self.entry.action == Action.REVOKE:
                return revocation_from_payload(self.entry.payload or b"")
        except LedgerError:
            return None
        return None


@lru_cache(maxsize=_KNOWN_GRANTS)
def grant_from_payload(payload: bytes) -> Grant:
    """Return what a grant says.

    Raises:
        MalformedError: *payload* is not that of a grant.
        UnverifiedError: the card in it does not verify.
    """
    data = cbor.decode(payload, limit_bytes=_MAX_GRANT_BYTES)
    fields = cbor.as_map(data, "after", "card", "role")
    after = tuple(cbor.as_bytes(one, FOLLOW_LEAF_BYTES) for one in cbor.as_list(fields["after"]))
    if len(after) > MAX_AFTER or not _ascend(after):
        raise MalformedError(f"what a grant overrules: up to {MAX_AFTER}, ascending, each once")
    return Grant(
        card=Card.from_bytes(cbor.as_bytes(fields["card"])),
        role=role_from_label(cbor.as_text(fields["role"])),
        after=after,
    )


def revocation_from_payload(payload: bytes) -> Revocation:
    """Return what a revocation says.

    Raises:
        MalformedError: *payload* is not that of a revocation.
    """
    data = cbor.decode(payload, limit_bytes=_MAX_REVOCATION_BYTES)
    fields = cbor.as_map(data, "author", "logs")
    sizes: dict[bytes, int] = {}
    for item in cbor.as_list(fields["logs"]):
        incarnation, size = cbor.as_list(item, 2)
        sizes[cbor.as_bytes(incarnation, 8)] = cbor.as_uint(size, maximum=_MAX_SIZE)
    if len(sizes) > MAX_REVOKED_LOGS or len(sizes) < len(cbor.as_list(fields["logs"])):
        raise MalformedError(f"a revocation names up to {MAX_REVOKED_LOGS} logs, each once")
    if not _ascend(list(sizes)):
        raise MalformedError("the logs that a revocation names ascend")
    return Revocation(author=cbor.as_bytes(fields["author"], 32), sizes=sizes)


def role_from_label(label: str) -> Role:
    """Return the role called *label*.

    Raises:
        RefusedError: there is none.
    """
    for role in Role:
        if role.label == label:
            return role
    raise RefusedError(f"there is no role {label!r}; choose reader, writer or admin")


def _ascend(values: Iterable[bytes]) -> bool:
    found = list(values)
    return found == sorted(set(found))
