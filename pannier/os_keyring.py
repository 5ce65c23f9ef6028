"""The passphrase of a node in the keyring of the operating system.

The package ``keyring`` is an extra, and is imported only where somebody asked for it
(``keyring = true`` in ``config.toml``).
"""

from types import ModuleType

from pannier.errors import PannierError, UsageError
from pannier.home import Home

_SERVICE = "pannier"


def passphrase_from_keyring(home: Home) -> str | None:
    """Return the passphrase that was kept for the node in *home*, or None.

    Raises:
        UsageError: the package is not installed.
        PannierError: there is no keyring, or it is locked.
    """
    keyring = _imported()
    try:
        found: str | None = keyring.get_password(_SERVICE, _user(home))
    except keyring.errors.KeyringError as error:
        raise PannierError(f"the keyring does not answer: {error}") from error
    return found


def keep_in_keyring(home: Home, passphrase: str) -> None:
    """Keep *passphrase* for the node in *home*, in place of one kept before.

    Raises:
        UsageError: the package is not installed.
        PannierError: there is no keyring, or it is locked.
    """
    keyring = _imported()
    try:
        keyring.set_password(_SERVICE, _user(home), passphrase)
    except keyring.errors.KeyringError as error:
        raise PannierError(f"the keyring does not take the passphrase: {error}") from error


def _user(home: Home) -> str:
    return str(home.path.resolve())


def _imported() -> ModuleType:
    try:
        import keyring  # noqa: PLC0415 -- an extra
        import keyring.errors  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "the keyring needs the package keyring: install 'pannier[keyring]'"
        ) from error
    return keyring
