"""Where operations are harmed, and what they are made of.

Every operation has a *farm* and a *home*, and one of the two is the victim. The next run is the
same command, unless that one has done its work already and can only say so.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.computers import Computer, acquaint, exchange, new_computer, new_sharers
from tests.proving.crash_checks import STICK, State, settle
from tests.proving.crash_server import STRUCK
from tests.proving.crash_strace import Ended, Launcher, strace, unharmed

NAMES = ("farm", "home")
OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Computers in a folder, and their stick."""

    folder: Path
    launcher: Launcher

    @property
    def farm(self) -> Computer:
        return Computer(self.folder / "farm")

    @property
    def home(self) -> Computer:
        return Computer(self.folder / "home")

    @property
    def stick(self) -> Path:
        return self.folder / STICK

    @property
    def out(self) -> Path:
        return self.folder / OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One command in one state.

    Attributes:
        name: As the table says.
        victim: In whose home it runs.
        prepare: Makes the state.
        words: What is typed.
        status: With which it ends when nothing goes wrong.
        is_sound: Whether its home verifies whatever happens; one to be repaired does not.
        stdin: What is on standard input.
        env: What stands in the environment.
        companion: What runs at the same time, and is there when the victim begins.
        is_over: Whether one that would serve on and on has done all, by what it has printed.
        is_waiting: Whether one that waits until a disk gets better has printed that it does.
        again: The next run.
        finish: Delivers everything, and returns what is there then.
        check: Whether all entries are there, once.
    """

    name: str
    victim: str
    prepare: Callable[[Scene], None]
    words: Callable[[Scene], list[str]]
    status: int = 0
    is_sound: bool = True
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    companion: Callable[[Scene], AbstractContextManager[object]] = lambda _: nullcontext()
    is_over: Callable[[str], bool] | None = None
    is_waiting: Callable[[str], bool] | None = None
    again: Callable[[Scene, "Operation"], None] | None = None
    finish: Callable[[Scene], State] = lambda scene: settle(scene.folder, NAMES)
    check: Callable[[State, State, Ended], None] | None = None

    def run(self, scene: Scene, log: Path | None, *options: str, is_lasting: bool = False) -> Ended:
        """Run it, under strace with *options* if there is a *log*, and return how it ended.

        Nobody waits for a disk to get better that stays as it is.
        """
        is_over = self.is_waiting if is_lasting and self.is_waiting else self.is_over
        with self.companion(scene):
            words = ["--home", str(scene.folder / self.victim), *self.words(scene)]
            env = {**self.env, STRUCK: ""}
            process = scene.launcher.start(words, stdin=self.stdin, env=env)
            with strace(process, log, *options) if log else unharmed(process):
                if is_over is not None:
                    process.stop_when(is_over)
                return process.wait()

    def run_again(self, scene: Scene) -> None:
        """Do what a person does next; it must work."""
        if self.again is not None:
            self.again(scene, self)
            return
        done = self.run(scene, None)
        assert done.status == 0, f"the next run fails: {done.out}{done.err}"

    def compare(self, found: State, clean: State, ended: Ended) -> None:
        """See that what there is now is what there is when nothing went wrong."""
        if self.check is not None:
            self.check(found, clean, ended)
        else:
            assert found.entries == clean.entries, "lost or doubled"
        assert found.names <= clean.names, f"left over: {found.names - clean.names}"


def strangers(scene: Scene) -> None:
    """Two who know each other and have nothing in common yet."""
    acquaint(new_computer(scene.folder, "farm"), new_computer(scene.folder, "home"))


def shared(scene: Scene) -> None:
    """Both are in a ledger, know it, and have written."""
    farm, home = new_sharers(scene.folder)
    exchange(scene.stick, farm, home, farm)
    home.types("put", "well", '"from home"')
    exchange(scene.stick, home, farm, home)


def share_and_settle(scene: Scene) -> State:
    scene.farm.types("ledger", "share", "home")
    return settle(scene.folder, NAMES)


def written(scene: Scene) -> None:
    """farm has much to say that home does not know: entries, a file, a second ledger."""
    shared(scene)
    for number in range(3):
        scene.farm.types("put", f"field/{number}", json.dumps({"moisture": number}))
    photo = scene.folder / "photo"
    photo.write_bytes(bytes(range(256)) * 100)
    scene.farm.types("add", str(photo))
    scene.farm.types("ledger", "new", "diary")
    scene.farm.types("put", "today", '"rain"', "--ledger", "diary")
    scene.farm.types("ledger", "share", "home", "--ledger", "diary")
    scene.home.types("put", "field/1", '{"moisture": 9}')
