import pytest

from pannier.links.ending import PATIENCE_US, QUIET_US, RETURN_US, Course, Ending
from transports.link.stats import Counts, LinkStats

ONCE = Ending(when_quiet=True, when_alone=PATIENCE_US)
FOR_EVER = Ending()


def stats(payload: int = 0, *, left: int = 0, srtt_us: int = 0) -> LinkStats:
    return LinkStats(
        counts=Counts(payload_in=payload),
        is_established=True,
        srtt_us=srtt_us,
        rate=1000,
        frame_bytes=100,
        resent=0,
        to_send=left,
        to_come=0,
    )


def met(at_us: int = 0) -> Course:
    """Return one that has a session in which nothing is left."""
    course = Course()
    course.begin()
    course.note(at_us, stats(), 0, is_settled=True)
    return course


def test_it_is_over_when_nothing_has_passed_for_a_while() -> None:
    course = met()
    course.note(QUIET_US - 1, stats(), 0, is_settled=True)
    assert not course.is_over(ONCE)
    course.note(QUIET_US, stats(), 0, is_settled=True)
    assert course.is_over(ONCE)
    assert not course.is_over(FOR_EVER)


@pytest.mark.parametrize(
    ("now", "waiting", "is_settled"),
    [(stats(5), 0, True), (stats(left=1), 0, True), (stats(), 1, True), (stats(), 0, False)],
    ids=["something came", "some of it is under way", "some of it waits", "it is looked at"],
)
def test_whatever_goes_on_begins_the_while_anew(
    now: LinkStats, waiting: int, is_settled: bool
) -> None:
    course = met()
    course.note(QUIET_US, now, waiting, is_settled=is_settled)
    assert not course.is_over(ONCE)
    after = stats(now.counts.payload_in)
    course.note(QUIET_US + 1, after, 0, is_settled=True)
    course.note(2 * QUIET_US - 1, after, 0, is_settled=True)
    assert not course.is_over(ONCE)
    course.note(2 * QUIET_US + 1, after, 0, is_settled=True)
    assert course.is_over(ONCE)


def test_a_long_way_takes_a_longer_while() -> None:
    course = met()
    course.note(QUIET_US, stats(srtt_us=QUIET_US), 0, is_settled=True)
    assert not course.is_over(ONCE)
    course.note(4 * QUIET_US, stats(srtt_us=QUIET_US), 0, is_settled=True)
    assert course.is_over(ONCE)


def test_who_never_comes_is_waited_for_and_longer_if_nobody_says_how_long() -> None:
    course = Course()
    course.note(7, stats(), 0, is_settled=True)
    course.note(PATIENCE_US + 6, stats(), 0, is_settled=True)
    assert not course.is_over(ONCE)
    course.note(PATIENCE_US + 7, stats(), 0, is_settled=True)
    assert course.is_over(ONCE)
    assert not course.is_over(FOR_EVER)


def test_who_goes_may_come_back() -> None:
    course = met()
    course.end(waiting=1)
    assert not course.was_idle
    course.note(1, stats(), 1, is_settled=False)
    course.note(RETURN_US, stats(), 1, is_settled=False)
    assert not course.is_over(ONCE)
    course.note(RETURN_US + 1, stats(), 1, is_settled=False)
    assert course.is_over(ONCE)
    course.begin()
    assert not course.is_over(ONCE)


def test_a_connection_ends_with_its_session() -> None:
    ending = Ending(when_over=True, when_alone=PATIENCE_US)
    course = met()
    course.note(9 * QUIET_US, stats(), 0, is_settled=True)
    assert not course.is_over(ending)
    course.end(waiting=0)
    assert course.is_over(ending)
    assert course.was_idle
    assert not Course().is_over(ending)
