from transports.link.rest import Rest


def at_rest(number: int, heard: int) -> Rest:
    """Return a side that has said with packet *number* that it is at rest."""
    rest = Rest(is_settled=True)
    rest.say(number, heard)
    return rest


def is_other(rest: Rest) -> bool:
    return rest.is_other


def test_the_other_side_rests_until_either_gives_the_other_something_to_do() -> None:
    rest = Rest()
    rest.spoke(4)
    rest.heard(7)
    assert not is_other(rest)
    rest.take(8, 5)
    assert is_other(rest)
    rest.heard(9)
    assert not is_other(rest)
    rest.take(10, 5)
    rest.spoke(5)
    assert not is_other(rest)
    rest.take(11, 6)
    assert is_other(rest)


def test_what_it_said_before_it_heard_all_does_not_count() -> None:
    rest = Rest()
    rest.spoke(4)
    rest.take(8, 4)
    assert not is_other(rest)


def test_what_was_overtaken_by_something_to_do_does_not_count() -> None:
    rest = Rest()
    rest.heard(9)
    rest.take(8, 5)
    assert not is_other(rest)
    rest.take(12, 5)
    rest.take(10, 9)
    rest.spoke(6)
    assert not is_other(rest)


def test_after_whatever_comes_the_caller_has_to_look_and_it_is_said_anew() -> None:
    rest = at_rest(3, 2)
    rest.heard(2)
    assert not rest.is_settled
    assert not rest.is_said


def test_it_is_known_when_that_packet_came_and_nothing_passed_since() -> None:
    rest = at_rest(3, 2)
    seen = []
    for number in (1, 3):
        rest.came(number)
        seen.append(rest.is_known)
    assert seen == [False, True]
    rest.spoke(4)
    rest.came(3)
    assert not rest.is_known


def test_it_is_said_again_only_if_its_last_saying_was_lost() -> None:
    rest = at_rest(3, 2)
    rest.say(4, 2)
    rest.went(3)
    assert rest.is_said
    rest.went(4)
    assert not rest.is_said


def test_it_is_said_again_to_who_sent_packets_that_may_never_come() -> None:
    rest = at_rest(3, 2)
    rest.take(2, 4)
    assert rest.is_said
    rest.take(4, 4)
    assert not rest.is_said
