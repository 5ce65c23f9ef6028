"""``pannier get``, ``log`` and ``things``: what a ledger says."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

import click

from ledger import views
from ledger.lazy_dataclass import dataclass
from ledger.store import Store
from pannier.cli.session import (
    choose_ledger,
    cut,
    home_option,
    json_option,
    json_text,
    ledger_option,
    open_node,
    plural,
    print_json,
    said_text,
    say,
)
from pannier.errors import PannierError, PartlyDoneError, UsageError
from pannier.files import lacking_bytes
from pannier.node import Node
from pannier.said import Said, said_by
from pannier.times import parse_time, time_text

_LIMIT, _MOST = 1000, 10_000_000
_NUMBER_DIGITS = 10


@click.command()
@click.argument("thing")
@click.option(
    "--at", type=parse_time, metavar="TIME", help="As it was then, by the times of the entries."
)
@click.option("--bytes", "as_bytes", is_flag=True, help="The data alone, which was put as bytes.")
@ledger_option
@json_option
@home_option
def get(
    thing: str,
    at: int | None,
    as_bytes: bool,
    ledger: str | None,
    as_json: bool,
    home: str | None,
) -> None:
    """Show what a THING is now; all of it, where several wrote without knowing of each other.

    \b
    Examples:  pannier get field/3
               pannier get field/3 --at 2026-03-01T12:30
               pannier get photo/7 --bytes > photo.jpg
    """
    if as_bytes and as_json:
        raise UsageError("say --bytes or --json, not both")
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        heads = views.heads(store, thing, until_us=at)
        missing = views.missing(store, thing)
        shown = list(_shown(node, store, heads))
        lacking = sum(_lacking_bytes(store, one.said) for one in shown)
    if as_json:
        heads_json = [one.to_json() for one in shown]
        print_json(
            {
                "thing": thing,
                "heads": heads_json,
                "missing": len(missing),
                "missing_bytes": lacking,
            }
        )
    if not heads or views.is_gone(heads):
        then = "" if at is None else f" at {time_text(at)}"
        raise PannierError(
            f"{thing} was deleted{then and ' by then'}"
            if heads
            else f"nothing is known of {thing}{then}: `pannier things` lists what there is"
        )
    if as_json:
        return
    if as_bytes:
        click.echo(_bytes_of(thing, shown), nl=False)
        return
    if len(shown) > 1:
        has_file = any(one.said.file for one in shown)
        how = "`pannier add --settle` or `pannier delete`" if has_file else "your next put"
        say(f"{thing} has {len(shown)} versions in conflict; {how} settles it:")
    for one in shown:
        say(f"{one.time}  {one.speaker}: {one.what}" if len(shown) > 1 else one.what)
    if missing:
        say(f"({plural(len(missing), 'entry')} it builds on has not arrived)", err=True)
    if lacking:
        say(f"({plural(lacking, 'byte')} of its content have not arrived)", err=True)


def _bytes_of(thing: str, shown: Sequence["_Shown"]) -> bytes:
    """Return the bytes that a thing is."""
    values = [one.said.value for one in shown]
    if len(values) > 1:
        raise PannierError(f"{thing} has {len(values)} versions in conflict: see `pannier get`")
    for value in values:
        if isinstance(value, bytes):
            return value
    raise PannierError(f"{thing} is not bytes: leave --bytes out")


@click.command()
@click.argument("thing", required=False)
@click.option("--since", type=parse_time, metavar="TIME", help="Only entries from then on.")
@click.option("--until", type=parse_time, metavar="TIME", help="Only entries up to then.")
@click.option("--after", metavar="ENTRY", help="Only what comes after the ENTRY shown last.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST), help=f"At most so many.  [default: {_LIMIT}]"
)
@ledger_option
@json_option
@home_option
def log(
    thing: str | None,
    since: int | None,
    until: int | None,
    after: str | None,
    limit: int | None,
    ledger: str | None,
    as_json: bool,
    home: str | None,
) -> None:
    """Show the history of a THING, or of everything, oldest first; deletions too.

    \b
    Examples:  pannier log field/3
               pannier log --since 2026-03-01 --until 2026-03-02

    Data of more than 1,000 characters is cut, and it says how many there are: `get` and --json show
    all. Where there are more entries it says so, and how to go on: with --after and the last entry.
    With --json the status is 3 then, unless --limit asked for no more.
    """
    low = -(2**63) if since is None else since
    high = 2**63 - 1 if until is None else until
    count = limit or _LIMIT
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        last = None if after is None else _placed(store, after)
        found = iter(_within(store, thing, (low, high), count + 1, last))
        shown = _shown(node, store, islice(found, count))
        end = _print_log(shown, with_thing=not thing, as_json=as_json)
        has_more = next(found, None) is not None
    if end is None:
        about = f" about {thing}" if thing else ""
        when = "" if since is None and until is None else " in that time"
        where = "" if after is None else f" after {after}"
        say(f"No entry{about}{when}{where}.", err=True)
    elif has_more:
        more = f"There are more: go on with --after {end}, or raise --limit."
        if as_json and limit is None:
            raise PartlyDoneError(more)
        say(more, err=True)


def _print_log(shown: Iterable["_Shown"], *, with_thing: bool, as_json: bool) -> str | None:
    """Print entries one after the other, and return by what ``--after`` knows the last.

    None of them stays in memory: what others wrote in some bytes may take a hundred megabytes.
    """
    end = None
    if as_json:
        click.echo("[", nl=False)
    for one in shown:
        if as_json:
            click.echo(("" if end is None else ", ") + json_text(one.to_json()), nl=False)
        else:
            name = f"{one.placed.entry.thing}  " if with_thing else ""
            say(f"{one.time}  {one.speaker}: {name}{cut(one.what)}")
        end = _id(one.placed)
        del one  # before the next is read
    if as_json:
        click.echo("]")
    return end


def _id(placed: views.Placed) -> str:
    """Return by what ``--after`` knows an entry."""
    return f"{placed.log}/{placed.number}"


def _placed(store: Store, entry: str) -> views.Placed:
    """Return what `_id` gave *entry* for.

    Raises:
        UsageError: no entry here is called so.
    """
    log, _, number = entry.rpartition("/")
    names = [name for name in store.log_names() if str(name) == log]
    is_number = number.isascii() and number.isdigit() and len(number) <= _NUMBER_DIGITS
    found = views.entry_at(store, names[0], int(number)) if len(names) == 1 and is_number else None
    if found is None:
        raise UsageError(f"no entry here is called {entry}: `pannier log` says what to go on with")
    return found


def _within(
    store: Store,
    thing: str | None,
    times: tuple[int, int],
    count: int,
    after: views.Placed | None,
) -> Iterable[views.Placed]:
    """Return the first *count* entries of those *times*, about a thing or about all."""
    low, high = times
    if thing is None:
        return views.between(store, low, high, limit=count, after=after)
    history = views.history(store, thing)
    if after is not None and not any(one == after for one in history):
        raise UsageError(f"the entry {_id(after)} is not about {thing}")
    return islice((one for one in history if low <= one.entry.time_us <= high), count)


@click.command()
@click.argument("prefix", default="")
@click.option("--conflicts", "in_conflict", is_flag=True, help="Only those in conflict.")
@ledger_option
@json_option
@home_option
def things(
    prefix: str, in_conflict: bool, ledger: str | None, as_json: bool, home: str | None
) -> None:
    """List all things, or those that begin with PREFIX; those that were deleted, too.

    \b
    Examples:  pannier things field/
               pannier things --conflicts
    """
    chosen = views.conflicts if in_conflict else views.things
    with open_node(home) as node:
        names = list(chosen(choose_ledger(node, ledger), prefix))
    if as_json:
        print_json(names)
        return
    for name in names:
        say(name)
    if not names:
        which = [f"begins with {prefix}"] if prefix else []
        which += ["is in conflict"] if in_conflict else []
        none = "is there yet: `pannier put` makes one"
        say(f"No thing {' and '.join(which) or none}.", err=True)


def _lacking_bytes(store: Store, said: Said) -> int:
    """Return how much of a file is not here; nothing is lacking of data."""
    if said.file is None:
        return 0
    return lacking_bytes(said.file, store.blobs.held(set(said.file.digests)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """An entry as it is shown.

    Attributes:
        placed: Where it stands.
        by: How people here call its author.
        said: What it says.
    """

    placed: views.Placed
    by: str
    said: Said

    @property
    def time(self) -> str:
        return time_text(self.placed.entry.time_us)

    @property
    def speaker(self) -> str:
        return self.by if self.said.device is None else f"{self.said.device} (by {self.by})"

    @property
    def what(self) -> str:
        return "deleted" if self.placed.deleted else said_text(self.said)

    def to_json(self) -> dict[str, object]:
        entry, log = self.placed.entry, self.placed.log
        return {
            "thing": entry.thing,
            "kind": entry.kind,
            "data": self.said.value,
            "bytes": isinstance(self.said.value, bytes),
            "file": self.said.file_json(),
            "deleted": self.placed.deleted,
            "time": entry.time_us,
            "time_text": self.time,
            "by": self.by,
            "device": self.said.device,
            "sealed": self.said.is_sealed,
            "readable": not self.said.obstacle,
            "author": log.author.hex(),
            "incarnation": log.incarnation.hex(),
            "number": self.placed.number,
        }


def _shown(node: Node, store: Store, found: Iterable[views.Placed]) -> Iterator[_Shown]:
    """Yield entries as they are shown, each once it is asked for."""
    unwrapper, who = node.keys.unwrapper(), cache(node.who)
    for one in found:
        author = one.log.author
        said = said_by(store.genesis, author, one.entry, unwrapper)
        yield _Shown(placed=one, by=who(author), said=said)
        del said
