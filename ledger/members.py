"""Who belongs to a ledger: a function of the set of its entries (docs/format.md section 3.4).

The order in which grants arrived cannot matter, since nothing here looks at it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from ledger import cbor
from ledger.card import Card
from ledger.entry import Action
from ledger.errors import LedgerError, RefusedError
from ledger.genesis import Genesis
from ledger.records import read_back
from ledger.store import Store

_MAX_GRANT_BYTES = 1 << 14


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
class Member:
    """One member of a ledger, with the highest role that counts for it."""

    card: Card
    role: Role


Members = Mapping[bytes, Member]
"""Members by author."""


def grant_payload(card: Card, role: Role) -> bytes:
    """Return the payload of the entry by which an admin makes somebody a member."""
    return cbor.encode({"card": card.to_bytes(), "role": role.label})


def grant_from_payload(payload: bytes) -> Member:
    """Return what a grant says.

    Raises:
        MalformedError: *payload* is not that of a grant.
        UnverifiedError: the card in it does not verify.
    """
    fields = cbor.as_map(cbor.decode(payload, limit_bytes=_MAX_GRANT_BYTES), "card", "role")
    return Member(
        card=Card.from_bytes(cbor.as_bytes(fields["card"])),
        role=role_from_label(cbor.as_text(fields["role"])),
    )


def role_from_label(label: str) -> Role:
    """Return the role called *label*.

    Raises:
        RefusedError: there is none.
    """
    for role in Role:
        if role.label == label:
            return role
    raise RefusedError(f"there is no role {label!r}; choose reader, writer or admin")


def members_of(genesis: Genesis, grants: Iterable[tuple[bytes, bytes]]) -> Members:
    """Return the members that follow from a set of facts.

    Args:
        genesis: Names the first admins.
        grants: (author, payload) of every grant entry, in any order. A grant by somebody who is
            not an admin, or one that cannot be read, counts for nothing.
    """
    members = {card.author: Member(card=card, role=Role.ADMIN) for card in genesis.admins}
    waiting = list(grants)
    while True:
        ready = [grant for grant in waiting if _is_admin(members, grant[0])]
        if not ready:
            return members
        waiting = [grant for grant in waiting if not _is_admin(members, grant[0])]
        for granted in filter(None, (_read(payload) for _, payload in ready)):
            known = members.get(granted.card.author)
            if known is None or _rank(known) < _rank(granted):
                members[granted.card.author] = granted


def _is_admin(members: Members, author: bytes) -> bool:
    member = members.get(author)
    return member is not None and member.role is Role.ADMIN


def _rank(member: Member) -> tuple[Role, bytes]:
    """Of grants of one role the card decides: any rule will do that does not look at the order."""
    return member.role, member.card.to_bytes()


def members(store: Store) -> Members:
    """Return the members of the ledger in *store*.

    Raises:
        DamagedError: the file cannot be read.
    """
    found = store.rows(
        "SELECT log.author, payload FROM entry JOIN log ON log.id = entry.id >> 32 "
        "WHERE action > 1 AND action = ?",
        int(Action.GRANT),
    )
    with read_back():
        grants = [(cbor.as_bytes(author), cbor.as_bytes(payload)) for author, payload in found]
    return members_of(store.genesis, grants)


def may_write(members: Members, author: bytes) -> bool:
    """Return whether entries by *author* may enter the ledger."""
    member = members.get(author)
    return member is not None and member.role >= Role.WRITER


def _read(payload: bytes) -> Member | None:
    try:
        return grant_from_payload(payload)
    except LedgerError:
        return None
