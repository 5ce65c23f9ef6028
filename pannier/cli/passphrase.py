"""Where passphrases come from: the environment, the keyring of the system, a person."""

import os
import sys

import click

from pannier.config import read_config
from pannier.errors import UsageError
from pannier.home import Home, wants_passphrase

PASSPHRASE = "PANNIER_PASSPHRASE"  # noqa: S105 -- the name of a variable
NEW_PASSPHRASE = "PANNIER_NEW_PASSPHRASE"  # noqa: S105
BACKUP_PASSPHRASE = "PANNIER_BACKUP_PASSPHRASE"  # noqa: S105
LEDGER_PASSPHRASE = "PANNIER_LEDGER_PASSPHRASE"  # noqa: S105


def passphrase_of(home: Home) -> str | None:
    """Return the passphrase of the keys in *home*, or None if they are under none.

    Raises:
        UsageError: it is nowhere, and there is nobody to ask.
        PannierError: the home, or the keyring, cannot be read.
        LedgerError: the key file is none.
    """
    if not wants_passphrase(home):
        return None
    found = os.environ.get(PASSPHRASE) or _from_keyring(home)
    if found:
        return found
    if not is_attended():
        raise UsageError(f"the keys are under a passphrase: set {PASSPHRASE}")
    return ask(f"Passphrase of {home.path}")


def new_passphrase(*variables: str) -> str:
    """Return a passphrase for new keys: of the first of *variables* that is set, or asked for.

    Raises:
        UsageError: none is, and there is nobody to ask.
    """
    for variable in variables:
        given = os.environ.get(variable)
        if given:
            return given
    if not is_attended():
        raise UsageError(f"no passphrase for the keys: set {variables[0]}, or say --no-passphrase")
    text: str = click.prompt("Passphrase for the keys", hide_input=True, confirmation_prompt=True)
    return text


def ledger_passphrase(name: str) -> str:
    """Return the passphrase that the members of a ledger agreed on.

    Raises:
        UsageError: it is nowhere, and there is nobody to ask.
    """
    given = os.environ.get(LEDGER_PASSPHRASE)
    if given:
        return given
    if not is_attended():
        raise UsageError(f"no passphrase for the ledger {name}: set {LEDGER_PASSPHRASE}")
    return ask(f"Passphrase of the ledger {name}", twice=True)


def keep_new(home: Home, passphrase: str | None) -> None:
    """Keep the passphrase that the keys in *home* are to be under in the keyring.

    Raises:
        UsageError: there is none, or the package for the keyring is not installed.
        PannierError: there is no keyring, or it is locked.
    """
    if passphrase is None:
        raise UsageError("--keyring keeps a passphrase, and --no-passphrase has none")
    from pannier.os_keyring import keep_in_keyring  # noqa: PLC0415 -- only if asked for

    keep_in_keyring(home, passphrase)


def ask(question: str, *, twice: bool = False) -> str:
    """Return what a person answers, unseen."""
    text: str = click.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
    return text


def is_attended() -> bool:
    """Return whether there is a person who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def _from_keyring(home: Home) -> str | None:
    if not read_config(home.config).keyring:
        return None
    from pannier.os_keyring import passphrase_from_keyring  # noqa: PLC0415 -- only if asked for

    return passphrase_from_keyring(home)
