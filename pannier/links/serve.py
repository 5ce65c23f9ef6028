"""A node at one end of a link: turns what the link tells into work, and its results into answers.

One `Serving` lasts as long as its link; sessions come and go. Nothing here waits: whatever takes
long is done beside it (`pannier.links.work`), so that the line never stands still for it.
"""

from collections.abc import Callable
from contextlib import ExitStack

from pannier.import_report import Report
from pannier.links.meeting import Machine, nothing
from pannier.links.notices import Notices
from pannier.links.offering import Offering
from pannier.links.session import Session
from pannier.links.work import Desk, Lane, Then
from pannier.node import Node
from spool.errors import BusyError, SpoolError
from transports.link.events import (
    Arrived,
    Delivered,
    Ended,
    Established,
    Event,
    Noted,
    Offered,
    Refused,
    Wanted,
    WholeArrived,
    Withdrawn,
)


def source_of(peer: str) -> str:
    """Return what the spool calls a link to the node with the id *peer*, whatever the wire."""
    return f"link{peer}"


class Serving:
    """Acts on what a link brings, and supplies what it takes; used by the thread of the link."""

    def __init__(
        self,
        node: Node,
        link: Machine,
        desk: Desk,
        *,
        kind: str,
        say: Callable[[str], None],
        told: Callable[[Report], None],
    ) -> None:
        """Serve nobody yet.

        Args:
            node: Who is at this end; used by this thread only, and closed by the caller.
            link: The link.
            desk: For what takes time; closed by the caller, after `close`.
            kind: "serial", "tcp" or "udp".
            say: Is told what a person should know, each thing once.
            told: Is told what was imported.
        """
        self._node, self._link, self._desk = node, link, desk
        self._kind, self._told = kind, told
        self._notices = Notices(say)
        self._locks = ExitStack()
        self._session: Session | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be looked up or imported, as far as is known now."""
        return self._session is None or self._session.is_settled

    def take(self, event: Event) -> None:
        """Act on what the link tells; a `WholeArrived` is durable on return."""
        session = self._session
        match event:
            case Established():
                self._end()
                self._begin(event)
            case Ended():
                self._end()
            case Noted(text):
                self._notices.say(text)
            case Refused(key) if session is not None:
                session.giving.refused(key)
            case Delivered(key) if session is not None:
                session.giving.delivered(key)
            case Wanted(handle, ware) if session is not None:
                session.giving.bringing.wanted(handle, ware)
            case Offered(handle, ware) if session is not None:
                session.taking.offered(handle, ware)
            case Withdrawn(handle) if session is not None:
                session.taking.withdrawn(handle)
            case Arrived(handle, offset, data) if session is not None:
                session.taking.arrived(handle, offset, data)
            case WholeArrived() if session is not None:
                session.taking.whole(event)
            case _:
                pass

    def attend(self, now_us: int) -> int | None:
        """Do what is due; return when to be called again at the latest, None if by an event."""
        self._desk.finish()
        self._notices.step(now_us)
        if self._session is None:
            return None
        due_us = self._session.attend(now_us)
        for note in self._session.notes():
            self._notices.say(note)
        return due_us

    def close(self) -> None:
        """Keep what came; the link is at its end."""
        self._end()

    def _begin(self, peer: Established) -> None:
        number = peer.peer.hex()
        source = source_of(number)
        label = f"link to {self._name(number)}"

        def note(node: Node) -> Then:
            node.db.note_medium(source, label, self._kind, node.clock())
            return nothing

        self._desk.submit(Lane.SENDING, note, lambda error: self._notices.say(str(error)))
        self._session = Session(
            self._node,
            self._link,
            self._desk,
            Offering(number, source, self._kind, peer.carries),
            told=self._told,
            claim=lambda: self._claim(source),
        )

    def _claim(self, source: str) -> bool:
        """Be the only link that offers something to a peer; False as long as that cannot be."""
        try:
            self._locks.enter_context(self._node.spool.exchange(source))
        except BusyError:
            name = self._name(source.removeprefix(source_of("")))
            self._notices.say(
                f"{name} is served by another link already: "
                "this one takes what comes, and sends when that one ends"
            )
            return False
        except SpoolError as error:
            self._notices.say(str(error))
            return False
        return True

    def _end(self) -> None:
        if self._session is not None:
            self._session.end()
            for note in self._session.notes():
                self._notices.say(note)
            self._session = None
            self._link.offer(())
        self._locks.close()

    def _name(self, number: str) -> str:
        peer = self._node.peers.get(number)
        return number if peer is None else peer.name
