"""Who says that something in a queue is of no use any more: the caller, who knows the time."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from spool.name import UNKNOWN_PEER


class Waiting(NamedTuple):
    """What waits in a queue.

    Attributes:
        bundle_id: 16 hex digits.
        expiry_days: Its last day, in days since 2020-01-01 UTC, as its name says.
        peer: Node id of whom it goes to or came from, or `spool.name.UNKNOWN_PEER`.
    """

    bundle_id: str
    expiry_days: int
    peer: str = UNKNOWN_PEER


IsLate: TypeAlias = Callable[[Waiting], bool]
