"""Small files and folders of the home that are there after a power cut, once these return."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make *path*, if it is not there, and the folders above it; their names are durable.

    Raises:
        OSError: the disk said no.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    # What is there may have been made by somebody who was killed right then.
    for one in {path, *missing}:
        with suppress(PermissionError):  # whoever may not list a folder cannot sync it either
            sync_folder(one.parent)


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write *path*, new or in place of what was there: after a power cut it is one or the other.

    Of two processes that do so at once the second waits for the first. What they read before is
    their concern.

    Raises:
        OSError: the disk said no; what was there is there still.
    """
    draft = path.with_name(f".{path.name}.new")
    with _held(draft, mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        draft.replace(path)
    sync_folder(path.parent)


@contextmanager
def _held(draft: Path, mode: int) -> Iterator[IO[bytes]]:
    """Make the empty file *draft* and hold it, as soon as nobody else does.

    It is always a new one: what somebody has linked there is not written to.
    """
    while True:
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            _wait_and_sweep(draft)
            continue
        with open(descriptor, "wb") as file:  # noqa: PTH123 -- a descriptor, for its mode
            fcntl.flock(file, fcntl.LOCK_EX)
            if not os.fstat(descriptor).st_nlink:
                continue  # another process swept it before it was held
            yield file
            return


def _wait_and_sweep(draft: Path) -> None:
    """Wait until nobody holds *draft*; remove it if its maker was killed, or failed."""
    if draft.is_symlink():
        draft.unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError), draft.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(file.fileno()), draft.stat()):
            draft.unlink()


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where systems let one ask for that.

    Raises:
        OSError: the disk said no.
    """
    if os.name != "posix":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network file systems cannot sync a folder, and need not.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(folder)
