"""One large file from node to node by stick, beside NNCP, and beside copying it with nothing done.

What is measured begins when the file lies at the sender and ends when it lies, checked and
decrypted, with the recipient: in pannier's case in its own store, from which ``checkout`` writes
it into a folder; that is shown beside.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import nncp
from benchmarks.computers import Computers, folder_bytes
from benchmarks.processes import Spent, missing, spend
from benchmarks.rows import Row
from benchmarks.workloads import incompressible, log_file

_MEBIBYTE = 1 << 20
_MEMORY, _MAX_MEMORY_MB = "memory at most", 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What bringing a file from one node to the other took.

    Attributes:
        way: The whole way, all steps in sum.
        medium_bytes: What lay on the stick.
        checkout: What writing it into a folder took beyond; None where that is part of the way.
    """

    way: Spent
    medium_bytes: int
    checkout: Spent | None = None


def rows(mebibytes: int) -> Iterator[Row]:
    """Carry a file that nothing compresses, and one that compresses well."""
    yield from _rows(f"{mebibytes} MiB of chance", incompressible, mebibytes, ratio=1)
    yield from _rows(f"{mebibytes} MiB of log", log_file, mebibytes, ratio=3, compresses=True)


def _rows(
    what: str,
    write: Callable[[Path, int], None],
    mebibytes: int,
    *,
    ratio: float,
    compresses: bool = False,
) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "large"
        write(path, mebibytes * _MEBIBYTE)
        ours = carried_by_pannier(folder / "pannier", path)
        absent = nncp.absent()
        theirs = None if absent else carried_by_nncp(folder / "nncp", path)
        yield Row(
            label=f"{what}, by stick",
            ours=ours.way.seconds,
            theirs=theirs.way.seconds if theirs else None,
            rival=absent or "nncp-file, -xfer, -xfer, -toss",
            unit="s",
            target_ratio=ratio,
        )
        yield from _beside_copies(what, path, ours)
        yield from _details(what, ours, theirs)
        yield from _bytes(what, path, ours, compresses=compresses)


def _beside_copies(what: str, path: Path, ours: Carried) -> Iterator[Row]:
    """Show what it takes to copy the file onto the stick and off it again, and do nothing else."""
    to, again = path.with_suffix(".copy"), path.with_suffix(".again")
    script = f'cp "{path}" "{to}" && sync "{to}" && cp "{to}" "{again}" && sync "{again}"'
    copied = spend(["sh", "-c", script])
    absent = missing("rsync", "rsync")
    script = f'rsync --fsync "{path}" "{to}.r" && rsync --fsync "{to}.r" "{again}.r"'
    synced = None if absent else spend(["sh", "-c", script]).seconds
    for theirs, rival in (
        (copied.seconds, "cp and sync, onto it and off it"),
        (synced, absent or "rsync --fsync, onto it and off it"),
    ):
        yield Row(
            label=f"{what}, by stick", ours=ours.way.seconds, theirs=theirs, rival=rival, unit="s"
        )


def carried_by_pannier(folder: Path, path: Path) -> Carried:
    """Bring a file, or all files of a folder, to the other node.

    Raises:
        FailedError: it did not arrive as it was.
    """
    computers = Computers.make(folder)
    computers.make_friends()
    before = folder_bytes(computers.stick)
    sent = computers.types("farm", "add", path) + computers.exchange("farm")
    medium_bytes = folder_bytes(computers.stick) - before
    way = sent + computers.exchange("home")
    checkout = computers.types("home", "checkout", folder / "out")
    _check(path, folder / "out" / path.name)
    return Carried(way=way, medium_bytes=medium_bytes, checkout=checkout)


def carried_by_nncp(folder: Path, path: Path) -> Carried:
    """Do the same with NNCP.

    Raises:
        FailedError: it did not arrive as it was.
    """
    nodes = nncp.Nncp.make(folder)
    sent = nodes.queue(path) + nodes.write_stick()
    medium_bytes = folder_bytes(nodes.stick)
    way = sent + nodes.read_stick()
    _check(path, nodes.incoming / path.name if path.is_file() else nodes.incoming)
    return Carried(way=way, medium_bytes=medium_bytes)


def _check(sent: Path, received: Path) -> None:
    spend(["diff", "--recursive", sent, received])


def _details(what: str, ours: Carried, theirs: Carried | None) -> Iterator[Row]:
    found, others = _figures(ours), _figures(theirs) if theirs else {}
    for (label, unit), figure in found.items():
        yield Row(
            label=f"{what}, {label}",
            ours=figure,
            theirs=others.get((label, unit)),
            rival=nncp.absent() or "the same",
            unit=unit,
            target=_MAX_MEMORY_MB if label == _MEMORY else None,
        )
    if ours.checkout is not None:
        yield Row(label=f"{what}, checkout beyond", ours=ours.checkout.seconds, unit="s")


def _figures(carried: Carried) -> dict[tuple[str, str], float]:
    way = carried.way
    return {
        ("work of all cores", "s"): way.cpu_seconds,
        ("written to disks", "MB"): way.written_bytes / 1e6,
        (_MEMORY, "MB"): way.rss_bytes / 1e6,
    }


def _bytes(what: str, path: Path, ours: Carried, *, compresses: bool) -> Iterator[Row]:
    absent = missing("zstd", "zstd")
    size = path.stat().st_size
    if compresses and not absent:
        out = path.with_suffix(".zst")
        spend(["zstd", "-q", "-3", path, "-o", out])
        size = out.stat().st_size
    yield Row(
        label=f"{what}, on the medium",
        ours=ours.medium_bytes / 1e6,
        theirs=size / 1e6,
        rival=(absent or "zstd -3") if compresses else "the file",
        unit="MB",
        target_ratio=1 / 1.1 if compresses else None,
    )
