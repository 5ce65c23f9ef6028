import math
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import cbor
from ledger.errors import MalformedError
from tests.vectors import load

VECTORS = load("cbor")
LIMIT = 1 << 20


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    data = bytes.fromhex(vector["data"]) * vector.get("repeat", 1)
    if vector["expect"] == "success":
        assert cbor.encode(cbor.decode(data, limit_bytes=LIMIT)) == data
    else:
        with pytest.raises(MalformedError):
            cbor.decode(data, limit_bytes=LIMIT)


def test_no_tag_is_given_to_whoever_knows_what_it_means() -> None:
    """Not even to be refused later: some run a parser or a regular expression."""
    tags = [stem for stem in VECTORS if stem.startswith("tag_")]
    assert len(tags) > 15
    for stem in tags:
        with pytest.raises(MalformedError, match=r"\btag\b"):
            cbor.decode(bytes.fromhex(VECTORS[stem]["data"]), limit_bytes=LIMIT)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.text(max_size=6), inner, max_size=5),
        st.dictionaries(st.integers(0, 2**64 - 1), inner, max_size=5),
    ),
    max_leaves=12,
)


def is_same(one: object, other: object) -> bool:
    """Equality that tells 1, 1.0 and True apart, and 0.0 from -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return one == other


@given(values)
def test_values_survive(value: object) -> None:
    data = cbor.encode(value)
    assert is_same(cbor.decode(data, limit_bytes=len(data)), value)
    assert cbor.encode(cbor.decode(data, limit_bytes=len(data))) == data


text_keys = st.text(max_size=30) | st.just("x" * 300)
number_keys = st.integers(0, 2**64 - 1) | st.sampled_from([23, 24, 255, 256, 65535, 65536])


@given(st.dictionaries(text_keys, st.none()) | st.dictionaries(number_keys, st.none()))
def test_keys_are_in_the_bytewise_order_of_their_encodings(value: dict[object, None]) -> None:
    decoded = cbor.decode(cbor.encode(value), limit_bytes=LIMIT)
    assert isinstance(decoded, dict)
    keys = [cbor.encode(key) for key in decoded]
    assert keys == sorted(keys)


@given(st.binary(max_size=60))
@example(b"\xbf\xff")
def test_arbitrary_bytes_only_raise_malformed(data: bytes) -> None:
    try:
        value = cbor.decode(data, limit_bytes=LIMIT)
    except MalformedError:
        return
    assert cbor.encode(value) == data


@given(values, st.data())
def test_one_changed_byte_is_another_value_or_malformed(value: object, data: st.DataObject) -> None:
    encoded = bytearray(cbor.encode(value))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    try:
        other = cbor.decode(bytes(encoded), limit_bytes=LIMIT)
    except MalformedError:
        return
    assert cbor.encode(other) == bytes(encoded)
    assert not is_same(other, value)


def test_the_limit_is_looked_at_before_the_bytes() -> None:
    assert cbor.decode(b"\x42ab", limit_bytes=3) == b"ab"
    with pytest.raises(MalformedError, match="3 bytes of CBOR, at most 2"):
        cbor.decode(b"\x42ab", limit_bytes=2)


@pytest.mark.parametrize(
    ("items", "count"),
    [("80", 1), ("a0", 1), ("f6", 1), ("8180", 2), ("1818", 1), ("41f6", 1), ("61" "61", 1),
     ("5800" + "80" * 24, 25), ("590000" + "80" * 25, 26), ("c180", 2)],
)  # fmt: skip
def test_a_flood_of_items_is_refused_before_it_takes_memory(
    items: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cbor2, "loads", lambda *_args, **_options: pytest.fail("decoded"))
    flood = bytes.fromhex(items) * (cbor.MAX_ITEMS // count + 1)
    data = b"\x9a\x00\x20\x00\x00" + flood
    with pytest.raises(MalformedError, match=f"more than {cbor.MAX_ITEMS} items"):
        cbor.decode(data, limit_bytes=len(data))


def test_as_many_items_as_fit_are_decoded_in_linear_time() -> None:
    """A check that reads all of the bytes once an array would take an hour for this."""
    data = cbor.encode([[0]] * (LIMIT // 2 - 5))
    assert len(data) == LIMIT - 5
    assert cbor.decode(data, limit_bytes=LIMIT) == [[0]] * (LIMIT // 2 - 5)


def test_few_items_may_be_long() -> None:
    value = [b"\x80" * (2 << 20), "\N{EURO SIGN}" * (1 << 20), [1, {"a": 2.5, "b": -300}]]
    data = cbor.encode(value)
    assert cbor.decode(data, limit_bytes=len(data)) == value


@pytest.mark.parametrize("tail", ["1c", "9f", "5b8000000000000000", "19", ""])
def test_a_long_item_that_ends_badly_is_malformed(tail: str) -> None:
    data = b"\x82\x5a\x00\x20\x00\x00" + bytes(2 << 20) + bytes.fromhex(tail)
    with pytest.raises(MalformedError):
        cbor.decode(data, limit_bytes=len(data))


def nested(depth: int) -> object:
    value: object = 0
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> object:
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        {"a": -math.inf},
        2**64,
        [-(2**64) - 1],
        "\ud800",
        {"\ud800": 1},
        {1: 0, "a": 0},
        {-1: 0},
        {b"a": 0},
        {True: 0},
        {1.5: 0},
        {None: 0},
        {(1,): 0},
        nested(17),
        cyclic(),
        object(),
        {1, 2},
        bytearray(b"a"),
        cbor2.undefined,
        cbor2.CBORSimpleValue(1),
        cbor2.CBORTag(18, []),
        1 + 2j,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_format_does_not_allow_is_not_encoded(value: object) -> None:
    with pytest.raises(MalformedError):
        cbor.encode(value)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"b": 1, "aa": 2, "a": 3}, "a361610361620162616102"),
        ({256: 0, 24: 0, 23: 0}, "a3170018180019010000"),
        ((1, [2.0, b"\x03"]), "820182f940004103"),
        ([None, True, -1], "83f6f520"),
    ],
)
def test_known_encodings(value: object, data: str) -> None:
    assert cbor.encode(value).hex() == data


def test_fields_are_narrowed() -> None:
    assert cbor.as_list([1, 2], 1, 2) == [1, 2]
    assert cbor.as_map({"a": 1, "b": 2}, "a", "b") == {"a": 1, "b": 2}
    assert cbor.as_bytes(b"ab", 2) == b"ab"
    assert cbor.as_text("a") == "a"
    assert cbor.as_uint(2**64 - 1) == 2**64 - 1
    assert cbor.as_int64(-(2**63)) == -(2**63)


REFUSALS: list[tuple[Any, tuple[Any, ...], dict[str, int]]] = [
    (cbor.as_list, ({}, 0), {}),
    (cbor.as_list, ([1], 0, 2), {}),
    (cbor.as_list, ("ab", 2), {}),
    (cbor.as_map, ([], "a"), {}),
    (cbor.as_map, ({"a": 1, "b": 2}, "a"), {}),
    (cbor.as_map, ({"a": 1}, "a", "b"), {}),
    (cbor.as_map, ({0: 1}, "a"), {}),
    (cbor.as_bytes, ("ab",), {}),
    (cbor.as_bytes, (b"ab", 1, 3), {}),
    (cbor.as_text, (b"ab",), {}),
    (cbor.as_uint, (-1,), {}),
    (cbor.as_uint, (True,), {}),
    (cbor.as_uint, (1.0,), {}),
    (cbor.as_uint, (8,), {"maximum": 7}),
    (cbor.as_uint, (2**64,), {}),
    (cbor.as_int64, (2**63,), {}),
    (cbor.as_int64, (-(2**63) - 1,), {}),
    (cbor.as_int64, (False,), {}),
]


@pytest.mark.parametrize(("narrow", "values", "options"), REFUSALS)
def test_other_fields_are_malformed(narrow: Any, values: Any, options: dict[str, int]) -> None:
    with pytest.raises(MalformedError):
        narrow(*values, **options)
