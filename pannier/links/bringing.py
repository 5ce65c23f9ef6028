"""Bringing the bytes of what the other end wants, beside the link."""

from collections.abc import Callable, Sequence, Set
from functools import partial

from pannier.links.meeting import Meeting
from pannier.links.offering import Offering
from pannier.links.work import Lane, Then
from pannier.node import Node
from transports.link.wares import Ware

_SMALL_BYTES = 64 << 10
_Wanted = Sequence[tuple[int, Ware]]


class Bringing:
    """Brings what is wanted, once, however often it is wanted meanwhile."""

    def __init__(
        self,
        meeting: Meeting,
        offering: Offering,
        *,
        gone: Callable[[Set[object]], None],
        failed: Callable[[Set[object], Exception], None],
    ) -> None:
        """Begin with nothing wanted.

        Args:
            meeting: The session.
            offering: Has the bytes.
            gone: Told the keys of what is not there any more.
            failed: Told the keys of what cannot be read now, and why.
        """
        self._meeting, self._offering = meeting, offering
        self._gone, self._failed = gone, failed
        self._wanted: dict[int, Ware] = {}
        self._coming: set[int] = set()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is still to be brought."""
        return not self._wanted

    def wanted(self, handle: int, ware: Ware) -> None:
        """Have the bytes of a ware brought, with the next `step`, unless they are coming."""
        if handle not in self._coming:
            self._wanted[handle] = ware

    def step(self) -> None:
        """Have bytes brought: those of small wares all at once, of each other one by itself."""
        small = [one for one in self._wanted.items() if one[1].size <= _SMALL_BYTES]
        large = [[one] for one in self._wanted.items() if one[1].size > _SMALL_BYTES]
        self._wanted.clear()
        for some in (small, *large):
            if some:
                self._coming.update(handle for handle, _ in some)
                failed = partial(self._failed_to_bring, some)
                self._meeting.submit(Lane.SENDING, partial(self._brought, some), failed)

    def _brought(self, wanted: _Wanted, node: Node) -> Then:
        found = [(one, ware, self._offering.contents(node, ware)) for one, ware in wanted]

        def supply() -> None:
            for handle, _, data in found:
                self._coming.discard(handle)
                if data is not None:
                    self._meeting.link.supply(handle, bytes(data))
            gone = {ware.key for _, ware, data in found if data is None}
            if gone and not self._meeting.is_over:
                self._gone(gone)

        return supply

    def _failed_to_bring(self, wanted: _Wanted, error: Exception) -> None:
        self._coming.difference_update(handle for handle, _ in wanted)
        if not self._meeting.is_over:
            self._failed({ware.key for _, ware in wanted}, error)
