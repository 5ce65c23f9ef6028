"""Sticks that are file systems of their own, in an image file: FAT, exFAT and ext4.

exFAT and FAT are drivers in user space (Debian: exfat-fuse, fusefat), ext4 is the kernel's. All
of them are mounted where nobody else sees it, in a mount namespace that ends with its process: a
laboratory that is killed leaves nothing mounted.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 1 << 18
_PATIENCE = 1_000_000
_CONNECTIONS = Path("/sys/fs/fuse/connections")


@dataclass(frozen=True, slots=True)
class Format:
    """How a stick is formatted and mounted.

    Attributes:
        name: Of the format.
        make: Command that formats; the image follows.
        mount: Command that mounts; the device and the folder follow.
        tools: Commands that must be there.
    """

    name: str
    make: tuple[str, ...]
    mount: tuple[str, ...]
    tools: tuple[str, ...]

    @property
    def is_there(self) -> bool:
        """Whether this computer can mount such sticks."""
        return os.getuid() == 0 and all(map(shutil.which, self.tools))


EXFAT = Format(
    "exFAT",
    ("mkfs.exfat",),
    ("mount.exfat-fuse",),
    tools=("mkfs.exfat", "mount.exfat-fuse", "losetup"),
)
FAT = Format(
    "FAT",
    ("mkfs.vfat", "-F", "16"),
    ("fusefat", "-o", "rw+"),
    tools=("mkfs.vfat", "fusefat", "losetup"),
)
EXT4 = Format(
    "ext4",
    ("mkfs.ext4", "-q", "-F"),
    ("mount", "-t", "ext4"),
    tools=("mkfs.ext4", "losetup"),
)
FORMATS = (EXFAT, FAT, EXT4)


@cache
def own_mounts() -> None:
    """Mount from now on where only this process and its children see it, until they end."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "no mount namespace of our own")
    _run("mount", "-t", "fusectl", "fusectl", _CONNECTIONS)


def new_image(path: Path, form: Format, size_bytes: int = 16 << 20) -> Path:
    """Make an empty stick."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    _run(*form.make, path)
    return path


@contextmanager
def plugged(image: Path, form: Format, at: Path) -> Iterator[Path]:
    """Mount a stick; it may be gone already when it is to be unmounted."""
    at.mkdir(parents=True, exist_ok=True)
    device = Path(_run("losetup", "--find", "--show", image))
    try:
        _run(*form.mount, device, at)
    finally:
        # It goes by itself with whoever uses it last.
        _run("losetup", "--detach", device)
    try:
        yield at
    finally:
        with suppress(subprocess.CalledProcessError):
            _run("umount", at)
        _settle(device, image)


def pull(at: Path) -> bool:
    """Take the stick away while it is in use; what is open on it stays so, to no avail."""
    number = at.stat().st_dev
    connection = _CONNECTIONS / str(os.major(number) << 20 | os.minor(number)) / "abort"
    if connection.exists():
        connection.write_text("1")
    else:
        _run("umount", "--lazy", at)
    return True


def protect(at: Path) -> bool:
    """Let nobody write to the stick any more; return False while a file on it is being written."""
    with suppress(subprocess.CalledProcessError):
        _run("mount", "--internal-only", "-o", "remount,ro", at)
        return True
    return False


def fill(path: Path) -> bool:
    """Leave no room: write *path* until the last byte is taken."""
    size = 1 << 20
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return True


def _settle(device: Path, image: Path) -> None:
    """Wait until the driver has let the device go, so that the image has all of it."""
    user = Path("/sys/block") / device.name / "loop/backing_file"
    with suppress(OSError):
        for _ in range(_PATIENCE):
            if user.read_text().strip() != str(image.resolve()):
                return
            os.sched_yield()


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
