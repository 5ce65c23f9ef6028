from dataclasses import replace

import pytest

from pannier.links.ending import (
    PATIENCE_US,
    QUIET_US,
    RETURN_US,
    SILENT_US,
    STALLED_US,
    Course,
    Ending,
)
from transports.link.stats import Counts, LinkStats

ONCE = Ending(when_quiet=True, when_alone=PATIENCE_US)
FOR_EVER = Ending()


def stats(
    payload: int = 0,
    *,
    left: int = 0,
    waiting: int = 0,
    srtt_us: int = 0,
    is_through: bool = True,
    is_known: bool = False,
) -> LinkStats:
    return LinkStats(
        counts=Counts(payload_in=payload),
        is_established=True,
        srtt_us=srtt_us,
        rate=1000,
        frame_bytes=100,
        resent=0,
        waiting=waiting,
        to_send=left,
        to_come=0,
        is_through=is_through,
        rest_is_known=is_known,
    )


BUSY = stats(is_through=False)


def met(now: LinkStats) -> Course:
    """Return one that has a session."""
    course = Course()
    course.begin()
    course.note(0, now, is_settled=True)
    return course


def test_it_is_over_when_both_sides_know_that_nothing_is_left() -> None:
    course = met(stats(is_known=True))
    assert course.is_over(ONCE)
    assert not course.is_over(FOR_EVER)


def test_who_may_not_have_heard_it_has_a_while_to_say_so() -> None:
    course = met(stats())
    course.note(QUIET_US - 1, stats(), is_settled=True)
    assert not course.is_over(ONCE)
    course.note(QUIET_US, stats(), is_settled=True)
    assert course.is_over(ONCE)


def test_a_long_way_takes_a_longer_while() -> None:
    course = met(stats(srtt_us=QUIET_US))
    course.note(QUIET_US, stats(srtt_us=QUIET_US), is_settled=True)
    assert not course.is_over(ONCE)
    course.note(4 * QUIET_US, stats(srtt_us=QUIET_US), is_settled=True)
    assert course.is_over(ONCE)


def test_who_never_says_that_it_is_through_is_not_waited_for_without_end() -> None:
    course = met(BUSY)
    course.note(PATIENCE_US - 1, BUSY, is_settled=True)
    assert not course.is_over(ONCE)
    course.note(PATIENCE_US, BUSY, is_settled=True)
    assert course.is_over(ONCE)
    assert not course.was_idle


@pytest.mark.parametrize(
    ("now", "is_settled"),
    [
        (stats(5, is_through=False), True),
        (stats(left=1, is_through=False), True),
        (stats(waiting=1, is_through=False), True),
        (BUSY, False),
    ],
    ids=["something came", "some of it is under way", "some of it waits", "it is looked at"],
)
def test_whatever_goes_on_begins_the_while_anew(now: LinkStats, is_settled: bool) -> None:
    course = met(BUSY)
    course.note(PATIENCE_US, now, is_settled=is_settled)
    assert not course.is_over(ONCE)
    after = stats(now.counts.payload_in, is_through=False)
    course.note(PATIENCE_US + 1, after, is_settled=True)
    course.note(2 * PATIENCE_US - 1, after, is_settled=True)
    assert not course.is_over(ONCE)
    course.note(2 * PATIENCE_US + 1, after, is_settled=True)
    assert course.is_over(ONCE)


def test_who_answers_nothing_is_not_waited_for_without_end() -> None:
    waits = stats(waiting=1, is_through=False)
    course = met(waits)
    course.note(1, waits, is_settled=False)
    course.note(STALLED_US - 1, waits, is_settled=False)
    assert not course.is_over(ONCE)
    course.note(STALLED_US, waits, is_settled=False)
    assert course.is_over(ONCE)
    assert not course.is_over(FOR_EVER)


@pytest.mark.parametrize(
    ("left_us", "is_through", "was_stalled"),
    [(PATIENCE_US, False, True), (PATIENCE_US - 1, False, False), (PATIENCE_US, True, False)],
    ids=["nothing passed", "the other side left", "all has passed"],
)
def test_it_is_known_whether_the_other_side_left_or_nothing_passed(
    left_us: int, is_through: bool, was_stalled: bool
) -> None:
    course = met(BUSY)
    course.note(left_us, BUSY, is_settled=True)
    course.end(is_through=is_through, is_known=False)
    assert course.was_stalled == was_stalled
    course.begin()
    assert not course.was_stalled


def test_what_just_came_is_looked_at_before_it_is_over() -> None:
    course = met(stats(is_known=True))
    course.stir()
    assert not course.is_over(ONCE)
    course.note(1, stats(is_known=True), is_settled=True)
    assert course.is_over(ONCE)


def test_who_never_comes_is_waited_for_and_longer_if_nobody_says_how_long() -> None:
    course = Course()
    course.note(7, stats(), is_settled=True)
    course.note(PATIENCE_US + 6, stats(), is_settled=True)
    assert not course.is_over(ONCE)
    course.note(PATIENCE_US + 7, stats(), is_settled=True)
    assert course.is_over(ONCE)
    assert not course.is_over(FOR_EVER)


def test_who_goes_before_all_has_passed_may_come_back() -> None:
    course = met(stats())
    course.end(is_through=False, is_known=False)
    assert not course.was_idle
    course.note(1, BUSY, is_settled=False)
    course.note(RETURN_US, BUSY, is_settled=False)
    assert not course.is_over(ONCE)
    course.note(RETURN_US + 1, BUSY, is_settled=False)
    assert course.is_over(ONCE)
    course.begin()
    assert not course.is_over(ONCE)


def test_who_goes_when_all_has_passed_need_not_come_back() -> None:
    course = met(BUSY)
    course.end(is_through=True, is_known=True)
    assert course.was_idle
    assert course.is_over(ONCE)
    assert not course.is_over(FOR_EVER)


def test_who_may_not_know_that_all_has_passed_may_come_back() -> None:
    course = met(stats())
    course.end(is_through=True, is_known=False)
    course.note(1, stats(), is_settled=True)
    course.note(RETURN_US, stats(), is_settled=True)
    assert not course.is_over(ONCE)
    course.note(RETURN_US + 1, stats(), is_settled=True)
    assert course.is_over(ONCE)
    assert course.was_idle


def test_a_connection_ends_with_its_session() -> None:
    ending = Ending(when_over=True, when_alone=PATIENCE_US)
    course = met(BUSY)
    course.note(9 * QUIET_US, BUSY, is_settled=True)
    assert not course.is_over(ending)
    course.end(is_through=False, is_known=False)
    assert course.is_over(ending)
    assert not Course().is_over(ending)


@pytest.mark.parametrize(
    "now",
    [stats(left=1, is_through=False), stats(waiting=1, is_through=False)],
    ids=["sent", "offered"],
)
def test_a_side_that_came_by_another_wire_is_not_waited_for_long_on_this_one(
    now: LinkStats,
) -> None:
    doubted = Ending(when_over=True, when_silent=True)
    course = met(stats(is_known=True))
    course.note(9 * SILENT_US, stats(is_known=True), is_settled=True)
    assert not course.is_over(doubted), "it has nothing to say"
    course.note(10 * SILENT_US, stats(is_known=True), is_settled=True)
    course.note(10 * SILENT_US + 1, now, is_settled=True)
    course.note(11 * SILENT_US - 1, now, is_settled=True)
    assert not course.is_over(doubted)
    heard = replace(now, counts=Counts(frames_in=1))
    course.note(11 * SILENT_US, heard, is_settled=True)
    assert not course.is_over(doubted)
    course.note(12 * SILENT_US, heard, is_settled=True)
    assert course.is_over(doubted)
    assert not course.is_over(Ending(when_over=True))
