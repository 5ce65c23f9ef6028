import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from spool.delivery import Delivery
from spool.errors import BusyError, MalformedNameError, SpoolError
from spool.os_file_system import OsFileSystem
from spool.partial import Piece
from spool.quotas import Quotas
from spool.tree import Spool, open_spool
from tests.faults import Faults, MemoryFileSystem, counting_entropy
from tests.spool.samples import ANNE, BEA, STICK, bundle, every_crash, fragment, late_from, spool_in
from tests.spool.test_partial import part


def test_the_mark_is_drawn_once_and_again_when_damaged() -> None:
    fs = MemoryFileSystem()
    mark = spool_in(fs).mark
    assert len(bytes.fromhex(mark)) == 4
    other = Spool(fs, entropy=lambda size: b"\xee" * size, pid=2)
    assert other.mark == mark
    fs.remove("locks/mark")
    fs.create("locks/mark", [b"\xff\x00"])
    assert Spool(fs, entropy=lambda size: b"\xee" * size, pid=2).mark == "eeeeeeee"


def test_a_new_tree_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    open_spool(tmp_path / "spool", entropy=os.urandom)
    assert tmp_path in synced, "else all that is queued goes with the name of the folder"


def test_opening_survives_any_crash() -> None:
    marks = set()
    for fs, _ in every_crash(MemoryFileSystem, spool_in):
        marks.add(spool_in(fs).mark)
    assert len(marks) == 1


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_an_error_at_any_step_of_anything_is_of_this_room(number: int) -> None:
    def act(fs: MemoryFileSystem) -> None:
        spool = spool_in(fs)
        spool.outbox.publish(ANNE, bundle(1, expiry_days=1), b"x")
        spool.inbox.receive([Delivery(fragment(1, expiry_days=1), ANNE, STICK, b"x")])
        spool.held.hold(bundle(1, expiry_days=1), b"x")
        spool.carried.take({fragment(1, expiry_days=1): b"x"}, STICK, today_days=0)
        spool.partials.append(part(1, expiry_days=1), [Piece(0, b"x")])
        spool.partials.settle(part(1, expiry_days=1))
        spool.quarantine.put(f"{2:016x}", "bad", {"x": b"x"})
        spool.reject(f"{1:016x}", "bad")
        spool.expire(late_from(2))

    for fail_at in count():
        fs = MemoryFileSystem()
        fs.faults = Faults(fail_at=fail_at, error=number)
        try:
            act(fs)
        except SpoolError:
            pass
        if fail_at > len(fs.steps):
            break
        fs.faults = Faults()
        act(fs)
    assert fail_at > 60


def test_expiry_empties_every_queue_and_spares_quarantine() -> None:
    fs = MemoryFileSystem()
    spool = spool_in(fs)
    spool.outbox.publish(ANNE, bundle(1, expiry_days=1), b"x")
    spool.inbox.receive([Delivery(fragment(2, expiry_days=1), ANNE, STICK, b"x")])
    spool.held.hold(bundle(3, expiry_days=1), b"x")
    spool.carried.take({fragment(4, expiry_days=1): b"x"}, STICK, today_days=0)
    spool.quarantine.put(f"{5:016x}", "bad", {})
    expired = spool.expire(late_from(2))
    assert expired.queued == ((ANNE, bundle(1, expiry_days=1)),)
    assert expired.arrived == (f"{2:016x}",)
    assert expired.held == (bundle(3, expiry_days=1),)
    assert expired.carried_count == 1
    assert sorted(fs.files()) == [f"bad/{5:016x}/reason.txt", "locks/mark"]


def test_one_exchange_at_a_time_with_one_source() -> None:
    spool = spool_in(MemoryFileSystem())
    with spool.exchange(STICK):
        with pytest.raises(BusyError), spool.exchange(STICK):
            pass
        with spool.exchange("other"):
            pass
    with spool.exchange(STICK):
        pass
    with pytest.raises(MalformedNameError), spool.exchange("../x"):
        pass


def test_opening_sweeps_what_dead_processes_left(tmp_path: Path) -> None:
    open_spool(tmp_path / "home/spool", entropy=os.urandom)
    temps = tmp_path / "home/spool/tmp"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {pid: f"{pid}-{0:016x}" for pid in (dead.pid, os.getpid(), 1)}
    for name in names.values():
        (temps / name).write_bytes(b"x")
    open_spool(tmp_path / "home/spool", entropy=os.urandom)
    assert {path.name for path in temps.iterdir()} == {names[os.getpid()], names[1]}


def _publish_all(root: Path) -> int:
    spool = open_spool(root, entropy=os.urandom)
    for number in range(20):
        spool.outbox.publish(ANNE, bundle(number), bytes([number]))
        spool.inbox.receive([Delivery(fragment(number), ANNE, STICK, bytes([number]))])
        spool.inbox.discard(f"{number:016x}")
        spool.outbox.withdraw(ANNE, bundle(number + 1000))
    return len(spool.outbox.queued(ANNE))


def test_processes_share_a_spool(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert max(pool.map(_publish_all, [tmp_path] * 4)) == 20
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_killed_process_leaves_a_valid_spool(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib, itertools\n"
        "from spool.tree import open_spool\n"
        "from spool.name import BundleName\n"
        "spool = open_spool(pathlib.Path(sys.argv[1]), entropy=os.urandom)\n"
        "for n in itertools.count():\n"
        "    spool.outbox.publish('a' * 16, BundleName(3, 9, '0' * 8, f'{n:016x}', 8), bytes(n))\n"
        "    print(n, flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()) and int(line) < 30:
            pass
        process.send_signal(signal.SIGKILL)
        said = [int(line), *map(int, process.stdout)][-1]
    outbox = open_spool(tmp_path, entropy=os.urandom).outbox
    queue = outbox.queued(ANNE)
    assert len(queue) in (said + 1, said + 2)
    for name in queue:
        assert outbox.read(ANNE, name) == bytes(int(name.bundle_id, 16))
    assert list((tmp_path / "tmp").iterdir()) == []


TREES = ("in", "held", "out", "carry", "part", "bad")


def use(spool: Spool, number: int) -> None:
    """Put something into each tree and take it out again, under ids that begin with *number*."""
    spool.outbox.publish(ANNE, bundle(number), b"x")
    spool.inbox.receive([Delivery(fragment(number), ANNE, STICK, b"x")])
    spool.held.hold(bundle(number), b"x")
    spool.carried.take({fragment(number): b"x"}, STICK, today_days=0)
    spool.partials.append(part(number), [Piece(0, b"x")])
    spool.quarantine.put(f"{number:016x}", "bad", {"x": b"x"})
    assert len(list(spool.inbox.read(f"{number:016x}"))) == 1
    assert spool.outbox.read(ANNE, bundle(number)) == b"x"
    assert spool.held.read(bundle(number)) == b"x"
    assert spool.carried.read(fragment(number)) == b"x"
    assert f"{number:016x}" in [bad.bundle_id for bad in spool.quarantine.list()]


def test_what_somebody_put_into_the_spool_ends_nothing_and_stays(tmp_path: Path) -> None:
    """A file where a folder should be, folders in folders of ours, and folders with our names."""
    quotas = Quotas(quarantine_bundles=2)
    spool = open_spool(tmp_path, entropy=counting_entropy(), quotas=quotas)
    for number in range(4):
        use(spool, number)
    for tree in TREES:
        for number in (4, 9):
            path = tmp_path / tree / f"{number:016x}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"note")
        for folder in [each for each in (tmp_path / tree).iterdir() if each.is_dir()]:
            (folder / "unpacked").mkdir()
            (folder / "unpacked" / "note").write_bytes(b"note")
    for path in [each for each in tmp_path.glob("*/*/*") if each.is_file()][::2]:
        path.unlink()
        path.mkdir()
    for number in range(9):
        use(open_spool(tmp_path, entropy=os.urandom, quotas=quotas), number)
    assert len(spool.quarantine.list()) == 2
    spool.expire(lambda _: True)
    assert (spool.inbox.bundles(), spool.held.names(), spool.carried.known()) == ([], [], {})
    notes = [
        each for each in tmp_path.rglob("*") if each.is_file() and each.read_bytes() == b"note"
    ]
    assert len(notes) >= 2 * len(TREES)
    assert not list((tmp_path / "tmp").iterdir())


def test_of_two_that_make_way_at_once_neither_takes_what_the_other_got(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second would rename the folder that the first has just made, with all that is in it."""
    one, two = (open_spool(tmp_path, entropy=os.urandom, patience_seconds=9) for _ in range(2))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{1:016x}").write_bytes(b"note")
    theirs = Delivery(fragment(1), BEA, "serial0", b"theirs")
    other = threading.Thread(target=lambda: two.inbox.receive([theirs]))
    rename = OsFileSystem.rename

    def rename_late(fs: OsFileSystem, old: str, new: str) -> None:
        if ".foreign-" in new and not other.ident:
            other.start()
            other.join(0.5)  # it has come to its end, or waits for this one
        rename(fs, old, new)

    monkeypatch.setattr(OsFileSystem, "rename", rename_late)
    one.inbox.receive([Delivery(fragment(1), ANNE, STICK, b"ours")])
    other.join()
    assert {each.data for each in one.inbox.read(f"{1:016x}")} == {b"ours", b"theirs"}
    assert [path.read_bytes() for path in tmp_path.glob("in/*.foreign-*")] == [b"note"]


def test_a_tree_that_is_a_file_is_put_aside(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, entropy=counting_entropy())
    for tree in TREES:
        (tmp_path / tree).write_bytes(b"note")
    use(spool, 1)
    assert {each.read_bytes() for each in tmp_path.glob("*.foreign-*")} == {b"note"}
