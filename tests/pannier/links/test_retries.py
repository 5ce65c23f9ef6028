from pannier.links.retries import FIRST_US, LONGEST_US, Retries


def test_each_while_is_twice_the_one_before_up_to_the_longest() -> None:
    retries, now_us, waits_us = Retries[str](), 0, []
    for _ in range(9):
        retries.later(now_us, 7, "thing")
        due_us = retries.due_us
        assert due_us is not None
        assert retries.take(due_us - 1) == {}
        assert retries.take(due_us) == {7: "thing"}
        waits_us.append(due_us - now_us)
        now_us = due_us
    assert waits_us[:3] == [FIRST_US, 2 * FIRST_US, 4 * FIRST_US]
    assert waits_us[-2:] == [LONGEST_US, LONGEST_US]


def test_what_waits_no_longer_counts_as_failed_until_it_is_forgotten() -> None:
    retries = Retries[str]()
    retries.later(0, 1, "one")
    retries.later(0, 2, "two")
    assert (len(retries), retries.is_any) == (2, True)
    retries.take(FIRST_US)
    retries.forget(1)
    assert (len(retries), retries.is_any, retries.due_us) == (0, True, None)
    retries.forget(2)
    assert not retries.is_any
    retries.later(0, 1, "anew")
    assert retries.due_us == FIRST_US
