"""Where passphrases come from: the environment, the keyring of the system, a person."""

import os
import sys

import click

from ledger.errors import WrongPassphraseError
from ledger.keys import NodeKeys
from ledger.lazy_dataclass import dataclass
from pannier.config import read_config
from pannier.errors import UsageError
from pannier.home import Home, open_keys, wants_passphrase

PASSPHRASE = "PANNIER_PASSPHRASE"  # noqa: S105 -- the name of a variable
NEW_PASSPHRASE = "PANNIER_NEW_PASSPHRASE"  # noqa: S105
BACKUP_PASSPHRASE = "PANNIER_BACKUP_PASSPHRASE"  # noqa: S105
LEDGER_PASSPHRASE = "PANNIER_LEDGER_PASSPHRASE"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The keys of a node, and what opened them.

    Attributes:
        keys: The keys.
        passphrase: What they are under; None: nothing.
    """

    keys: NodeKeys
    passphrase: str | None


def unlock(home: Home) -> Unlocked:
    """Open the keys in *home*, with the passphrase from wherever it is.

    Raises:
        UsageError: it is nowhere, or that in the keyring is not it, and there is nobody to ask.
        WrongPassphraseError: what was given is not it.
        PannierError: the home, or the keyring, cannot be read.
    """
    if not wants_passphrase(home):
        return Unlocked(open_keys(home, None), None)
    given = os.environ.get(PASSPHRASE)
    if given:
        return Unlocked(open_keys(home, given), given)
    kept = _from_keyring(home)
    if kept:
        try:
            return Unlocked(open_keys(home, kept), kept)
        except WrongPassphraseError:
            _tell_of_another()
    elif not is_attended():
        raise UsageError(f"the keys are under a passphrase: set {PASSPHRASE}")
    said = ask(f"Passphrase of {home.path}")
    return Unlocked(open_keys(home, said), said)


def _tell_of_another() -> None:
    """Say that the keyring does not have the passphrase of the keys.

    Another program has changed it there; or a change of the keys was cut short, or undone by a copy
    of the key file that somebody put back.

    Raises:
        UsageError: nobody can be asked for it.
    """
    what = "the passphrase in the keyring is not that of the keys"
    if not is_attended():
        raise UsageError(f"{what}: set {PASSPHRASE}, then `pannier passwd --keyring`")
    click.echo(f"{what[0].upper()}{what[1:]}: `pannier passwd --keyring` mends that.", err=True)


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
