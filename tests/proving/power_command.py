"""What runs while its calls are recorded: ``python -m tests.proving.power_command DAYS KIND …``.

DAYS is how far the clock is ahead.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pannier.cli.root import run
from tests.proving.power_ground import Ground


def main(days: int, kind: str, words: Sequence[str]) -> int:
    with ahead(days):
        if kind == "type":
            return run(words)
        if kind == "configure":
            configure(Path(words[0]), words[1])
        elif kind == "repair":
            damage(Path(words[0]))
            return run(["--home", words[0], "verify", "--repair"])
        elif kind == "link":
            link(Path(words[0]), *words[1:])
    return 0


@contextmanager
def ahead(days: int) -> Iterator[None]:
    """Let the clock of this process be ahead."""
    real, shift_ns = time.time_ns, days * 86_400 * 10**9
    time.time_ns = lambda: real() + shift_ns
    try:
        yield
    finally:
        time.time_ns = real


def configure(path: Path, text: str) -> None:
    """Write settings as a careful editor does."""
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for above in (path.parent, path.parent.parent):
        folder = os.open(above, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def damage(home: Path) -> None:
    """Let a ledger file miss what can be made anew; that it does stands in the log of SQLite."""
    (path,) = (home / "ledgers").glob("*.db")
    child = os.fork()
    if not child:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("DROP TABLE latest")
            os._exit(0)  # the log stays
    assert os.waitpid(child, 0)[1] == 0


def link(top: Path, one: str, other: str) -> None:
    """Two nodes and a wire between them, until all there is went over."""
    from tests.pannier.links.wire import Wire  # noqa: PLC0415 -- no other command needs it

    with Ground(top, (one, other), seed=1) as ground:
        wire = Wire(ground, one, other, rate=20_000)
        wire.open()
        wire.settle()
        wire.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
