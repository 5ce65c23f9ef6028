"""The laboratory of bad media, at length: ``python -m tests.proving.media`` (``make media``).

Every fault under many seeds and on every format, and everything that becomes of a stick during a
visit at every single call. ``--record`` notes the results for docs/reliability.md. A failure names
its seed: ``--fault NAME --seed SEED --format FORMAT`` tries that one again, alone.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from random import Random

from tests.proving.media_deeds import DEEDS, Watch, watched
from tests.proving.media_faults import BETWEEN, Fault, crowd_out
from tests.proving.media_images import (
    EXFAT,
    EXT4,
    FAT,
    FORMATS,
    Format,
    new_image,
    own_mounts,
    plugged,
)
from tests.proving.media_life import Life
from tests.proving.media_visits import Scene
from tests.proving.media_worn import WornStick
from tests.proving.results import Result, record

LABORATORY = "bad media"
FOLDER = "folder"
CROWD = 100_000
_COMMAND = "make media"


class Count:
    """How often each thing was tried, and survived."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts: dict[tuple[str, str], list[int]] = {}
        self.failed: list[str] = []

    def attempt(self, operation: str, fault: str, again: str, do: Callable[[], object]) -> None:
        """Do it; whatever it raises is a failure, to be tried *again* by those arguments."""
        counts = self._counts.setdefault((operation, fault), [0, 0])
        counts[0] += 1
        try:
            do()
        except Exception:  # noqa: BLE001 -- whatever it is, the others are still to be tried
            self.failed.append(again)
            line = f"FAILED: {operation}, {fault}: python -m tests.proving.media {again}"
            print(line, file=sys.stderr, flush=True)
            traceback.print_exc()
        else:
            counts[1] += 1

    def results(self) -> list[Result]:
        """Return what it came to."""
        return [
            Result(LABORATORY, operation, fault, tried, survived, _COMMAND)
            for (operation, fault), (tried, survived) in self._counts.items()
        ]


def carry(fault: Fault, seed: str, form: Format | None) -> None:
    """Carry a stick around to which *fault* happens between all visits."""
    with tempfile.TemporaryDirectory(prefix="media-") as scratch:
        folder = Path(scratch)
        stick = _plug(folder, form)
        with Life(folder, f"{fault.name}/{seed}", stick) as life:
            life.suffer(fault)
            life.settle()


def wear_out(seed: str) -> None:
    """Carry a stick around that flips bits anywhere, in what its file system is made of too."""
    with tempfile.TemporaryDirectory(prefix="media-") as scratch:
        stick = WornStick(Path(scratch), EXFAT, Random(seed))
        with Life(Path(scratch), f"worn/{seed}", stick.plug) as life:
            stick.be_used(life)
            stick.replace()
            life.settle()


def crowded(*, like_ours: bool) -> None:
    """Exchange beside 100,000 foreign files: each is looked at once at most, and left as it is."""
    with tempfile.TemporaryDirectory(prefix="media-") as scratch, Life(Path(scratch), "0") as life:
        stick = life.world.stick()
        crowd_out(stick, CROWD, like_ours=like_ours)
        for name in ("ada", "bea"):
            watch = Watch()
            with watched(watch):
                life.world.exchange(name, stick)
            most = CROWD * like_ours + 100
            assert watch.kinds["inspect"] <= most, watch.kinds
        assert sum(1 for _ in stick.glob("pannier/??/*")) >= CROWD
        assert life.world.has("bea")


def _plug(folder: Path, form: Format | None) -> Callable[[], AbstractContextManager[Path]] | None:
    if form is None:
        return None
    image = new_image(folder / "stick.img", form, 48 << 20)
    return lambda: plugged(image, form, folder / "mnt")


def _chosen(faults: str, form: Format | None) -> Iterator[Fault]:
    for fault in BETWEEN:
        is_possible = not fault.needs_posix or form in (None, EXT4)
        is_possible = is_possible and (fault.is_mild or form is not FAT)
        if faults in fault.name and is_possible:
            yield fault


def _carry_all(count: Count, args: argparse.Namespace) -> None:
    for form in (None, *FORMATS):
        name = form.name if form else FOLDER
        if args.format not in ("", name) or (form and not form.is_there):
            continue
        seeds = range(args.seeds if form is None else max(1, args.seeds // 10))
        for fault in _chosen(args.fault, form):
            for seed in [args.seed] if args.seed else map(str, seeds):
                again = f"--fault {fault.name!r} --seed {seed} --format {name}"
                where = f"carried around ({name})"
                count.attempt(where, fault.name, again, partial(carry, fault, seed, form))


def _visit_all(count: Count, args: argparse.Namespace) -> None:
    for form in FORMATS:
        if args.format not in ("", form.name) or not form.is_there:
            continue
        with tempfile.TemporaryDirectory(prefix="media-") as scratch:
            scene = Scene(Path(scratch), form)
            for deed in DEEDS:
                if args.fault not in deed.name:
                    continue
                for call in range(0, scene.calls(), args.step):
                    again = f"--fault {deed.name!r} --format {form.name} --step {args.step}"
                    where = f"exchange ({form.name}), at each call"
                    count.attempt(where, deed.name, again, partial(scene.survives, deed, call))


def _try_the_rest(count: Count, seeds: int) -> None:
    for seed in map(str, range(seeds if EXFAT.is_there else 0)):
        do = partial(wear_out, seed)
        count.attempt("carried around (exFAT)", "bits flipped anywhere", f"--seeds {seeds * 5}", do)
    for like_ours, what in ((False, "photos"), (True, "names like ours")):
        do = partial(crowded, like_ours=like_ours)
        count.attempt("exchange (folder)", f"{CROWD:,} foreign files, {what}", "", do)


def main() -> int:
    """Run the laboratory; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="note the results")
    parser.add_argument("--seeds", type=int, default=100, help="for each fault")
    parser.add_argument("--seed", default="", help="only this one")
    parser.add_argument("--fault", default="", help="only those with this in their name")
    parser.add_argument("--format", default="", help="folder, exFAT, FAT or ext4")
    parser.add_argument("--step", type=int, default=1, help="during a visit: every so many calls")
    args = parser.parse_args()
    own_mounts()
    count = Count()
    _carry_all(count, args)
    _visit_all(count, args)
    if not args.fault:
        _try_the_rest(count, args.seeds // 5)
    results = count.results()
    for one in results:
        print(f"{one.operation:40} {one.fault:40} {one.survived:5} of {one.tried:5}")
    if args.record:
        record(results)
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
