"""Lines and radios in virtual time: serial lines with wrong bits, datagrams with all their ills."""

import heapq
import math
import random
from dataclasses import dataclass, field

SECOND_US = 1_000_000


@dataclass
class Noise:
    """Flips bits of a stream; which ones depends on the seed and their place alone."""

    ber: float
    rng: random.Random
    left: int = -1

    def apply(self, data: bytes) -> bytes:
        if self.ber <= 0:
            return data
        if self.left < 0:
            self.left = self.draw()
        bits = 8 * len(data)
        damaged = bytearray(data)
        while self.left < bits:
            damaged[self.left >> 3] ^= 1 << (self.left & 7)
            self.left += 1 + self.draw()
        self.left -= bits
        return bytes(damaged)

    def draw(self) -> int:
        return int(math.log(1 - self.rng.random()) / math.log1p(-self.ber))


class Way:
    """One direction. Bytes that were written come out later, some damaged, some never."""

    def __init__(self) -> None:
        self.queue: list[tuple[int, int, bytes]] = []
        self.count = 0
        self.bytes_in = 0
        self.lost_bytes = 0

    def write(self, now_us: int, data: bytes) -> None:
        raise NotImplementedError

    def put(self, at_us: int, data: bytes) -> None:
        self.count += 1
        heapq.heappush(self.queue, (at_us, self.count, data))

    def due(self) -> int | None:
        return self.queue[0][0] if self.queue else None

    def read(self, now_us: int) -> list[bytes]:
        got: list[bytes] = []
        while self.queue and self.queue[0][0] <= now_us:
            got.append(heapq.heappop(self.queue)[2])
        return got

    def cut(self) -> None:
        self.queue.clear()


class SerialWay(Way):
    """8N1: ten bits a byte. What was written at once comes out at once, after its last byte."""

    def __init__(
        self, baud: int = 115_200, ber: float = 0, latency_us: int = 0, seed: str = "0"
    ) -> None:
        super().__init__()
        self.baud = baud
        self.latency_us = latency_us
        self.noise = Noise(ber, random.Random(seed))
        self.free_us = 0.0

    def write(self, now_us: int, data: bytes) -> None:
        self.bytes_in += len(data)
        self.free_us = max(self.free_us, now_us) + len(data) * 10 * SECOND_US / self.baud
        self.put(math.ceil(self.free_us) + self.latency_us, self.noise.apply(data))

    def stall(self, now_us: int, for_us: int) -> None:
        """Let nothing pass for so long, and then all of it."""
        self.free_us = max(self.free_us, now_us) + for_us
        self.queue = [(at_us + for_us, number, data) for at_us, number, data in self.queue]

    def cut(self) -> None:
        super().cut()
        self.free_us = 0.0


@dataclass
class Ills:
    """What happens to datagrams. Shares of 1 but for times, in microseconds."""

    loss: float = 0
    to_bad: float = 0
    to_good: float = 1
    bad_loss: float = 1
    corrupt: float = 0
    reorder: float = 0
    reorder_us: int = 50_000
    duplicate: float = 0
    latency_us: int = 20_000
    jitter_us: int = 0
    rate: int | None = None
    queue_bytes: int = 1 << 16


class DatagramWay(Way):
    """Datagrams, as udpsim treats them."""

    def __init__(self, ills: Ills, seed: str = "0") -> None:
        super().__init__()
        self.ills = ills
        self.rng = random.Random(seed)
        self.is_bad = False
        self.free_us = 0.0

    def write(self, now_us: int, data: bytes) -> None:
        ills, rng = self.ills, self.rng
        self.bytes_in += len(data)
        draw = [rng.random() for _ in range(7)]
        self.is_bad = draw[0] >= ills.to_good if self.is_bad else draw[0] < ills.to_bad
        if draw[1] < ills.loss or (self.is_bad and draw[2] < ills.bad_loss):
            self.lost_bytes += len(data)
            return
        if draw[3] < ills.corrupt:
            self.lost_bytes += len(data)
            damaged = bytearray(data)
            for bit in rng.sample(range(8 * len(data)), rng.randint(1, 8)):
                damaged[bit >> 3] ^= 1 << (bit & 7)
            data = bytes(damaged)
        start_us = max(self.free_us, now_us)
        if ills.rate:
            if (start_us - now_us) * ills.rate / SECOND_US + len(data) > ills.queue_bytes:
                self.lost_bytes += len(data)
                return
            start_us += len(data) * SECOND_US / ills.rate
            self.free_us = start_us
        at_us = start_us + ills.latency_us + rng.random() * ills.jitter_us
        late_us = ills.reorder_us * (0.5 + draw[5] / 2) if draw[4] < ills.reorder else 0
        self.put(int(at_us + late_us), data)
        if draw[6] < ills.duplicate:
            self.put(int(at_us), data)


@dataclass
class Air:
    """A channel that both sides send into: what overlaps in time is destroyed, both of it."""

    rate: int
    latency_us: int = 1_000
    busy: list[tuple[float, float, "RadioWay", int]] = field(default_factory=list)
    collisions: int = 0


class RadioWay(Way):
    """One side's half of `Air`."""

    def __init__(self, air: Air) -> None:
        super().__init__()
        self.air = air
        self.free_us = 0.0
        self.spoilt: set[int] = set()

    def write(self, now_us: int, data: bytes) -> None:
        start_us = max(self.free_us, now_us)
        self.free_us = start_us + len(data) * SECOND_US / self.air.rate
        self.bytes_in += len(data)
        self.put(math.ceil(self.free_us) + self.air.latency_us, data)
        number = self.count
        self.air.busy = [one for one in self.air.busy if one[1] > now_us - SECOND_US]
        for begin, end, other, index in self.air.busy:
            if other is not self and begin < self.free_us and start_us < end:
                other.spoilt.add(index)
                self.spoilt.add(number)
                self.air.collisions += 1
        self.air.busy.append((start_us, self.free_us, self, number))

    def read(self, now_us: int) -> list[bytes]:
        got: list[bytes] = []
        while self.queue and self.queue[0][0] <= now_us:
            _, number, data = heapq.heappop(self.queue)
            got.append(bytes(len(data)) if number in self.spoilt else data)
        return got
