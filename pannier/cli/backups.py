"""``pannier ledger backup`` and ``restore``."""

import os
from pathlib import Path

import click

from ledger.errors import WrongPassphraseError
from ledger.genesis import Term
from ledger.members import Role, members
from ledger.store import Store
from ledger.views import count_files
from pannier.backup import backup, restore, wants_passphrase
from pannier.cli.passphrase import BACKUP_PASSPHRASE, ask, is_attended, unlock
from pannier.cli.session import (
    choose_ledger,
    home_of,
    home_option,
    ledger_option,
    open_node_with,
    plural,
    say,
)
from pannier.errors import UsageError
from pannier.node import Node


@click.command("backup")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--ask", "is_asked", is_flag=True, help="Ask for a passphrase for this backup alone.")
@ledger_option
@home_option
def ledger_backup(path: Path, is_asked: bool, ledger: str | None, home: str | None) -> None:
    """Write an encrypted copy of a ledger to a new file, also while others write to it.

    It is under the passphrase that is asked for or in PANNIER_BACKUP_PASSPHRASE, else under that of
    this node's keys. Where there is none, it is under the keys themselves.

    \b
    Example:  pannier ledger backup /mnt/disk/weather.backup
    """
    where = home_of(home)
    unlocked = unlock(where)
    own = unlocked.passphrase
    with open_node_with(where, unlocked.keys) as node:
        store = choose_ledger(node, ledger)
        passphrase = _asked_twice() if is_asked else os.environ.get(BACKUP_PASSPHRASE) or own
        backup(node, store, path, passphrase)
        has_files, count = store.file_entries.count() > 0, count_files(store)
        contents = store.blobs.folder
    say(f"{store.genesis.name} is in {path}, encrypted.")
    if has_files:
        say(
            f"The contents of its {plural(count, 'file')} are not: keep a copy of {contents}, "
            "which is encrypted, too, and put it back there before you restore; else they come "
            "from peers."
        )
    if passphrase is None:
        say(
            f"Only the keys of this node open it: keep a copy of {where.keys} elsewhere, or make "
            f"another backup with --ask."
        )
    elif is_asked or passphrase != own:
        say("The passphrase of the backup opens it, and nothing else does.")
    else:
        say("The passphrase that this node has now opens it, on any node.")


@click.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@home_option
def ledger_restore(path: Path, home: str | None) -> None:
    """Take a ledger back from a backup that `ledger backup` wrote.

    Its passphrase is taken from PANNIER_BACKUP_PASSPHRASE, else that of this node's keys is tried,
    else it is asked for.

    \b
    Example:  pannier ledger restore /mnt/disk/weather.backup
    """
    where = home_of(home)
    unlocked = unlock(where)
    own = unlocked.passphrase
    with open_node_with(where, unlocked.keys) as node:
        passphrase = None
        if wants_passphrase(path):
            passphrase = os.environ.get(BACKUP_PASSPHRASE) or own or _asked(path)
        try:
            store = restore(node, path, passphrase)
        except WrongPassphraseError:
            if passphrase is None or passphrase != own or not is_attended():
                raise
            store = restore(node, path, _asked(path))
        entries = sum(state.size for state in store.logs())
        back = f"{store.genesis.name} is back, with {plural(entries, 'entry')}."
        say(f"{back} {_prospect(node, store)}")
        lacking = store.file_entries.lacking()
        if lacking.versions:
            say(
                f"The contents of {plural(lacking.versions, 'version')} of files are not here: "
                f"put a copy of {store.blobs.folder} there, or let them come from your peers."
            )


def _prospect(node: Node, store: Store) -> str:
    """Return what a node can hope for that has just taken a ledger back."""
    known = members(store)
    if node.card.author in known:
        return "What was written since comes back from your peers at the next exchange."
    name = store.genesis.name
    if node.card.author in known.removed:
        return f"This node was removed from {name}: it reads what is here, and nothing more comes."
    if Term.PASSPHRASE in store.genesis.terms:
        way = f'be a member again by "pannier ledger new {name} --passphrase"'
    else:
        admins = [author for author, one in known.items() if one.role is Role.ADMIN]
        way = f"ask an admin ({', '.join(map(node.who, admins))}) for `ledger share`"
    return (
        f"But this node has other keys than those that wrote there, and is no member of {name}: it "
        "reads what is here, cannot write, and nothing more comes. To go on as before put a copy "
        f"of the old keys/node.key in the place of {node.home.keys}, remove {store.path}, and "
        f"restore again; or {way}."
    )


def _asked(path: Path) -> str:
    if not is_attended():
        raise UsageError(f"the backup is under a passphrase: set {BACKUP_PASSPHRASE}")
    return ask(f"Passphrase of {path}")


def _asked_twice() -> str:
    if not is_attended():
        raise UsageError(f"nobody can be asked here: set {BACKUP_PASSPHRASE}, without --ask")
    return ask("Passphrase for the backup", twice=True)
