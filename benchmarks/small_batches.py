"""Bytes on the medium for few entries, sent alone to a peer that knows the sender well."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import nncp, zmodem
from benchmarks.computers import Computers, folder_bytes
from benchmarks.processes import missing, python, spend
from benchmarks.rows import Row
from benchmarks.weather import weather_lines
from benchmarks.workloads import incompressible

MTU = 1400
_FRAME_BYTES = 222
_CHANCE_BYTES, _SIGNATURE_BYTES = 100, 64
_BEFORE = 1000
"""Entries that the peer holds already."""


def rows(counts: tuple[int, ...]) -> Iterator[Row]:
    """Pack batches of the next weather records, each alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        computers = Computers.make(folder / "pannier")
        computers.make_friends()
        records = weather_lines(_BEFORE + sum(counts))
        for count in (_BEFORE, *counts):
            batch = folder / f"{count}.ndjson"
            batch.write_text("".join(f"{next(records)}\n" for _ in range(count)))
            computers.types("farm", "put", "--ndjson", batch)
            size = _packed(computers, folder / f"{count}.medium")
            if count != _BEFORE:
                yield _row(folder, batch, count, size)


def frame_rows(runs: int) -> Iterator[Row]:
    """Show what fits one frame of a slow link; *runs* random runs of records of one station."""
    found = json.loads(spend(python("-m", "benchmarks.frames", str(runs))).output)
    for theirs, rival in (
        (_CHANCE_BYTES + _SIGNATURE_BYTES, "the bytes and a signature"),
        (None if nncp.absent() else _nncp_chance(), nncp.absent() or "NNCP"),
    ):
        yield Row(
            label=f"an entry of {_CHANCE_BYTES} random bytes, on the wire",
            ours=found["entry_bytes"],
            theirs=theirs,
            rival=rival,
            unit="B",
            target=240,
        )
    entries = sorted(found["entries"])
    for label, place in (("9 of 10", len(entries) // 10), ("median", len(entries) // 2)):
        yield Row(
            label=f"entries in a frame of {_FRAME_BYTES} bytes, {label}",
            ours=entries[place],
            theirs=_compressed_entries(),
            rival="zstd -19 of the NDJSON, unsigned",
            unit="entries",
            more=True,
            target=12 if place < len(entries) // 2 else None,
        )


def line_rows(kibibytes: int) -> Iterator[Row]:
    """Show what a file takes in frames of a slow link, and what ZMODEM takes for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "chance"
        incompressible(path, kibibytes << 10)
        computers = Computers.make(folder / "pannier")
        computers.make_friends()
        computers.types("farm", "add", path)
        medium = folder / "frames"
        computers.types("farm", "pack", "home", "--into", medium, "--mtu", str(_FRAME_BYTES))
        absent = zmodem.absent()
        yield Row(
            label=f"{kibibytes} KiB of chance in frames of {_FRAME_BYTES} bytes",
            ours=folder_bytes(medium),
            theirs=None if absent else zmodem.bytes_on_the_line(path, folder / "received"),
            rival=absent or "ZMODEM, both ways, unsigned, unencrypted",
            unit="B",
        )


def _nncp_chance() -> int:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "chance"
        incompressible(path, _CHANCE_BYTES)
        return _nncp_bytes(Path(name) / "nncp", path)


def _compressed_entries() -> int | None:
    """Return how many lines of NDJSON of one station fit one frame; None without zstd."""
    if missing("zstd", "zstd"):
        return None
    lines = [line for line, _ in zip(weather_lines(), range(_FRAME_BYTES), strict=False)]
    with tempfile.TemporaryDirectory() as name:
        path, packed = Path(name) / "lines", Path(name) / "lines.zst"
        for count in range(1, len(lines)):
            path.write_text("\n".join(lines[:count]))
            spend(["zstd", "-q", "-f", "-19", "--no-check", path, "-o", packed])
            if packed.stat().st_size > _FRAME_BYTES:
                return count - 1
    return None


def _packed(computers: Computers, medium: Path) -> int:
    """Bring what is new to the other node and its answer back; return the bytes of the way out."""
    computers.types("farm", "pack", "home", "--into", medium, "--mtu", str(MTU))
    computers.types("home", "unpack", medium)
    for name in ("home", "farm"):
        computers.exchange(name)
    return folder_bytes(medium)


def _row(folder: Path, batch: Path, count: int, size: int) -> Row:
    absent = nncp.absent() or missing("zstd", "zstd")
    theirs = None
    if not absent:
        packed = batch.with_suffix(".zst")
        spend(["zstd", "-q", "-19", batch, "-o", packed])
        theirs = _nncp_bytes(folder / f"{count}.nncp", packed)
    return Row(
        label=f"a batch of {count:,}, on the medium",
        ours=size / count,
        theirs=None if theirs is None else theirs / count,
        rival=absent or "zstd -19 of the NDJSON in NNCP",
        unit="B/entry",
    )


def _nncp_bytes(folder: Path, path: Path) -> int:
    nodes = nncp.Nncp.make(folder)
    nodes.queue(path)
    nodes.write_stick()
    return folder_bytes(nodes.stick)
