"""Two thousand small things from node to node: as one batch, and each acknowledged for itself."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import nncp
from benchmarks.computers import Computers
from benchmarks.files import carried_by_nncp, carried_by_pannier
from benchmarks.processes import FailedError, Spent, missing, spend
from benchmarks.rows import Row
from benchmarks.workloads import note_files, notes

# Measured with 2,000 entries: it reads its whole ledger again at each put and each import.
_THINGDB_PUT, _THINGDB_IMPORT = 14.8, 9.6


def rows(count: int) -> Iterator[Row]:
    """Carry *count* texts of 1 KiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, lines = folder / "notes", folder / "notes.ndjson"
        note_files(files, count)
        notes(lines, count)
        absent = nncp.absent()
        theirs = None if absent else carried_by_nncp(folder / "nncp", files).way
        batch, each = (_entries(folder / how, lines, count, how) for how in ("batch", "each"))
        whole = f"{count:,} x 1 KiB"
        for label, ours, ratio in (
            (f"{whole}, one batch, by stick", batch[0] + batch[1], 20),
            (f"{whole}, each durable, by stick", each[0] + each[1], 5),
            (f"{whole}, as files, by stick", carried_by_pannier(folder / "files", files).way, None),
        ):
            yield Row(
                label=label,
                ours=ours.seconds,
                theirs=theirs.seconds if theirs else None,
                rival=absent or f"{count:,} nncp-file, -xfer, -xfer, -toss",
                unit="s",
                target_ratio=ratio,
            )
        yield _git(folder, files, batch[0] + batch[1])
        for label, spent, rate in (
            ("put --each, acknowledged", each[0], _THINGDB_PUT),
            ("exchange and import", batch[1], _THINGDB_IMPORT),
        ):
            yield Row(
                label=label,
                ours=count / spent.seconds,
                theirs=rate,
                rival="ThingDB at 2,000 (a constant)",
                unit="entries/s",
                more=True,
            )


def _entries(folder: Path, lines: Path, count: int, how: str) -> tuple[Spent, Spent]:
    """Return what the put took, and what both exchanges."""
    computers = Computers.make(folder)
    computers.make_friends()
    more = ["--each"] if how == "each" else []
    put = computers.types("farm", "put", "--ndjson", "-", *more, stdin=lines)
    if more and put.output.count(b"\n") != count:
        raise FailedError("not every line was acknowledged")
    carried = computers.exchange("farm") + computers.exchange("home")
    arrived = computers.types("home", "things").output
    if arrived.count(b"note/") != count:
        raise FailedError("not everything arrived")
    return put, carried


def _git(folder: Path, files: Path, ours: Spent) -> Row:
    absent = missing("git", "git")
    if not absent:
        one, other, bundle = (folder / name for name in ("one.git", "other.git", "stick.bundle"))
        at = f'git -C "{one}" -c user.name=x -c user.email=x@example.org -c core.fsync=all'
        script = (
            f'git init -q "{one}" && cp -r "{files}" "{one}/notes" && {at} add notes && '
            f'{at} commit -q -m x && {at} bundle create -q "{bundle}" HEAD && '
            f'git -c core.fsync=all clone -q "{bundle}" "{other}"'
        )
        theirs = spend(["sh", "-c", script])
    return Row(
        label="one batch, by stick",
        ours=ours.seconds,
        theirs=None if absent else theirs.seconds,
        rival=absent or "git add, commit, bundle, clone (unsigned)",
        unit="s",
    )
