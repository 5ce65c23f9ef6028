"""Links over simulated lines: what share of a line is payload, and what is sent more than once.

Real processes, pseudo-terminals and sockets; the simulators of ``tests/sim`` between them. Run with
a payload in bytes, and "all" for what takes a quarter of an hour.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import zmodem
from benchmarks.line_trace import Way
from benchmarks.link_lines import one_way, over_network, over_serial, zmodem_share
from benchmarks.linked import Linked
from benchmarks.rows import Row, to_json

_BERS = {"0": 0.96, "1e-6": 0.94, "1e-5": 0.88, "1e-4": 0.60}
_ZMODEM_BYTES = 200 << 10
_TWICE_PERCENT, _AROUND = 3, 1.06
_LOSSES = (0.01, 0.05, 0.2, 0.5)
_ILLS = {
    "bursts, 9 % lost": ("--burst-loss", "0.01,0.1"),
    "10 % late by 15 ms": ("--reorder", "0.1"),
    "10 % twice": ("--dup", "0.1"),
    "10 % damaged": ("--corrupt", "0.1"),
}


def rows(size: int, *, is_all: bool) -> Iterator[Row]:
    """Measure with bundles of *size* bytes; all of it, or what takes a minute or two."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        both = Linked.make(folder / "both", size, "farm", "home")
        one = Linked.make(folder / "one", size, "farm")
        yield from serial_rows(both, folder, tuple(_BERS) if is_all else ("0", "1e-5"))
        yield from broken_rows(one, folder, is_all=is_all)
        yield from udp_rows(one, folder, is_all=is_all)
        yield from tcp_rows(one, folder, is_all=is_all)


def serial_rows(both: Linked, folder: Path, bers: tuple[str, ...]) -> Iterator[Row]:
    """Both send at once at 115,200 baud, 8N1; the worse direction counts."""
    absent = zmodem.absent()
    size = both.sent["farm"]
    for ber in bers:
        run = over_serial(both.copy(folder / "run"), "--ber", ber)
        theirs = None
        if not absent:
            theirs = zmodem_share(folder / f"zmodem {ber}", _ZMODEM_BYTES, "--ber", ber)
        label = f"serial, wrong bits {ber}, share of the line"
        yield Row(
            label=label,
            ours=min(run.share(way, size) for way in (0, 1)),
            theirs=theirs,
            rival=absent or "ZMODEM, 200 KiB, one way",
            unit="",
            more=True,
            target=_BERS[ber],
        )
        ours = min(run.efficiency(way, size) for way in (0, 1))
        yield Row(
            label=f"serial, wrong bits {ber}, of what was sent", ours=ours, unit="", more=True
        )


def broken_rows(one: Linked, folder: Path, *, is_all: bool) -> Iterator[Row]:
    """Cut the line again and again, or kill one side or the other."""
    cases: dict[str, tuple[tuple[str, ...], int, int]] = {
        "cut each 20,000 bytes": (("--cut-every", "20000"), 115_200, 0)
    }
    if is_all:
        cases["20 x kill -9"] = ((), 115_200, 20)
    for label, (options, baud, kills) in cases.items():
        run = over_serial(one.copy(folder / "run"), *options, baud=baud, kills=kills)
        yield _twice(f"serial, {label}", run.twice(0))
    if is_all:
        runs = [
            over_serial(one.copy(folder / "run"), baud=460_800, kills=1, seed=seed)
            for seed in range(20)
        ]
        yield _twice("serial 460,800, kill -9, worst of 20", max(run.twice(0) for run in runs))


def _twice(label: str, share: float) -> Row:
    return Row(label=f"{label}, sent twice", ours=100 * share, unit="%", target=_TWICE_PERCENT)


def udp_rows(one: Linked, folder: Path, *, is_all: bool) -> Iterator[Row]:
    """Let datagrams get lost, and worse; with a way back and without."""
    size = one.sent["farm"]
    cases = {f"{100 * loss:g} % lost": ("--loss", f"{loss}") for loss in _LOSSES}
    for label, options in {**cases, **(_ILLS if is_all else {})}.items():
        run = over_network(one.copy(folder / "run"), "udp", *options)
        yield Row(
            label=f"UDP, {label}, bytes that came",
            ours=run.relay["a2b"]["bytes_in"] * (1 - run.lost) / size,
            theirs=1.0,
            rival="the payload",
            unit="x",
            target=_AROUND,
        )
    for loss in _LOSSES if is_all else (0.2,):
        ratio, symbols = one_way(one.copy(folder / "run"), "--loss", f"{loss}")
        yield Row(
            label=f"UDP one way, {100 * loss:g} % lost, symbols",
            ours=ratio,
            theirs=1.0,
            rival=f"the {symbols} that it takes",
            unit="x",
            target=1.03,
        )


def tcp_rows(one: Linked, folder: Path, *, is_all: bool) -> Iterator[Row]:
    """Reset connections, or let them stall."""
    size = one.sent["farm"]
    cases: dict[str, tuple[str, ...]] = {"reset each 50,000 bytes": ("--cut-every", "50000")}
    if is_all:
        cases["stalled 30 s"] = ("--stall", f"{2 * size // 3},30", "--rate", "2M")
    for label, options in cases.items():
        copy = one.copy(folder / "run")
        over_network(copy, "tcp", *options)
        way = Way(bytearray((copy.folder / "seen-home.received").read_bytes()))
        sent, again = way.whole_data()
        yield Row(
            label=f"TCP, {label}, came twice",
            ours=100 * again / (sent - again),
            unit="%",
            target=0,
        )


def main() -> None:
    """Print the rows as a line of JSON for `benchmarks.run`."""
    size, *more = sys.argv[1:]
    print(to_json(rows(int(size), is_all=more == ["all"])))


if __name__ == "__main__":
    main()
