"""What gets as far as the join is by the sender or a member of its group; one may still lie."""

import random

import pytest

from bundler.fragment import mac_check
from bundler.join import Cause
from bundler.sealed import bundle_id
from bundler.split import Cut, split
from bundler.whole import Whole
from pannier.joining import Spoilt, join, join_arrived
from spool.delivery import Arrival

SEALED = random.Random(3).randbytes(900)
NUMBER = bundle_id(SEALED)
CUT = Cut(mtu_bytes=136, check=mac_check(bytes(32)))
PARTS = list(split(SEALED, CUT))
FALSE = [part.replace(bundle_id(bytes(900)), NUMBER) for part in split(bytes(900), CUT)]


def test_there_are_several_parts() -> None:
    assert len(PARTS) > 5


def test_the_parts_of_all_sources_add_up() -> None:
    assert join(NUMBER, lambda: [PARTS[0], b"".join(PARTS[1:])]) == SEALED
    assert join(NUMBER, lambda: [PARTS[0], b"".join(PARTS[2:])]) is None
    assert join(NUMBER, list) is None


def test_a_whole_bundle_needs_no_other_part() -> None:
    whole = Whole(hint=bytes(4), sealed=SEALED).to_bytes()
    assert join(NUMBER, lambda: [PARTS[0], whole]) == SEALED
    other = Whole(hint=bytes(4), sealed=SEALED[:-1]).to_bytes()
    assert join(NUMBER, lambda: [other]) is None


@pytest.mark.parametrize("place", range(3))
def test_a_source_that_lies_is_left_out(place: int) -> None:
    """Two have half each; what the third brings makes a whole, but not that of the id."""
    sources = [b"".join(PARTS[:5]), b"".join(PARTS[5:])]
    sources.insert(place, b"".join(FALSE))
    assert join(NUMBER, lambda: sources) == SEALED


def test_where_all_lie_there_is_no_bundle() -> None:
    assert join(NUMBER, lambda: [b"".join(FALSE)]) is Cause.WRONG_ID


def arrived(*deliveries: tuple[str, str, bytes]) -> bytes | Spoilt | None:
    """Join what came, each as sender, source and bytes."""
    came = [Arrival(*one) for one in deliveries]
    senders = list(dict.fromkeys(one.peer for one in came))
    return join_arrived(NUMBER, senders, lambda sender: [one for one in came if one.peer == sender])


LIES = [("mal", f"stick{count}", part) for count in range(3) for part in FALSE[:5]]
"""More than are left out one by one, of several symbols."""

HALVES = [("ada", "stick", b"".join(PARTS[:4])), ("group", "stick", b"".join(PARTS[4:]))]
"""Neither is enough without the other."""


@pytest.mark.parametrize("is_first", [False, True])
def test_nobody_spoils_what_another_sent(is_first: bool) -> None:
    honest = [("ada", "stick", b"".join(PARTS))]
    assert arrived(*([*LIES, *honest] if is_first else [*honest, *LIES])) == SEALED
    parts = [("ada", f"way{place}", part) for place, part in enumerate(PARTS)]
    assert arrived(*LIES, *parts) == SEALED


def test_only_who_spoiled_is_named() -> None:
    whole_lie = ("mal", "stick", b"".join(FALSE))
    assert arrived(whole_lie, ("ada", "stick", PARTS[0])) == Spoilt(Cause.WRONG_ID, ("mal",))
    assert arrived(*LIES, ("ada", "stick", b"".join(PARTS[5:]))) is None
    assert arrived() is None


def test_what_several_sent_adds_up_if_none_sent_all() -> None:
    assert arrived(*HALVES) == SEALED
    assert arrived(("mal", "stick", b"".join(FALSE)), *HALVES) == SEALED


@pytest.mark.parametrize("place", range(3))
def test_one_false_symbol_of_a_third_keeps_nothing_from_adding_up(place: int) -> None:
    assert arrived(*HALVES[:place], ("mal", "stick", FALSE[0]), *HALVES[place:]) == SEALED


def test_false_symbols_under_several_macs_keep_nothing_from_adding_up() -> None:
    lies = [("mal", "stick", FALSE[0]), *((f"group{count}", "stick", FALSE[1]) for count in "12")]
    assert arrived(lies[0], HALVES[0], *lies[1:], HALVES[1]) == SEALED


def test_who_may_yet_bring_the_rest_is_not_accused_of_what_they_make_together() -> None:
    assert arrived(("mal", "stick", FALSE[0]), HALVES[0], ("group", "stick", PARTS[4])) is None


def test_of_one_sender_a_source_that_lies_is_left_out_with_all_its_files() -> None:
    """Under the MAC of a group any member sends; whoever saw the honest stick can fill another."""
    lies = [("group", "evil", part) for part in FALSE for _ in range(3)]
    halves = [("group", "one", b"".join(PARTS[:4])), ("group", "two", b"".join(PARTS[4:]))]
    assert arrived(*lies, *halves) == SEALED
