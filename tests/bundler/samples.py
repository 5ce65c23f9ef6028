"""Values that the tests of this room share."""

from hashlib import sha256

import cbor2
from hypothesis import strategies as st

from ledger.entry import Entry, Follow, sort_follows

TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.binary(max_size=12)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# Few keys: most entries share their shape with another.
MAPS = st.dictionaries(st.sampled_from(["a", "b", "temp", "wind"]), VALUES, max_size=4)
PAYLOADS = (MAPS | VALUES).map(lambda value: cbor2.dumps(value, canonical=True))
FOLLOWS = st.builds(
    Follow,
    st.sampled_from([bytes([n]) * 32 for n in range(3)]),
    st.just(bytes(8)),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=16, max_size=16),
)


def salt_of(index: int) -> bytes:
    return sha256(b"%d" % index).digest()[:16]


def _with_digests(entries: list[Entry]) -> list[Entry]:
    return [
        entry
        if entry.payload is None
        else entry._replace(digest=sha256(salt_of(index) + entry.payload).digest())
        for index, entry in enumerate(entries)
    ]


ENTRIES = st.lists(
    st.builds(
        Entry,
        st.sampled_from(["EWR", "JFK", "é"]) | TEXT.filter(bool),
        st.sampled_from(["", "weather"]),
        st.integers(0, 2**32 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.lists(FOLLOWS, max_size=3).map(sort_follows).map(tuple),
        st.binary(min_size=32, max_size=32),
        st.none() | PAYLOADS,
    ),
    min_size=1,
    max_size=12,
).map(_with_digests)
