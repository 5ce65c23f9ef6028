"""Media as people have them: one that is small, an exFAT stick, one that is pulled or protected."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spool.tree import open_spool
from tests.contracts.transport import Carrier, TransportContract
from tests.faults import MemoryFileSystem, counting_entropy
from tests.transports.test_directory import Stick
from tests.transports.toy import TERMS, ToyNode, node_id
from transports.errors import MediumGoneError, MediumReadOnlyError, NotAMediumError
from transports.medium import Medium

EXFAT_TOOLS = ("mkfs.exfat", "mount.exfat-fuse", "losetup")
PEERS = [node_id(2)]


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip without root or *tools*; where CI is set, that is a failure instead."""
    is_ready = os.getuid() == 0 and all(map(shutil.which, tools))
    return pytest.mark.skipif(
        not is_ready and not os.environ.get("CI"), reason=f"needs root and {', '.join(tools)}"
    )


pytestmark = [pytest.mark.root, needs("mount", "umount")]


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def mounted_tmpfs(path: Path, size: str) -> Iterator[Path]:
    path.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=False, capture_output=True)


@contextmanager
def mounted_exfat(path: Path, image: Path) -> Iterator[Path]:
    path.mkdir(exist_ok=True)
    device = run("losetup", "--find", "--show", image)
    try:
        run("mount.exfat-fuse", device, path)
        try:
            yield path
        finally:
            run("umount", path)
    finally:
        run("losetup", "--detach", device)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "stick.img"
    with path.open("wb") as file:
        file.truncate(16 << 20)
    run("mkfs.exfat", path)
    return path


def anne_with(*bundles: bytes) -> ToyNode:
    anne = ToyNode(1, MemoryFileSystem())
    for data in bundles:
        anne.queue(2, data)
    return anne


def opened(path: Path) -> Medium:
    return Medium.open(path, entropy=counting_entropy())


def test_a_small_medium_fills_gracefully_and_empties_again(tmp_path: Path) -> None:
    bundles = [bytes([number]) * 100_000 for number in range(40)]
    anne, bea = anne_with(*bundles), ToyNode(2, MemoryFileSystem())
    with mounted_tmpfs(tmp_path / "stick", "1m") as stick:
        trips = 0
        while len(bea.merged) < len(bundles) and trips < 20:
            trips += 1
            delivered = anne.at(opened(stick)).deliver(PEERS, TERMS)
            assert delivered.written
            assert not list(stick.glob("pannier/.*"))
            bea.at(opened(stick)).collect(TERMS)
            bea.merge()
            for bundle in anne.spool.outbox.queued(PEERS[0]):
                if bundle.bundle_id in bea.merged:
                    anne.spool.outbox.withdraw(PEERS[0], bundle)
            bea.at(opened(stick)).collect(TERMS)
    assert trips > 3
    assert sorted(bea.merged.values()) == bundles


def test_a_home_that_is_full_refuses_and_the_medium_keeps(tmp_path: Path) -> None:
    anne = anne_with(bytes(300_000), b"small")
    with mounted_tmpfs(tmp_path / "stick", "1m") as stick:
        anne.at(opened(stick)).deliver(PEERS, TERMS)
        before = sorted(stick.rglob("*.pnr"))
        with mounted_tmpfs(tmp_path / "home", "200k") as home:
            spool = open_spool(home, entropy=os.urandom)
            bea = ToyNode(2, MemoryFileSystem())
            bea.spool = spool
            with pytest.raises(Exception, match="full"):
                bea.at(opened(stick)).collect(TERMS)
            assert not list((home / "tmp").iterdir())
        assert sorted(stick.rglob("*.pnr")) == before


def test_unmounting_in_the_middle_writes_nothing_to_the_disk_beneath(tmp_path: Path) -> None:
    anne = anne_with(b"one", b"two")
    with mounted_tmpfs(tmp_path / "stick", "1m") as stick:
        directory = anne.at(opened(stick))
        directory.deliver([], TERMS)
        run("umount", "-l", stick)
        with pytest.raises(MediumGoneError):
            directory.deliver(PEERS, TERMS)
        with pytest.raises(MediumGoneError):
            directory.collect(TERMS)
        assert list(stick.iterdir()) == []
    assert len(anne.spool.outbox.queued(PEERS[0])) == 2


def test_a_protected_medium_is_read_and_not_written(tmp_path: Path) -> None:
    anne, bea = anne_with(b"one"), ToyNode(2, MemoryFileSystem())
    with mounted_tmpfs(tmp_path / "stick", "1m") as stick:
        anne.at(opened(stick)).deliver(PEERS, TERMS)
        run("mount", "-o", "remount,ro", stick)
        assert len(bea.at(opened(stick)).collect(TERMS).received) == 1
        bea.queue(1, b"answer")
        with pytest.raises(MediumReadOnlyError):
            bea.at(opened(stick)).deliver([node_id(1)], TERMS)
    with mounted_tmpfs(tmp_path / "empty", "1m") as empty:
        run("mount", "-o", "remount,ro", empty)
        with pytest.raises(NotAMediumError):
            opened(empty)


@needs(*EXFAT_TOOLS)
class TestExfat(TransportContract):
    @pytest.fixture
    def carrier(self, tmp_path: Path, image: Path) -> Iterator[Carrier]:
        with mounted_exfat(tmp_path / "stick", image) as stick:
            yield Stick(opened(stick))


@needs(*EXFAT_TOOLS)
def test_what_is_delivered_is_in_the_image_before_it_is_unmounted(
    tmp_path: Path, image: Path
) -> None:
    anne, bea = anne_with(b"one", b"two" * 9999), ToyNode(2, MemoryFileSystem())
    copy = tmp_path / "pulled.img"
    with mounted_exfat(tmp_path / "stick", image) as stick:
        assert len(anne.at(opened(stick)).deliver(PEERS, TERMS).written) == 2
        # What a stick holds that is pulled now; the loop device writes through to its file.
        shutil.copyfile(image, copy)
    with mounted_exfat(tmp_path / "again", copy) as stick:
        assert len(bea.at(opened(stick)).collect(TERMS).received) == 2
    bea.merge()
    assert len(bea.merged) == 2


@needs(*EXFAT_TOOLS)
def test_an_exfat_stick_fills_gracefully(tmp_path: Path, image: Path) -> None:
    anne = anne_with(*(bytes([number]) * 3_000_000 for number in range(8)))
    small = anne.queue(2, b"small", priority=7)
    with mounted_exfat(tmp_path / "stick", image) as stick:
        delivered = anne.at(opened(stick)).deliver(PEERS, TERMS)
        assert delivered.left
        assert (PEERS[0], small) in delivered.written
        assert not list(stick.glob("pannier/.*"))
        assert len(list(stick.rglob("*.pnr"))) == len(delivered.written)


@needs(*EXFAT_TOOLS)
def test_a_home_on_exfat_works_without_hard_links(tmp_path: Path, image: Path) -> None:
    with mounted_exfat(tmp_path / "stick", image) as stick:
        bea = ToyNode(2, MemoryFileSystem())
        bea.spool = open_spool(stick / "spool", entropy=os.urandom)
        anne = anne_with(b"one")
        anne.at(opened(stick)).deliver(PEERS, TERMS)
        bea.at(opened(stick)).collect(TERMS)
        bea.merge()
        assert list(bea.merged.values()) == [b"one"]
