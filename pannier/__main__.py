"""``pannier``: runs a command and turns every error into one line and an exit status."""

import os
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

ROOMS = ("ledger", "bundler", "spool", "transports", "pannier")


def main() -> None:
    """Run the command line; the process ends here."""
    problem = misplaced_room()
    if problem:
        sys.stderr.write(f"pannier: {problem}\n")
        sys.exit(1)
    from pannier.cli.root import run  # noqa: PLC0415 -- only once the rooms are known to be ours
    from pannier.open_files import allow_many  # noqa: PLC0415 -- as above

    allow_many()
    _escape_what_cannot_be_shown()
    status = run(sys.argv[1:])
    _end(status if _flush() else status or 1)


def misplaced_room() -> str | None:
    """Return what is wrong if one of the rooms is not ours: their names are not ours alone."""
    here = Path(__file__).resolve().parent.parent
    for room in ROOMS:
        spec = find_spec(room)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin != here / room / "__init__.py":
            return (
                f"the package {room!r} ({origin or 'it is missing'}) is not pannier's: another "
                "distribution took the name; install pannier by itself, with "
                "`pipx install pannier` or in a venv"
            )
    return None


def _escape_what_cannot_be_shown() -> None:
    """Let no character that a terminal's encoding lacks end a command."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> bool:
    """Flush standard output; return False, and keep the interpreter quiet, if it cannot be."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.flush()
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _end(status: int) -> NoReturn:
    """End the process without taking apart what goes with it anyway: that takes 10 ms and more.

    What was open is closed and flushed by now. For a thread that still works it waits as ever.
    """
    if threading.active_count() == 1:
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
