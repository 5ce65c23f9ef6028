"""How fragments move. A transport knows the spool, and nothing of ledgers, keys or bundles."""

from transports.errors import TransportError
from transports.questions import Fate, Mine, Verdict
from transports.report import Collected, Delivered

__all__ = [
    "Collected",
    "Delivered",
    "Fate",
    "Mine",
    "TransportError",
    "Verdict",
]
