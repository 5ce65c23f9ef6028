"""What of that which waits for a peer fits this hour of a link, and when the rest is there.

Entries are packed and sealed for it, so that their sizes are those that will travel; what no
carrier takes is packed again by the next one, with all that is new by then. Contents of files are
counted as they lie here, compressed, for making bundles of them takes long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction

from ledger.lazy_dataclass import dataclass
from pannier.files_sending import unpacked_bytes
from pannier.home import Peer
from pannier.links.airtime_book import Clocks, spent_on
from pannier.node import Node
from pannier.sending import prepare
from transports.link.airtime import HOUR_US, NEVER_US, SECOND_US, Air, DutyCycle, Limit, RateLimit
from transports.link.encode import CONTROL_OVERHEAD_BYTES, DATA_OVERHEAD_BYTES

SEALED, ESTIMATED = "sealed", "estimated"

# Around each frame, and for the offer of each bundle, its answer and acknowledgements.
_FRAMING_BYTES = 2
_OFFER_BYTES = 40 + 2 * CONTROL_OVERHEAD_BYTES
# An hour is looked at in at most so many steps.
_STEPS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTerms:
    """What is known of a link.

    Attributes:
        link: What it is called in the configuration; may be empty.
        airtime: Under which name its airtime is kept (`pannier.links.airtime_book`).
        rate: Bytes a second.
        duty_percent: Of any hour in which it may send; 0: no limit.
        frame_bytes: Longest frame.
    """

    link: str
    airtime: str
    rate: int
    duty_percent: Fraction
    frame_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that waits.

    Attributes:
        what: ``entries``, ``notice`` or ``files``.
        size: ``sealed``: its bytes as they travel; ``estimated``: about so many.
        bytes: That many.
        bundle: Its id; empty where there is none yet.
        priority: 0 (first) to 7.
        lands_seconds: From now on until it is all there, if nothing gets lost.
    """

    what: str
    size: str
    bytes: int
    bundle: str
    priority: int
    lands_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens to all that waits for one peer.

    Attributes:
        peer: Its name here.
        link: By which link; empty for one that is only thought of.
        items: First ones first.
        bytes: All together.
        hour_bytes: What of it is there within an hour, at most.
        lands_seconds: When the last of it is there.
        spent_percent: How much of the hour's airtime was spent before; None without a limit.
    """

    peer: str
    link: str
    items: tuple[Item, ...]
    bytes: int
    hour_bytes: int
    lands_seconds: int
    spent_percent: float | None

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


def plan(node: Node, peer: Peer, terms: LinkTerms) -> Plan:
    """Look what waits for *peer*, and when it would be there if it left now.

    Raises:
        BusyError: another process is preparing bundles in this home.
        LedgerError: a ledger cannot be read.
        SpoolError: the spool cannot be read or written.
    """
    waiting = list(_waiting(node, peer, terms))
    limits = list(_limits(node, terms))
    spent_us = [one.spent_us(0) for one in limits if isinstance(one, DutyCycle)]
    course = _Course(terms, limits)
    items = tuple(_landed(one, course) for one in waiting)
    return Plan(
        peer=peer.name,
        link=terms.link,
        items=items,
        bytes=sum(one.bytes for one in items),
        hour_bytes=course.hour_bytes,
        lands_seconds=max((one.lands_seconds for one in items), default=0),
        spent_percent=100 * spent_us[0] / HOUR_US if spent_us else None,
    )


def _waiting(node: Node, peer: Peer, terms: LinkTerms) -> Iterator[Item]:
    for one in prepare(node, peer, mtu=terms.frame_bytes):
        yield Item(
            what="notice" if one.control else "entries",
            size=SEALED,
            bytes=one.size_bytes,
            bundle=one.bundle_id,
            priority=int(one.name[0]),
            lands_seconds=0,
        )
    files_bytes = unpacked_bytes(node, peer)
    if files_bytes:
        priority = min(node.settings(peer).priority + 1, 7)
        yield Item(
            what="files",
            size=ESTIMATED,
            bytes=files_bytes,
            bundle="",
            priority=priority,
            lands_seconds=0,
        )


def _limits(node: Node, terms: LinkTerms) -> Iterator[Limit]:
    yield RateLimit(terms.rate)
    if terms.duty_percent:
        spent = spent_on(node.db, terms.airtime, Clocks(node.clock, node.uptime))
        air = Air(share=terms.duty_percent / 100, bytes_per_second=terms.rate)
        yield DutyCycle(air, spent)


def _landed(item: Item, course: "_Course") -> Item:
    return Item(**{**asdict(item), "lands_seconds": course.pass_on(item.bytes)})


class _Course:
    """A link that is kept busy, from now on.

    Attributes:
        hour_bytes: What passed within the first hour, of bundles.
    """

    def __init__(self, terms: LinkTerms, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._data_bytes = max(terms.frame_bytes - DATA_OVERHEAD_BYTES, 1)
        share = min(terms.duty_percent / 100 or Fraction(1), Fraction(1))
        self._hourly = max(int(terms.rate * share * 3600), 1)
        self._step = max(self._hourly // _STEPS, self._data_bytes)
        self._now_us = 0
        self.hour_bytes = 0

    def pass_on(self, size: int) -> int:
        """Let a bundle pass; return after how many seconds it is there."""
        left, is_first = size, True
        while left and self._now_us < HOUR_US:
            part = min(left, self._step)
            air_bytes = self._around(part) + (_OFFER_BYTES if is_first else 0)
            at_us = max(limit.ready_us(self._now_us, air_bytes) for limit in self._limits)
            if at_us >= NEVER_US or at_us >= HOUR_US:
                self._now_us = max(HOUR_US, min(at_us, 2 * HOUR_US))
                break
            for limit in self._limits:
                limit.spend(at_us, air_bytes)
            self._now_us, is_first = at_us, False
            left -= part
            self.hour_bytes += part
        # Later hours are like any other.
        self._now_us += self._around(left) * HOUR_US // self._hourly
        return -(-self._now_us // SECOND_US)

    def _around(self, size: int) -> int:
        """Return how many bytes go over the line for so many of a bundle."""
        frames = -(-size // self._data_bytes)
        return size + frames * (DATA_OVERHEAD_BYTES + _FRAMING_BYTES)
