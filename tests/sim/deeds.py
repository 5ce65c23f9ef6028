"""What happens in a simulation, one thing at a time: so small that any of them may be left out."""

from collections.abc import Iterable
from typing import NamedTuple, Self


class Deed(NamedTuple):
    """One thing that happens; *who* and *what* are taken modulo what there is."""

    kind: str
    who: int
    what: int

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"{self.kind}:{self.who}:{self.what}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what `str` made a text of."""
        kind, who, what = text.split(":")
        return cls(kind, int(who), int(what))


def typed(deeds: Iterable[Deed]) -> str:
    """Return deeds as they are typed, one after another."""
    return " ".join(map(str, deeds))
