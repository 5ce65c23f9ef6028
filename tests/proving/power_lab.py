"""Records what people do, cuts the power at each call, and looks at what is left."""

import copy
import hashlib
import random
import re
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.computers import Computer
from tests.proving.power_checks import things
from tests.proving.power_command import ahead
from tests.proving.power_disk import (
    BLOCK_BYTES,
    SECTOR_BYTES,
    Disk,
    Keep,
    Tree,
    keep_length,
    keep_live,
    keep_some,
    keep_synced,
)
from tests.proving.power_ground import NODE
from tests.proving.power_log import Call, calls, record
from tests.proving.power_machine import Machine, lay_out, on_disk, visible
from tests.proving.power_scene import FILES, STICK, Ruin, Scene, Step, make_files

Trees = Mapping[str, Tree]
_Ruining = Callable[[], Trees]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thoroughness:
    """How much is tried of each operation.

    Attributes:
        cuts: At how many calls the power is cut; None: at each.
        each: How many of the states after a cut are looked at; None: all.
        random_states: How many random ones there are after each cut.
    """

    cuts: int | None = None
    each: int | None = None
    random_states: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One instant at which the power goes out, and one state that it may leave."""

    operation: str
    number: int
    call: str
    state: str
    trees: Trees
    said: bytes


@dataclass(frozen=True, slots=True)
class Loss:
    """A cut after which something was not as it must be."""

    cut: Cut
    why: Exception


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: nothing that is done there must last."""
    memory = Path("/dev/shm")  # noqa: S108 -- a folder of its own is made there
    with tempfile.TemporaryDirectory(
        prefix="pannier-power-", dir=memory if memory.is_dir() else None
    ) as folder:
        yield Path(folder)


class Laboratory:
    """One scene, played once on real disks that lie below a folder."""

    def __init__(self, scene: Scene, folder: Path, *, seed: int = 0) -> None:
        self.scene = scene
        self.top = (folder / "disks").resolve()
        self._log = folder / "log"
        self._seed = seed
        for name in scene.disks:
            (self.top / name).mkdir(parents=True)
        make_files(self.top)
        self.machine = Machine(self.top, scene.disks)
        self.before: dict[str, dict[str, int]] = {}

    def play(self, much: Thoroughness) -> Iterator[tuple[Step, Cut]]:
        """Do all steps; yield what the cuts during the operations among them leave."""
        for step in self.scene.steps:
            self.before = {name: self._things(name) for name in self.scene.computers}
            made = self._do(step)
            rng = random.Random(f"{self._seed}/{self.scene.name}/{step.operation}")
            for cut in self._cuts(step, made, much, rng):
                yield step, cut
            self._compare()
            self._write_cards()

    def _do(self, step: Step) -> list[Call]:
        words = step.spelled(self.top, step.words)
        if "REVIEW" in words:
            (line, *_) = Computer(self.top / step.who / NODE).types("review", "list").lines
            words[words.index("REVIEW")] = line.split()[0]
        if step.kind == "type":
            words = ["--home", str(self.top / step.who / NODE), *words]
        done = record(
            "tests.proving.power_command",
            [str(step.days), step.kind, *words],
            self._log,
            env=step.env,
            stdin=step.stdin,
        )
        assert done.returncode == 0, (words, done.stdout[-500:], done.stderr[-700:])
        return list(calls(self._log))

    def _cuts(
        self, step: Step, made: list[Call], much: Thoroughness, rng: random.Random
    ) -> Iterator[Cut]:
        self.machine.said = b""
        if not step.operation:
            for call in made:
                self.machine.apply(call)
            return
        rehearsal = copy.deepcopy(self.machine)
        effects = {n: rehearsal.apply(call) for n, call in enumerate(made)}
        wanted = {n for n, effect in effects.items() if effect is not None}
        # What was promised binds from then on.
        binding = {max(wanted), *(n for n, effect in effects.items() if effect == "")}
        if much.cuts is not None:
            wanted = {*rng.sample(sorted(wanted), min(len(wanted), much.cuts)), *binding}
        seen: set[bytes] = set()
        touched = {step.who}
        for number, call in enumerate(made):
            touched |= {self.machine.apply(call) or step.who}
            if number not in wanted:
                continue
            states = list(self._states(touched, much.random_states, rng))
            if much.each is not None:
                chosen = rng.sample(states, min(much.each, len(states)))
                bare = [one for one in states if number in binding and one[0] in _BARE]
                states = [*bare, *(one for one in chosen if one not in bare)]
            for name, ruining in states:
                trees = {disk: visible(tree) for disk, tree in ruining().items()}
                digest = _digest(trees, self.machine.said)
                if digest not in seen:
                    seen.add(digest)
                    yield Cut(
                        operation=step.operation,
                        number=number,
                        call=_text(call, self.top),
                        state=name,
                        trees=trees,
                        said=self.machine.said,
                    )

    def _states(
        self, touched: set[str], random_count: int, rng: random.Random
    ) -> Iterator[tuple[str, _Ruining]]:
        """Yield what may be left: of all disks that were written to, of one, of each another."""
        disks = self.machine.disks

        def left(some: Mapping[str, Callable[[Disk], Tree]]) -> Callable[[], Trees]:
            return lambda: {
                name: some[name](disk) if name in some else disk.live()
                for name, disk in disks.items()
            }

        yield "killed", left({})
        for what, leaving in _LEAVINGS.items():
            yield what, left(dict.fromkeys(touched, leaving))
        if len(touched) > 1:
            for name in sorted(touched):
                for what in _BARE:
                    yield f"{what}, {name} alone", left({name: _LEAVINGS[what]})
        for number in range(random_count):
            seed = f"{rng.random()}"
            some = {
                name: _some(random.Random(f"{seed}/{name}"), is_torn=name == STICK)
                for name in sorted(touched)
            }
            yield f"random {number}", left(some)

    def lay_out(self, step: Step, cut: Cut, folder: Path, number: int) -> Ruin:
        """Make what a cut leaves below *folder*."""
        for name, tree in cut.trees.items():
            lay_out(folder / name, tree)
        (folder / FILES).symlink_to(self.top / FILES)
        for card in self.top.glob("*.card"):
            shutil.copy(card, folder)
        return Ruin(top=folder, step=step, said=cut.said, before=self.before, number=number)

    def _things(self, name: str) -> dict[str, int]:
        computer = Computer(self.top / name / NODE)
        if not any(computer.home.glob("ledgers/*.db")) or self.scene.name == "passwd":
            return {}
        return things(computer)

    def _compare(self) -> None:
        """See that the calls told all that was done to the disks."""
        for name, disk in self.machine.disks.items():
            made, real = visible(disk.live()), on_disk(self.top / name)
            differing = [path for path in {*made, *real} if made.get(path, 0) != real.get(path, 0)]
            assert not differing, f"what was recorded is not what happened: {differing}"

    def _write_cards(self) -> None:
        for name in self.scene.computers:
            home, card = self.top / name / NODE, self.top / f"{name}.card"
            if home.is_dir() and not card.exists() and self.scene.name != "passwd":
                card.write_text(Computer(home).types("card").out)


_BARE = ("strict", "journal")
_LEAVINGS: dict[str, Callable[[Disk], Tree]] = {
    "strict": lambda disk: disk.strict(),
    "journal": lambda disk: disk.journal(),
    "names without data": lambda disk: disk.with_names(keep_synced),
    "names and zeros": lambda disk: disk.with_names(keep_length),
    "data without names": lambda disk: disk.strict(keep_live),
}


def _some(rng: random.Random, *, is_torn: bool) -> Callable[[Disk], Tree]:
    unit_bytes = rng.choice((BLOCK_BYTES, BLOCK_BYTES, SECTOR_BYTES))
    keeps: list[Keep] = [keep_some(rng, unit_bytes)] * 4 + [keep_live, keep_synced]
    keep = rng.choice(keeps)
    if rng.random() < 0.4 and not is_torn:
        return lambda disk: disk.some_journal(rng, keep)
    return lambda disk: disk.some_strict(rng, keep, is_torn=is_torn)


def _digest(trees: Trees, said: bytes) -> bytes:
    digest = hashlib.sha256(said)
    for name, tree in sorted(trees.items()):
        for path, data in sorted(tree.items()):
            digest.update(f"\0{name}/{path}\0{-1 if data is None else len(data)}\0".encode())
            digest.update(data or b"")
    return digest.digest()


def _text(call: Call, top: Path) -> str:
    paths = [text.decode() for text in call.texts if len(text) < 300 and text.startswith(b"/")]
    paths = paths or [f"{one.path}" for one in call.opened if one.path.startswith("/")]
    said = [repr(text) for text in call.texts if call.opened and call.opened[0].number == 1]
    texts = [re.sub(f"^{re.escape(str(top))}/", "", path) for path in paths]
    return f"{call.name} {' '.join(said or texts)}"


def try_all(
    scene: Scene, much: Thoroughness, *, seed: int = 0, keep: Path | None = None
) -> Iterator[tuple[Cut, Loss | None]]:
    """Play *scene*; yield each cut and what was lost by it.

    Args:
        scene: What is done.
        much: How much of it is tried.
        seed: For what is left to chance.
        keep: Where what a cut leaves is laid out again if something was lost.
    """
    with tempfile.TemporaryDirectory(prefix="pannier-power-") as disks, scratch() as folder:
        laboratory = Laboratory(scene, Path(disks), seed=seed)
        for number, (step, cut) in enumerate(laboratory.play(much)):
            place = folder / f"{number}"
            ruin = laboratory.lay_out(step, cut, place, number)
            loss = None
            try:
                with ahead(step.days):
                    scene.check(ruin)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the cut was not survived
                loss = Loss(cut, error)
                if keep is not None:
                    kept = keep / f"{scene.name}-{number}"
                    shutil.rmtree(kept, ignore_errors=True)
                    laboratory.lay_out(step, cut, kept, number)
            shutil.rmtree(place)
            yield cut, loss


def describe(loss: Loss) -> str:
    """Return what was lost, and when, on one line."""
    cut, why = loss.cut, str(loss.why).partition("\n")[0][:300]
    if not why:  # an assert without words, outside pytest
        frame = traceback.extract_tb(loss.why.__traceback__)[-1]
        why = f"{frame.name}: {frame.line}"
    return f"{cut.operation}: {cut.state} after call {cut.number} ({cut.call}): {why}"
