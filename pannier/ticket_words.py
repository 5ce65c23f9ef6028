"""Tickets as people pass them on: as text, as words to read aloud, as groups of digits. Pure.

Whoever reads one in may write it as he likes: case, spaces and dashes mean nothing. What was
misheard is named by its place, so that only this must be said again.

Specification: docs/link.md section 8.
Source: base 32, RFC 4648 section 6; the check digit of H. M. Damm, Total anti-symmetrische
Quasigruppen (2004).
"""

import base64
import re
from binascii import Error as BinasciiError
from collections.abc import Sequence
from difflib import get_close_matches

from pannier.errors import UsageError
from pannier.pgp_words import EVEN, ODD

_GROUP = 5
_MAX_TEXT = 4000
_LOOKALIKES = str.maketrans("018", "OIB")
_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def to_text(data: bytes) -> str:
    """Return a ticket as base 32, in groups of five with dashes between."""
    letters = base64.b32encode(data).decode().rstrip("=")
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def to_words(data: bytes) -> str:
    """Return a ticket as words, one a byte."""
    return " ".join((ODD if place % 2 else EVEN)[byte] for place, byte in enumerate(data))


def to_digits(data: bytes) -> str:
    """Return a ticket as groups of four digits and a check digit, which knows its group's place.

    Args:
        data: Begins with a byte other than 0, as a ticket does.
    """
    number = str(int.from_bytes(data, "big"))
    number = number.zfill(-(-len(number) // (_GROUP - 1)) * (_GROUP - 1))
    groups = (number[at : at + _GROUP - 1] for at in range(0, len(number), _GROUP - 1))
    return " ".join(f"{group}{_damm(place, group)}" for place, group in enumerate(groups))


def tickets_in(arguments: Sequence[str]) -> list[bytes]:
    """Return the tickets that somebody typed, in any of the three forms.

    Args:
        arguments: Each a ticket; or all of them together one, each a word or group of it.

    Raises:
        UsageError: they are none; says at which place.
    """
    if any(_is_part(one) for one in arguments):
        return [from_spoken(" ".join(arguments))]
    return [from_spoken(one) for one in arguments]


def from_spoken(text: str) -> bytes:
    """Return the bytes of one ticket; whether it is one, is for `bundler.ticket` to say.

    Raises:
        UsageError: *text* is in none of the three forms; says at which place.
    """
    parts = re.findall("[^\\s,.;:_-]+", text[:_MAX_TEXT])
    if parts and all(part.isdecimal() and part.isascii() for part in parts):
        return _from_digits("".join(parts))
    known = sum(part.lower() in _PLACES for part in parts)
    if 2 * known > len(parts) > 1:
        return _from_words(parts)
    return _from_base32("".join(parts))


_PLACES = {
    word.lower(): (byte, odd)
    for odd, words in enumerate((EVEN, ODD))
    for byte, word in enumerate(words)
}


def _is_part(argument: str) -> bool:
    """Return whether this cannot be a ticket alone: the shortest has 12 words or 20 letters."""
    return sum(char.isalnum() for char in argument) < 20


def _from_words(parts: Sequence[str]) -> bytes:
    found = bytearray()
    for place, part in enumerate(parts):
        if part.lower() not in _PLACES:
            raise UsageError(
                f"word {place + 1}, {part!r}, is none of the list{_meant(part, place)}"
            )
        byte, odd = _PLACES[part.lower()]
        if odd != place % 2:
            raise UsageError(
                f"word {place + 1}, {part!r}, cannot stand there: it or one before it was "
                "misheard, left out or said twice"
            )
        found.append(byte)
    return bytes(found)


def _meant(part: str, place: int) -> str:
    words = {word.lower(): word for word in (ODD if place % 2 else EVEN)}
    near = get_close_matches(part.lower(), words, n=3, cutoff=0.5)
    return f": {' or '.join(words[one] for one in near)}?" if near else ""


def _from_digits(digits: str) -> bytes:
    groups = [digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP)]
    if len(groups[-1]) < _GROUP:
        raise UsageError(f"{len(digits)} digits are not groups of five: one is missing or too many")
    wrong = [
        f"group {place + 1} ({group})"
        for place, group in enumerate(groups)
        if _damm(place, group[:-1]) != int(group[-1])
    ]
    if len(wrong) > max(len(groups) // 2, 1):
        raise UsageError(f"misheard from {wrong[0]} on: was one left out, or said twice?")
    if wrong:
        raise UsageError(f"misheard, ask for it again: {', '.join(wrong)}")
    number = int("".join(group[:-1] for group in groups))
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _from_base32(letters: str) -> bytes:
    plain = letters.upper().translate(_LOOKALIKES)
    for place, letter in enumerate(plain):
        if not ("A" <= letter <= "Z" or "2" <= letter <= "7"):
            raise UsageError(f"letter {place + 1} of the ticket, {letter!r}, is of no ticket")
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8))
    except BinasciiError as error:
        raise UsageError(f"{len(plain)} letters are no ticket: some are missing") from error


def _damm(place: int, digits: str) -> int:
    state = place % 10
    for digit in digits:
        state = _DAMM[state][int(digit)]
    return state
