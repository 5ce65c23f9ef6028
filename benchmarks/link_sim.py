"""The link machine against itself in virtual time, over lines with all their ills.

`python -m benchmarks.link_sim` prints what share of a line is payload, what is sent for it, and how
much of the processor a frame takes. Nothing here depends on the speed of the computer but the last.
"""

import random
import time

from tests.sim.link import A, B, Side, World, datagrams, radio, serial
from tests.sim.wire import SECOND_US, Ills
from transports.link.settings import LinkSettings

LARGE = random.Random(1).randbytes(1_000_000)
OTHER = random.Random(2).randbytes(1_000_000)


def done(world: World, *sides: Side) -> None:
    if not world.run(20_000, lambda: all(set(one.files) <= set(one.delivered) for one in sides)):
        raise RuntimeError("a transfer did not complete")


def share(side: Side, baud: int) -> float:
    (first_us, first), *_, (last_us, _) = side.arrivals
    seconds = (last_us - first_us) / SECOND_US + 10 * first / baud
    return sum(size for _, size in side.arrivals) * 10 / (baud * seconds)


def serial_rows() -> None:
    print("serial, 1 MB each way at once: payload as a share of the line, worse direction")
    print(f"{'baud':>8} {'latency':>8}", *(f"{ber:>8}" for ber in (0, 1e-6, 1e-5, 1e-4)))
    for baud in (9_600, 115_200, 921_600):
        for latency_ms in (0, 20, 500):
            shares = []
            for ber in (0, 1e-6, 1e-5, 1e-4):
                world = serial(baud=baud, ber=ber, latency_us=latency_ms * 1000)
                one, other = world.sides
                one.offer(LARGE)
                other.offer(OTHER)
                done(world, one, other)
                shares.append(min(share(one, baud), share(other, baud)))
            print(f"{baud:>8} {latency_ms:>5} ms", *(f"{one:8.3f}" for one in shares))


def cut_rows() -> None:
    print("\nserial 115200, 1 MB one way, cut again and again: payload sent more than once")
    for every in (5_000, 20_000, 100_000):
        world = serial()
        world.cut_every = every
        one, _ = world.sides
        one.offer(LARGE)
        done(world, one)
        twice = one.link.stats.counts.payload_out / len(LARGE) - 1
        print(f"every {every:>7} bytes: {world.cuts:>4} cuts {100 * twice:6.2f} %")


def datagram_rows() -> None:
    print("\ndatagrams of 1400 bytes, 1 MB: all bytes sent x (1 - lost share) / payload, answers")
    cases = {
        "no loss": Ills(),
        **{f"{100 * loss:.0f} % lost": Ills(loss=loss) for loss in (0.01, 0.05, 0.2, 0.5)},
        "bursts": Ills(to_bad=0.01, to_good=0.1),
        "reordered": Ills(reorder=0.1, jitter_us=10_000),
        "duplicated": Ills(duplicate=0.1),
        "corrupted": Ills(corrupt=0.1),
        "20 kB/s": Ills(rate=20_000),
        "20 kB/s, 10 % lost": Ills(rate=20_000, loss=0.1),
        "20 kB/s, short queue": Ills(rate=20_000, queue_bytes=3_000),
    }
    for name, ills in cases.items():
        for seed in (1, 2, 3):
            world = datagrams(ills, seed=seed)
            one, _ = world.sides
            one.offer(LARGE)
            done(world, one)
            there, back = world.ways
            lost = there.lost_bytes / there.bytes_in
            sent = there.bytes_in * (1 - lost) / len(LARGE)
            seconds = world.now_us / SECOND_US
            answers = back.bytes_in / len(LARGE)
            print(f"{name:>20} {lost:6.3f} lost {sent:7.4f} {answers:7.4f} {seconds:7.1f} s")


def radio_rows() -> None:
    print("\nhalf duplex, 1 kB/s, 50 kB each way: share of the channel, collisions")
    for seed in (1, 2, 3):
        world = radio(seed=seed)
        one, other = world.sides
        one.offer(LARGE[:50_000])
        other.offer(OTHER[:50_000])
        done(world, one, other)
        used = 100_000 / (world.now_us / SECOND_US * 1_000)
        print(f"seed {seed}: {used:6.3f} {world.ways[0].air.collisions:>4}")  # type: ignore[attr-defined]


def processor_rows() -> None:
    print("\nprocessor, both sides and all between them: MB/s, us a frame")
    for framing, frame_bytes, size in (
        ("cobs", 16_384, 64_000_000),
        ("cobs", 1_400, 8_000_000),
        ("datagram", 1_400, 8_000_000),
        ("cobs", 222, 1_000_000),
    ):
        best = min(processor(framing, frame_bytes, size) for _ in range(3))
        seconds, frames = best
        rate = size / seconds / 1e6
        print(f"{framing:>9} {frame_bytes:>6} {rate:7.1f} {seconds / frames * 1e6:6.1f}")


def processor(framing: str, frame_bytes: int, size: int) -> tuple[float, int]:
    """Return the seconds of the processor and the frames of one side for *size* bytes."""
    settings = LinkSettings(
        framing=framing, frame_bytes=frame_bytes, is_ordered=framing != "datagram"
    )
    sides = (Side(A, B, settings), Side(B, A, settings))
    piece = random.Random(1).randbytes(min(size, 16_000_000) - 1)
    sides[0].offer(*(bytes([n]) + piece for n in range(max(size // 16_000_000, 1))))
    sides[1].arrived = lambda now_us, event: None  # type: ignore[method-assign]
    for side in sides:
        side.link.opened(0)
    began = time.process_time()
    now_us = 0
    while sides[1].link.stats.counts.payload_in < size:
        now_us += 200
        for one, other in (sides, sides[::-1]):
            for event in one.link.events():
                one.handle(now_us, event)
            while (data := one.link.send(now_us)) is not None:
                for event in other.link.receive(now_us, data):
                    other.handle(now_us, event)
    return time.process_time() - began, sides[0].link.stats.counts.frames_out


def main() -> None:
    cut_rows()
    datagram_rows()
    radio_rows()
    processor_rows()
    serial_rows()


if __name__ == "__main__":
    main()
