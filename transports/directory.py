"""Transport by folders: a stick, a drop folder, a person's pocket (docs/format.md section 8)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spool.tree import Spool
from transports.collect import collect
from transports.deliver import deliver
from transports.medium import Medium
from transports.questions import Fresh, Questions
from transports.report import Collected, Delivered
from transports.terms import Terms


class Directory(NamedTuple):
    """One medium, one spool, and the node to ask.

    Everything may be repeated at any time, after a crash at any instant too. Two exchanges of one
    home with one medium exclude each other; those of several homes may run at once.

    Attributes:
        medium: Where to collect from and deliver to.
        spool: Of the node.
        questions: The node.
    """

    medium: Medium
    spool: Spool
    questions: Questions

    def collect(self, terms: Terms) -> Collected:
        """Take over what is for us, and in its quota what is for others; the most urgent first.

        One file that is damaged or cannot be read does not stop the rest.

        Returns:
            What was taken over; all of it is durable.

        Raises:
            BusyError: another exchange of this home with the medium is going on.
            MediumGoneError: the medium was pulled; what it says is done is durable.
            FullError: the disk of the spool is full.
            StorageError: the disk of the spool refused.
        """
        return collect(self.medium, self.spool, self.questions, terms)

    def deliver(self, peers: Sequence[str], terms: Terms, fresh: Iterable[Fresh] = ()) -> Delivered:
        """Write what is queued for *peers* and what is carried, and has not come from there.

        What does not fit or fails is left in its queue, and the rest goes on.

        Args:
            peers: Node ids.
            terms: Conditions of this pass.
            fresh: What is made while the rest is being written, and goes after it; what asking for
                it raises passes through.

        Returns:
            What was written; all of it is durable, and the medium may be pulled.

        Raises:
            BusyError: another exchange of this home with the medium is going on.
            MalformedNameError: one of *peers* is no node id.
            MediumGoneError: the medium was pulled; what it says is done is durable.
            MediumReadOnlyError: the medium cannot be written to.
            MediumFaultError: the medium cannot even be looked at.
            StorageError: the disk of the spool refused.
        """
        return deliver(
            self.medium, self.spool, self.questions, peers=peers, terms=terms, fresh=fresh
        )
