"""What could not be done is done again after a while, ever more rarely. Pure."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

FIRST_US, LONGEST_US = 500_000, 30_000_000
"""The first while, and the longest: each is twice as long as the one before."""

_Thing = TypeVar("_Thing")


@dataclass(slots=True)
class Retries(Generic[_Thing]):
    """Things to do again, by handles; how often one failed is known until it is forgotten."""

    _waiting: dict[int, tuple[_Thing, int]] = field(default_factory=dict)
    _waits_us: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many things wait."""
        return len(self._waiting)

    @property
    def is_any(self) -> bool:
        """Whether anything that failed was not forgotten, whether or not it waits now."""
        return bool(self._waits_us)

    @property
    def due_us(self) -> int | None:
        """When `take` has something; None if nothing waits."""
        return min((due_us for _, due_us in self._waiting.values()), default=None)

    def later(self, now_us: int, handle: int, thing: _Thing) -> None:
        """Have *thing*, which failed, done again."""
        wait_us = self._waits_us.get(handle, FIRST_US)
        self._waits_us[handle] = min(2 * wait_us, LONGEST_US)
        self._waiting[handle] = thing, now_us + wait_us

    def take(self, now_us: int) -> dict[int, _Thing]:
        """Return what is to be done now; it waits no longer."""
        due = {
            handle: thing for handle, (thing, due_us) in self._waiting.items() if now_us >= due_us
        }
        for handle in due:
            del self._waiting[handle]
        return due

    def forget(self, handle: int) -> None:
        """Forget a thing that was done, or need not be."""
        self._waiting.pop(handle, None)
        self._waits_us.pop(handle, None)

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._waits_us.clear()
