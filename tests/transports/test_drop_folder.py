"""Drop folders that other tools fill: rsync, with and without --inplace, and Syncthing's ways."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from spool.os_file_system import OsFileSystem
from tests.faults import MemoryFileSystem, counting_entropy
from tests.transports.toy import TERMS, ToyNode, node_id
from transports.medium import Medium
from transports.report import Collected

PEERS = [node_id(2)]


class _Recording(OsFileSystem):
    """Remembers what was opened for reading."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read_names: list[str] = []

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        self.read_names.append(path.rpartition("/")[2])
        return super().read(path, limit_bytes=limit_bytes)


class Receiver:
    """Node 2 at its end of a drop folder."""

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self.fs = _Recording(root)
        self.node = ToyNode(2, MemoryFileSystem())

    def collect(self) -> Collected:
        medium = Medium.attach(self.fs, entropy=counting_entropy())
        now = TERMS._replace(now_ns=time.time_ns(), is_removable=False)
        collected = self.node.at(medium).collect(now)
        self.node.merge()
        return collected

    def read_no_temporary_file(self) -> bool:
        names = {name for name in self.fs.read_names if name != "medium.json"}
        return bool(names) and all(len(name) == 44 and name.endswith(".pnr") for name in names)


def sender(root: Path, *bundles: bytes) -> None:
    root.mkdir(exist_ok=True)
    anne = ToyNode(1, MemoryFileSystem())
    for data in bundles:
        anne.queue(2, data)
    anne.at(Medium.open(root, entropy=os.urandom)).deliver(PEERS, TERMS)


@pytest.mark.root
@pytest.mark.skipif(
    shutil.which("rsync") is None and not os.environ.get("CI"), reason="needs rsync"
)
@pytest.mark.parametrize("mode", ["--inplace", "--delay-updates", "--whole-file"])
def test_rsync_while_we_look(tmp_path: Path, mode: str) -> None:
    bundles = [bytes([number]) * 100_000 for number in range(3)]
    sender(tmp_path / "a", *bundles)
    receiver = Receiver(tmp_path / "b")
    command = ["rsync", "-a", mode, "--bwlimit=600", "--exclude=medium.json",
               f"{tmp_path}/a/", f"{tmp_path}/b"]  # fmt: skip
    passes = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            receiver.collect()
            passes += 1
    assert process.returncode == 0
    receiver.collect()
    assert passes > 1
    assert sorted(receiver.node.merged.values()) == bundles
    assert receiver.node.spool.quarantine.list() == []
    assert receiver.read_no_temporary_file()


def test_a_file_that_grows_in_place_arrives_whatever_we_see_of_it(tmp_path: Path) -> None:
    sender(tmp_path / "a", b"0123456789" * 99)
    (source,) = (tmp_path / "a").rglob("*.pnr")
    receiver = Receiver(tmp_path / "b")
    receiver.collect()
    target = tmp_path / "b" / source.relative_to(tmp_path / "a")
    target.parent.mkdir()
    whole = source.read_bytes()
    unfinished = 0
    for end in range(0, len(whole) + 1, 41):
        target.write_bytes(whole[:end])
        unfinished += receiver.collect().unfinished
        assert receiver.node.spool.quarantine.list() == []
    target.write_bytes(whole)
    receiver.collect()
    assert unfinished > 1
    assert list(receiver.node.merged.values()) == [b"0123456789" * 99]


def test_syncthing_with_conflicts_and_late_parts(tmp_path: Path) -> None:
    bundles = [bytes([number]) * 5000 for number in range(4)]
    sender(tmp_path / "a", *bundles)
    receiver = Receiver(tmp_path / "b")
    for source in sorted((tmp_path / "a").rglob("*.pnr")):
        target = tmp_path / "b" / source.relative_to(tmp_path / "a")
        target.parent.mkdir(parents=True, exist_ok=True)
        temp = target.with_name(f".syncthing.{target.name}.tmp")
        conflict = target.with_name(f"{target.stem}.sync-conflict-20240101-120000-ABCDEF7.pnr")
        other = target.with_name(f"{target.stem} (conflicted copy).pnr")
        data = source.read_bytes()
        for part in (data[:100], data[:3000], data):
            temp.write_bytes(part)
            conflict.write_bytes(part)
            other.write_bytes(b"rubbish")
            before = dict(receiver.node.merged)
            receiver.collect()
            assert receiver.node.merged == before
        temp.rename(target)
        receiver.collect()
    assert sorted(receiver.node.merged.values()) == bundles
    assert receiver.read_no_temporary_file()
    assert len(list((tmp_path / "b").rglob("*conflict*"))) == 8


def test_our_removals_and_their_deletions_meet(tmp_path: Path) -> None:
    sender(tmp_path / "a", b"one", b"two")
    node = ToyNode(2, MemoryFileSystem())

    class Vanishing(_Recording):
        """The other end deletes each file just before it is read."""

        def read(self, path: str, *, limit_bytes: int) -> bytes:
            if path.endswith(".pnr"):
                self.remove(path)
            return super().read(path, limit_bytes=limit_bytes)

    medium = Medium.attach(Vanishing(tmp_path / "a"), entropy=counting_entropy())
    collected = node.at(medium).collect(TERMS)
    assert (len(collected.unreadable), collected.received) == (2, ())
