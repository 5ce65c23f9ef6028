import json
from itertools import product
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.data import PayloadEncoder, parse_json, payload_from_value, value_from_payload
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import LedgerError, MalformedError
from tests.vectors import load

VECTORS = load("data")

integers = st.integers(-(2**63), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | integers | floats | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    if vector["expect"] == "success":
        assert payload_from_value(parse_json(vector["json"])).hex() == vector["payload"]
    else:
        with pytest.raises(MalformedError):
            payload_from_value(parse_json(vector["json"]))


def is_same(one: object, other: object) -> bool:
    """Equal in type too: JSON tells 1 from 1.0 and from true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    return type(one) is type(other) and repr(one) == repr(other)


@given(values)
def test_what_goes_in_as_json_comes_out_as_the_same_value(value: object) -> None:
    payload = payload_from_value(parse_json(json.dumps(value)))
    assert is_same(value_from_payload(payload), value)
    assert is_same(cbor2.loads(payload), value)


@given(values)
def test_a_payload_is_the_same_whatever_the_order_of_keys(value: object) -> None:
    def turned(one: object) -> object:
        if isinstance(one, dict):
            return {key: turned(one[key]) for key in reversed(one)}
        return [turned(item) for item in one] if isinstance(one, list) else one

    assert payload_from_value(turned(value)) == payload_from_value(value)


@given(st.binary(max_size=300))
def test_bytes_are_data_too(data: bytes) -> None:
    assert value_from_payload(payload_from_value(data)) == data


@given(st.binary(max_size=100))
def test_any_bytes_are_a_payload_or_malformed(data: bytes) -> None:
    try:
        value = value_from_payload(data)
    except LedgerError:
        return
    assert cbor2.dumps(value, canonical=True) == data


@given(st.text(max_size=60))
def test_any_text_is_json_as_python_reads_it_or_malformed(text: str) -> None:
    try:
        value = parse_json(text)
    except MalformedError:
        return
    assert is_same(value, json.loads(text))


BEYOND: list[Any] = [-(2**63) - 1, -(2**64), 2**64, [-(2**63) - 1], ({"a": (-(2**64),)},)]


@pytest.mark.parametrize("value", BEYOND)
def test_integers_beyond_64_bits_are_refused_however_deep(value: object) -> None:
    with pytest.raises(MalformedError, match="64 bits"):
        payload_from_value(value)


def test_a_byte_that_looks_like_a_negative_number_is_none() -> None:
    for value in (b"\x3b" * 9, ";;;;", -(2**63), -(2**63) + 1):
        assert value_from_payload(payload_from_value(value)) == value


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1}}, object(), 1j, {True: 1}, {"a": 1, 2: 3}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    if value == {1: 2}:  # numbered keys are CBOR of ours, and no JSON
        assert payload_from_value(value) == bytes.fromhex("a10102")
        return
    with pytest.raises(MalformedError):
        payload_from_value(value)


def test_a_payload_has_at_most_1_mib() -> None:
    longest = "x" * (MAX_PAYLOAD_BYTES - 5)
    assert len(payload_from_value(longest)) == MAX_PAYLOAD_BYTES
    with pytest.raises(MalformedError, match="at most 1048576"):
        payload_from_value(longest + "x")
    with pytest.raises(MalformedError):
        value_from_payload(cbor2.dumps(longest + "x"))


def test_json_beyond_8_mi_characters_is_not_looked_at() -> None:
    with pytest.raises(MalformedError, match="characters"):
        parse_json(" " * (8 << 20) + "1")


def test_the_message_names_the_key_that_stands_twice() -> None:
    keys = ", ".join(f'"k{n}": 0' for n in range(50_000))
    with pytest.raises(MalformedError, match="'k49999'"):
        parse_json("{" + keys + ', "k49999": 1}')


@given(st.lists(values | st.dictionaries(texts, values, max_size=30), max_size=20))
def test_an_encoder_that_remembers_gives_the_same_bytes(many: list[object]) -> None:
    encoder = PayloadEncoder()
    for value in many * 2:
        assert encoder.encode(value) == payload_from_value(value)


def test_an_encoder_that_remembers_tells_equal_values_apart() -> None:
    encoder = PayloadEncoder()
    for value in (0, 0.0, -0.0, False, 1, 1.0, True, "1", None, 0.0, -0.0, 0, False, True, 1.0, 1):
        assert encoder.encode({"a": value}) == payload_from_value({"a": value})


def test_an_encoder_that_remembers_tells_shapes_apart() -> None:
    encoder = PayloadEncoder()
    shapes: list[Any] = [
        {}, {"a": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "c": 2}, {"a": [1]},
        {"a": 1, "b": {}}, {1: 2}, {"a": 1, "b": 2, "%b": 3}, {"long": 0, "b": 1}, b"a", [{}],
    ]  # fmt: skip
    for one, other in product(shapes, shapes):
        assert encoder.encode(one) == payload_from_value(one)
        assert encoder.encode(other) == payload_from_value(other)
    for bad in ({"\ud800": 1}, {"a": 1, "\ud800": 2}, {-1: 0}, {1: 0, "a": 1}):
        with pytest.raises(MalformedError):
            encoder.encode(bad)


@pytest.mark.parametrize("item", [float("nan"), 1e400, 2**64, "\ud800", {"b": [2**64]}])
def test_an_encoder_that_remembers_refuses_the_same(item: object) -> None:
    encoder = PayloadEncoder()
    for _ in range(2):
        with pytest.raises(MalformedError):
            encoder.encode({"a": item})
