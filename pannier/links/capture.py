"""Writing down what passes on a link, for `pannier link decode`.

Each direction goes into a file of its own, as it is on the wire. Datagrams, which have no marks
between them, are written as COBS frames.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from transports.link.framing import framing_named


class Capture:
    """Two files, ``FILE.sent`` and ``FILE.received``; a `transports.carriers.drive.Tap`."""

    def __init__(self, path: Path, *, is_datagrams: bool) -> None:
        """Begin both files anew.

        Raises:
            OSError: they cannot be written.
        """
        cobs = framing_named("cobs")
        self._mark: Callable[[bytes], bytes] = cobs.frame if is_datagrams else bytes
        self._files = ExitStack()
        with ExitStack() as files:
            self._sent, self._received = (
                files.enter_context(Path(f"{path}.{way}").open("wb", buffering=0))
                for way in ("sent", "received")
            )
            self._files = files.pop_all()

    def sent(self, data: bytes) -> None:
        """See `Tap`."""
        self._sent.write(self._mark(data))

    def received(self, data: bytes) -> None:
        """See `Tap`."""
        self._received.write(self._mark(data))

    def close(self) -> None:
        """Close both files."""
        self._files.close()
