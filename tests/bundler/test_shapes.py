import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.errors import BundleError, MalformedError
from bundler.limits import DEFAULT_LIMITS
from bundler.shapes import FIRST_SHAPE, NO_SHAPE, DeviceShape, Shape, ShapeList
from ledger import cbor
from tests.bundler.samples import MAPS, TEXT, VALUES


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


@given(TEXT, MAPS)
def test_a_device_and_its_map_come_back_from_their_row(
    device: str, value: dict[str, object]
) -> None:
    payload = cbor2.dumps({3: device, 4: value}, canonical=True)
    shapes = ShapeList(DEFAULT_LIMITS)
    number, row = shapes.pack(payload)
    assert number == FIRST_SHAPE
    (encoded,) = shapes.encoded()
    assert cbor2.loads(encoded) == [3, 4, list(cbor2.loads(payload)[4])]
    shape = Shape.from_bytes(encoded)
    assert shape.payload(row) == payload
    assert len(row) + shape.grown_bytes == len(payload)


def test_devices_share_one_shape_and_another_than_who_says_the_same() -> None:
    shapes = ShapeList(DEFAULT_LIMITS)
    values: list[object] = [{3: "x", 4: {"a": 1}}, {3: "y", 4: {"a": 2}}, {"a": 1}]
    numbers = [shapes.pack(cbor2.dumps(one, canonical=True))[0] for one in values]
    assert numbers == [FIRST_SHAPE, FIRST_SHAPE, FIRST_SHAPE + 1]


@pytest.mark.parametrize(
    "value",
    [{3: "x", 4: 1}, {3: "x", 4: [1]}, {3: "x", 4: {1: 2}}, {3: "x"}, {0: [b""], 1: b"", 2: b""}],
)
def test_other_maps_with_numbers_as_keys_go_as_they_are(value: object) -> None:
    payload = cbor2.dumps(value, canonical=True)
    assert ShapeList(DEFAULT_LIMITS).pack(payload) == (NO_SHAPE, payload)


def test_a_device_does_not_make_its_map_deeper_than_a_payload_may_be() -> None:
    shape = DeviceShape(["a"])
    assert shape.payload(b"\x61x" + b"\x81" * 13 + b"\x80")
    with pytest.raises(MalformedError):
        shape.payload(b"\x61x" + b"\x81" * 14 + b"\x80")


@given(st.binary(max_size=30))
@example(b"\x00\xf9\x7e\x00\x00")
@example(b"\x61x\x00")
def test_any_row_of_a_device_gives_a_deterministic_payload_or_a_bundle_error(row: bytes) -> None:
    try:
        payload = DeviceShape(["a", "b"]).payload(row)
    except BundleError:
        return
    value = cbor.decode(payload, limit_bytes=99)
    assert isinstance(value, dict)
    assert list(value) == [3, 4]
    assert ShapeList(DEFAULT_LIMITS).pack(payload) == (FIRST_SHAPE, row)


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
