"""What two sides offer each other and ask for, as CBOR in frames (docs/link.md section 4).

Every reader takes the body of a frame whose MAC was right, so what it finds was said by the peer;
it is believed only as far as its bounds go.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from transports.link import frame_cbor
from transports.link.errors import MalformedFrameError
from transports.link.frame import (
    HINT_BYTES,
    MAX_EXPIRY_DAYS,
    MAX_HANDLE,
    MAX_OFFSET,
    MAX_PRIORITY,
    Label,
)

BUNDLE_ID_BYTES: Final = 8
DIGEST_BYTES: Final = 8
MAX_SIZE: Final = MAX_OFFSET + 1
MAX_LACK_RANGES: Final = 32
WHOLE_HANDLE: Final = MAX_HANDLE + 1
"""In a LACK: what came in a WHOLE frame, without a handle."""
_MAX_SYMBOL_BYTES, _SYMBOL_STEP_BYTES = 65_528, 8
_MAX_PAYLOAD_ID = 2**32 - 1
_SEALED, _FRAGMENTS = 0, 1


@dataclass(frozen=True, slots=True)
class SealedOffer:
    """A bundle for the peer itself; its bytes are the sealed bundle.

    Attributes:
        handle: What DATA and LACK call it, 0..127.
        label: Priority, expiry and hint.
        bundle_id: 8 bytes.
        size: Of the sealed bundle, 1..2^24.
        symbol_bytes: Size of its symbols: a multiple of 8 in 8..65,528.
    """

    handle: int
    label: Label
    bundle_id: bytes
    size: int
    symbol_bytes: int

    def to_bytes(self) -> bytes:
        """Return the offer as an item of the array in an OFFER frame."""
        return frame_cbor.encode((*_common(self, _SEALED), self.symbol_bytes))


@dataclass(frozen=True, slots=True)
class FragmentsOffer:
    """A file of whole fragments, for the peer or for it to carry; its bytes are the file.

    Attributes:
        handle: What DATA and LACK call it, 0..127.
        label: Priority, expiry and hint.
        bundle_id: 8 bytes.
        size: Of the file, 1..2^24.
        payload_id: Of the first symbol in it.
        digest: First 8 bytes of the file's SHA-256.
    """

    handle: int
    label: Label
    bundle_id: bytes
    size: int
    payload_id: int
    digest: bytes

    def to_bytes(self) -> bytes:
        """Return the offer as an item of the array in an OFFER frame."""
        return frame_cbor.encode((*_common(self, _FRAGMENTS), self.payload_id, self.digest))


Offer = SealedOffer | FragmentsOffer


@dataclass(frozen=True, slots=True)
class Lack:
    """What is asked for of what was offered under *handle*.

    Attributes:
        handle: 0..127; 128 for what came in a WHOLE frame.
        offer_low: Low 16 bits of the packet number of the OFFER frame that this answers: a late
            answer to what had the handle before must not count for what has it now. Or of the
            WHOLE frame.
        ranges: Of bytes, [start, end), ascending, none adjacent to another, at most 32: what is
            still wanted. Empty: all of it is here, durably. None: it is not wanted, as is all
            that this says of what came whole.
    """

    handle: int
    offer_low: int
    ranges: tuple[tuple[int, int], ...] | None

    def to_bytes(self) -> bytes:
        """Return the answer as an item of the array in a LACK frame."""
        flat = None if self.ranges is None else [edge for pair in self.ranges for edge in pair]
        return frame_cbor.encode((self.handle, self.offer_low, flat))


def read_offers(body: bytes) -> tuple[Offer, ...]:
    """Return what an OFFER frame with *body* offers; at least one, with distinct handles.

    Raises:
        MalformedFrameError: *body* does not follow the format, or a size is out of bounds.
    """
    offers = tuple(map(_offer, _items(body)))
    _check_handles([offer.handle for offer in offers])
    return offers


def read_lacks(body: bytes) -> tuple[Lack, ...]:
    """Return what a LACK frame with *body* asks for; at least one, with distinct handles.

    Raises:
        MalformedFrameError: *body* does not follow the format.
    """
    lacks = tuple(map(_lack, _items(body)))
    # Of what came whole there may be several: these are told apart by their packets.
    _check_handles([(lack.handle, lack.handle // WHOLE_HANDLE * lack.offer_low) for lack in lacks])
    return lacks


def read_withdrawn(body: bytes) -> tuple[int, ...]:
    """Return the handles, distinct, that a WITHDRAW frame with *body* takes back; at least one.

    Raises:
        MalformedFrameError: *body* does not follow the format.
    """
    handles = tuple(frame_cbor.as_uint(item, MAX_HANDLE) for item in _items(body))
    _check_handles(handles)
    return handles


def _items(body: bytes) -> Sequence[object]:
    items = frame_cbor.as_array(frame_cbor.decode(body))
    if not items:
        raise MalformedFrameError("a frame that names nothing")
    return items


def _check_handles(handles: Sequence[Hashable]) -> None:
    if len(set(handles)) != len(handles):
        raise MalformedFrameError("a frame that names a handle twice")


def _common(offer: Offer, kind: int) -> tuple[object, ...]:
    label = offer.label
    name = (label.priority, label.expiry_days, label.hint, offer.bundle_id)
    return (offer.handle, kind, *name, offer.size)


def _offer(item: object) -> Offer:
    handle, kind, priority, expiry, hint, bundle_id, size, number, *digest = frame_cbor.as_array(
        item, 8, 9
    )
    label = Label(
        frame_cbor.as_uint(priority, MAX_PRIORITY),
        frame_cbor.as_uint(expiry, MAX_EXPIRY_DAYS),
        frame_cbor.as_bytes(hint, HINT_BYTES),
    )
    common = (
        frame_cbor.as_uint(handle, MAX_HANDLE),
        label,
        frame_cbor.as_bytes(bundle_id, BUNDLE_ID_BYTES),
        frame_cbor.as_uint(size, MAX_SIZE, minimum=1),
    )
    if kind == _FRAGMENTS and digest:
        payload_id = frame_cbor.as_uint(number, _MAX_PAYLOAD_ID)
        return FragmentsOffer(*common, payload_id, frame_cbor.as_bytes(digest[0], DIGEST_BYTES))
    if kind == _SEALED and not digest:
        return SealedOffer(*common, _symbol_bytes(number))
    raise MalformedFrameError("an offer of a kind that is not known")


def _symbol_bytes(value: object) -> int:
    size = frame_cbor.as_uint(value, _MAX_SYMBOL_BYTES, minimum=_SYMBOL_STEP_BYTES)
    if size % _SYMBOL_STEP_BYTES:
        raise MalformedFrameError(f"symbols of {size} bytes")
    return size


def _lack(item: object) -> Lack:
    handle, offer_low, ranges = frame_cbor.as_array(item, 3)
    lack = Lack(
        frame_cbor.as_uint(handle, WHOLE_HANDLE),
        frame_cbor.as_uint(offer_low, 0xFFFF),
        None if ranges is None else _ranges(ranges),
    )
    if lack.handle == WHOLE_HANDLE and lack.ranges is not None:
        raise MalformedFrameError("what came whole is refused, or acknowledged")
    return lack


def _ranges(value: object) -> tuple[tuple[int, int], ...]:
    edges = [frame_cbor.as_uint(edge, MAX_SIZE) for edge in frame_cbor.as_array(value)]
    if len(edges) % 2 or len(edges) > 2 * MAX_LACK_RANGES or sorted(set(edges)) != edges:
        raise MalformedFrameError("ranges that are cut off, too many, or not in order")
    return tuple(zip(edges[::2], edges[1::2], strict=True))
