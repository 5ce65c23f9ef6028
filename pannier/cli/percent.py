"""Percentages as people type them: 2.8 or 2.8%."""

from fractions import Fraction

from pannier.errors import UsageError


def percent_of(text: str, option: str) -> Fraction:
    """Return what *text*, said with *option*, comes to: above 0 and at most 100.

    Raises:
        UsageError: it is no such percentage.
    """
    try:
        percent = Fraction(text.strip().removesuffix("%").strip())
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{text!r} is no percentage: write {option} 2.8") from error
    if not 0 < percent <= 100:
        raise UsageError(f"{text!r} is no percentage of 0 to 100: write {option} 2.8")
    return percent
