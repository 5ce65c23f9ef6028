"""Where tests keep their files: in memory where there is room for them. None looks at a clock.

Pannier makes sure all the time that what it wrote is on the disk, and nothing that a test writes
has to outlive a power cut (`tests.proving.power` sees to what would).
"""

import gc
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from ledger.keys import KeyStretch

settings.register_profile("pannier", deadline=None)
settings.load_profile("pannier")

_MEMORY = Path("/dev/shm")  # noqa: S108 -- not for others: pytest makes a folder of its own there
_ROOM_BYTES = 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Set where temporary files go, unless whoever runs the tests did; workers inherit it."""
    if "TMPDIR" not in os.environ and config.option.basetemp is None and _has_room(_MEMORY):
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # pytest has asked already


@pytest.fixture(scope="session", autouse=True)
def _stretched_once() -> Iterator[None]:
    """Stretch a passphrase once in a process: each command that a test types would do so again.

    One trial is meant to cost a fifth of a second, and gives the same key each time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeyStretch, "derive", cache(KeyStretch.derive))
        yield


def pytest_collection_finish() -> None:
    """Spare the collector the thousands of tests, which all stay: that was a tenth of its time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: many a test waits for a line, or for a process."""
    return (os.cpu_count() or 1) + 1


def _has_room(folder: Path) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    try:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            # Older kernels know no O_DIRECT in memory, and long files are to be written that way.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_DIRECT", 0)
            os.close(os.open(Path(scratch) / "direct", flags))
    except OSError:
        return False
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize >= _ROOM_BYTES
