"""What a transport asks its node: three callables and the answers to the first.

They are all that a transport ever learns of keys and ledgers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from spool.name import BundleName, FragmentName


@dataclass(frozen=True, slots=True)
class Mine:
    """It is for this node and not merged yet.

    Attributes:
        peer: Node id of the sender or group, or `spool.name.UNKNOWN_PEER`.
    """

    peer: str


@dataclass(frozen=True, slots=True)
class Seen:
    """It was for this node and is merged, or refused for good."""


@dataclass(frozen=True, slots=True)
class Ours:
    """This node sent it."""


@dataclass(frozen=True, slots=True)
class Other:
    """It is for somebody else."""


Verdict: TypeAlias = Mine | Seen | Ours | Other


class Sifted(NamedTuple):
    """What is worth keeping of a file.

    Attributes:
        data: The genuine fragments alone, as they stood; empty if there is none.
        forged: How many of those thrown away were whole, and so are damaged or forged.
    """

    data: bytes
    forged: int


class Questions(NamedTuple):
    """The three callables; none of them may raise on any name or bytes.

    Attributes:
        whose: Whose is a fragment of this name? Asked once a pass for each bundle.
        sift: What in this file is genuine, and of the bundle in its name? Asked with the sender of
            what is `Mine`, or None for what is for others: that nobody on the way can tell, so all
            that looks whole is kept.
        fragments: The encoded fragments of a queued bundle, the one with payload id 0 first, in
            parts of at most about 1 MiB; it may raise `spool.errors.SpoolError`.
    """

    whose: Callable[[FragmentName], Verdict]
    sift: Callable[[FragmentName, str | None, bytes], Sifted]
    fragments: Callable[[str, BundleName], Iterable[bytes]]
