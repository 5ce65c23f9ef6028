"""The TLS of a link, as of now: peers come and go, and certificates are renewed, while it runs."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pannier.errors import PannierError
from pannier.links.notices import Notices
from pannier.node import Node
from transports.carriers.tls import Tls
from transports.errors import TransportError

_ERRORS = (PannierError, TransportError, OSError)

Look = dict[Path, tuple[int, int, int]]
"""Which files are there: number, time of the last change and size of each."""


class CurrentTls:
    """Makes TLS anew when what it is made of has changed; used by one thread."""

    def __init__(
        self,
        node: Node,
        make: Callable[[Node], Tls],
        certificates: Sequence[Path],
        say: Callable[[str], None],
    ) -> None:
        """Make it.

        Args:
            node: Who shows a certificate; stays open as long as this is used.
            make: Makes TLS of the peers and settings of a node.
            certificates: Files that it reads.
            say: Is told, each thing once, why it cannot be made anew.

        Raises:
            PannierError: a card, or the settings, cannot be read. Whatever *make* raises.
            OSError: the folder of cards cannot be read.
        """
        self._node, self._make, self._certificates = node, make, certificates
        self._notices = Notices(say)
        self._made_of = self._look()
        self._tls = self._made_anew()

    def __call__(self) -> Tls:
        """Return it, as of now; as of before where it cannot be made."""
        try:
            look = self._look()
            if look != self._made_of:
                self._tls = self._made_anew()
                self._made_of = look
        except _ERRORS as error:
            self._notices.say(f"TLS accepts those whom it accepted before: {error}")
        return self._tls

    def _made_anew(self) -> Tls:
        old = self._node
        # A node reads its peers and settings once, and this one may have long ago.
        with Node.open(old.home, old.keys, clock=old.clock, entropy=old.entropy) as node:
            return self._make(node)

    def _look(self) -> Look:
        home = self._node.home
        look: Look = {}
        for path in (home.config, *home.cards.glob("*"), *self._certificates):
            with suppress(OSError):
                seen = path.stat()
                look[path] = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        return look
