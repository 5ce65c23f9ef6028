from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import cbor
from ledger.errors import MalformedError, RefusedError
from ledger.seeds import (
    MAX_COVER_SEEDS,
    MAX_ENTRIES,
    Cover,
    Seed,
    check_cover,
    cover_to_cbor,
    covers,
    root_cover,
    salt,
    salts,
    salts_given,
    subcover,
    without,
)
from tests.vectors import load
from tests.vectors.seeds_vectors import salt_at

VECTORS = load("seeds")
FAILURES = {"malformed": MalformedError, "refused": RefusedError}
ROOT = b"pannier's secret"
WHOLE = root_cover(ROOT)


def cover_of(value: list[list[Any]]) -> Cover:
    return tuple(Seed(level, position, bytes.fromhex(seed)) for level, position, seed in value)


def run_salt(vector: dict[str, Any]) -> None:
    cover = cover_of(vector["cover"])
    assert salt(cover, vector["index"]).hex() == vector["salt"]
    assert [value.hex() for value in salts(cover, vector["index"], 1)] == [vector["salt"]]


def run_subcover(vector: dict[str, Any]) -> None:
    found = subcover(cover_of(vector["cover"]), vector["first"], vector["count"])
    assert found == cover_of(vector["subcover"])


def run_without(vector: dict[str, Any]) -> None:
    assert without(cover_of(vector["cover"]), vector["index"]) == cover_of(vector["without"])


def run_cover(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["data"])
    cover = check_cover(cbor.decode(data, limit_bytes=1000))
    assert cbor.encode(cover_to_cbor(cover)) == data


RUN: dict[str, Callable[[dict[str, Any]], None]] = {
    "salt": run_salt,
    "subcover": run_subcover,
    "without": run_without,
    "cover": run_cover,
}


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    run = RUN[vector["operation"]]
    if vector["expect"] == "success":
        run(vector)
    else:
        with pytest.raises(FAILURES[vector["expect"]]):
            run(vector)


# Ranges in the first 2000 entries of a log that lie on both sides of the 256 and 1024 boundaries.
firsts = st.integers(0, 1500)
counts = st.integers(0, 400)


def salts_by_definition(first: int, count: int) -> list[bytes]:
    return [salt_at(ROOT, index) for index in range(first, first + count)]


@given(firsts, counts)
def test_any_subcover_gives_the_same_salts(first: int, count: int) -> None:
    cover = subcover(WHOLE, first, count)
    assert list(salts(cover, first, count)) == salts_by_definition(first, count)
    assert [salt(cover, index) for index in range(first, first + count)] == salts_by_definition(
        first, count
    )


@given(firsts, counts)
def test_a_subcover_gives_no_other_salts(first: int, count: int) -> None:
    cover = subcover(WHOLE, first, count)
    assert sum(1 << (32 - seed.level) for seed in cover) == count
    for index in (first - 1, first + count):
        assert not covers(cover, index, 1)
        with pytest.raises(RefusedError):
            salt(cover, index)
    with pytest.raises(RefusedError):
        salts(cover, first, count + 1)


@given(st.integers(0, MAX_ENTRIES), st.integers(0, MAX_ENTRIES))
def test_a_subcover_of_one_seed_is_small_and_ascends(first: int, end: int) -> None:
    first, end = min(first, end), max(first, end)
    cover = subcover(WHOLE, first, end - first)
    assert len(cover) <= 62
    assert check_cover(cover_to_cbor(cover)) == cover
    assert covers(cover, first, end - first)


@given(st.lists(st.integers(0, 60), max_size=20), st.integers(0, 70))
def test_what_is_erased_is_gone_and_the_rest_is_not(indexes: list[int], first: int) -> None:
    cover = WHOLE
    for index in indexes:
        cover = without(cover, index)
        assert without(cover, index) == cover
    assert check_cover(cover_to_cbor(cover)) == cover
    for index in range(70):
        if index in indexes:
            with pytest.raises(RefusedError):
                salt(cover, index)
        else:
            assert salt(cover, index) == salt_at(ROOT, index)
    count = next((index for index in sorted(indexes) if index >= first), 90) - first
    assert list(salts(cover, first, count)) == salts_by_definition(first, count)
    assert not covers(cover, first, count + 1) or count == 90 - first


@given(firsts, counts, st.lists(st.integers(0, 1900), max_size=5))
def test_salts_are_given_as_far_as_they_are_known(
    first: int, count: int, erased: list[int]
) -> None:
    cover = reduce(without, erased, WHOLE)
    known = [
        None if first + i in erased else one
        for i, one in enumerate(salts_by_definition(first, count))
    ]
    assert salts_given(cover, first, count) == known
    assert salts_given((), first, count) == [None] * count


def test_salts_come_one_by_one_without_growing_the_whole_tree() -> None:
    stream = salts(WHOLE, 0, MAX_ENTRIES)
    assert [next(stream) for _ in range(600)] == salts_by_definition(0, 600)


def test_a_cover_has_at_most_as_many_seeds_as_a_section_has_entries() -> None:
    alternating = [[32, 2 * index, bytes(16)] for index in range(MAX_COVER_SEEDS + 1)]
    assert len(check_cover(alternating[:-1])) == MAX_COVER_SEEDS
    with pytest.raises(MalformedError, match=f"at most {MAX_COVER_SEEDS}"):
        check_cover(alternating)


def test_a_negative_entry_has_no_salt() -> None:
    with pytest.raises(RefusedError):
        salt(WHOLE, -1)
    with pytest.raises(RefusedError):
        subcover(WHOLE, -1, 2)


json_like = st.recursive(
    st.one_of(st.integers(-1, 40), st.none(), st.booleans(), st.binary(max_size=17), st.text()),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(json_like)
def test_arbitrary_values_are_a_cover_or_malformed(value: object) -> None:
    try:
        cover = check_cover(value)
    except MalformedError:
        return
    assert cover_to_cbor(cover) == value
