"""Times as people write and read them."""

import re
from datetime import UTC, datetime

from pannier.errors import UsageError

_NUMBER = re.compile(r"-?[0-9]{1,20}")


def time_text(time_us: int) -> str:
    """Return a time for people, UTC, to the second."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{time_us} us"


def parse_time(text: str) -> int:
    """Return the microseconds since 1970 of a time as people write it.

    Raises:
        UsageError: *text* is no time, or none that an entry can have.
    """
    time_us = _microseconds(text)
    if not -(2**63) <= time_us < 2**63:
        raise UsageError(f"{text} is further away than a time can be")
    return time_us


def _microseconds(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return round(when.timestamp() * 1e6)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no time: write 2026-03-01T12:30 or microseconds") from error
