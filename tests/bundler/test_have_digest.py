import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import MalformedError
from bundler.have_digest import (
    Holding,
    ask_for,
    bucket_of,
    buckets_of,
    differing,
    digest_of,
    item_of,
)
from bundler.limits import DEFAULT_LIMITS
from bundler.notices import MAX_ASK_BITS, Ask, HaveSection, HeldLog
from ledger.genesis import LedgerId
from tests.vectors import load

VECTORS = load("have")


def holding(number: int, size: int) -> Holding:
    author, incarnation = number.to_bytes(32, "big"), number.to_bytes(8, "little")
    lacking = size // 2 if size % 3 == 0 and size else None
    return LedgerId(bytes([number % 3]) * 16), HeldLog(
        author, incarnation, size, size.to_bytes(16, "big"), lacking
    )


LOGS = st.dictionaries(st.integers(0, 200), st.integers(1, 9), max_size=60)


def listed(vector: dict[int, int]) -> list[Holding]:
    return [holding(number, size) for number, size in vector.items()]


@given(LOGS)
def test_the_order_in_which_logs_are_said_is_all_the_same(vector: dict[int, int]) -> None:
    there = listed(vector)
    assert digest_of(there) == digest_of(reversed(there))


@given(LOGS, LOGS)
def test_the_digest_tells_what_is_held_apart(one: dict[int, int], other: dict[int, int]) -> None:
    assert (digest_of(listed(one)) == digest_of(listed(other))) is (one == other)


def test_all_fields_of_a_log_stand_in_its_item() -> None:
    ledger, held = holding(1, 4)
    others = [
        (LedgerId(b"x" * 16), held),
        (ledger, held._replace(author=b"x" * 32)),
        (ledger, held._replace(incarnation=b"x" * 8)),
        (ledger, held._replace(size=5, lacking=4)),
        (ledger, held._replace(root=b"x" * 16)),
        (ledger, held._replace(lacking=3)),
    ]
    items = {item_of(one) for one in [(ledger, held), *others]}
    assert len(items) == len(others) + 1
    assert {len(one) for one in items} == {88}


@given(LOGS, LOGS)
def test_who_is_told_the_buckets_that_differ_knows_all(
    known: dict[int, int], here: dict[int, int]
) -> None:
    ask = ask_for(listed(known))
    answer = differing(ask, listed(here))
    kept = [one for one in listed(known) if bucket_of(one, ask.bits) not in answer]
    told = [one for inside in answer.values() for one in inside]
    assert digest_of(kept + told) == digest_of(listed(here))


@given(LOGS)
def test_nothing_differs_where_all_is_known(vector: dict[int, int]) -> None:
    assert differing(ask_for(listed(vector)), listed(vector)) == {}


def test_buckets_are_of_some_four_logs_and_there_are_not_too_many() -> None:
    for count in (0, 1, 3, 4, 100, 10_000, 150_000):
        there = [holding(number, 1) for number in range(count)]
        ask = ask_for(there)
        assert len(ask.digests) == 6 << ask.bits
        assert 1 << ask.bits <= max(count // 2, 1)
        assert ask.bits <= MAX_ASK_BITS
        assert ask.bits == MAX_ASK_BITS or 8 << ask.bits > count
        assert sum(map(len, buckets_of(there, ask.bits).values())) == count


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    case = VECTORS[stem]
    if "body" in case:
        body = bytes.fromhex(case["body"])
        if case["expect"] == "success":
            assert HaveSection.from_body(body, limits=DEFAULT_LIMITS).to_body() == body
        else:
            with pytest.raises(MalformedError):
                HaveSection.from_body(body, limits=DEFAULT_LIMITS)
        return
    there = [_holding(*log) for log in case["logs"]]
    buckets = buckets_of(there, case["bits"])
    asked = Ask(case["bits"], bytes.fromhex("".join(case["buckets"])))
    assert digest_of(there).hex() == case["digest"]
    assert differing(asked, there) == {}
    assert set(differing(asked, [])) == set(buckets)


def _holding(
    ledger: str, author: str, incarnation: str, size: int, root: str, files: int
) -> Holding:
    names = bytes.fromhex(author), bytes.fromhex(incarnation)
    lacking = files if files < size else None
    return LedgerId(bytes.fromhex(ledger)), HeldLog(*names, size, bytes.fromhex(root), lacking)
