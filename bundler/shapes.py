"""Payload maps as rows: the keys once, in a shape, and the values (docs/format.md section 5.2).

A deterministic map is the array [key, value, key, value, ...] under another head. So a payload is
put together by one call of the encoder, without sorting, and is deterministic whatever the row
was; and the row was deterministic too if the lengths add up.
"""

import re
from collections.abc import Iterable, Sequence

from bundler import items
from bundler.errors import MalformedError, ledger_errors_converted
from bundler.limits import Limits
from bundler.quick_cbor import CBOR_ERRORS, dumps, loads
from ledger import cbor
from ledger.entry import NULL_PAYLOAD
from ledger.on_behalf import DEVICE, VALUE

LEFT_OUT, NO_SHAPE, FIRST_SHAPE = 0, 1, 2
"""Shape of an entry whose payload is not here, or is not a map; number of shape 0 of the list."""

_MAP = 5
_SCALARS = frozenset({int, float, str, bytes, bool, type(None)})
# May be NaN or an infinity, or just bytes of something else.
_SUSPICIOUS = re.compile(rb"\xf9[\x7c-\x7f\xfc-\xff]")


class Shape:
    """The keys that payloads have in common, and how to put those payloads together.

    Not for two threads at once.

    Attributes:
        keys: Text, in the order of their encodings.
        grown_bytes: How much longer a payload is than its row.
    """

    __slots__ = ("_flat", "_map_head", "_row_head", "_skip", "grown_bytes", "keys")

    keys: tuple[object, ...]

    def __init__(self, keys: Sequence[str]) -> None:
        """Make the shape with *keys*.

        Raises:
            MalformedError: they are not in the order of a map, or one is there twice.
        """
        encoded = [dumps(key) for key in keys]
        if encoded != sorted(set(encoded)):
            raise MalformedError("the keys of a shape are not in ascending order")
        self.keys = tuple(keys)
        self._map_head = items.uint(len(keys), _MAP)
        self._row_head = items.array_head(len(keys))
        self._skip = len(items.array_head(2 * len(keys)))
        # Keys and room for values; filled again for each row.
        self._flat: list[object] = [None] * (2 * len(keys))
        self._flat[::2] = keys
        self.grown_bytes = len(self._map_head) + sum(map(len, encoded))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Shape":
        """Read a shape.

        Raises:
            MalformedError: *data* is not one.
        """
        with ledger_errors_converted():
            keys = cbor.as_list(cbor.decode(data, limit_bytes=len(data)))
            if keys and not isinstance(keys[0], str):
                return DeviceShape(_device_keys(keys))
            return cls([cbor.as_text(key) for key in keys])

    def to_bytes(self) -> bytes:
        """Return the shape as a string of its list."""
        return dumps(self.keys)

    def row(self, values: Iterable[object]) -> bytes:
        """Return the row with *values*, one for each key."""
        return dumps(list(values))[len(self._row_head) :]

    def payload(self, row: bytes) -> bytes:
        """Return the payload with these keys and the values of *row*.

        Raises:
            MalformedError: *row* does not hold one value for each key, deterministically encoded.
        """
        try:
            values: list[object] = loads(self._row_head + row)
            payload = self._joined(values)
        except CBOR_ERRORS as error:
            raise MalformedError(f"a row is not the values of its shape: {error}") from error
        if len(payload) != len(row) + self.grown_bytes:
            raise MalformedError("a row is longer than the values that it holds")
        if not _SCALARS.issuperset(map(type, values)) or _SUSPICIOUS.search(row):
            self._check_with_care(row, values, payload)
        return payload

    def _joined(self, values: list[object]) -> bytes:
        self._flat[1::2] = values
        return self._map_head + dumps(self._flat)[self._skip :]

    def _check_with_care(self, row: bytes, values: list[object], payload: bytes) -> None:
        """Check what the quick checks cannot: order in inner maps, depth, NaN, odd types."""
        if self.row(values) != row:
            raise MalformedError("a row is not deterministically encoded")
        check_payload(payload)


class DeviceShape(Shape):
    """The shape of payloads on behalf of devices: {3: device, 4: a map with the keys}.

    A row is the device, then the values of the inner map.
    """

    __slots__ = ()

    def __init__(self, keys: Sequence[str]) -> None:
        """Make the shape whose inner map has *keys*.

        Raises:
            MalformedError: they are not in the order of a map, or one is there twice.
        """
        super().__init__(keys)
        self.keys = (DEVICE, VALUE, *keys)
        self._row_head = items.array_head(1 + len(keys))
        self.grown_bytes += 3  # the head of the outer map, and its keys

    def to_bytes(self) -> bytes:
        """Return the shape as a string of its list."""
        return dumps([DEVICE, VALUE, self.keys[2:]])

    def _joined(self, values: list[object]) -> bytes:
        device = dumps(values[0])
        return b"%c%c%b%c%b" % (0xA2, DEVICE, device, VALUE, super()._joined(values[1:]))


class ShapeList:
    """The shapes of one section, as its entries come to use them."""

    def __init__(self, limits: Limits) -> None:
        """Begin with none."""
        self._numbers: dict[tuple[object, ...], int] = {}
        self._shapes: list[Shape] = []
        self._room_bytes = limits.shapes_bytes

    def pack(self, payload: bytes) -> tuple[int, bytes]:
        """Return the shape number and the row of *payload*, proven to give it back.

        Raises:
            MalformedError: *payload* is not one item of deterministic CBOR.
        """
        if payload and payload[0] >> 5 == _MAP:
            try:
                packed = self._pack_map(payload)
            except (MalformedError, *CBOR_ERRORS):
                packed = None
            if packed is not None:
                return packed
        check_payload(payload)
        return NO_SHAPE, payload

    def encoded(self) -> list[bytes]:
        """Return the shapes as the strings of their list."""
        return [shape.to_bytes() for shape in self._shapes]

    def _pack_map(self, payload: bytes) -> tuple[int, bytes] | None:
        value: dict[object, object] = loads(payload)
        keys, values = tuple(value), tuple(value.values())
        if keys == (DEVICE, VALUE) and type(values[1]) is dict:
            keys, values = (*keys, *values[1]), (values[0], *values[1].values())
        number = self._numbers.get(keys)
        shape = _shape_of(keys) if number is None else self._shapes[number]
        row = shape.row(values)
        if shape.payload(row) != payload:
            return None
        if number is None:
            number = self._add(shape)
        return None if number is None else (number + FIRST_SHAPE, row)

    def _add(self, shape: Shape) -> int | None:
        size = len(shape.to_bytes())
        if size > self._room_bytes:
            return None
        self._room_bytes -= size
        self._shapes.append(shape)
        return self._numbers.setdefault(shape.keys, len(self._numbers))


def check_payload(payload: bytes) -> None:
    """Check a payload without the help of a shape.

    Raises:
        MalformedError: it is not one item of deterministic CBOR.
    """
    if payload != NULL_PAYLOAD:
        with ledger_errors_converted():
            cbor.decode(payload, limit_bytes=len(payload))


def _shape_of(keys: Sequence[object]) -> Shape:
    with ledger_errors_converted():
        if keys[:1] == (DEVICE,):
            return DeviceShape([cbor.as_text(key) for key in keys[2:]])
        return Shape([cbor.as_text(key) for key in keys])


def _device_keys(shape: Sequence[object]) -> list[str]:
    device, value, keys = cbor.as_list(shape, 3)
    if (cbor.as_uint(device), cbor.as_uint(value)) != (DEVICE, VALUE):
        raise MalformedError("a shape with other numbers than those of a device")
    return [cbor.as_text(key) for key in cbor.as_list(keys)]
