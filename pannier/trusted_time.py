"""What a node knows of time although no clock can be trusted, its own included.

Two things stand against a clock that is wrong: the times that peers signed, of which one alone
counts only for what its signer sent, and how long this machine has been running since something
came here, which no clock can shorten.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pannier.node import Node
    from pannier.nodedb import NodeDb

MAX_LIFETIME_DAYS = 366
"""So long, in counted running time, a bundle may lie here if nothing is configured."""

_VOICES = 2
_DAY_US = 86_400_000_000
_EPOCH_2020_DAYS = 18_262
_MAX_DAYS = 65_535
# A shorter piece is not worth a write to the disk; it is counted with the next.
_LEAST_PIECE_US = 600_000_000
_COUNTED, _UNTIL, _BOOT = "running", "running until", "running boot"


class Uptime(NamedTuple):
    """A clock that only ever goes forward, but begins anew with each boot.

    Attributes:
        boot: Tells one boot of one machine from all others; empty where nothing does.
        started_us: When this process began, on that clock.
        now_us: What it shows now.
    """

    boot: str
    started_us: int
    now_us: int


def no_uptime() -> Uptime:
    """Return an uptime in which no time passes: nothing is counted."""
    return Uptime(boot="", started_us=0, now_us=0)


class Moment(NamedTuple):
    """Now, by all that tells the time.

    Attributes:
        clock_us: By this node's clock.
        witnessed_us: By the word of peers; by the clock while there is none.
        running_us: How long this machine was counted running.
    """

    clock_us: int
    witnessed_us: int
    running_us: int

    def after_us(self, earlier: "Moment") -> int:
        """Return how much time passed since *earlier*, at least: a clock that jumped counts not."""
        by_clock = self.clock_us - earlier.clock_us
        by_word = self.witnessed_us - earlier.witnessed_us
        return max(min(by_clock, by_word), self.running_us - earlier.running_us)


def witnessed_us(heard: Mapping[str, int], about: str | None, *, speakers: int) -> int | None:
    """Return a time that has come by the word of peers, or None if too few of them spoke.

    Args:
        heard: The latest time that each peer signed, by node id.
        about: Who sent what the question is about; it is believed as far as that goes.
        speakers: How many peers could speak. Two must agree where there are two.

    Returns:
        The later of what *about* says and of what two say, in microseconds since 1970.
    """
    times = sorted(heard.values(), reverse=True)
    voices = min(_VOICES, speakers)
    agreed = times[voices - 1 : voices] if voices else []
    own = [heard[about]] if about is not None and about in heard else []
    return max([*agreed, *own], default=None)


def count_running(db: "NodeDb", uptime: Uptime) -> int:
    """Count the time that passed since the last call; return the total, in microseconds.

    It is never more than what really passed, however many processes count at once. What is known
    of one boot is that it goes on between two processes; otherwise only the life of this process
    counts, from where another has not counted already.

    Raises:
        PannierError: ``node.db`` cannot be read or written.
    """
    from pannier.nodedb_file import as_count  # noqa: PLC0415 -- a `put` needs none

    with db.transaction():
        counted, until = (as_count(db.meta(key)) for key in (_COUNTED, _UNTIL))
        boot = (db.meta(_BOOT) or b"").decode(errors="replace")
        since = uptime.started_us
        if until <= uptime.now_us:
            is_same = bool(boot) and boot == uptime.boot
            since = until if is_same else max(since, until)
        piece = uptime.now_us - since
        if piece < _LEAST_PIECE_US and boot == uptime.boot:
            return counted
        db.set_meta(_COUNTED, (counted + piece).to_bytes(8, "big"))
        db.set_meta(_UNTIL, uptime.now_us.to_bytes(8, "big"))
        db.set_meta(_BOOT, uptime.boot.encode())
    return counted + piece


def has_lain(running_us: int, since_us: int, lifetime_days: int) -> bool:
    """Return whether what came at *since_us* of counted running time has had its whole life."""
    return running_us - since_us > lifetime_days * _DAY_US


def day_of(time_us: int) -> int:
    """Return the day number (since 2020-01-01 UTC) of a time, within what a header can say."""
    return min(max(time_us // _DAY_US - _EPOCH_2020_DAYS, 0), _MAX_DAYS)


class TrustedTime:
    """What one node knows of time."""

    def __init__(self, node: "Node") -> None:
        """Know what the clock, the bookkeeping and the peers of *node* say."""
        self._node = node

    def today(self, peer: str | None = None) -> int:
        """Return the day number for *peer* (a node id), by this node's clock or by its peers'.

        What is made must not have expired where it arrives.
        """
        now_us = self._node.clock()
        return day_of(max(now_us, self._witnessed_us(peer) or now_us))

    def is_confirmed(self, peer: str | None = None) -> bool:
        """Return whether enough was heard that `today` for *peer* cannot be behind for years."""
        return self._witnessed_us(peer) is not None

    def past_day(self, peer: str | None = None) -> int:
        """Return a day that has come for certain: this node's clock says so, and peers do.

        What has expired by one wrong clock would be lost for nothing. A node that no peer can ever
        tell the time has only its clock.

        Args:
            peer: Node id of who sent what the question is about, or is to get it; None if unknown.
        """
        now_us = self._node.clock()
        if self._speakers() == 0:
            return day_of(now_us)
        witnessed = self._witnessed_us(peer)
        return 0 if witnessed is None else day_of(min(now_us, witnessed))

    def day_at(self, peer: str) -> int:
        """Return a day that is past where *peer* (a node id) is, by its own word or for certain.

        What goes to it is dropped there by its clock, whatever this node's own shows. Who signs a
        false time has but what goes to itself made anew, to last beyond that time.
        """
        return max(self.past_day(peer), day_of(self._heard().get(peer, 0)))

    def moment(self) -> Moment:
        """Return now, by all that tells the time."""
        clock_us, witnessed = self._node.clock(), self._witnessed_us(None)
        running_us = count_running(self._node.db, self._node.uptime())
        return Moment(clock_us, clock_us if witnessed is None else witnessed, running_us)

    def _witnessed_us(self, peer: str | None) -> int | None:
        met = self._node.db.met()
        voices = self._speakers(met)
        # Who has a passphrase can make up any number of members that agree: such tell the time only
        # where there is nobody whom a person knows.
        heard = {
            one: time_us
            for one, time_us in self._heard().items()
            if not voices or one not in met or one == peer
        }
        return witnessed_us(heard, peer, speakers=voices or self._speakers())

    def _heard(self) -> dict[str, int]:
        return {
            peer: heard for peer, heard in self._node.db.heard().items() if peer in self._node.peers
        }

    def _speakers(self, without: AbstractSet[str] = frozenset()) -> int:
        peers, settings = self._node.peers, self._node.settings
        return sum(not settings(peer).oneway for one, peer in peers.items() if one not in without)
