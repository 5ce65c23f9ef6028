"""Checks that payloads are what docs/format.md allows, many of them quickly. No I/O.

Readings have the same keys again and again. Of a map that was decoded a *form* is kept: its head
and keys, literally, and in the place of each value a pattern for one scalar. A payload that fits,
and of which each value is the encoding of one, differs from that map in its values only.
"""

import re
from collections.abc import Mapping

from ledger import cbor
from ledger.data import value_from_payload
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.on_behalf import statement_from_value

_SCALARS = frozenset({int, float, str, bytes, bool, type(None)})
_MAX_KEYS = 23  # whose number is in the first byte
_MAX_KEY_CHARACTERS = 4096
_MAX_FORMS = 8
# Payloads that have ever new keys are better decoded.
_MAX_LEARNT = 100
_MAX_KEPT = 65_536
# Each alternative has another first byte, which says how long it is.
_SCALAR = b"|".join(
    (
        rb"[\x00-\x17\x20-\x37\xf4-\xf6]",
        rb"\xfb.{8}",
        rb"[\x18\x38].",
        rb"[\x19\x39\xf9].{2}",
        rb"[\x1a\x3a\xfa].{4}",
        rb"[\x1b\x3b].{8}",
        *(b"[\\x%x\\x%x].{%d}" % (0x40 + size, 0x60 + size, size) for size in range(24)),
    )
)


class PayloadCheck:
    """Checks payloads and remembers what they look like. Not for two threads at once."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._forms: list[re.Pattern[bytes]] = []
        self._learnt = 0
        self._good: set[bytes] = set()

    def is_on_behalf(self, payload: bytes) -> bool:
        """Return whether *payload* speaks for a device.

        Raises:
            MalformedError: it is not a payload, as `value_from_payload` says it.
        """
        cells = self._cells(payload)
        if cells and self._good.issuperset(cells) and len(payload) <= MAX_PAYLOAD_BYTES:
            return False
        value = value_from_payload(payload)
        if cells:
            self._keep(cells)
        else:
            self._learn(value)
        return statement_from_value(value) is not None

    def _cells(self, payload: bytes) -> tuple[bytes, ...]:
        """Return the values, still encoded, of a map of a known form; else none."""
        for place, form in enumerate(self._forms):
            match = form.fullmatch(payload)
            if match is not None:
                if place:
                    self._forms.insert(0, self._forms.pop(place))
                return match.groups()
        return ()

    def _keep(self, cells: tuple[bytes, ...]) -> None:
        if len(self._good) >= _MAX_KEPT:
            self._good.clear()
        self._good.update(cells)

    def _learn(self, value: object) -> None:
        if self._learnt == _MAX_LEARNT or not isinstance(value, dict) or not _has_form(value):
            return
        self._learnt += 1
        keys = map(re.escape, map(cbor.encode, value))
        head = re.escape(bytes((0xA0 + len(value),)))
        pattern = head + b"".join(key + b"(" + _SCALAR + b")" for key in keys)
        self._forms.insert(0, re.compile(pattern, re.DOTALL))
        del self._forms[_MAX_FORMS:]


def _has_form(value: Mapping[object, object]) -> bool:
    return (
        0 < len(value) <= _MAX_KEYS
        and {str} == set(map(type, value))
        and len("".join(map(str, value))) <= _MAX_KEY_CHARACTERS
        and _SCALARS.issuperset(map(type, value.values()))
    )
