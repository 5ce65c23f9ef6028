"""A stick that flips bits anywhere: in files, in folders, in what its file system is made of."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from tests.proving.media_faults import FLIPPED
from tests.proving.media_images import Format, new_image, plugged
from tests.proving.media_life import Life

_BYTES = 16 << 20


class WornStick:
    """A stick, and the new one that somebody buys when it cannot be mounted any more."""

    def __init__(self, folder: Path, form: Format, random: Random) -> None:
        """Buy the first one."""
        self._folder = folder
        self._form = form
        self._random = random
        self._bought = 0
        self.replace()

    def replace(self) -> None:
        """Buy a new one."""
        self._bought += 1
        self._image = new_image(self._folder / f"stick{self._bought}.img", self._form, _BYTES)

    @contextmanager
    def plug(self) -> Iterator[Path]:
        """Put it in, as `plugged` does."""
        with plugged(self._image, self._form, self._folder / "mnt") as stick:
            yield stick

    def wear(self) -> None:
        """Flip a bit in one of a million of all its bytes."""
        with self._image.open("r+b") as file:
            for _ in range(round(_BYTES * FLIPPED)):
                at = self._random.randrange(_BYTES)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1 << self._random.randrange(8)]))

    def be_used(self, life: Life) -> None:
        """Go around some times, worse and worse; who cannot mount it buys another."""
        for _ in range(4):
            for name in ("ada", "bea"):
                if life.world.has(name):
                    life.write(name)
                with suppress(subprocess.CalledProcessError), self.plug() as stick:
                    life.visit(name, stick, is_hurt=True)
                self.wear()
