"""``pannier ledger``: ledgers, and who belongs to them."""

import click

from ledger.genesis import LedgerId, Term
from ledger.members import members
from ledger.store import Store
from pannier import ledgers
from pannier.cli.backups import ledger_backup, ledger_restore
from pannier.cli.membership import ledger_members, ledger_revoke, ledger_share
from pannier.cli.passphrase import ledger_passphrase
from pannier.cli.session import (
    home_option,
    json_option,
    open_node,
    plural,
    print_json,
    say,
)
from pannier.errors import PartlyDoneError, UsageError
from pannier.ledger_names import Names, digits_of, ledger_names
from pannier.node import Node
from pannier.passphrase_ledgers import join


@click.group()
def ledger() -> None:
    """Ledgers, and who may read and write them.

    \b
    Example:  pannier ledger share home
    """


@ledger.command("new")
@click.argument("name")
@click.option(
    "--centralized",
    "terms",
    flag_value=Term.CENTRALIZED,
    multiple=True,
    help="Only admins write, also for devices: `put --as`.",
)
@click.option(
    "--clear",
    "terms",
    flag_value=Term.CLEAR,
    multiple=True,
    help="It may travel unencrypted, to peers added with --clear.",
)
@click.option(
    "--passphrase",
    "by_passphrase",
    is_flag=True,
    help="Whoever says the same name and passphrase is in it; nobody needs a card.",
)
@click.option("--hide-names", is_flag=True, help="Encrypt the names of things on the disk, too.")
@home_option
def ledger_new(
    name: str, terms: tuple[Term, ...], by_passphrase: bool, hide_names: bool, home: str | None
) -> None:
    """Make a ledger; this node is its admin. What options say of it is for good.

    With --passphrase there is no admin: the same command on another node joins, and nobody can be
    removed. Its passphrase is asked for, or PANNIER_LEDGER_PASSPHRASE.

    \b
    Example:  pannier ledger new weather
    """
    with open_node(home) as node:
        if by_passphrase:
            _join(node, name, terms, hide_names=hide_names)
            return
        store = ledgers.new_ledger(node, name, frozenset(terms), hide_names=hide_names)
        say(f"Made the ledger {name} ({store.ledger_id.hex()}).")


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
        names = ledger_names(node)
    if as_json:
        print_json(facts)
    elif not names:
        say("None yet: `pannier put` or `pannier ledger new` makes one.")
    else:
        _show_ledgers(facts, names)
    if len(names) > len(facts):
        more = plural(len(names) - len(facts), "ledger")
        raise PartlyDoneError(f"{more} cannot be read: `pannier verify` says why")


def _show_ledgers(facts: list[dict[str, str | int]], names: Names) -> None:
    for one in facts:
        entries, people = (
            plural(int(one["entries"]), "entry"),
            plural(int(one["members"]), "member"),
        )
        digits = digits_of(LedgerId(bytes.fromhex(str(one["ledger"]))), names)
        say(f"{one['name']:20} {digits}  {entries:>16}  {people}")


def _join(node: Node, name: str, terms: tuple[Term, ...], *, hide_names: bool) -> None:
    if terms:
        raise UsageError("--passphrase goes together with no other term")
    store = join(node, name, ledger_passphrase(name), hide_names=hide_names)
    say(f"This node is in the ledger {store.genesis.name} ({store.ledger_id.hex()}).")
    say(
        "Whoever says the same name and passphrase is in it too, and can be removed by nobody. "
        "Who finds a stick can try guesses: take six words that were drawn by dice."
    )


ledger.add_command(ledger_share)
ledger.add_command(ledger_revoke)
ledger.add_command(ledger_members)
ledger.add_command(ledger_backup)
ledger.add_command(ledger_restore)


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
