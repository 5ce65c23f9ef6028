"""How long frames should be, from how many of them get lost (docs/link.md section 5.5). Pure.

With h bytes around the data of a frame and x lost frames a byte, a frame of L bytes brings
(L - h) e^(-xL) bytes: most, for each byte sent, where L = h/2 + sqrt(h^2/4 + h/x).
"""

from math import sqrt

# What is believed before anything was seen, and what a cut counts for: a cut loses what the line
# had before it as well.
_FIRST_LOST, _FIRST_BYTES = 0.5, 1 << 15
_CUT = 4.0
# So many losses are remembered, and so many bytes.
_MEMORY = 32
_MEMORY_BYTES = 1 << 20


class FrameSize:
    """The best length of a frame, all in all, as the line behaved of late."""

    def __init__(self, least: int, most: int, around: int) -> None:
        """Stay between *least* and *most* bytes, *around* of which are not data."""
        self._least, self._most, self._around = least, most, around
        self._lost = _FIRST_LOST
        self._bytes = float(_FIRST_BYTES)
        self.best = self._fit()

    def came(self, size: int) -> None:
        """A frame of *size* bytes came."""
        self._bytes += size
        if self._bytes > _MEMORY_BYTES:
            self._bytes /= 2
            self._lost = max(self._lost / 2, _FIRST_LOST)
        self.best = self._fit()

    def lost(self, size: int, *, is_cut: bool = False) -> None:
        """A frame of *size* bytes was lost, or all that was under way in a cut."""
        self._lost = self._lost * (1 - 1 / _MEMORY) + (_CUT if is_cut else 1.0)
        self._bytes = self._bytes * (1 - 1 / _MEMORY) + size
        self.best = self._fit()

    def _fit(self) -> int:
        half = self._around / 2
        best = half + sqrt(half * half + self._around * self._bytes / self._lost)
        return int(min(max(best, self._least), self._most))
