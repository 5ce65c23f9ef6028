from transports.link.turns import Turns

RATE, FRAME_BYTES = 1_000, 255


def turns(*, is_first: bool = True) -> Turns:
    return Turns(RATE, FRAME_BYTES, is_first=is_first, now_us=0)


def test_one_side_begins_and_the_other_waits() -> None:
    assert turns().may_talk(0)
    assert not turns(is_first=False).may_talk(0)


def test_who_passed_waits_for_an_answer() -> None:
    one = turns()
    one.talked(100)
    began = one.is_talking
    one.passed(200_000)
    assert (began, one.is_talking) == (True, False)
    assert not one.may_talk(300_000)
    one.heard(400_000)
    one.given(450_000)
    assert one.may_talk(450_000)


def test_a_lost_turn_is_found_by_the_two_sides_at_different_times() -> None:
    one, other = turns(), turns(is_first=False)
    for side in (one, other):
        side.talked(100)
        side.passed(0)
    # By more than a frame takes, so that the second hears the first before it begins itself.
    assert other.quiet_us - one.quiet_us > FRAME_BYTES * 1_000_000 // RATE


def test_whatever_is_heard_means_that_somebody_talks() -> None:
    one = turns(is_first=False)
    assert one.may_talk(one.quiet_us)
    one.heard(one.quiet_us)
    assert not one.may_talk(one.quiet_us - 1)


def test_noise_is_nobody_who_talks_for_ever() -> None:
    one, now_us = turns(is_first=False), 0
    while not one.may_talk(now_us):
        one.heard(now_us)
        now_us += 50_000
    assert 2_000_000 <= now_us <= 10_000_000
    one.talked(100)
    one.passed(now_us)
    began_us = now_us
    while not one.may_talk(now_us):
        one.heard(now_us)
        now_us += 50_000
        if now_us - began_us < 60_000_000:
            one.understood(now_us)
    assert now_us - began_us > 60_000_000


def test_a_turn_ends() -> None:
    one = turns()
    while not one.is_long:
        one.talked(FRAME_BYTES)
    assert 1_000 <= one._burst < 1_000 + FRAME_BYTES


def test_who_gets_no_answer_tries_ever_more_rarely() -> None:
    one = turns()
    waits = []
    for _ in range(20):
        one.talked(1)
        one.passed(0)
        waits.append(one.quiet_us)
    assert waits == sorted(waits)
    assert waits[-1] == 60_000_000
    one.given(5)
    one.talked(1)
    one.passed(0)
    assert one.quiet_us <= waits[0] * 2


def test_a_quick_line_makes_impatient() -> None:
    one = turns()
    before_us = one.patience_us
    for _ in range(20):
        one.talked(1)
        one.passed(1_000_000)
        one.heard(1_010_000)
        one.given(1_020_000)
    assert one.patience_us < before_us
