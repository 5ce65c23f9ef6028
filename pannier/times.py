"""Times as people write and read them."""

from datetime import UTC, datetime

from pannier.errors import UsageError


def time_text(time_us: int) -> str:
    """Return a time for people, UTC, to the second."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{time_us} us"


def parse_time(text: str) -> int:
    """Return the microseconds since 1970 of a time as people write it.

    Raises:
        UsageError: *text* is no time.
    """
    if text.removeprefix("-").isdigit():
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no time: write 2026-03-01, 2026-03-01T12:30 or microseconds"
        ) from error
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1e6)
