"""Joining the fragments of one bundle, wherever they came from. Pure.

What a stranger forged was thrown away when it arrived (`pannier.answers`). A sender itself, or a
member of a group, can spoil a join, but not what is joined: the id says so. So nobody is joined
with others first: what one sender sent is joined alone. Where that comes to something else, each
source is left out in turn, and then tried alone, so that one bad source does not spoil what others
brought; and then each file. Only what none of several senders sent whole is joined together: where
that comes to something else, each of them is left out in turn, and then each two of them are tried,
since one who lies may do so under the MACs of several groups.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, combinations
from typing import NamedTuple, TypeAlias

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.join import Cause, Complete, Joiner, Spoiled
from bundler.sealed import bundle_id
from bundler.sequence import parse_sequence
from bundler.whole import START, Whole
from spool.delivery import Arrival

_MAX_TRIED = 8

_Label: TypeAlias = str | int
"""What some deliveries are left out by: their source, their sender, or a number."""

_Labelled: TypeAlias = Iterable[tuple[_Label, bytes]]

_Choices: TypeAlias = Callable[[Sequence[_Label]], Iterator[Collection[_Label]]]
"""What to try, of all labels, where all of them together come to something else."""


class Spoilt(NamedTuple):
    """What came makes no bundle.

    Attributes:
        cause: Why.
        senders: Whose deliveries show that; what others sent may yet make it whole.
    """

    cause: Cause
    senders: tuple[str, ...]


def join_arrived(
    number: bytes, senders: Sequence[str], read: Callable[[str], Iterable[Arrival]]
) -> bytes | Spoilt | None:
    """Return the sealed bundle with the id *number*, whatever else others sent under that id.

    All is read once, if one sender's suffices or lacks some; what several sent is joined only if
    none of them sent all.

    Args:
        number: 8 bytes.
        senders: Node ids, or groups, whose MACs what came bears.
        read: Gives, as often as it is asked, what came of one of them.

    Returns:
        The bundle; None while more must come; or whose deliveries are to go.
    """
    spoilers: list[str] = []
    for sender in senders:
        answer = _join_sender(number, partial(read, sender))
        if isinstance(answer, bytes):
            return answer
        spoilers += [sender] if answer is not None else []
    others = [one for one in senders if one not in spoilers]
    if len(others) > 1:
        together = _join_some(
            number,
            lambda: ((one.peer, one.data) for one in chain.from_iterable(map(read, others))),
            _without_one_or_just_two,
        )
        if isinstance(together, bytes):
            return together
    return Spoilt(Cause.WRONG_ID, tuple(spoilers)) if spoilers else None


def _join_sender(number: bytes, read: Callable[[], Iterable[Arrival]]) -> bytes | Cause | None:
    answer = _join_some(
        number, lambda: ((one.source, one.data) for one in read()), _without_one_or_just_one
    )
    if answer is Cause.WRONG_ID:
        return join(number, lambda: (one.data for one in read()))
    return answer


def join(number: bytes, deliveries: Callable[[], Iterable[bytes]]) -> bytes | Cause | None:
    """Return the sealed bundle with the id *number*, of what one sender sent.

    Args:
        number: 8 bytes.
        deliveries: Gives, as often as it is asked, what each source delivered: sequences of
            fragments, or a whole bundle.

    Returns:
        The bundle; None while more must come; or why what came makes no bundle.
    """
    return _join_some(number, lambda: enumerate(deliveries()), _without_one_or_just_one)


def _join_some(
    number: bytes, deliveries: Callable[[], _Labelled], choices: _Choices
) -> bytes | Cause | None:
    """Join what has any label; or else, in turn, what has the labels of one choice."""
    answer, labels = _join(number, deliveries())
    if answer is not Cause.WRONG_ID or len(labels) < 2:
        return answer
    for choice in choices(labels):
        again, _ = _join(number, ((label, data) for label, data in deliveries() if label in choice))
        if isinstance(again, bytes):
            return again
    return answer


def _without_one_or_just_one(labels: Sequence[_Label]) -> Iterator[Collection[_Label]]:
    yield from _without_one(labels)
    yield from ({label} for label in labels[:_MAX_TRIED])


def _without_one_or_just_two(labels: Sequence[_Label]) -> Iterator[Collection[_Label]]:
    yield from _without_one(labels)
    yield from map(set, combinations(labels[:_MAX_TRIED], 2))


def _without_one(labels: Sequence[_Label]) -> Iterator[Collection[_Label]]:
    return (set(labels) - {label} for label in labels[:_MAX_TRIED])


def _join(number: bytes, deliveries: _Labelled) -> tuple[bytes | Cause | None, Sequence[_Label]]:
    """Return what the deliveries make together, and their labels."""
    joiner, cause, labels = Joiner(number), None, dict[_Label, None]()
    for label, data in deliveries:
        labels[label] = None
        if data.startswith(START):
            with suppress(BundleError):
                sealed = Whole.from_bytes(data).sealed
                if bundle_id(sealed) == number:
                    return sealed, list(labels)
            continue
        for part in parse_sequence(data, is_plausible):
            if not isinstance(part, Fragment) or part.bundle_id != number:
                continue
            with suppress(BundleError):  # intact, and impossible: it is of nobody's making
                answer = joiner.receive(part)
                if isinstance(answer, Complete):
                    return answer.sealed, list(labels)
                if isinstance(answer, Spoiled) and answer.cause is Cause.WRONG_ID:
                    cause = answer.cause
    return cause, list(labels)
