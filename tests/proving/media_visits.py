"""Visits in the middle of which something becomes of the stick, at every call one by one.

Ada has entries, a file and a notice to write and something to read and to clear away; at call N the
stick fills up, turns read-only, or is pulled. Then, with a stick that is well again: no leftovers
of ours are on it, and all that was queued arrives.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proving.media_deeds import FULL, PULLED, Deed, Watch, watched
from tests.proving.media_faults import MOVIE
from tests.proving.media_images import Format, new_image, plugged
from tests.proving.media_life import Life


class Scene:
    """A world and a stick in it as they were before the visit, to come back to."""

    def __init__(self, folder: Path, form: Format, seed: str = "visit") -> None:
        """Let both write and visit, so that the next visit has all kinds of things to do.

        Args:
            folder: Scratch.
            form: Of the stick.
            seed: Of what is written.
        """
        self._folder = folder
        self._form = form
        self._image = new_image(folder / "stick.img", form)
        self._life = Life(folder, seed, lambda: plugged(self._image, form, folder / "mnt"))
        life = self._life
        life.write_entries("ada", 300)
        with life.plug() as stick:
            life.visit("ada", stick)
            life.visit("bea", stick)
            life.write_file("bea", 1_500_000)
            life.visit("bea", stick)
        life.write_entries("ada", 300)
        for size in (3_000_000, 10_000):
            life.write_file("ada", size)

    @contextmanager
    def played(self) -> Iterator[Life]:
        """Give a copy of the world, with a copy of the stick."""
        again = self._folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        again.mkdir()
        image = Path(shutil.copyfile(self._image, again / "stick.img"))
        at = self._folder / "mnt"
        with self._life.copy_to(again, lambda: plugged(image, self._form, at)) as life:
            yield life

    def calls(self) -> int:
        """Return how many calls the visit makes when all goes well."""
        watch = Watch()
        with self.played() as life, life.plug() as stick, watched(watch):
            life.visit("ada", stick)
        return watch.calls

    def survives(self, deed: Deed, at_call: int) -> bool:
        """Do *deed* before call *at_call*; fail if anything is lost or left.

        Returns:
            Whether it came to that: a file system that is being written to is not made read-only.
        """
        with self.played() as life:
            with life.plug() as stick:
                with watched(watch := Watch(at_call, lambda: deed.do(stick))):
                    life.visit("ada", stick, is_hurt=deed is PULLED)
                if deed is FULL:
                    life.assert_no_leftovers(stick)
                    (stick / MOVIE).unlink()
            life.settle()
        return watch.is_done
