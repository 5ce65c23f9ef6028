"""Percentages as people type them: 2.8 or 2.8%."""

import re
from fractions import Fraction

from pannier.errors import UsageError

# No exponent: the integer that 1e999999999 is would fill all memory before it is compared.
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{0,18})?|\.[0-9]{1,18}")


def percent_of(text: str, option: str) -> Fraction:
    """Return what *text*, said with *option*, comes to: above 0 and at most 100.

    Raises:
        UsageError: it is no such percentage.
    """
    decimal = text.strip().removesuffix("%").strip()
    if not _DECIMAL.fullmatch(decimal):
        raise UsageError(f"{text!r} is no percentage: write {option} 2.8")
    percent = Fraction(decimal)
    if not 0 < percent <= 100:
        raise UsageError(f"{text!r} is no percentage of 0 to 100: write {option} 2.8")
    return percent
