"""Who may use how much of the room for what is carried, and what gives way when it is full. Pure.

Nobody on the way can tell what is junk, and anybody may write an urgent priority into a name. So
the room is shared by where things came from: a medium full of junk takes what no other wants, and
gives way, the most demanding first, to whoever has less. Only among what came from one place does
urgency decide.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from spool.carry import Carry
from spool.file_system import footprint_bytes
from spool.name import FragmentName

_LATE = ""
"""Pool of what has expired, wherever it came from; no source has this name."""


class Shares:
    """What is carried, while it is decided what to take.

    Attributes:
        victims: What gives way.
    """

    def __init__(self, known: Iterable[Carry], quota_bytes: int, today_days: int) -> None:
        """Start from what is carried.

        Args:
            known: All of it.
            quota_bytes: How much that may be.
            today_days: What expired before is the first to go.
        """
        self.victims: list[Carry] = []
        self._known = {each.name: each for each in known}
        self._free_bytes = quota_bytes
        self._today_days = today_days
        self._used: dict[str, int] = defaultdict(int)
        # By where it came from; what gives way first stands last.
        self._pools: dict[str, list[Carry]] = defaultdict(list)
        for each in sorted(self._known.values(), key=_worth):
            self._free_bytes -= each.footprint_bytes
            self._used[each.origin] += each.footprint_bytes
            self._pools[self._pool_of(each)].append(each)

    def find(self, name: FragmentName) -> Carry | None:
        """Return what is carried under *name*."""
        return self._known.get(name)

    def has_room(self, name: FragmentName, size_bytes: int, source: str) -> bool:
        """Say whether `add` would find room for a newcomer from *source*.

        If it is longer than what *source* brought under its name, for that in its place: it may be
        the same, of which there was only a beginning. Else beside all that is carried.
        """
        needed_bytes = footprint_bytes(size_bytes)
        known = self._known.get(name)
        if known is not None and known.origin == source and known.size_bytes < size_bytes:
            needed_bytes -= known.footprint_bytes
        return self._giving_way(name, needed_bytes, source) is not None

    def add(self, name: FragmentName, size_bytes: int, source: str) -> bool:
        """Count a newcomer from *source* if there is room or something gives way; say whether.

        It takes the room of the file whose name it has; if it finds none, all is as it was.
        """
        replaced = self._known.get(name)
        if replaced is None:
            return self._add(name, footprint_bytes(size_bytes), source)
        pool = self._pools[self._pool_of(replaced)]
        place = pool.index(replaced)
        self._forget(pool.pop(place))
        if self._add(name, footprint_bytes(size_bytes), replaced.origin):
            return True
        pool.insert(place, replaced)
        self._known[name] = replaced
        self._used[replaced.origin] += replaced.footprint_bytes
        self._free_bytes -= replaced.footprint_bytes
        return False

    def _add(self, name: FragmentName, needed_bytes: int, origin: str) -> bool:
        tails = self._giving_way(name, needed_bytes, origin)
        if tails is None:
            return False
        for pool, count in tails.items():
            for _ in range(count):
                victim = self._pools[pool].pop()
                self._forget(victim)
                self.victims.append(victim)
        self._used[origin] += needed_bytes
        self._free_bytes -= needed_bytes
        return True

    def _giving_way(
        self, name: FragmentName, needed_bytes: int, origin: str
    ) -> Mapping[str, int] | None:
        """Return how many of each pool give way to a newcomer; None if there is no room even so."""
        used, room_bytes = dict(self._used), self._free_bytes
        used[origin] = used.get(origin, 0) + needed_bytes
        tails: dict[str, int] = defaultdict(int)
        while room_bytes < needed_bytes:
            victim = self._next(name, origin, used, tails)
            if victim is None:
                return None
            tails[self._pool_of(victim)] += 1
            used[victim.origin] -= victim.footprint_bytes
            room_bytes += victim.footprint_bytes
        return tails

    def _next(
        self, name: FragmentName, origin: str, used: Mapping[str, int], tails: Mapping[str, int]
    ) -> Carry | None:
        """Return what gives way next to a newcomer from *origin*, None if nothing does.

        Args:
            name: Of the newcomer.
            origin: Where it came from.
            used: What each origin has, the newcomer counted and what gave way not.
            tails: How many of each pool gave way.
        """
        late = self._last(_LATE, tails)
        if late is not None:
            return late
        richest = max(used, key=lambda each: (used[each], each != origin))
        if used[richest] > used[origin]:
            return self._last(richest, tails)
        own = self._last(origin, tails)
        return own if own is not None and _yields(own, name) else None

    def _last(self, pool: str, tails: Mapping[str, int]) -> Carry | None:
        place = len(self._pools.get(pool, ())) - tails.get(pool, 0)
        return self._pools[pool][place - 1] if place else None

    def _forget(self, carry: Carry) -> None:
        del self._known[carry.name]
        self._used[carry.origin] -= carry.footprint_bytes
        self._free_bytes += carry.footprint_bytes

    def _pool_of(self, carry: Carry) -> str:
        return _LATE if carry.name.expiry_days < self._today_days else carry.origin


def _worth(carry: Carry) -> tuple[int, bool, int]:
    """Return what sorts the most urgent first, then what is nowhere else, then the newest."""
    return carry.name.priority, carry.is_handed_on, -carry.modified_ns


def _yields(carry: Carry, name: FragmentName) -> bool:
    is_less_urgent = carry.name.priority > name.priority
    return is_less_urgent or (carry.name.priority == name.priority and carry.is_handed_on)
