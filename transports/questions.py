"""What a transport asks its node: five callables and the answers to them.

They are all that a transport ever learns of keys and ledgers.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from spool.name import BundleName, FragmentName


class Mine(NamedTuple):
    """It is for this node and not merged yet.

    Attributes:
        peer: Node id of the sender or group, or `spool.name.UNKNOWN_PEER`.
    """

    peer: str


class Fate(Enum):
    """Why a file is not for this node, or not any more.

    Attributes:
        SEEN: It was for this node and is merged, or refused for good.
        OURS: This node sent it.
        OTHER: It is for somebody else.
    """

    SEEN = "seen"
    OURS = "ours"
    OTHER = "other"


Verdict: TypeAlias = Mine | Fate


class Sifted(NamedTuple):
    """What is worth keeping of a file.

    Attributes:
        data: The genuine fragments alone, as they stood; empty if there is none.
        forged: How many of those thrown away were whole, and so are damaged or forged.
        is_newer: Whether the file looks as one of a later version would; nothing is kept of it.
    """

    data: bytes
    forged: int
    is_newer: bool = False


LONG_BYTES: Final = 1 << 20
"""A file as long as this is offered to the node where it lies: to write it into the inbox first
would cost as much again."""


class Offer(NamedTuple):
    """A long file on a medium that is for this node.

    Attributes:
        name: Of the file.
        peer: Who sent it, as `Mine` says.
        source: The medium.
        size_bytes: Of the file.
        read: Puts its bytes, unsifted, into a buffer and gives their number, in any thread; None if
            they cannot be had.
    """

    name: FragmentName
    peer: str
    source: str
    size_bytes: int
    read: Callable[[memoryview], int | None]


class Part(NamedTuple):
    """What is to go of a queued bundle of which its recipient has the rest.

    Attributes:
        payload_id: What its file is named with in place of one: no other file of the bundle is.
        size_bytes: Of the symbols alone.
    """

    payload_id: int
    size_bytes: int


class Fresh(NamedTuple):
    """A bundle that the node made while a medium was being written to.

    Attributes:
        peer: Node id of its recipient, or a group.
        bundle: Its name.
        size_bytes: Its length.
        chunks: Its fragments, as `Questions.fragments` gives them; to be asked for once.
        note: Queues it, durably, and those that were made before it; called before it is visible on
            the medium, perhaps more than once. What it raises passes through.
    """

    peer: str
    bundle: BundleName
    size_bytes: int
    chunks: Iterable[bytes | memoryview]
    note: Callable[[], None]


class Took(NamedTuple):
    """What became of long files that were offered; the others go through the inbox.

    Attributes:
        taken: They are in, durably.
        left: There is no room for them; they are to stay as they are.
    """

    taken: AbstractSet[FragmentName] = frozenset()
    left: AbstractSet[FragmentName] = frozenset()


def take_nothing(_offers: Sequence[Offer]) -> Took:
    """Let all long files go through the inbox."""
    return Took()


def the_whole(_peer: str, _bundle: BundleName) -> Part | None:
    """Let all of each bundle go."""
    return None


class Questions(NamedTuple):
    """The five callables; none of them may raise on any name or bytes.

    Attributes:
        whose: Whose is a fragment of this name? Asked once a pass for each bundle.
        sift: What in this file is genuine, and of the bundle in its name? Asked with the sender of
            what is `Mine`, or None for what is for others: that nobody on the way can tell, so all
            that looks whole is kept.
        fragments: The encoded fragments of a queued bundle, the one with payload id 0 first, in
            parts of at most about 1 MiB; it, or the first of them, may raise
            `spool.errors.SpoolError`. Asked a little before they are needed, so that what it takes
            to have them can go on beside the writing of those before.
        take: Which of these files did the node take in straight from the medium, durably, and for
            which is there no room? They do not go through the inbox. Asked when all shorter files
            are there, durable. It may raise what the disk of the node makes it raise.
        part: Does `fragments` give but a part of this queued bundle, and which? None: all of it.
    """

    whose: Callable[[FragmentName], Verdict]
    sift: Callable[[FragmentName, str | None, bytes], Sifted]
    fragments: Callable[[str, BundleName], Iterable[bytes | memoryview]]
    take: Callable[[Sequence[Offer]], Took] = take_nothing
    part: Callable[[str, BundleName], Part | None] = the_whole
