"""What the commands share: options, opening the node, printing."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import click

from ledger.keys import NodeKeys
from ledger.store import Store
from pannier.cli.passphrase import is_attended, unlock
from pannier.errors import UsageError
from pannier.home import Home, default_home
from pannier.ledger_names import choices_text, digits_of, ledger_names, ledgers_meant
from pannier.node import Node
from pannier.said import Said
from pannier.trusted_time import Uptime

_Command = TypeVar("_Command", bound=Callable[..., object])
_Item = TypeVar("_Item")

_MOST_CHARACTERS = 1000
"""Of data in a line of many: some twelve rows of a terminal."""

PATIENCE_SECONDS = 30.0
"""As long as for a ledger that another process writes to."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")


def clock() -> int:
    """Return microseconds since 1970 UTC by this machine's clock."""
    return time.time_ns() // 1000


def uptime_since(started_us: int) -> Callable[[], Uptime]:
    """Return the clock of this machine that never steps, for a process that began at a time."""
    try:
        # A container may see the same boot by another clock.
        boot = f"{_BOOT.read_text().strip()} {_TIME_NAMESPACE.readlink()}"
    except (OSError, UnicodeDecodeError):
        boot = ""  # nothing tells boots apart: only what this process lives counts
    return lambda: Uptime(boot, started_us, time.monotonic_ns() // 1000)


def home_option(command: _Command) -> _Command:
    """Give a command ``--home``; it wins over the one before the command."""
    return click.option("--home", "home", metavar="DIR", help="The node's folder.", default=None)(
        command
    )


def json_option(command: _Command) -> _Command:
    """Give a command ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        command
    )


def ledger_option(command: _Command) -> _Command:
    """Give a command ``--ledger``."""
    return click.option(
        "--ledger", "ledger", metavar="NAME", help="Which ledger, of several: name or id."
    )(command)


def home_of(home: str | None) -> Home:
    """Return the home that the options and the environment name.

    Raises:
        UsageError: it is below the home folder of a user who has none.
    """
    context = click.get_current_context()
    chosen = home or context.find_root().obj
    try:
        return Home(Path(chosen).expanduser() if chosen else default_home())
    except RuntimeError as error:
        user = chosen or "~"
        raise UsageError(f"{user}: no such home folder; say --home with a whole path") from error


def opener(home: str | None) -> Callable[[], Node]:
    """Return what opens the node that the options name, after asking for its passphrase once."""
    where = home_of(home)
    return opener_with(where, unlock(where).keys)


def opener_with(where: Home, keys: NodeKeys) -> Callable[[], Node]:
    """Return what opens the node in *where*, whose keys are open."""
    uptime = uptime_since(time.monotonic_ns() // 1000)
    return lambda: Node.open(where, keys, clock=clock, entropy=os.urandom, uptime=uptime)


def open_node(home: str | None) -> Node:
    """Open the node that the options name, asking for its passphrase if it has one.

    Others at the same home are waited for: a daemon, other commands.
    """
    where = home_of(home)
    return open_node_with(where, unlock(where).keys)


def open_node_with(where: Home, keys: NodeKeys) -> Node:
    """Open the node in *where*, whose keys are open; see `open_node`."""
    node = opener_with(where, keys)()
    node.patience_seconds = PATIENCE_SECONDS
    return node


def choose_ledger(node: Node, name: str | None) -> Store:
    """Return the ledger that *name*, the configuration or the circumstances mean.

    One that cannot be read keeps nobody from another, which has to be named then.

    Raises:
        UsageError: none, or several, fit; the message names the choices.
        LedgerError: the one that is meant cannot be read, or may be meant if no other is.
    """
    stores = {store.ledger_id: store for store in node.ledgers()}
    names = ledger_names(node)
    wanted = name or (node.config.ledger if len(names) > 1 else None)
    meant = list(names) if wanted is None else ledgers_meant(wanted, names)
    choices = {digits_of(one, names): stores[one] for one in meant if one in stores}
    if len(meant) == 1 and choices:
        return next(iter(choices.values()))
    if meant and not choices:
        node.ledger(meant[0])  # says what is wrong with it
    if not meant and wanted is not None:
        here = choices_text(names, names) or "none yet, `pannier ledger new NAME` makes one"
        raise UsageError(f"no ledger here is called {wanted}; there is {here}")
    if not meant:
        raise UsageError("there is no ledger yet: `pannier put` or `pannier ledger new` makes one")
    listed = choices_text(meant, names)
    if is_attended():
        say(f"Which ledger? {listed}", err=True)
        picked: str = click.prompt("Id", type=click.Choice(list(choices)), err=True)
        return choices[picked]
    which = "which ledger?" if wanted is None else f"{wanted} means more than one ledger:"
    raise UsageError(f"{which} say --ledger with one of: {listed}")


def stdin_bytes() -> BinaryIO:
    """Return what is read where a file is called ``-``.

    Raises:
        UsageError: standard input is closed.
    """
    # There is no such object in a process that was started without it, as by `<&-`.
    if sys.stdin is None:
        raise UsageError("nothing can be read from standard input: it is closed; name a file")
    return sys.stdin.buffer


def print_json(value: object) -> None:
    """Print *value* as JSON on one line; bytes become lower-case hex."""
    click.echo(json_text(value))


def data_text(value: object) -> str:
    """Return the data of an entry as one line for people."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes: {value[:32].hex()}{'…' if len(value) > 32 else ''}"
    return json_text(value)


def said_text(said: Said) -> str:
    """Return what an entry says as one line for people."""
    if said.file is not None:
        executable = ", executable" if said.file.is_executable else ""
        return f"file, {said.file.size:,} bytes{executable}"
    return f"({said.obstacle})" if said.obstacle else data_text(said.value)


def cut(text: str) -> str:
    """Return *text*, or what it begins with and how long it is, if that is long."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}… ({len(text):,} characters)"


def json_text(value: object) -> str:
    """Return *value* as JSON that does nothing to a terminal, whoever wrote it.

    Bytes become lower-case hex.
    """
    return visible(_JSON.encode(value))


def say(line: str, *, err: bool = False) -> None:
    """Print a line for people, in which what cannot be printed is escaped: others wrote of it."""
    click.echo(visible(line), err=err)


def visible(text: str) -> str:
    """Return *text* as one line in which what cannot be printed is escaped, whoever wrote it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return "1 entry", "2 entries"."""
    word = one if count == 1 else (many or (one[:-1] + "ies" if one.endswith("y") else one + "s"))
    return f"{count:,} {word}"


def progress(items: Iterable[_Item], label: str, total: int | None) -> Iterator[_Item]:
    """Yield *items*, with a progress bar if this is a terminal and takes over a second."""
    if not sys.stderr.isatty():
        yield from items
        return
    started = time.monotonic()
    iterator = iter(items)
    done = 0
    for item in iterator:
        yield item
        done += 1
        if time.monotonic() - started > 1:
            break
    else:
        return
    from rich.console import Console  # noqa: PLC0415 -- only where something is drawn
    from rich.progress import track  # noqa: PLC0415

    yield from track(
        iterator, label, total=total, completed=done, console=Console(stderr=True), transient=True
    )


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} cannot be printed")


_JSON = json.JSONEncoder(ensure_ascii=False, default=_plain)
