"""``pannier init``, ``card`` and ``peer``: who this node is, and whom it knows."""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import click

from ledger.algorithm import label_of
from ledger.card import Card
from pannier.cli.passphrase import PASSPHRASE, keep_new, new_passphrase
from pannier.cli.peer_trust import trust_lines
from pannier.cli.session import (
    home_of,
    home_option,
    json_option,
    open_node,
    plural,
    print_json,
    say,
    stdin_bytes,
)
from pannier.config import turn_on_for_peer
from pannier.errors import PartlyDoneError, UsageError
from pannier.home import (
    add_peer,
    check_is_new,
    create_home,
    read_key_file,
    read_peers,
    remove_peer,
    settings_held,
)
from pannier.trust import trust

_MAX_CARD_TEXT_BYTES = 1 << 16


@click.command()
@click.option("--name", help="What others will see this node called.  [default: the host's name]")
@click.option("--no-passphrase", is_flag=True, help="Whoever has the folder has the keys.")
@click.option("--keyring", is_flag=True, help="Keep the passphrase in the system's keyring, too.")
@click.option("--hide-names", is_flag=True, help="Encrypt the names of things on the disk, too.")
@click.option("--pq", is_flag=True, help="With keys that withstand quantum computers too.")
@home_option
def init(
    name: str | None,
    no_passphrase: bool,
    keyring: bool,
    hide_names: bool,
    pq: bool,
    home: str | None,
) -> None:
    """Make this computer a node: its keys and its folder.

    With --pq what others seal for it is sealed under ML-KEM-768 and X25519 together, and what it
    writes is signed with ML-DSA-44 as well: 2.4 kB more for each batch. That is for good; a node
    without cannot be given these keys later.

    \b
    Example:  pannier init --name farm
    """
    where = home_of(home)
    check_is_new(where)
    passphrase = None if no_passphrase else new_passphrase(PASSPHRASE)
    if keyring:
        keep_new(where, passphrase)
    chosen = {"keyring": keyring, "hide_names": hide_names}
    keys = create_home(
        where,
        name or platform.node() or "node",
        passphrase,
        os.urandom,
        post_quantum=pq,
        settings=[setting for setting, is_on in chosen.items() if is_on],
    )
    say(f"{keys.name} is node {keys.card.node_id}, in {where.path}")
    say(f"Fingerprint: {keys.card.fingerprint}")
    file = quote(f"{keys.name}.card")
    say(f"Next: `pannier card > {file}`, and give that file to a peer.")


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
        say(own.to_text())


def _draw(card: Card) -> None:
    from shutil import get_terminal_size  # noqa: PLC0415 -- only where a code is drawn

    import segno  # noqa: PLC0415

    try:
        code = segno.make(card.to_text(), error="l")
    except segno.DataOverflowError:  # more keys than one code holds
        code = segno.make(f"{card.name} {card.fingerprint}", error="l")
        say(
            "The card is too long for a code: this one holds only name and fingerprint, to "
            "compare; give the card as a file",
            err=True,
        )
    width, columns = code.symbol_size()[0], get_terminal_size().columns
    if sys.stdout.isatty() and width > columns:
        raise UsageError(
            f"the code is {width} columns wide and this terminal {columns}: make it wider, or "
            f"give the card as a file; its fingerprint is {card.fingerprint}"
        )
    code.terminal(out=sys.stdout, compact=True)
    say(f"{card.name}  {card.fingerprint}")


@click.group()
def peer() -> None:
    """The nodes that this one knows.

    \b
    Example:  pannier peer add home home.card
    """


@peer.command("add")
@click.argument("name")
@click.argument("card_source", metavar="CARD")
@click.option("--clear", is_flag=True, help="Encrypt nothing to it: both must agree on that.")
@home_option
def peer_add(name: str, card_source: str, clear: bool, home: str | None) -> None:
    """Know a node from now on, by its CARD: a file, - for standard input, or the text itself.

    With --clear nothing that goes to it is encrypted, and it may send so; all is still signed. Then
    only ledgers made with `ledger new --clear` travel between the two.

    \b
    Example:  pannier peer add home home.card
    """
    with open_node(home) as node:
        added = add_peer(node.home, name, read_card(card_source), own=node.card.author)
        node.db.vouch_for(added.node_id)
        if clear:
            with settings_held(node.home) as settings:
                turn_on_for_peer(settings, name, "clear")
        stays_clear = not clear and node.settings(added).clear
    say(f"{added.name} is known: {added.card.name}, node {added.node_id}")
    say(f"Fingerprint: {added.card.fingerprint}  (compare it with theirs, by voice)")
    if clear:
        say(f"Nothing to {name} is encrypted, and so must they have it for this node.")
    elif stays_clear:
        say(
            f"Nothing to {name} is encrypted, as config.toml says: take `clear = true` out there "
            "to end that."
        )


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
        say("Nobody yet: `pannier peer add NAME CARD`.")
    for one in peers:
        say(f"{one.name:20} {one.node_id}  {one.card.fingerprint}  {one.card.name}")


@peer.command("show")
@click.argument("name")
@click.option("--trust", "with_trust", is_flag=True, help="Also what it signed and who saw that.")
@json_option
@home_option
def peer_show(name: str, with_trust: bool, as_json: bool, home: str | None) -> None:
    """Show what is known of one node.

    With --trust: each log that it wrote, how much of it is here, who else countersigned how much,
    whether it ever signed two histories, and what was refused of it or by it.

    \b
    Example:  pannier peer show home --trust
    """
    with open_node(home) as node:
        one = node.peer_named(name)
        ledgers = [store.genesis.name for store in node.shared_with(one)]
        is_clear = node.settings(one).clear
        queued = len(node.db.bundles(one.node_id))
        heard = node.db.peer(one.node_id).incarnation is not None
        evidence = trust(node, one) if with_trust else None
        unread = list(node.unreadable.values())
    if as_json:
        facts = {"ledgers": ledgers, "queued": queued, "heard": heard, "clear": is_clear}
        seen = {"trust": evidence.to_json()} if evidence else {}
        print_json({"peer": one.name, **_card_json(one.card), **facts, **seen})
        _tell_left_out(unread)
        return
    say(f"{one.name}: {one.card.name}, node {one.node_id}")
    say(f"Fingerprint: {one.card.fingerprint}")
    say(f"Keys: {', '.join(map(label_of, sorted(one.card.algorithms)))}")
    say(f"Ledgers shared: {', '.join(ledgers) or 'none'}")
    if is_clear:
        say("Encryption: none, as agreed; only ledgers made for that travel")
    say(f"Waiting for it: {plural(queued, 'bundle')}")
    say(f"Heard from: {'yes' if heard else 'never'}")
    for line in trust_lines(evidence) if evidence else ():
        say(line)
    _tell_left_out(unread)


def _tell_left_out(unread: Sequence[str]) -> None:
    """Say which ledgers could not be looked at.

    Raises:
        PartlyDoneError: there are any.
    """
    if unread:
        raise PartlyDoneError("; ".join(unread))


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
    say(f"{name} is forgotten.")


def read_card(source: str) -> Card:
    """Return the card that an argument means: a file, - for standard input, or the text itself.

    Raises:
        LedgerError: it is no card.
        UsageError: it is standard input, and that is closed.
        OSError: the file cannot be read.
    """
    if source.upper().startswith("PANNIER1:"):
        return Card.from_text(source)
    if source == "-":
        data = stdin_bytes().read(_MAX_CARD_TEXT_BYTES)
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
        "algorithms": [label_of(number) for number in sorted(card.algorithms)],
        "card": card.to_text(),
    }
