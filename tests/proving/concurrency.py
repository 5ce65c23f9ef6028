"""Many processes at one home: ``python -m tests.proving.concurrency [--rounds N] [--record]``.

A daemon serves a drop folder, ten people write, others exchange sticks, look, verify and make
backups, all with the commands of the README in processes of their own. Then everything is counted.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.computers import Computer, environment, exchange, new_sharers, spawn
from tests.proving.results import Result, record

WRITERS = 10
_LINES = 8
_KEPT = re.compile(r"(w\S+) is in farm\.")
_UNWANTED = re.compile(r"Traceback|locked|a bug in pannier|another pannier|is going on|is busy")
_LABORATORY = "many processes"
_COMMAND = "make crowd"


@dataclass(frozen=True, slots=True)
class Call:
    """A command that ended.

    Attributes:
        what: The command's name.
        status: Its exit status.
        said: All that it printed, on both outputs.
    """

    what: str
    status: int
    said: str

    @property
    def is_well(self) -> bool:
        """Whether its user saw nothing of the others."""
        return self.status == 0 and not _UNWANTED.search(self.said)


@dataclass(slots=True)
class Crowd:
    """Two computers; the home of the second, ``home``, is where all the processes are.

    Attributes:
        folder: A scratch folder.
        farm: The peer.
        home: The computer in question.
        calls: All commands that ended, in any order.
        writing: Cleared when the last writer has ended.
    """

    folder: Path
    farm: Computer
    home: Computer
    calls: list[Call] = field(default_factory=list)
    writing: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, folder: Path) -> "Crowd":
        """Make the computers in *folder*, and a ledger that both may write."""
        farm, home = new_sharers(folder)
        exchange(folder / "stick", farm, home, farm)
        drop = folder / "drop"
        drop.mkdir()
        home.configure(f'[transport.drop]\nkind = "directory"\npath = "{drop}"\n')
        return cls(folder, farm, home)

    def live(self, rounds: int) -> None:
        """Let everybody do everything at once, *rounds* times or until the writers are done."""
        self.writing.set()
        with self._daemon(), ThreadPoolExecutor() as pool:
            watching = [
                pool.submit(self._while_writing, work)
                for work in (self._look, self._verify, *(self._keep_backup,) * 2, self._visit_drop)
            ]
            carried = pool.submit(self._carry, rounds)
            works = [
                pool.submit(self._write_each if writer % 2 else self._write, writer, rounds)
                for writer in range(WRITERS)
            ]
            try:
                for one in (*works, carried):
                    one.result()
            finally:
                self.writing.clear()
            for one in watching:
                one.result()

    def acknowledged(self) -> Counter[str]:
        """Return how often each thing was said to be kept."""
        return Counter(
            thing for call in self.calls if call.what == "put" for thing in _KEPT.findall(call.said)
        )

    def written(self) -> Counter[str]:
        """Return how often each thing stands in what ``home`` wrote."""
        with self.home.node() as node:
            (store,) = node.ledgers()
            logs = [log for log in store.logs() if log.name.author == node.card.author]
            return Counter(
                thing for log in logs for thing in store.columns(log, 0, log.size).things
            )

    def faults(self) -> list[str]:
        """Return what is not as it should be, in words; everything is at rest."""
        found = [
            f"{call.what}: {call.status} {call.said}" for call in self.calls if not call.is_well
        ]
        acknowledged, written = self.acknowledged(), self.written()
        if acknowledged != written:
            found.append(f"lost: {acknowledged - written}; not asked for: {written - acknowledged}")
        self._type(self.home, "verify")
        self._restore_last_backup()
        exchange(self.folder / "stick", *(self.farm, self.home) * 3)
        roots = [_roots(computer) for computer in (self.farm, self.home)]
        if roots[0] != roots[1]:
            found.append(f"they do not come to hold the same: {roots}")
        return found

    # -- what each of them does ---------------------------------------------------------------

    def _write(self, writer: int, rounds: int) -> None:
        for number in range(rounds):
            self._type(self.home, "put", f"w{writer}/{number}", str(number))

    def _write_each(self, writer: int, rounds: int) -> None:
        for number in range(-(-rounds // 4)):
            things = (f"w{writer}/{number}/{line}" for line in range(_LINES))
            lines = "".join(f'{{"thing": "{thing}", "data": 1}}\n' for thing in things)
            self._type(self.home, "put", "--ndjson", "-", "--each", stdin=lines.encode())

    def _carry(self, rounds: int) -> None:
        """Let a stick go to and fro; at home it meets the daemon and another stick."""
        for number in range(rounds):
            self._type(self.farm, "put", f"farm/{number}", str(number))
            self._type(self.farm, "exchange", str(self.folder / "stick"))
            with ThreadPoolExecutor(2) as both:
                for _ in range(2):
                    both.submit(self._type, self.home, "exchange", str(self.folder / "stick"))

    def _visit_drop(self) -> None:
        self._type(self.farm, "exchange", str(self.folder / "drop"))

    def _look(self) -> None:
        self._type(self.home, "status")

    def _verify(self) -> None:
        self._type(self.home, "verify")

    def _keep_backup(self) -> None:
        self._type(self.home, "ledger", "backup", str(self.folder / f"{time.time_ns()}.backup"))

    def _while_writing(self, work: Callable[[], None]) -> None:
        work()
        while self.writing.is_set():
            work()

    def _restore_last_backup(self) -> None:
        """See that a backup made meanwhile is whole, on a copy of the home that lost its ledger."""
        copy = Computer(self.folder / "copy")
        shutil.copytree(self.home.home, copy.home)
        for path in (copy.home / "ledgers").glob("*.db*"):
            path.unlink()
        last = max(self.folder.glob("*.backup"))
        self._type(copy, "ledger", "restore", str(last))
        self._type(copy, "verify")

    def _type(self, computer: Computer, *words: str, stdin: bytes = b"") -> None:
        done = spawn("--home", str(computer.home), *words, stdin=stdin)
        said = (done.stdout + done.stderr).decode()
        self.calls.append(Call(words[0], done.returncode, said))

    @contextmanager
    def _daemon(self) -> Iterator[None]:
        """Run the daemon, and see at the end that nothing that it said was about the others."""
        words = [sys.executable, "-m", "pannier", "--home", str(self.home.home), "run"]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                said = first + process.stdout.read()
        self.calls.append(Call("run", process.returncode, said.decode()))


def _roots(computer: Computer) -> list[tuple[str, int, str]]:
    with computer.node() as node:
        (store,) = node.ledgers()
        return sorted(
            (log.name.author.hex(), log.size, log.frontier.root().hex()) for log in store.logs()
        )


def results(crowd: Crowd) -> Iterator[Result]:
    """Yield how many commands of each sort ran, and how many as if they were alone."""
    for what in sorted({call.what for call in crowd.calls}):
        mine = [call for call in crowd.calls if call.what == what]
        well = sum(call.is_well for call in mine)
        yield Result(_LABORATORY, what, "others at the same home", len(mine), well, _COMMAND)
    acknowledged = crowd.acknowledged()
    kept = (acknowledged & crowd.written()).total()
    yield Result(
        *(_LABORATORY, "put, each entry", "others at the same home"),
        *(acknowledged.total(), kept, _COMMAND),
    )


def _sum(found: list[Result]) -> Iterator[Result]:
    for subject in {one.subject for one in found}:
        same = [one for one in found if one.subject == subject]
        tried, survived = sum(one.tried for one in same), sum(one.survived for one in same)
        yield Result(*subject, tried, survived, _COMMAND)


def main() -> int:
    """Live as often as asked for; 1 if anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.proving.concurrency")
    parser.add_argument("--lives", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10, help="of each life")
    parser.add_argument("--record", action="store_true", help="in docs/reliability.json")
    chosen = parser.parse_args()
    found: list[Result] = []
    all_faults: list[str] = []
    for life in range(chosen.lives):
        with tempfile.TemporaryDirectory() as folder:
            crowd = Crowd.of(Path(folder))
            crowd.live(chosen.rounds)
            faults = crowd.faults()
            found += results(crowd)
        sys.stdout.write(f"life {life}: {len(crowd.calls)} commands, {faults or 'all well'}\n")
        sys.stdout.flush()
        all_faults += faults
    if chosen.record:
        record(_sum(found))
    return int(bool(all_faults))


if __name__ == "__main__":
    sys.exit(main())
