"""Names and spools for the tests of this room."""

import itertools
from collections.abc import Callable, Iterator

from spool.expiry import IsLate
from spool.name import BundleName, FragmentName
from spool.quotas import Quotas
from spool.tree import Spool
from tests.faults import KEEPS, CrashError, MemoryFileSystem, counting_entropy

ANNE, BEA = "a" * 16, "b" * 16
STICK = "5" * 16


def bundle(number: int, *, priority: int = 3, expiry_days: int = 100) -> BundleName:
    return BundleName(priority, expiry_days, "00000000", f"{number:016x}", 1360)


def fragment(number: int, *, priority: int = 3, expiry_days: int = 100) -> FragmentName:
    return FragmentName(priority, expiry_days, "00000000", f"{number:016x}", 0)


def late_from(today_days: int) -> IsLate:
    """Who knows what day it is."""
    return lambda waiting: waiting.expiry_days < today_days


_pids = itertools.count(1)


def spool_in(fs: MemoryFileSystem, quotas: Quotas | None = None) -> Spool:
    """Open the spool in *fs* as a new process does after all others have died."""
    spool = Spool(fs, entropy=counting_entropy(), quotas=quotas, pid=next(_pids))
    spool.sweep(is_alive=lambda _: False, now_ns=0)
    return spool


def every_crash(
    prepare: Callable[[], MemoryFileSystem], act: Callable[[MemoryFileSystem], object]
) -> Iterator[tuple[MemoryFileSystem, bool]]:
    """Run *act* with a crash before each of its steps in turn, then without one.

    Yields what is found afterwards (after a kill, and after power cuts that keep some names and
    forget others), and whether *act* had come to its end.
    """
    for crash_at in itertools.count():
        fs = prepare()
        fs.steps.clear()
        fs.faults.crash_at = crash_at
        try:
            act(fs)
        except CrashError:
            finished = False
        else:
            finished = True
        yield fs.after_kill(), finished
        for keep in KEEPS:
            yield fs.after_power_cut(keep), finished
        if finished:
            assert crash_at > 3, "the operation takes no steps"
            return
