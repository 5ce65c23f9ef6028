"""Ed25519 keys and signatures, with one answer everywhere (docs/format.md section 2).

Verifiers in the field differ on odd keys and signatures, and where two nodes differ, a ledger
splits. Accepted here is: a key and an R that are canonically encoded and not of small order, S
below the group order, and R being, byte for byte, the encoding of [S]B - [k]A. All but the last is
checked here; on what is left all verifiers agree that do not multiply by the cofactor, whether
they decode R or not. Keys of mixed order are accepted: no list can name them.

Source: RFC 8032 section 5.1.7; C2SP CCTV, ed25519.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import MalformedError, UnverifiedError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_Y_MASK = 2**255 - 1
# One y of the points of order 8; the other is its negative.
_ORDER_8_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# With either sign of x: orders 4, 1, 2, 8 and 8. Under such a key anybody can sign something.
_SMALL_ORDER_YS = frozenset({0, 1, _P - 1, _ORDER_8_Y, _P - _ORDER_8_Y})


def check_author(public_key: bytes) -> None:
    """Check that *public_key* may name an author.

    Raises:
        MalformedError: it is not 32 bytes, not canonically encoded, or of small order.
    """
    if not _is_sound(public_key):
        raise MalformedError(f"{public_key.hex()} is not an Ed25519 key that can name an author")


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check that *signature* over *message* is by the owner of *public_key*.

    Raises:
        UnverifiedError: it is not, or `check_author` refuses the key.
    """
    if not _is_sound(public_key):
        raise UnverifiedError("a signature under a key that cannot name an author")
    if not _is_sound(signature[:KEY_BYTES]) or not _is_below_order(signature[KEY_BYTES:]):
        raise UnverifiedError("a signature that no signer makes")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature as error:
        raise UnverifiedError("the signature does not fit the key and what it signs") from error


def _is_sound(point: bytes) -> bool:
    # A canonical y also rules out "minus zero": x is 0 only where y is 1 or -1.
    y = int.from_bytes(point, "little") & _Y_MASK
    return len(point) == KEY_BYTES and y < _P and y not in _SMALL_ORDER_YS


def _is_below_order(scalar: bytes) -> bool:
    return len(scalar) == SIGNATURE_BYTES - KEY_BYTES and int.from_bytes(scalar, "little") < _ORDER
