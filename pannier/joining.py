"""Joining the fragments of one bundle, wherever they came from. Pure.

What a stranger forged was thrown away when it arrived (`pannier.answers`). A sender itself, or a
member of a group, can spoil a join, but not what is joined: the id says so. Then each source is
left out in turn, and then tried alone, so that one bad source does not spoil what others brought.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from operator import eq, ne

from bundler.errors import BundleError
from bundler.fragment import Fragment, is_plausible
from bundler.join import Cause, Complete, Joiner, Spoiled
from bundler.sealed import bundle_id
from bundler.sequence import parse_sequence
from bundler.whole import START, Whole

_MAX_SOURCES_TRIED = 8


def join(number: bytes, deliveries: Callable[[], Iterable[bytes]]) -> bytes | Cause | None:
    """Return the sealed bundle with the id *number*.

    Args:
        number: 8 bytes.
        deliveries: Gives, as often as it is asked, what each source delivered: sequences of
            fragments, or a whole bundle.

    Returns:
        The bundle; None while more must come; or why what came makes no bundle.
    """
    answer, sources = _join(number, deliveries())
    if answer is not Cause.WRONG_ID:
        return answer
    tried = range(min(sources, _MAX_SOURCES_TRIED) if sources > 1 else 0)
    for is_chosen, source in product((ne, eq), tried):
        chosen = (data for place, data in enumerate(deliveries()) if is_chosen(place, source))
        again, _ = _join(number, chosen)
        if isinstance(again, bytes):
            return again
    return answer


def _join(number: bytes, deliveries: Iterable[bytes]) -> tuple[bytes | Cause | None, int]:
    """Return what the deliveries make together, and how many there were."""
    joiner, cause, count = Joiner(number), None, 0
    for data in deliveries:
        count += 1
        if data.startswith(START):
            with suppress(BundleError):
                sealed = Whole.from_bytes(data).sealed
                if bundle_id(sealed) == number:
                    return sealed, count
            continue
        for part in parse_sequence(data, is_plausible):
            if not isinstance(part, Fragment) or part.bundle_id != number:
                continue
            with suppress(BundleError):  # intact, and impossible: it is of nobody's making
                answer = joiner.receive(part)
                if isinstance(answer, Complete):
                    return answer.sealed, count
                if isinstance(answer, Spoiled) and answer.cause is Cause.WRONG_ID:
                    cause = answer.cause
    return cause, count
