"""A payload that looks like earlier ones is checked as `value_from_payload` does."""

from collections.abc import Sequence

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import payload_check
from ledger.data import payload_from_value, value_from_payload
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import LedgerError, MalformedError
from ledger.on_behalf import statement_from_value
from ledger.payload_check import PayloadCheck

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.binary(max_size=30),
)
keys = st.sampled_from(["a", "b", "temp", "\n", "(", "é"])
maps = st.dictionaries(keys, scalars, max_size=4)
payloads = (maps | st.dictionaries(keys, scalars | st.lists(scalars, max_size=2), max_size=3)).map(
    payload_from_value
)
device = payload_from_value({3: "cow", 4: {"a": 1}})


def verdict(check: PayloadCheck, payload: bytes) -> bool | str:
    try:
        return check.is_on_behalf(payload)
    except LedgerError as error:
        return str(error)


def strictly(payload: bytes) -> bool | str:
    try:
        return statement_from_value(value_from_payload(payload)) is not None
    except LedgerError as error:
        return str(error)


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Maps of a few forms with other values in them, some with bytes that are none."""
    found = []
    for form in draw(st.lists(maps, min_size=1, max_size=3)):
        for _ in range(draw(st.integers(1, 4))):
            payload = payload_from_value({key: draw(scalars) for key in form})
            at = draw(st.integers(0, len(payload)))
            spoiled = payload[:at] + draw(st.binary(max_size=3)) + payload[at + 1 :]
            found.append(spoiled if draw(st.integers(0, 3)) == 0 else payload)
    return found


@given(alike() | st.lists(payloads | st.binary(max_size=20) | st.just(device), max_size=6))
@example([cbor2.dumps({"a": 1}), b"\xa1\x61a\x18\x01"])
@example([cbor2.dumps({"a": 1}), b"\xa1\x61a\xf9\x7e\x00"])
@example([cbor2.dumps({"a": 1}), b"\xa1\x61a\xfb" + bytes(8)])
@example([cbor2.dumps({"a": 1}), b"\xa1\x61a\x3b" + b"\xff" * 8])
@example([cbor2.dumps({"a": 1}), b"\xa1\x61a\x61\xff"])
@example([cbor2.dumps({"a": 1, "b": 2}), b"\xa2\x61b\x02\x61a\x01"])
@example([cbor2.dumps({"a": 1, "b": 2}), b"\xa2\x61a\x02\x61a\x01"])
@example([cbor2.dumps({"a": 1}), cbor2.dumps({"a": 1}) + b"\x01"])
def test_the_verdict_is_that_of_the_strict_decoder(many: Sequence[bytes]) -> None:
    check = PayloadCheck()
    for payload in [*many, *many]:
        assert verdict(check, payload) == strictly(payload)


@given(payloads)
def test_any_payload_passes(payload: bytes) -> None:
    check = PayloadCheck()
    assert [check.is_on_behalf(payload) for _ in range(3)] == [False] * 3


def test_maps_of_a_known_form_and_known_values_are_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = PayloadCheck()
    for value in ({"a": 1, "b": "x"}, {"a": 1.5, "b": "y"}, {"a": None, "b": "z"}):
        check.is_on_behalf(payload_from_value(value))
    monkeypatch.setattr(payload_check, "value_from_payload", None)
    check.is_on_behalf(payload_from_value({"a": None, "b": "y"}))


def test_few_forms_and_values_are_kept_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_check, "_MAX_KEPT", 10)
    check = PayloadCheck()
    for number in range(300):
        assert not check.is_on_behalf(payload_from_value({f"k{number}": number}))
        assert not check.is_on_behalf(payload_from_value({"a": number}))


def test_a_payload_beyond_1_mib_is_refused_whatever_its_form() -> None:
    check = PayloadCheck()
    longest = payload_from_value({"x": b"y" * (MAX_PAYLOAD_BYTES - 8)})
    assert not check.is_on_behalf(longest)
    with pytest.raises(MalformedError, match="at most"):
        check.is_on_behalf(longest + b"\x00")


def test_a_device_is_told_from_a_map() -> None:
    check = PayloadCheck()
    assert [check.is_on_behalf(device) for _ in range(3)] == [True] * 3
