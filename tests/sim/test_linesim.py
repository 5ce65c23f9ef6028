import argparse
import os
import random
import select
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.sim import linesim
from tests.sim.relays import PATIENCE_SECONDS, serial_line

DATA = random.Random(7).randbytes(20_000)


def args(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"ber": 0.0, "drop": 0.0, "burst": (1.0, 0.0), "seed": "1"} | given)


def transfer(source: int, sink: int, data: bytes, enough: int) -> bytes:
    """Write *data* at one end and return at least so many bytes of what comes out."""
    came = b""
    while len(came) < enough:
        reading, writing, _ = select.select([sink], [source] if data else [], [], PATIENCE_SECONDS)
        assert reading or writing, f"only {len(came)} bytes came"
        if writing:
            with suppress(BlockingIOError):
                data = data[os.write(source, data[:512]) :]
        if reading:
            came += os.read(sink, 65_536)
    return came


def opened(stack: ExitStack, path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    stack.callback(os.close, fd)
    return fd


def test_carries_every_byte_both_ways_and_counts(tmp_path: Path) -> None:
    with ExitStack() as stack:
        a, b, line = stack.enter_context(serial_line(tmp_path, "--baud", "1000000"))
        one, other = opened(stack, a), opened(stack, b)
        assert transfer(one, other, DATA, len(DATA)) == DATA
        assert transfer(other, one, DATA, len(DATA)) == DATA
        counters = line.counters()
    assert counters["a2b"]["bytes_out"] == counters["b2a"]["bytes_in"] == len(DATA)
    assert counters["a2b"]["bits_flipped"] == 0


def test_noise_is_as_seeded_and_counted(tmp_path: Path) -> None:
    runs = []
    for _ in range(2):
        with ExitStack() as stack:
            options = ("--baud", "0", "--ber", "1e-3", "--seed", "5")
            a, b, line = stack.enter_context(serial_line(tmp_path, *options))
            runs.append(transfer(opened(stack, a), opened(stack, b), DATA, len(DATA)))
            counters = line.counters()
    assert runs[0] == runs[1] != DATA
    flips = sum((x ^ y).bit_count() for x, y in zip(runs[0], DATA, strict=True))
    assert flips == counters["a2b"]["bits_flipped"]
    assert 0.7 < flips / (8 * len(DATA) * 1e-3) < 1.3


def test_noise_does_not_depend_on_slices() -> None:
    options = args(ber=1e-3, drop=1e-3, burst=(30, 1e-3))
    whole = linesim.Noise(options, "x", linesim.Counts()).apply(DATA)
    counts, dice = linesim.Counts(), random.Random(3)
    noise, parts, at = linesim.Noise(options, "x", counts), [], 0
    while at < len(DATA):
        size = dice.randrange(1, 200)
        parts.append(noise.apply(DATA[at : at + size]))
        at += size
    assert b"".join(parts) == whole
    assert len(DATA) - len(whole) == counts.bytes_dropped > 5
    assert counts.bursts > 5


def test_a_cut_hangs_up_and_comes_back_under_the_same_names(tmp_path: Path) -> None:
    options = ("--baud", "0", "--cut-after", "5000", "--down", "0.2")
    with ExitStack() as stack:
        a, b, line = stack.enter_context(serial_line(tmp_path, *options))
        one = opened(stack, a)
        was = a.readlink()
        with suppress(OSError):
            while True:
                with suppress(BlockingIOError):
                    os.write(one, DATA[:500])
        assert line.process.stdout
        assert len(line.process.stdout.readline().split()) == 2
        assert (a.readlink() != was) or a.exists()
        assert transfer(opened(stack, a), opened(stack, b), DATA, len(DATA)) == DATA
        assert line.counters()["cuts"] == 1
