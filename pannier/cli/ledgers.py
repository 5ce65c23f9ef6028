"""``pannier ledger``: ledgers, and who belongs to them."""

from pathlib import Path

import click

from ledger.members import Role, members, role_from_label
from ledger.store import Store
from pannier import ledgers
from pannier.cli.session import (
    choose_ledger,
    home_option,
    json_option,
    ledger_option,
    open_node,
    plural,
    print_json,
)


@click.group()
def ledger() -> None:
    """Ledgers, and who may read and write them.

    \b
    Example:  pannier ledger share home
    """


@ledger.command("new")
@click.argument("name")
@home_option
def ledger_new(name: str, home: str | None) -> None:
    """Make a ledger; this node is its admin.

    \b
    Example:  pannier ledger new weather
    """
    with open_node(home) as node:
        store = ledgers.new_ledger(node, name)
        click.echo(f"Made the ledger {name} ({store.ledger_id.hex()}).")


@ledger.command("list")
@json_option
@home_option
def ledger_list(as_json: bool, home: str | None) -> None:
    """List the ledgers of this node.

    \b
    Example:  pannier ledger list
    """
    with open_node(home) as node:
        facts = [_ledger_json(store) for store in node.ledgers()]
    if as_json:
        print_json(facts)
        return
    if not facts:
        click.echo("None yet: `pannier put` or `pannier ledger new` makes one.")
    for one in facts:
        entries, people = (
            plural(int(one["entries"]), "entry"),
            plural(int(one["members"]), "member"),
        )
        click.echo(f"{one['name']:20} {str(one['ledger'])[:8]}  {entries:>16}  {people}")


@ledger.command("share")
@click.argument("peer")
@click.option(
    "--role",
    type=click.Choice([role.label for role in Role]),
    default=Role.WRITER.label,
    show_default=True,
    help="What it may do.",
)
@ledger_option
@home_option
def ledger_share(peer: str, role: str, ledger: str | None, home: str | None) -> None:
    """Let a peer read and write a ledger. The grant is an entry and travels with it.

    \b
    Example:  pannier ledger share home --role reader
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        one = node.peer_named(peer)
        if ledgers.share(node, store, one, role_from_label(role)):
            click.echo(f"{peer} is a {role} of {store.genesis.name} from the next exchange on.")
        else:
            now = members(store)[one.card.author].role.label
            click.echo(f"{peer} is a {now} of {store.genesis.name} already; nothing to do.")


@ledger.command("members")
@ledger_option
@json_option
@home_option
def ledger_members(ledger: str | None, as_json: bool, home: str | None) -> None:
    """List who belongs to a ledger.

    \b
    Example:  pannier ledger members
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        rows = [
            (node.who(one.card.author), one.role.label, one.card.node_id)
            for one in members(store).values()
        ]
    if as_json:
        print_json([{"name": name, "role": role, "node": number} for name, role, number in rows])
        return
    for name, role, number in rows:
        click.echo(f"{name:20} {role:8} {number}")


@ledger.command("backup")
@click.argument("path", type=click.Path(path_type=Path))
@ledger_option
@home_option
def ledger_backup(path: Path, ledger: str | None, home: str | None) -> None:
    """Write a copy of a ledger to a new file, also while others write to it.

    \b
    Example:  pannier ledger backup /mnt/disk/weather.backup
    """
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        ledgers.backup(node, store, path)
    click.echo(f"{store.genesis.name} is in {path}. Keep it where only you can read it.")


@ledger.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@home_option
def ledger_restore(path: Path, home: str | None) -> None:
    """Take a ledger back from a backup that `ledger backup` wrote.

    \b
    Example:  pannier ledger restore /mnt/disk/weather.backup
    """
    with open_node(home) as node:
        store = ledgers.restore(node, path)
        click.echo(
            f"{store.genesis.name} is back, with {plural(_entries(store), 'entry')}. What was "
            "written since comes back from your peers at the next exchange."
        )


def _ledger_json(store: Store) -> dict[str, str | int]:
    return {
        "name": store.genesis.name,
        "ledger": store.ledger_id.hex(),
        "entries": _entries(store),
        "members": len(members(store)),
        "file": str(store.path),
    }


def _entries(store: Store) -> int:
    return sum(state.size for state in store.logs())
