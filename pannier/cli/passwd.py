"""``pannier passwd``: the passphrase that the keys are under."""

import os
from functools import partial

import click

from pannier.cli.passphrase import NEW_PASSPHRASE, keep_new, new_passphrase, unlock
from pannier.cli.session import home_of, home_option
from pannier.config import read_config, turn_on
from pannier.errors import PannierError
from pannier.home import Home, change_passphrase, settings_held


@click.command()
@click.option(
    "--no-passphrase", is_flag=True, help="From now on whoever has the folder has the keys."
)
@click.option("--keyring", is_flag=True, help="Keep the passphrase in the system's keyring, too.")
@home_option
def passwd(no_passphrase: bool, keyring: bool, home: str | None) -> None:
    """Put the keys under another passphrase. Ledgers and peers notice nothing.

    The new one is asked for, or taken from PANNIER_NEW_PASSPHRASE. Whoever has an old copy of the
    key file opens that copy with the old one still. A keyring that was chosen has the new one, too.

    \b
    Example:  pannier passwd
    """
    where = home_of(home)
    old = unlock(where).passphrase  # a wrong one is said before a new one is asked for
    new = None if no_passphrase else new_passphrase(NEW_PASSPHRASE)
    is_kept = keyring or (new is not None and read_config(where.config).keyring)
    first = partial(_keep, where, new) if is_kept else None
    change_passphrase(where, old, new, os.urandom, first=first)
    click.echo("The keys are under the new passphrase." if new else "The keys are under none.")
    if is_kept:
        click.echo("The system's keyring has it, too.")


def _keep(where: Home, new: str | None) -> None:
    """Keep the new passphrase in the keyring, and look there from now on."""
    keep_new(where, new)
    try:
        with settings_held(where) as settings:
            if not read_config(settings).keyring:
                turn_on(settings, "keyring")
    except OSError as error:
        raise PannierError(f"cannot write {where.config}: {error.strerror}") from error
