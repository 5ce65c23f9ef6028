"""``pannier``: runs a command and turns every error into one line and an exit status."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOMS = ("ledger", "bundler", "spool", "transports", "pannier")


def main() -> None:
    """Run the command line; the process ends here."""
    problem = misplaced_room()
    if problem:
        sys.stderr.write(f"pannier: {problem}\n")
        sys.exit(1)
    from pannier.cli.root import run  # noqa: PLC0415 -- only once the rooms are known to be ours

    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def misplaced_room() -> str | None:
    """Return what is wrong if one of the rooms is not ours: their names are not ours alone."""
    here = Path(__file__).resolve().parent.parent
    for room in ROOMS:
        spec = find_spec(room)
        origin = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if origin != here:
            return (
                f"the package {room!r} in {origin} is not pannier's: another distribution took the "
                "name; install pannier by itself, with `pipx install pannier` or in a venv"
            )
    return None


if __name__ == "__main__":
    main()
