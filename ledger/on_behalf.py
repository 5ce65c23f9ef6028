"""What an admin of a centralized ledger says on behalf of a device (docs/format.md section 3.9).

Nothing shows that the device said it but the word of whoever signed: a device holds no key. The
form is a map with integer keys, which no JSON gives: nobody takes one for the other.
"""

from collections.abc import Collection
from typing import NamedTuple

from ledger import cbor
from ledger.card import check_name
from ledger.data import PayloadEncoder
from ledger.entry import MAX_PAYLOAD_BYTES
from ledger.errors import MalformedError

DEVICE, VALUE = 3, 4
"""Keys of the map: the device's name, and what it said."""

_MAX_KEPT_DEVICES = 65_536
_SCALARS = frozenset({int, float, str, bytes, bool, type(None)})


class Statement(NamedTuple):
    """What a device said, as whoever signed says.

    Attributes:
        device: Its name, 1..64 characters.
        value: The data.
    """

    device: str
    value: object


class DeviceEncoder:
    """Makes the payloads of devices; remembers what repeats, as `PayloadEncoder` does."""

    def __init__(self, encoder: PayloadEncoder) -> None:
        """Encode the data with *encoder*."""
        self._encoder = encoder
        self._heads: dict[str, bytes] = {}

    def encode(self, device: str, value: object) -> bytes:
        """Return the payload by which *device* says *value*.

        Raises:
            MalformedError: *device* is no name, *value* is out of bounds, or both together.
        """
        payload = self._head(device) + self._encoder.encode(value)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise MalformedError(
                f"{len(payload)} bytes of data in one entry, at most {MAX_PAYLOAD_BYTES}; "
                "split it over several things"
            )
        if _is_nested(value):  # one level more than the value has alone
            cbor.encode({DEVICE: device, VALUE: value})
        return payload

    def _head(self, device: str) -> bytes:
        head = self._heads.get(device)
        if head is None:
            check_name(device, "device name")
            head = b"\xa2" + cbor.encode(DEVICE) + cbor.encode(device) + cbor.encode(VALUE)
            if len(self._heads) >= _MAX_KEPT_DEVICES:
                self._heads.clear()
            self._heads[device] = head
        return head


def statement_from_value(value: object) -> Statement | None:
    """Return what a decoded payload says on behalf of a device; None if it has another form."""
    if not isinstance(value, dict) or value.keys() != {DEVICE, VALUE}:
        return None
    try:
        return Statement(check_name(cbor.as_text(value[DEVICE]), "device name"), value[VALUE])
    except MalformedError:
        return None


def _is_nested(value: object) -> bool:
    children = value.values() if isinstance(value, dict) else value
    if not isinstance(children, Collection) or isinstance(children, str | bytes):
        return False
    return children is value or not _SCALARS.issuperset(map(type, children))
