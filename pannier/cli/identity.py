"""``pannier init``, ``card`` and ``peer``: who this node is, and whom it knows."""

import os
import platform
import sys
from pathlib import Path
from shlex import quote
from shutil import get_terminal_size

import click

from ledger.card import Card
from pannier.cli.session import (
    ask_new_passphrase,
    home_of,
    home_option,
    json_option,
    open_node,
    plural,
    print_json,
)
from pannier.errors import UsageError
from pannier.home import add_peer, create_home, read_key_file, read_peers, remove_peer

_MAX_CARD_TEXT_BYTES = 1 << 16


@click.command()
@click.option("--name", help="What others will see this node called.  [default: the host's name]")
@click.option("--no-passphrase", is_flag=True, help="Whoever has the folder has the keys.")
@home_option
def init(name: str | None, no_passphrase: bool, home: str | None) -> None:
    """Make this computer a node: its keys and its folder.

    \b
    Example:  pannier init --name farm
    """
    where = home_of(home)
    if where.keys.exists():
        raise UsageError(f"{where.path} is a node already: use it, or name another with --home")
    passphrase = None if no_passphrase else ask_new_passphrase()
    keys = create_home(where, name or platform.node() or "node", passphrase, os.urandom)
    click.echo(f"{keys.name} is node {keys.card.node_id}, in {where.path}")
    click.echo(f"Fingerprint: {keys.card.fingerprint}")
    file = quote(f"{keys.name}.card")
    click.echo(f"Next: `pannier card > {file}`, and give that file to a peer.")


@click.command()
@click.option("--qr", is_flag=True, help="Draw it as a QR code on this terminal.")
@json_option
@home_option
def card(qr: bool, as_json: bool, home: str | None) -> None:
    """Print this node's card: what a peer needs to know of it, and no secret.

    \b
    Example:  pannier card > farm.card
    """
    with open_node(home) as node:
        own = node.card
    if as_json:
        print_json(_card_json(own))
    elif qr:
        _draw(own)
    else:
        click.echo(own.to_text())


def _draw(card: Card) -> None:
    import segno  # noqa: PLC0415 -- only where a code is drawn

    code = segno.make(card.to_text(), error="l")
    width, columns = code.symbol_size()[0], get_terminal_size().columns
    if sys.stdout.isatty() and width > columns:
        raise UsageError(
            f"the code is {width} columns wide and this terminal {columns}: make it wider, or "
            f"give the card as a file; its fingerprint is {card.fingerprint}"
        )
    code.terminal(out=sys.stdout, compact=True)
    click.echo(f"{card.name}  {card.fingerprint}")


@click.group()
def peer() -> None:
    """The nodes that this one knows.

    \b
    Example:  pannier peer add home home.card
    """


@peer.command("add")
@click.argument("name")
@click.argument("card_source", metavar="CARD")
@home_option
def peer_add(name: str, card_source: str, home: str | None) -> None:
    """Know a node from now on, by its CARD: a file, - for standard input, or the text itself.

    \b
    Example:  pannier peer add home home.card
    """
    with open_node(home) as node:
        added = add_peer(node.home, name, _read_card(card_source), own=node.card.author)
    click.echo(f"{added.name} is known: {added.card.name}, node {added.node_id}")
    click.echo(f"Fingerprint: {added.card.fingerprint}  (compare it with theirs, by voice)")


@peer.command("list")
@json_option
@home_option
def peer_list(as_json: bool, home: str | None) -> None:
    """List the nodes that this one knows.

    \b
    Example:  pannier peer list
    """
    where = home_of(home)
    read_key_file(where)  # else a mistyped home would look like one without peers
    peers = read_peers(where).values()
    if as_json:
        print_json([{"peer": one.name, **_card_json(one.card)} for one in peers])
        return
    if not peers:
        click.echo("Nobody yet: `pannier peer add NAME CARD`.")
    for one in peers:
        click.echo(f"{one.name:20} {one.node_id}  {one.card.fingerprint}  {one.card.name}")


@peer.command("show")
@click.argument("name")
@json_option
@home_option
def peer_show(name: str, as_json: bool, home: str | None) -> None:
    """Show what is known of one node.

    \b
    Example:  pannier peer show home
    """
    with open_node(home) as node:
        one = node.peer_named(name)
        ledgers = [store.genesis.name for store in node.shared_with(one)]
        queued = len(node.db.bundles(one.node_id))
        heard = node.db.peer(one.node_id).incarnation is not None
    if as_json:
        facts = {"ledgers": ledgers, "queued": queued, "heard": heard}
        print_json({"peer": one.name, **_card_json(one.card), **facts})
        return
    click.echo(f"{one.name}: {one.card.name}, node {one.node_id}")
    click.echo(f"Fingerprint: {one.card.fingerprint}")
    click.echo(f"Ledgers shared: {', '.join(ledgers) or 'none'}")
    click.echo(f"Waiting for it: {plural(queued, 'bundle')}")
    click.echo(f"Heard from: {'yes' if heard else 'never'}")


@peer.command("rm")
@click.argument("name")
@home_option
def peer_rm(name: str, home: str | None) -> None:
    """Forget a node: nothing more is sent to it or taken from it.

    What it wrote stays, and it stays a member of the ledgers that it was granted.

    \b
    Example:  pannier peer rm home
    """
    with open_node(home) as node:
        one = node.peer_named(name)
        remove_peer(node.home, name)
        for bundle in node.spool.outbox.queued(one.node_id):
            node.spool.outbox.withdraw(one.node_id, bundle)
        node.db.forget_peer(one.node_id)
    click.echo(f"{name} is forgotten.")


def _read_card(source: str) -> Card:
    if source.upper().startswith("PANNIER1:"):
        return Card.from_text(source)
    if source == "-":
        data = sys.stdin.buffer.read(_MAX_CARD_TEXT_BYTES)
    else:
        with Path(source).open("rb") as file:
            data = file.read(_MAX_CARD_TEXT_BYTES)
    return Card.from_text(data.decode("ascii", "replace"))


def _card_json(card: Card) -> dict[str, object]:
    return {
        "name": card.name,
        "node": card.node_id,
        "author": card.author.hex(),
        "fingerprint": card.fingerprint,
        "card": card.to_text(),
    }
