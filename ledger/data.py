"""JSON text to payload bytes and back: I-JSON as deterministic CBOR (docs/format.md section 3.1).

Source: RFC 7493 (I-JSON), with integers up to 64 bits.
"""

import json
from collections import Counter
from collections.abc import Sequence

from ledger import cbor
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError

_MAX_KEPT_SHAPES = 1000
_MAX_KEPT_CELLS = 65_536
_MAX_KEPT_BYTES = 64
_MAX_JSON_CHARACTERS = 8 << 20  # a payload of 1 MiB with every character escaped is 6 MiB


def parse_json(text: str) -> object:
    """Return the value of a JSON text, refusing what I-JSON does.

    Raises:
        MalformedError: not JSON, a key twice in one object, NaN or Infinity, or too long. Numbers
            that overflow and lone surrogates are refused when the value is encoded.
    """
    if len(text) > _MAX_JSON_CHARACTERS:
        raise MalformedError(f"{len(text)} characters of JSON, at most {_MAX_JSON_CHARACTERS}")
    try:
        value: object = _DECODER.decode(text)
    except RecursionError as error:
        raise MalformedError(f"JSON nested deeper than {cbor.MAX_DEPTH} levels") from error
    except ValueError as error:
        raise MalformedError(f"not JSON: {error}") from error
    return value


def payload_from_value(value: object) -> bytes:
    """Return the payload bytes of a JSON value, or of bytes.

    Raises:
        MalformedError: an overflowing number, a lone surrogate, an integer beyond -2^63..2^64-1,
            nested deeper than 16 levels, or over 1 MiB encoded.
    """
    payload = cbor.encode(value)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MalformedError(
            f"{len(payload)} bytes of data in one entry, at most {MAX_PAYLOAD_BYTES}; "
            "split it over several things"
        )
    if b"\x3b" in payload:
        _check_negative(value)
    return payload


class PayloadEncoder:
    """Does what `payload_from_value` does, three times as fast for many values of a few shapes.

    Readings have the same keys again and again, and many equal values: their encodings are kept.
    """

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._shapes: dict[tuple[str, ...], tuple[bytes, list[tuple[str, bytes]]]] = {}
        self._cells: dict[tuple[type, object], bytes] = {}

    def encode(self, value: object) -> bytes:
        """Return the payload bytes of a JSON value, or of bytes.

        Raises:
            MalformedError: as `payload_from_value`.
        """
        if type(value) is not dict:
            return payload_from_value(value)
        try:
            head, keys = self._shape(value)
            parts = [head]
            for key, encoded in keys:
                item = value[key]
                cell = self._cells.get((item.__class__, item))
                parts += (encoded, self._cell(item) if cell is None else cell)
        except TypeError:  # an item that is no scalar
            return payload_from_value(value)
        payload = b"".join(parts)
        return payload if len(payload) <= MAX_PAYLOAD_BYTES else payload_from_value(value)

    def _shape(self, value: dict[str, object]) -> tuple[bytes, list[tuple[str, bytes]]]:
        names = tuple(value)
        shape = self._shapes.get(names)
        if shape is None:
            if len(self._shapes) >= _MAX_KEPT_SHAPES:
                self._shapes.clear()
            head = cbor.encode(dict.fromkeys(names, 0))
            pairs = sorted(((key, cbor.encode(key)) for key in names), key=lambda pair: pair[1])
            head = head[: len(head) - sum(len(encoded) + 1 for _, encoded in pairs)]
            shape = self._shapes[names] = head, pairs
        return shape

    def _cell(self, item: object) -> bytes:
        cell = payload_from_value(item)
        is_zero = item.__class__ is float and item == 0  # 0.0 and -0.0 are one key
        if len(cell) <= _MAX_KEPT_BYTES and not is_zero:
            if len(self._cells) >= _MAX_KEPT_CELLS:
                self._cells.clear()
            self._cells[item.__class__, item] = cell
        return cell


def value_from_payload(payload: bytes) -> object:
    """Return what `payload_from_value` encoded.

    Raises:
        MalformedError: *payload* is not a payload.
    """
    return cbor.decode(payload, limit_bytes=MAX_PAYLOAD_BYTES)


def _check_negative(value: object) -> None:
    """Refuse integers below -2^63, which CBOR could still hold."""
    if isinstance(value, int) and value < -(2**63):
        raise MalformedError(f"the integer {value} is beyond 64 bits")
    if isinstance(value, dict):
        _check_negatives(tuple(value.values()))
    elif isinstance(value, list | tuple):
        _check_negatives(value)


def _check_negatives(values: Sequence[object]) -> None:
    for value in values:
        _check_negative(value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number that JSON allows")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
