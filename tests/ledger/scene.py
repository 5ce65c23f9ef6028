"""Facts about members, made without a ledger file."""

from collections import Counter
from collections.abc import Collection, Mapping
from hashlib import sha256

from ledger.entry import MEMBERS_THING, Action, Entry
from ledger.facts import Fact, Grant, Revocation, Role
from ledger.genesis import Genesis
from ledger.log import LogName
from ledger.members import Members
from tests.ledger.world import NOW, genesis_of, keys_of

NAMES = ("ada", "bob", "cy", "dee", "eve")
NAME_OF = {keys_of(name).author: name for name in NAMES}


def log_of(name: str, incarnation: int = 0) -> LogName:
    return LogName(keys_of(name).author, incarnation.to_bytes(8, "big"))


class Scene:
    """What admins say, each fact at the end of a log of its author."""

    def __init__(self, *admins: str, genesis: Genesis | None = None) -> None:
        self.genesis = genesis or genesis_of(*(admins or ("ada",)))
        self.facts: list[Fact] = []
        self._sizes: Counter[LogName] = Counter()

    def grant(
        self,
        by: str,
        to: str,
        role: Role = Role.WRITER,
        *,
        after: Collection[Fact] = (),
        log: int = 0,
    ) -> Fact:
        ids = tuple(sorted(fact.id for fact in after))
        grant = Grant(card=keys_of(to).card, role=role, after=ids)
        return self.say(by, Action.GRANT, grant.to_payload(), log=log)

    def revoke(
        self, by: str, whom: str, sizes: Mapping[int, int] | None = None, *, log: int = 0
    ) -> Fact:
        """Remove *whom*, keeping the first *sizes* entries of its logs; all facts if not said."""
        if sizes is None:
            told = [fact.log for fact in self.facts if fact.log.author == keys_of(whom).author]
            sizes = {int.from_bytes(one.incarnation, "big"): self._sizes[one] for one in told}
        named = {number.to_bytes(8, "big"): size for number, size in sizes.items()}
        revocation = Revocation(author=keys_of(whom).author, sizes=named)
        return self.say(by, Action.REVOKE, revocation.to_payload(), log=log)

    def say(self, by: str, action: int, payload: bytes, *, log: int = 0) -> Fact:
        name = log_of(by, log)
        number = self._sizes[name]
        self._sizes[name] += 1
        digest = sha256(repr((name, number)).encode() + payload).digest()
        entry = Entry(MEMBERS_THING, "", action, NOW, (), digest, payload)
        self.facts.append(Fact(name, number, entry))
        return self.facts[-1]

    def members(self) -> Members:
        return Members(self.genesis, self.facts)

    def roles(self) -> dict[str, Role]:
        return roles_of(self.members())

    def counted(self, name: str, log: int = 0) -> int:
        return self.members().counted(log_of(name, log))


def roles_of(found: Members) -> dict[str, Role]:
    return {NAME_OF[author]: member.role for author, member in found.items()}
