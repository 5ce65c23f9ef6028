"""Nodes with real homes, joined by links in simulated time: bytes arrive a moment after they left.

Work is done in place, by the node of the world; `kill` forgets all that is not on the disk.
"""

import heapq
from collections.abc import Callable, Mapping
from itertools import count

from pannier.import_report import Report
from pannier.links.attending import Attending
from pannier.links.ending import Ending
from pannier.links.identity import NodeIdentity
from pannier.links.offering import is_served
from pannier.links.progress import Progress
from pannier.links.serve import Serving
from pannier.links.work import WORK_ERRORS, Failed, Job, Lane
from pannier.node import Node
from tests.sim.world import World
from tests.transports.link.doubles import entropy
from transports.link.machine import Link
from transports.link.settings import LinkSettings

FLIGHT_US = 2_000
_MOST_WAITS = 10
USUAL = {"rate": 200_000, "frame_bytes": 1000}


class DeskInPlace:
    """Does work when what follows from it is asked for."""

    def __init__(self, node: Callable[[], Node]) -> None:
        self._node = node
        self._jobs: list[tuple[Job, Failed]] = []
        self.done: list[Lane] = []

    def submit(self, lane: Lane, job: Job, failed: Failed) -> None:
        self._jobs.append((job, failed))
        self.done.append(lane)

    def finish(self) -> None:
        jobs, self._jobs = self._jobs, []
        for job, failed in jobs:
            try:
                then = job(self._node())
            except WORK_ERRORS as error:
                failed(error)
            else:
                then()

    def close(self) -> None:
        pass


class End:
    """One end of a wire: a node with a link that serves."""

    def __init__(
        self,
        world: World,
        name: str,
        peer: str | None,
        settings: Mapping[str, int],
        kind: str = "serial",
    ) -> None:
        self.world, self.name = world, name
        self._peer, self._settings, self._kind = peer, settings, kind
        self._starts = count()
        self.said: list[str] = []
        self.reports: list[Report] = []
        self.start()

    def start(self) -> None:
        node = self.world[self.name]
        peer = self._peer  # by its node id, for a clone of it has another name here
        known = None if peer is None else node.peers[self.world[peer].card.node_id]
        served = lambda one: is_served(node, one, self._kind)  # noqa: E731
        draw = entropy(f"{self.name} {self._peer} {next(self._starts)}")
        carries = node.config.spool.carry_bytes > 0
        rate, frame_bytes = self._settings["rate"], self._settings["frame_bytes"]
        is_udp = self._kind == "udp"
        settings = LinkSettings(
            framing="datagram" if is_udp else "cobs",
            rate=None if is_udp else rate,
            frame_bytes=frame_bytes,
            is_ordered=not is_udp,
            carries=carries,
            lead_us=10_000,
        )
        self.link = Link(settings, NodeIdentity(node, known, is_served=served), draw)
        self.desk = DeskInPlace(lambda: self.world[self.name])
        self.serving = Serving(
            node,
            self.link,
            self.desk,
            kind=self._kind,
            say=self.said.append,
            told=self.reports.append,
        )
        self.attending = Attending(self.link, self.serving, Progress(None))
        self.attending.ending = Ending(when_quiet=True)

    def listen(self) -> None:
        """Begin anew, for any peer."""
        self._peer = None
        self.start()

    def attend(self, now_us: int) -> int | None:
        """As the loop does between two looks at the wire."""
        due_us = self.attending.attend(now_us)
        while events := self.link.events():
            for event in events:
                self.attending.take(event)
            due_us = self.attending.attend(now_us)
        return due_us

    def kill(self) -> None:
        """The process is gone; another one begins over what is on the disk."""
        self.serving._locks.close()  # as the system does
        self.world.reopen(self.name)
        self.start()

    def close(self) -> None:
        self.serving.close()
        self.desk.finish()

    @property
    def node_id(self) -> str:
        """Of this end."""
        return self.world[self.name].card.node_id

    @property
    def is_quiet(self) -> bool:
        stats = self.link.stats
        return stats.is_through and stats.rest_is_known


class Wire:
    """Two ends, and the bytes between them."""

    def __init__(
        self,
        world: World,
        one: str,
        other: str,
        kind: str = "serial",
        **settings: int,
    ) -> None:
        """Join two nodes; *settings* are "rate" and "frame_bytes"."""
        given = {**USUAL, **settings}
        self.now_us, self._rate = 0, given["rate"]
        self._free_us = [0, 0]
        self.ends = tuple(
            End(world, name, peer, given, kind) for name, peer in ((one, other), (other, one))
        )
        self._order = count()
        self._flying: list[tuple[int, int, int, bytes]] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.fate: Callable[[], list[int]] = lambda: [0]
        """Draws after what delays something arrives besides; none: never."""

    def open(self) -> None:
        for end in self.ends:
            end.link.opened(self.now_us)

    def cut(self) -> None:
        """The wire is pulled, and plugged in again."""
        self._flying.clear()
        for end in self.ends:
            end.link.closed(self.now_us)
            end.attend(self.now_us)
        self.open()

    def kill(self, place: int) -> None:
        self._flying.clear()
        self.ends[place].kill()
        self.ends[1 - place].link.closed(self.now_us)
        self.ends[1 - place].attend(self.now_us)
        self.open()

    def payload(self, place: int = 0) -> int:
        """Bytes of wares that an end sent since it was last killed."""
        return self.ends[place].link.stats.counts.payload_out

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; return whether *until* came true before that."""
        end_us = self.now_us + round(seconds * 1_000_000)
        while self.now_us < end_us:
            if until():
                return True
            dues = [self._serve(place, end) for place, end in enumerate(self.ends)]
            if self._flying:
                dues.append(self._flying[0][0])
            self.now_us = min([max(one, self.now_us + 100) for one in dues] + [end_us])
            while self._flying and self._flying[0][0] <= self.now_us:
                _, _, place, data = heapq.heappop(self._flying)
                for event in self.ends[place].link.receive(self.now_us, self.spoil(data)):
                    self.ends[place].attending.take(event)
        return until()

    def settle(self, seconds: float = 120) -> None:
        """Let all that there is go over, and some seconds more; *seconds* are for 20 megabytes."""
        since_us = self.now_us

        def is_over() -> bool:
            nonlocal since_us
            worked = [end.desk.done for end in self.ends if end.desk.done]
            if worked or not all(end.is_quiet for end in self.ends):
                since_us = self.now_us
            for done in worked:
                done.clear()
            return self.now_us - since_us > 8_000_000

        for _ in range(_MOST_WAITS):
            before = self._arrived_bytes()
            if self.run(seconds, is_over):
                return
            assert self._arrived_bytes() > before, "the wire does not come to rest"
        raise AssertionError("the wire does not come to rest")

    def _arrived_bytes(self) -> int:
        return sum(end.link.stats.counts.payload_in for end in self.ends)

    def close(self) -> None:
        for end in self.ends:
            end.link.closed(self.now_us)
            end.attend(self.now_us)
            end.close()

    def _serve(self, place: int, end: End) -> int:
        end.attend(self.now_us)
        while (data := end.link.send(self.now_us)) is not None:
            # What is short does not overtake.
            self._free_us[place] = max(self._free_us[place], self.now_us)
            self._free_us[place] += len(data) * 1_000_000 // self._rate
            arrival_us = self._free_us[place] + FLIGHT_US
            for late_us in self.fate():
                arrival = arrival_us + late_us, next(self._order), 1 - place, data
                heapq.heappush(self._flying, arrival)
        due_us = end.attend(self.now_us)
        dues = [due_us, end.link.due(self.now_us)]
        return min(one for one in [*dues, self.now_us + 1_000_000] if one is not None)
