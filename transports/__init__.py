"""How fragments move. A transport knows the spool, and nothing of ledgers, keys or bundles."""

from transports.errors import TransportError
from transports.questions import Mine, Other, Ours, Seen, Verdict
from transports.report import Collected, Delivered

__all__ = [
    "Collected",
    "Delivered",
    "Mine",
    "Other",
    "Ours",
    "Seen",
    "TransportError",
    "Verdict",
]
