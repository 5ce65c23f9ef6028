"""JSON text to payload bytes and back: I-JSON as deterministic CBOR (docs/format.md section 3.1).

Source: RFC 7493 (I-JSON), with integers up to 64 bits.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from operator import getitem, itemgetter
from types import NoneType
from typing import Protocol, TypeVar

from ledger import cbor
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError

_Key_contra = TypeVar("_Key_contra", contravariant=True)
_Item_co = TypeVar("_Item_co", covariant=True)
_SCALARS: frozenset[type] = frozenset({int, float, str, bytes, bool, NoneType})
_MAX_KEPT_SHAPES = 1000
_MAX_KEPT_CELLS = 32_768
_MAX_KEPT_BYTES = 64
_MAX_SHORT_TEXT = 65_536
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
    """Does what `payload_from_value` does, five times as fast for many values of a few shapes.

    Readings have the same keys again and again, and many equal values: their encodings are kept.
    """

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._shapes: dict[tuple[object, ...], MapShape] = {}
        self._last = MapShape(())
        # By type, since 1, 1.0 and True are one key.
        self._cells_of = {kind: _Cells() for kind in _SCALARS}.__getitem__

    def encode(self, value: object) -> bytes:
        """Return the payload bytes of a JSON value, or of bytes.

        Raises:
            MalformedError: as `payload_from_value`.
        """
        if type(value) is not dict:
            return payload_from_value(value)
        shape = self._last
        try:
            if len(value) != len(shape.keys):
                shape = self._last = self._shapes[tuple(value)]
            items = shape.pick(value)
            cells = tuple(map(getitem, map(self._cells_of, map(type, items)), items))
        except KeyError:
            return self._encode_other(value)
        payload = shape.payload(cells)
        return payload if len(payload) <= MAX_PAYLOAD_BYTES else payload_from_value(value)

    def _encode_other(self, value: dict[object, object]) -> bytes:
        """Encode a map of other keys than the last one, or of more than scalars."""
        if not _SCALARS.issuperset(map(type, value.values())):
            return payload_from_value(value)
        keys = tuple(value)
        if keys not in self._shapes:
            texts = [key for key in keys if type(key) is str]
            if len(texts) != len(keys):
                return payload_from_value(value)
            if len(self._shapes) >= _MAX_KEPT_SHAPES:
                self._shapes.clear()
            self._shapes[keys] = MapShape(texts)
        self._last = self._shapes[keys]
        return self.encode(value)


class _Cells(dict[object, bytes]):
    """The payloads of scalars of one type, made when they are first asked for."""

    def __missing__(self, item: object) -> bytes:
        cell = scalar_payload(item)
        # 0.0 and -0.0 are one key
        if len(cell) <= _MAX_KEPT_BYTES and not (type(item) is float and item == 0):
            if len(self) >= _MAX_KEPT_CELLS:
                self.clear()
            self[item] = cell
        return cell


class MapShape:
    """How the payload of a map with certain keys is put together of those of its values.

    Attributes:
        keys: In the order that the payload has them in.
        pick: What returns the values of a map that has *keys* in that order; raises `KeyError`.
        payload: What returns the payload of the map whose values have the payloads given to it,
            a tuple in that order.
    """

    __slots__ = ("keys", "payload", "pick")

    keys: tuple[str, ...]
    payload: Callable[[tuple[bytes, ...]], bytes]
    pick: Callable[[Mapping[object, object]], tuple[object, ...]]

    def __init__(self, keys: Sequence[str]) -> None:
        """Make the shape of maps with *keys*, which differ.

        Raises:
            MalformedError: one of them is not valid Unicode.
        """
        encoded = sorted((cbor.encode(key), key) for key in keys)
        self.keys = tuple(key for _, key in encoded)
        self.pick = all_of(self.keys)
        zeros = sum(len(key) + 1 for key, _ in encoded)
        whole = cbor.encode(dict.fromkeys(keys, 0))
        literals = [whole[: len(whole) - zeros], *(key for key, _ in encoded)]
        first, *others = [part.replace(b"%", b"%%") for part in literals]
        self.payload = (first + b"%b".join((*others, b""))).__mod__


class _Holder(Protocol[_Key_contra, _Item_co]):
    def __getitem__(self, key: _Key_contra, /) -> _Item_co: ...


def all_of(
    keys: Sequence[_Key_contra],
) -> Callable[[_Holder[_Key_contra, _Item_co]], tuple[_Item_co, ...]]:
    """Return what returns the items at *keys* of what it is given: `itemgetter`, always a tuple."""
    if len(keys) == 1:
        (only,) = keys
        return lambda holder: (holder[only],)
    return itemgetter(*keys) if keys else lambda _: ()


def scalar_payload(value: object) -> bytes:
    """Return `payload_from_value` of *value*, more quickly if it is a number or a short text.

    Raises:
        MalformedError: as `payload_from_value`.
    """
    if (
        (type(value) is float and isfinite(value))
        or (type(value) is int and -(2**63) <= value < 2**64)
        or (type(value) is str and value.isascii() and len(value) <= _MAX_SHORT_TEXT)
    ):
        return cbor.encode_scalar(value)
    return payload_from_value(value)


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
