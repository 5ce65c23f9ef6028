import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.errors import BundleError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.shapes import FIRST_SHAPE, NO_SHAPE, Shape, ShapeList
from ledger import cbor
from tests.bundler.samples import MAPS, VALUES


@given(MAPS)
def test_a_map_comes_back_from_its_row(value: dict[str, object]) -> None:
    payload = cbor2.dumps(value, canonical=True)
    shapes = ShapeList(DEFAULT_LIMITS)
    number, row = shapes.pack(payload)
    assert number == FIRST_SHAPE
    (encoded,) = shapes.encoded()
    assert cbor2.loads(encoded) == list(cbor2.loads(payload))
    assert Shape.from_bytes(encoded).payload(row) == payload


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_what_is_no_map_has_no_shape(value: object) -> None:
    payload = cbor2.dumps(value, canonical=True)
    assert ShapeList(DEFAULT_LIMITS).pack(payload) == (NO_SHAPE, payload)


def test_a_map_with_numbers_as_keys_has_no_shape() -> None:
    payload = cbor2.dumps({1: 2}, canonical=True)
    shapes = ShapeList(DEFAULT_LIMITS)
    assert shapes.pack(payload) == (NO_SHAPE, payload)
    assert shapes.encoded() == []


@given(st.binary(max_size=30))
@example(b"\xf9\x7e\x00\x00")
@example(b"\x00\xf9\x7e\x01")
@example(b"\x00\x00\x00")
@example(b"\x41\xf9\x7c\x00")
@example(b"\xc2\x49" + b"\xff" * 9 + b"\x00")
def test_any_row_gives_a_deterministic_payload_or_a_bundle_error(row: bytes) -> None:
    shape = Shape(["a", "b"])
    try:
        payload = shape.payload(row)
    except BundleError:
        return
    values = cbor.decode(payload, limit_bytes=99)
    assert isinstance(values, dict)
    assert shape.row(values.values()) == row


def test_bytes_that_look_like_nan_are_no_nan() -> None:
    value = {"a": b"\xf9\x7e\x00", "b": 1.1}
    payload = cbor2.dumps(value, canonical=True)
    row = ShapeList(DEFAULT_LIMITS).pack(payload)[1]
    assert Shape(["a", "b"]).payload(row) == payload


@pytest.mark.parametrize("keys", [["b", "a"], ["a", "a"], ["aa", "b"]])
def test_keys_out_of_order_are_refused(keys: list[str]) -> None:
    with pytest.raises(MalformedError):
        Shape(keys)
    with pytest.raises(MalformedError):
        Shape.from_bytes(cbor2.dumps(keys))


@given(st.binary(max_size=20))
def test_arbitrary_bytes_only_raise_bundle_errors(data: bytes) -> None:
    try:
        assert Shape.from_bytes(data).to_bytes() == data
    except BundleError:
        pass
