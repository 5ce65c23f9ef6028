"""What a person should know of what comes by a link. Pure."""

from pannier.links.answering import Refuse
from pannier.links.work import BUSY_ERRORS

_MOST = 100


class Complaints:
    """Lines for a person; a peer who is to blame for many fills no memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lines: list[str] = []

    def refused(self, why: Refuse) -> None:
        """Something is not taken."""
        if why.is_noted:
            self._add(f"something that was offered is not taken: {why.reason}")

    def failed(self, error: Exception) -> None:
        """Something could not be done; what passes by itself is not worth a line."""
        if not isinstance(error, BUSY_ERRORS):
            self._add(str(error))

    def take(self) -> list[str]:
        """Return the lines, and forget them."""
        lines, self._lines = self._lines, []
        return lines

    def _add(self, line: str) -> None:
        if len(self._lines) < _MOST:
            self._lines.append(line)
