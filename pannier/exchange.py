"""An exchange with a medium, both ways: take what is ours, leave what others lack.

The order is what makes it safe: what came is durable and merged before it leaves the medium, room
is made before anything is written, and bundles are made last, when it is known what came.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pannier.answers import questions
from pannier.home import Peer
from pannier.importing import Outcome, Report, import_arrived
from pannier.node import Node
from pannier.sending import prepare
from transports.directory import collect, deliver
from transports.medium import Medium
from transports.report import Collected

TRANSPORT = "directory"
"""What a peer's ``transports`` must name, if it names any, to be served by sticks and folders."""


@dataclass(kw_only=True)
class Exchanged:
    """What an exchange did.

    Attributes:
        medium_id: 16 hex digits.
        label: What people call the medium; may be empty.
        collected: What was taken over.
        report: What became of it.
        written: New bundles on the medium, by peer.
        waiting: Bundles that were on it already, by peer.
        carried_written: Files for others that we left.
        removed: Files that went from it.
        problems: What was left undone, for people; empty when all is well.
        is_gone: The medium was pulled.
    """

    medium_id: str
    label: str
    collected: Collected
    report: Report
    written: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    carried_written: int = 0
    removed: int = 0
    problems: list[str] = field(default_factory=list)
    is_gone: bool = False
