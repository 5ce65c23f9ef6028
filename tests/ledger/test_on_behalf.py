import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import cbor
from ledger.data import PayloadEncoder, parse_json, value_from_payload
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError
from ledger.on_behalf import DEVICE, VALUE, DeviceEncoder, Statement, statement_from_value
from tests.bundler.samples import VALUES
from tests.vectors import load

VECTORS = load("on_behalf")


def encoder() -> DeviceEncoder:
    return DeviceEncoder(PayloadEncoder())


@pytest.mark.parametrize("stem", VECTORS)
def test_vector(stem: str) -> None:
    vector = VECTORS[stem]
    payload = bytes.fromhex(vector["payload"])
    statement = statement_from_value(value_from_payload(payload))
    if vector["expect"] == "success":
        value = parse_json(vector["json"])
        assert statement == Statement(vector["device"], value)
        assert encoder().encode(vector["device"], value) == payload
    else:
        assert statement is None


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=64), VALUES)
def test_what_is_said_comes_back_and_is_one_deterministic_item(name: str, value: object) -> None:
    one = encoder()
    payload = one.encode(name, value)
    assert one.encode(name, value) == payload
    assert payload == cbor.encode({DEVICE: name, VALUE: value})
    assert statement_from_value(value_from_payload(payload)) == Statement(name, value)


@given(VALUES)
def test_no_json_looks_like_it(value: object) -> None:
    assert statement_from_value(value) is None


@pytest.mark.parametrize("name", ["", "n" * 65, "a\nb", "a/b"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        encoder().encode(name, 1)


def test_both_together_keep_to_the_bounds_of_a_payload() -> None:
    room = MAX_PAYLOAD_BYTES - len(encoder().encode("a", bytes(70_000))) + 70_000
    assert len(encoder().encode("a", bytes(room))) == MAX_PAYLOAD_BYTES
    with pytest.raises(MalformedError, match="at most"):
        encoder().encode("a", bytes(room + 1))
    with pytest.raises(MalformedError, match="nested"):
        encoder().encode("a", parse_json("[" * 16 + "]" * 16))
    with pytest.raises(MalformedError, match="nested"):
        encoder().encode("a", parse_json('{"a":' * 16 + "1" + "}" * 16))
