"""Vectors of membership: sets of grants and revocations, and who belongs then (section 3.4)."""

from collections.abc import Mapping
from hashlib import sha256

import cbor2

from tests.vectors.card_vectors import card_bytes
from tests.vectors.genesis_vectors import NONCE, TIME, key_of

Case = dict[str, object]
Roles = Mapping[str, str]
Limits = Mapping[tuple[str, int], int | None]
ADMIN, WRITER, READER = "admin", "writer", "reader"


def _author(name: str) -> bytes:
    return key_of(name).public_key().public_bytes_raw()


def _incarnation(log: int) -> bytes:
    return log.to_bytes(8, "big")


class _Said:
    """Facts in the logs of their authors, and what must follow from them."""

    def __init__(self, comment: str, *admins: str, terms: list[str] | None = None) -> None:
        cards = [card_bytes(key_of(name), name) for name in admins]
        self._genesis = cbor2.dumps([1, "harbour", cards, TIME, NONCE, terms or []])
        self._comment = comment
        self._facts: list[Case] = []
        self._sizes: dict[tuple[str, int], int] = {}

    def grant(
        self, by: str, to: str, role: str, *, after: tuple[bytes, ...] = (), log: int = 0
    ) -> "_Said":
        card = card_bytes(key_of(to), to)
        self.say(by, 2, {"after": sorted(after), "card": card, "role": role}, log=log)
        return self

    def revoke(self, by: str, whom: str, sizes: Mapping[int, int], *, log: int = 0) -> bytes:
        logs = [[_incarnation(one), size] for one, size in sorted(sizes.items())]
        return self.say(by, 3, {"author": _author(whom), "logs": logs}, log=log)

    def say(self, by: str, action: int, value: object, *, log: int = 0) -> bytes:
        """Add a fact; return its id."""
        index = self._sizes.get((by, log), 0)
        self._sizes[by, log] = index + 1
        payload = cbor2.dumps(value, canonical=True)
        salt = sha256(f"{by} {log} {index}".encode()).digest()[:16]
        entry = cbor2.dumps(["members", "", action, TIME, [], sha256(salt + payload).digest()])
        self._facts.append(
            {
                "author": _author(by).hex(),
                "incarnation": _incarnation(log).hex(),
                "index": index,
                "entry": entry.hex(),
                "payload": payload.hex(),
            }
        )
        return sha256(b"\0" + entry).digest()[:16]

    def gives(self, members: Roles, counted: Limits) -> Case:
        return {
            "comment": self._comment,
            "expect": "success",
            "genesis": self._genesis.hex(),
            "facts": self._facts,
            "members": {_author(name).hex(): role for name, role in members.items()},
            "counted": [
                [_author(name).hex(), _incarnation(log).hex(), size]
                for (name, log), size in counted.items()
            ],
        }


def cases() -> dict[str, Case]:
    return {**_one_admin(), **_several_admins(), **_elders()}


def _one_admin() -> dict[str, Case]:
    granted = _Said("a writer and a reader", "ada").grant("ada", "bob", WRITER)
    granted.grant("ada", "cy", READER)
    removed = _Said("a writer is removed: one log is named, another is not", "ada")
    removed.grant("ada", "bob", WRITER).revoke("ada", "bob", {0: 5})
    back = _Said("and is taken back: what was cut stays cut, the other log counts", "ada")
    first = back.grant("ada", "bob", WRITER).revoke("ada", "bob", {0: 5})
    back.grant("ada", "bob", WRITER, after=(first,))
    twice = _Said("and is removed again", "ada")
    first = twice.grant("ada", "bob", WRITER).revoke("ada", "bob", {0: 5})
    twice.grant("ada", "bob", WRITER, after=(first,)).revoke("ada", "bob", {0: 5, 1: 2})
    less = _Said("an admin comes back as a writer: in its new log it grants nothing", "ada")
    first = less.grant("ada", "bob", ADMIN).revoke("ada", "bob", {0: 0})
    less.grant("ada", "bob", WRITER, after=(first,)).grant("bob", "cy", WRITER, log=1)
    central = _Said("in a centralized ledger a writer does not write", "ada", terms=["centralized"])
    central.grant("ada", "bob", WRITER)
    unread = _Said("a grant and a revocation that cannot be read", "ada")
    unread.say("ada", 2, {"card": b"", "role": WRITER})
    unread.say("ada", 3, {"author": _author("ada"), "logs": [[b"short", 0]]})
    return {
        "granted": granted.gives(
            {"ada": ADMIN, "bob": WRITER, "cy": READER}, {("ada", 0): None, ("cy", 0): 0}
        ),
        "removed": removed.gives({"ada": ADMIN}, {("bob", 0): 5, ("bob", 1): 0}),
        "taken_back": back.gives({"ada": ADMIN, "bob": WRITER}, {("bob", 0): 5, ("bob", 1): None}),
        "removed_twice": twice.gives({"ada": ADMIN}, {("bob", 0): 5, ("bob", 1): 2, ("bob", 2): 0}),
        "taken_back_for_less": less.gives(
            {"ada": ADMIN, "bob": WRITER}, {("bob", 0): 0, ("bob", 1): None, ("cy", 0): 0}
        ),
        "centralized": central.gives(
            {"ada": ADMIN, "bob": WRITER}, {("ada", 0): None, ("bob", 0): 0}
        ),
        "unreadable": unread.gives({"ada": ADMIN}, {("ada", 0): None}),
    }


def _several_admins() -> dict[str, Case]:
    at_once = _Said("a grant and a revocation that do not know each other", "ada", "bob")
    at_once.revoke("ada", "cy", {})
    at_once.grant("bob", "cy", WRITER)
    after = _Said("a removed admin: what it granted before holds, after does not", "ada")
    after.grant("ada", "bob", ADMIN).grant("bob", "cy", WRITER)
    after.revoke("ada", "bob", {0: 1})
    after.grant("bob", "dee", WRITER)
    least = _Said("of two revocations the least size", "ada", "bob").grant("ada", "cy", WRITER)
    least.revoke("ada", "cy", {0: 7, 1: 3})
    least.revoke("bob", "cy", {0: 5, 1: 4, 2: 9})
    both = {"ada": ADMIN, "bob": ADMIN}
    return {
        "at_once": at_once.gives(both, {("cy", 0): 0}),
        "removed_admin": after.gives(
            {"ada": ADMIN, "cy": WRITER}, {("bob", 0): 1, ("cy", 0): None, ("dee", 0): 0}
        ),
        "least": least.gives(both, {("cy", 0): 5, ("cy", 1): 3, ("cy", 2): 0}),
    }


def _elders() -> dict[str, Case]:
    passive = _Said("a junior removes an elder who says nothing", "ada").grant("ada", "bob", ADMIN)
    passive.revoke("bob", "ada", {0: 1})
    fights = _Said("an elder fights back", "ada").grant("ada", "bob", ADMIN)
    fights.revoke("bob", "ada", {0: 1})
    fights.revoke("ada", "bob", {0: 0}, log=1)
    keeps = _Said("an elder keeps the word that removed it", "ada").grant("ada", "bob", ADMIN)
    keeps.revoke("bob", "ada", {0: 1})
    keeps.revoke("ada", "bob", {0: 1}, log=1)
    mutual = _Said("two of the genesis remove each other at once", "ada", "bob")
    mutual.revoke("ada", "bob", {0: 0})
    mutual.revoke("bob", "ada", {0: 0})
    circle = _Said("a circle of three", "ada", "bob", "cy")
    circle.revoke("ada", "bob", {0: 0})
    circle.revoke("bob", "cy", {0: 0})
    circle.revoke("cy", "ada", {0: 1})
    return {
        "elder_silent": passive.gives({"bob": ADMIN}, {("ada", 0): 1, ("ada", 1): 0}),
        "elder_fights": fights.gives({"ada": ADMIN}, {("ada", 1): None, ("bob", 0): 0}),
        "elder_keeps": keeps.gives({"bob": ADMIN}, {("ada", 0): 1, ("ada", 1): 0}),
        "mutual": mutual.gives({"ada": ADMIN}, {("ada", 0): None, ("bob", 0): 0}),
        "circle": circle.gives({"cy": ADMIN}, {("ada", 0): 1, ("bob", 0): 0, ("cy", 0): None}),
    }
