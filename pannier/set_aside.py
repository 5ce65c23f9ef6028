"""Setting a damaged file of SQLite aside, and a new one in its place, whatever happens in between.

At each moment there lies at the place of the file either itself, with its log, or an empty one that
no command takes for a ledger, or the new one: nobody writes on where something is missing. Until
all is done the damaged file has a second name that says so; `take_up` goes by that.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from ledger.store_place import take_place
from pannier.durable_files import sync_folder

_HELD = ".repairing"
_LOGS = ("-wal", "-journal")


def set_aside(path: Path, damaged: Path, new: Path | None, folder: Path) -> None:
    """Give a file another name, with its log, and put a new one in its place; durable on return.

    Args:
        path: The damaged file. Nobody else has it open.
        damaged: Its name from now on; nothing lies there.
        new: What takes its place; None: nothing does.
        folder: For what is needed meanwhile; on the same file system.

    Raises:
        OSError: the disk said no; all is as it was, or will be by `take_up`.
    """
    held = _beside(path, _HELD)
    try:
        for log in _LOGS:  # the file comes last: where it is held its logs are, too
            if _is_there(_beside(path, log)):
                _double(_beside(path, log), _beside(held, log), folder)
        _double(path, held, folder)
        sync_folder(path.parent)
        obstacle = folder / "empty"
        obstacle.touch(mode=0o600)
        obstacle.replace(path)
        sync_folder(path.parent)
        _remove_logs(path)
        if new is not None:
            take_place(new, path)
    except OSError:
        with suppress(OSError):
            _put_back(path, folder)
        raise
    _name(held, damaged, folder)
    if new is None:
        path.unlink()


def take_up(path: Path, damaged: Path, folder: Path) -> None:
    """Undo what was interrupted of `set_aside`, or end it if the new file is in place.

    Args:
        path: The file that was to be set aside.
        damaged: What its name is to be; nothing lies there.
        folder: For what is needed meanwhile; on the same file system.

    Raises:
        OSError: the disk said no; call it again.
    """
    held = _beside(path, _HELD)
    if not held.exists():  # interrupted before anything was changed, or when all was put back
        if path.exists():
            _remove(held, *_LOGS)
    elif _is_there(path) and not path.samefile(held):
        _name(held, damaged, folder)
    else:
        _put_back(path, folder)


def interrupted(folder: Path) -> list[Path]:
    """Return the files in *folder* of which `set_aside` was interrupted."""
    names = {one.name.partition(_HELD)[0] for one in folder.glob(f"*{_HELD}*")}
    return [folder / name for name in sorted(names)]


def _put_back(path: Path, folder: Path) -> None:
    held = _beside(path, _HELD)
    if held.exists() and not _is_there(path):
        _remove_logs(path)
        for log in _LOGS:
            if _beside(held, log).exists():
                _double(_beside(held, log), _beside(path, log), folder)
        sync_folder(path.parent)  # the file without its log would be an older one
        held.replace(path)
        sync_folder(path.parent)
    elif held.exists() and not path.samefile(held):
        return  # the new file is in place
    _remove(held, *_LOGS, "")


def _is_there(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _remove(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        _beside(path, suffix).unlink(missing_ok=True)


def _remove_logs(path: Path) -> None:
    _remove(path, *_LOGS, "-shm")
    sync_folder(path.parent)  # before another file is there, which SQLite would put them into


def _name(held: Path, damaged: Path, folder: Path) -> None:
    for log in _LOGS:  # two names until the file has its own: it is never without
        if _beside(held, log).exists():
            _double(_beside(held, log), _beside(damaged, log), folder)
    sync_folder(held.parent)
    held.replace(damaged)
    sync_folder(held.parent)
    _remove(held, *_LOGS)


def _double(old: Path, new: Path, folder: Path) -> None:
    """Give a file a second name; where a file system knows none, copy it."""
    try:
        os.link(old, new)
    except OSError:
        copy = folder / "copy"
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        with old.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        copy.replace(new)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
