"""What is done to many entries at once gives what it gives one by one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entries import Entries, payload_digests
from ledger.entry import (
    MAX_PAYLOAD_BYTES,
    Action,
    Entry,
    Follow,
    check_entry,
    leaf_bytes,
    payload_digest,
)
from ledger.errors import MalformedError
from tests.ledger.test_entry import entries

GOOD = Entry("field/3", "reading", 0, 2**40, (), bytes(32), b"\x01")
FOLLOW = Follow(bytes(32), bytes(8), 0, bytes(16))
BAD = {
    "no thing": GOOD._replace(thing=""),
    "a thing of 256 bytes": GOOD._replace(thing="x" * 256),
    "a control character": GOOD._replace(thing="a\x7f"),
    "a lone surrogate": GOOD._replace(kind="\ud800"),
    "a kind of 64 bytes": GOOD._replace(kind="x" * 64),
    "a negative action": GOOD._replace(action=-1),
    "an action of 33 bits": GOOD._replace(action=2**32),
    "a truth for an action": GOOD._replace(action=True),
    "a text for an action": GOOD._replace(action="put"),  # type: ignore[arg-type]
    "a time too early": GOOD._replace(time_us=-(2**63) - 1),
    "a time too late": GOOD._replace(time_us=2**63),
    "a time with a fraction": GOOD._replace(time_us=1.5),  # type: ignore[arg-type]
    "a digest of 31 bytes": GOOD._replace(digest=bytes(31)),
    "no digest": GOOD._replace(digest=None),  # type: ignore[arg-type]
    "follows twice the same": GOOD._replace(follows=(FOLLOW, FOLLOW)),
    "too long a payload": GOOD._replace(payload=bytes(MAX_PAYLOAD_BYTES + 1)),
}


@given(st.lists(entries, max_size=12), st.integers(0, 12), st.sampled_from([None, *BAD]))
def test_many_are_refused_when_one_is_and_for_the_same_reason(
    good: Sequence[Entry], place: int, what: str | None
) -> None:
    many = [*good[:place], *([] if what is None else [BAD[what]]), *good[place:]]
    if what is None:
        Entries.of(many).check()
        return
    with pytest.raises(MalformedError) as one:
        check_entry(BAD[what])
    with pytest.raises(MalformedError) as all_of_them:
        Entries.of(many).check()
    assert str(all_of_them.value) == str(one.value)


def test_the_action_of_an_enumeration_is_one() -> None:
    Entries.of([GOOD._replace(action=Action.GRANT)]).check()


@given(st.lists(entries, max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_columns_are_cut_and_turned_back(many: list[Entry], first: int, end: int) -> None:
    columns = Entries.of(many)
    assert columns.count == len(many)
    assert columns.between(first, end).one_by_one() == many[first:end]


@given(st.lists(entries, max_size=12))
def test_leaves_are_those_of_each_entry(many: Sequence[Entry]) -> None:
    assert Entries.of(many).leaves() == [leaf_bytes(entry) for entry in many]


@given(
    st.lists(
        st.builds(
            Entry,
            st.sampled_from(["a", "b", "é"]),
            st.sampled_from(["", "k"]),
            st.sampled_from([0, 1, 300]),
            st.integers(2**32 - 1, 2**63 - 1),
            st.just(()),
            st.binary(min_size=32, max_size=32),
            st.none(),
        ),
        max_size=20,
    )
)
def test_leaves_that_look_alike_are_those_of_each_entry(many: Sequence[Entry]) -> None:
    assert Entries.of(many).leaves() == [leaf_bytes(entry) for entry in many]


@given(st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.binary(max_size=99)), max_size=9))
def test_digests_are_those_of_each_payload(pairs: Sequence[tuple[bytes, bytes]]) -> None:
    salts, payloads = [salt for salt, _ in pairs], [payload for _, payload in pairs]
    assert payload_digests(salts, payloads) == [payload_digest(*pair) for pair in pairs]
