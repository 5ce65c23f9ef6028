"""JSON text to payload bytes and back: I-JSON as deterministic CBOR (docs/format.md section 3.1).

Source: RFC 7493 (I-JSON), with integers up to 64 bits.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from math import isfinite
from operator import call, itemgetter
from types import NoneType
from typing import NamedTuple

from ledger import cbor
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError

_SCALARS: frozenset[type] = frozenset({int, float, str, bytes, bool, NoneType})
_MAX_KEPT_FORMS = 1000
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
    """Does what `payload_from_value` does, four times as fast for many values of a few shapes.

    Readings have the same keys again and again, and many equal values: their encodings are kept.
    """

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._forms: dict[tuple[object, ...], _Form] = {}
        # By type, since 1, 1.0 and True are one key.
        self._cells: dict[type, dict[object, bytes]] = {kind: {} for kind in _SCALARS}

    def encode(self, value: object) -> bytes:
        """Return the payload bytes of a JSON value, or of bytes.

        Raises:
            MalformedError: as `payload_from_value`.
        """
        if type(value) is not dict:
            return payload_from_value(value)
        keys, items = tuple(value), value.values()
        kinds = tuple(map(type, items))
        form = self._forms.get((keys, kinds)) or self._learn(keys, kinds)
        if form is None:
            return payload_from_value(value)
        try:
            payload = form.shape.payload(list(map(call, form.kept, items)))  # type: ignore[arg-type]
        except TypeError:  # one of them is not kept
            payload = form.shape.payload(list(map(self._cell, items)))
        return payload if len(payload) <= MAX_PAYLOAD_BYTES else payload_from_value(value)

    def _learn(self, keys: tuple[str, ...], kinds: tuple[type, ...]) -> "_Form | None":
        if not (_SCALARS.issuperset(kinds) and set(map(type, keys)) <= {str}):
            return None
        if len(self._forms) >= _MAX_KEPT_FORMS:
            self._forms.clear()
        form = _Form(MapShape(keys), [self._cells[kind].get for kind in kinds])
        self._forms[keys, kinds] = form
        return form

    def _cell(self, item: object) -> bytes:
        cells = self._cells[type(item)]
        cell = cells.get(item)
        if cell is None:
            cell = scalar_payload(item)
            # 0.0 and -0.0 are one key
            if len(cell) <= _MAX_KEPT_BYTES and not (type(item) is float and item == 0):
                if len(cells) >= _MAX_KEPT_CELLS:
                    cells.clear()
                cells[item] = cell
        return cell


class _Form(NamedTuple):
    """Maps of certain keys with values of certain types.

    Attributes:
        shape: Puts the payloads together.
        kept: For each key, what finds the payload of a value of its type.
    """

    shape: "MapShape"
    kept: "list[Callable[[object], bytes | None]]"


class MapShape:
    """How the payload of a map with certain keys is put together of those of its values."""

    __slots__ = ("_form", "_pick")

    _pick: Callable[[Sequence[bytes]], tuple[bytes, ...]]

    def __init__(self, keys: Sequence[str]) -> None:
        """Make the shape of maps with *keys*, which differ.

        Raises:
            MalformedError: one of them is not valid Unicode.
        """
        encoded = [cbor.encode(key) for key in keys]
        order = sorted(range(len(keys)), key=encoded.__getitem__)
        zeros = sum(len(key) + 1 for key in encoded)
        whole = cbor.encode(dict.fromkeys(keys, 0))
        head = whole[: len(whole) - zeros]
        literals = [part.replace(b"%", b"%%") for part in (head, *(encoded[at] for at in order))]
        self._form = b"%b".join([b"".join(literals[:2]), *literals[2:], b""]) if keys else head
        self._pick = tuple if order == list(range(len(keys))) else itemgetter(*order)

    def payload(self, cells: Sequence[bytes]) -> bytes:
        """Return the payload of the map whose values have the payloads *cells*, key by key."""
        return self._form % self._pick(cells)


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
