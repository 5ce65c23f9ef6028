"""``pannier get``, ``log`` and ``things``: what a ledger says."""

from itertools import islice

import click

from ledger import views
from ledger.data import value_from_payload
from pannier.cli.session import (
    choose_ledger,
    data_text,
    home_option,
    json_option,
    ledger_option,
    open_node,
    plural,
    print_json,
)
from pannier.errors import PannierError
from pannier.node import Node
from pannier.times import parse_time, time_text


@click.command()
@click.argument("thing")
@click.option(
    "--at", type=parse_time, metavar="TIME", help="As it was then, by the times of the entries."
)
@ledger_option
@json_option
@home_option
def get(thing: str, at: int | None, ledger: str | None, as_json: bool, home: str | None) -> None:
    """Show what a THING is now; all of it, where several wrote without knowing of each other.

    \b
    Examples:  pannier get field/3
               pannier get field/3 --at 2026-03-01T12:30
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        heads = views.heads(store, thing, until_us=at)
        missing = views.missing(store, thing)
        shown = [_placed_json(node, one) for one in heads]
    if as_json:
        print_json({"thing": thing, "heads": shown, "missing": len(missing)})
    if not heads or all(one.deleted for one in heads):
        then = "" if at is None else f" at {time_text(at)}"
        raise PannierError(
            f"{thing} was deleted{then and ' by then'}"
            if heads
            else f"nothing is known of {thing}{then}: `pannier things` lists what there is"
        )
    if as_json:
        return
    if len(shown) > 1:
        click.echo(f"{thing} has {len(shown)} versions in conflict; your next put settles it:")
    for one in shown:
        what = "deleted" if one["deleted"] else data_text(one["data"])
        click.echo(f"{one['time_text']}  {one['by']}: {what}" if len(shown) > 1 else what)
    if missing:
        click.echo(f"({plural(len(missing), 'entry')} it builds on has not arrived)", err=True)


@click.command()
@click.argument("thing", required=False)
@click.option("--since", type=parse_time, metavar="TIME", help="Only entries from then on.")
@click.option("--until", type=parse_time, metavar="TIME", help="Only entries up to then.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    help="At most so many.",
)
@ledger_option
@json_option
@home_option
def log(
    thing: str | None,
    since: int | None,
    until: int | None,
    limit: int,
    ledger: str | None,
    as_json: bool,
    home: str | None,
) -> None:
    """Show the history of a THING, or of everything, oldest first; deletions too.

    \b
    Examples:  pannier log field/3
               pannier log --since 2026-03-01 --until 2026-03-02
    """
    low = -(2**63) if since is None else since
    high = 2**63 - 1 if until is None else until
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        if thing is None:
            found = views.between(store, low, high, limit=limit + 1)
        else:
            history = views.history(store, thing)
            inside = (one for one in history if low <= one.entry.time_us <= high)
            found = list(islice(inside, limit + 1))
        shown = [_placed_json(node, one) for one in found[:limit]]
    if as_json:
        print_json(shown)
    else:
        for one in shown:
            what = "deleted" if one["deleted"] else data_text(one["data"])
            name = "" if thing else f"{one['thing']}  "
            click.echo(f"{one['time_text']}  {one['by']}: {name}{what}")
    if not shown:
        click.echo(f"No entry{f' about {thing}' if thing else ''} in that time.", err=True)
    elif len(found) > limit:
        click.echo(
            f"There are more: go on with --since {found[limit].entry.time_us}, or raise --limit.",
            err=True,
        )


@click.command()
@click.argument("prefix", default="")
@ledger_option
@json_option
@home_option
def things(prefix: str, ledger: str | None, as_json: bool, home: str | None) -> None:
    """List all things, or those that begin with PREFIX; those that were deleted, too.

    \b
    Example:  pannier things field/
    """
    with open_node(home) as node:
        names = list(views.things(choose_ledger(node, ledger), prefix))
    if as_json:
        print_json(names)
        return
    for name in names:
        click.echo(name)
    if not names:
        which = f"begins with {prefix}" if prefix else "is there yet: `pannier put` makes one"
        click.echo(f"No thing {which}.", err=True)


def _placed_json(node: Node, one: views.Placed) -> dict[str, object]:
    payload = one.entry.payload
    return {
        "thing": one.entry.thing,
        "kind": one.entry.kind,
        "data": None if payload is None else value_from_payload(payload),
        "deleted": one.deleted,
        "time": one.entry.time_us,
        "time_text": time_text(one.entry.time_us),
        "by": node.who(one.log.author),
        "author": one.log.author.hex(),
        "incarnation": one.log.incarnation.hex(),
        "number": one.number,
    }
