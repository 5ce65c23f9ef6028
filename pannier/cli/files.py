"""``pannier add`` and ``checkout``: whole files, into a ledger and out of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from ledger.store import Store
from pannier import ledgers
from pannier.adding import Adding
from pannier.checked_out import CheckoutOptions, Disputed
from pannier.checkout import Checkout
from pannier.cli.session import (
    choose_ledger,
    home_option,
    ledger_option,
    open_node,
    plural,
    progress,
    say,
)
from pannier.errors import PartlyDoneError
from pannier.files import Skipped
from pannier.node import Node


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--as", "prefix", metavar="PREFIX", default="", help="Put PREFIX/ before the names.")
@click.option("--reread", is_flag=True, help="Read files, too, whose size and time are known.")
@click.option("--settle", is_flag=True, help="Take the place of all that others put, too.")
@ledger_option
@home_option
def add(
    paths: tuple[str, ...],
    prefix: str,
    reread: bool,
    settle: bool,
    ledger: str | None,
    home: str | None,
) -> None:
    """Put files into a ledger, and all files in the folders that you name.

    \b
    Examples:  pannier add photos
               pannier add report.pdf --as 2026
               pannier add /data/maps/. --as maps
    Each file is a thing, called as it lies in the folder that you name: photos/2026/7.jpg.
    Of PATH/. the folder's own name is left out. Files that have the size and the time of
    change that the ledger knows are taken as unchanged; --reread looks into them. What
    others put that a file was not made from stays beside it, as a conflict: --settle puts
    yours in the place of all, as does a change after the next `pannier checkout`. Links,
    devices and what cannot be read are named and left out; the exit status is then 3.
    """
    with open_node(home) as node:
        store = _ledger_to_add_to(node, ledger)
        adding = Adding(node, store, reread=reread, settle=settle)
        _show(progress(adding.run(paths, prefix), "Adding", None))
        done = adding.added
        rest = [
            f"{done.unchanged:,} unchanged" if done.unchanged else "",
            f"{plural(done.settled, 'conflict')} settled" if done.settled else "",
            f"{done.conflicts:,} in conflict with what others put, see `pannier things --conflicts`"
            if done.conflicts
            else "",
        ]
        said = "".join(f", {one}" for one in rest if one)
        say(
            f"{plural(done.files, 'file')}, {done.size_bytes:,} bytes, put into "
            f"{store.genesis.name}{said}."
        )
    if done.skipped:
        raise PartlyDoneError(f"{plural(done.skipped, 'path')} left out, as said above")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.argument("prefix", default="")
@click.option("--force", is_flag=True, help="Replace files, too, whose content is not known.")
@click.option("--delete", is_flag=True, help="Remove files that are deleted in the ledger.")
@click.option("--reread", is_flag=True, help="Read files, too, that have the right size and time.")
@ledger_option
@home_option
def checkout(
    folder: Path,
    prefix: str,
    force: bool,
    delete: bool,
    reread: bool,
    ledger: str | None,
    home: str | None,
) -> None:
    """Bring the files of a ledger into DIR, or those whose names begin with PREFIX.

    \b
    Examples:  pannier checkout ~/farm
               pannier checkout ~/farm photos/2026/ --delete
    Older versions in DIR are replaced; what the ledger never knew is named and left alone,
    but for --force. So is a file of which not everything has arrived, and what would lie in
    this node's own folder; the exit status is then 3. Of several versions in conflict the
    latest comes. Where somebody deleted a file, or put data in its place, and another changed
    it without knowing of that, the file comes, also with --delete, and is named.
    """
    options = CheckoutOptions(force=force, delete=delete, reread=reread, windows=os.name == "nt")
    with open_node(home) as node:
        store = choose_ledger(node, ledger)
        run = Checkout(node, store, folder, options)
        _show(progress(run.run(prefix), "Checking out", None))
    done = run.done
    if not done.found:
        which = f"begins with {prefix}" if prefix else "is there yet"
        say(f"No file {which}.", err=True)
        return
    rest = [
        f"{done.same:,} there already" if done.same else "",
        f"{done.removed:,} removed" if done.removed else "",
        f"{done.conflicts:,} of several versions in conflict, see `pannier things --conflicts`"
        if done.conflicts
        else "",
    ]
    said = "".join(f", {one}" for one in rest if one)
    say(f"{plural(done.files, 'file')}, {done.size_bytes:,} bytes, in {folder}{said}.")
    if done.skipped:
        raise PartlyDoneError(f"{plural(done.skipped, 'file')} left as before, as said above")


def _ledger_to_add_to(node: Node, name: str | None) -> Store:
    """Return the ledger; the first files of a node make its first one, as a put does."""
    if name is None and not node.ledger_ids():
        store = ledgers.first_ledger(node)
        if store is not None:
            say(f"Made the ledger {store.genesis.name}.")
            return store
    return choose_ledger(node, name)


def _show(steps: Iterator[Skipped | Disputed | int]) -> None:
    for step in steps:
        if isinstance(step, Skipped | Disputed):
            say(f"{step.path}: {step.why}", err=True)
