"""Where a node lives: the folder of docs/format.md section 9, and how it begins."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ledger.algorithm import label_of
from ledger.card import Card, check_name
from ledger.errors import LedgerError, NewerError, WrongPassphraseError
from ledger.keys import (
    Entropy,
    NodeKeys,
    keys_from_file,
    keys_to_file,
    needs_passphrase,
)
from ledger.lazy_dataclass import dataclass
from pannier.config import turn_on
from pannier.durable_files import make_folder, replace_file, sync_folder
from pannier.errors import PannierError, UsageError
from pannier.lock import exclusive

_MAX_PEER_NAME_BYTES = 64
_PRIVATE = 0o600
_PRIVATE_FOLDER = 0o700
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of a home folder."""

    path: Path

    @property
    def config(self) -> Path:
        """Settings."""
        return self.path / "config.toml"

    @property
    def keys(self) -> Path:
        """The private keys."""
        return self.path / "keys" / "node.key"

    @property
    def cards(self) -> Path:
        """One card a peer."""
        return self.path / "cards"

    @property
    def ledgers(self) -> Path:
        """One file a ledger."""
        return self.path / "ledgers"

    @property
    def spool(self) -> Path:
        """Queues."""
        return self.path / "spool"

    @property
    def anew(self) -> Path:
        """One empty file for each ledger where the next entry goes to a new log."""
        return self.path / "anew"

    @property
    def locks(self) -> Path:
        """Empty files by which processes keep out of each other's way."""
        return self.path / "locks"

    @property
    def node_db(self) -> Path:
        """Bookkeeping."""
        return self.path / "node.db"


def default_home() -> Path:
    """Return the platform's data folder for pannier."""
    if platform.system() == "Windows":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif platform.system() == "Darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "pannier"


def check_is_new(home: Home) -> None:
    """Refuse a folder in which a node is, or was.

    Raises:
        UsageError: there is one already, or ledgers are there that only lost keys open.
    """
    if home.keys.exists():
        raise UsageError(f"{home.path} is a node already: use it, or name another with --home")
    if _has_ledgers(home):
        raise UsageError(_keys_gone(home))


def _has_ledgers(home: Home) -> bool:
    return any(home.ledgers.glob("*.db"))


def _keys_gone(home: Home) -> str:
    return (
        f"{home.keys} is gone: put a copy of it back, nothing else opens the ledgers there; "
        "or name another folder with --home"
    )


def create_home(
    home: Home,
    name: str,
    passphrase: str | None,
    entropy: Entropy,
    *,
    post_quantum: bool = False,
    settings: Sequence[str] = (),
) -> NodeKeys:
    """Make a node: its folder and its keys.

    Args:
        home: Where.
        name: What it calls itself.
        passphrase: What its keys are under; None: nothing.
        entropy: For the keys.
        post_quantum: Whether it has keys that withstand quantum computers, too.
        settings: What is turned on in its configuration, before there is a key.

    Raises:
        UsageError: there is a node already, or *name* is not a name.
        PannierError: the disk said no.
    """
    check_is_new(home)
    try:
        check_name(name)
    except LedgerError as error:
        raise UsageError(str(error)) from error
    keys = NodeKeys.generate(name, entropy, post_quantum=post_quantum)
    try:
        make_folder(home.path, _PRIVATE_FOLDER)
        for folder in (home.keys.parent, home.cards, home.ledgers, home.locks):
            folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        sync_folder(home.path)
        with exclusive(home.locks / "new", "making a node"):
            check_is_new(home)  # another process may have made one meanwhile
            for setting in settings:
                turn_on(home.config, setting)
            replace_file(home.keys, keys_to_file(keys, passphrase, entropy), _PRIVATE)
    except OSError as error:
        raise PannierError(f"cannot make {home.path}: {error.strerror}") from error
    return keys


def read_key_file(home: Home) -> bytes:
    """Return the content of the key file.

    Raises:
        UsageError: there is no node here.
        PannierError: it cannot be read.
    """
    try:
        return home.keys.read_bytes()
    except FileNotFoundError as error:
        if _has_ledgers(home):
            raise UsageError(_keys_gone(home)) from error
        raise UsageError(f"{home.path} is not a node yet: run `pannier init`") from error
    except OSError as error:
        raise PannierError(f"cannot read {home.keys}: {error.strerror}") from error


def wants_passphrase(home: Home) -> bool:
    """Return whether the keys are under a passphrase.

    Raises:
        UsageError: there is no node here.
        PannierError: the key file cannot be read, or is damaged.
    """
    with _naming_the_file(home):
        return needs_passphrase(read_key_file(home))


def open_keys(home: Home, passphrase: str | None) -> NodeKeys:
    """Return the node's keys.

    Raises:
        UsageError: there is no node here.
        WrongPassphraseError: the passphrase is wrong.
        PannierError: the key file cannot be read, or is damaged.
    """
    with _naming_the_file(home):
        return keys_from_file(read_key_file(home), passphrase)


@contextmanager
def _naming_the_file(home: Home) -> Iterator[None]:
    try:
        yield
    except WrongPassphraseError:
        raise
    except NewerError as error:
        raise PannierError(f"{home.keys} is {error}") from error
    except LedgerError as error:
        raise PannierError(f"{home.keys} is damaged ({error}): put a copy of it back") from error


def change_passphrase(
    home: Home,
    old: str | None,
    new: str | None,
    entropy: Entropy,
    *,
    first: Callable[[], None] | None = None,
) -> None:
    """Put the keys under the passphrase *new*; None: under none. Nothing else is written anew.

    Of two processes that do so at once the second finds that *old* is wrong by now.

    Args:
        home: Where.
        old: What they are under.
        new: What they are to be under.
        entropy: For the key file.
        first: What is done before, once *old* is known to be right; what it raises ends it.

    Raises:
        UsageError: there is no node here.
        WrongPassphraseError: *old* is wrong.
        BusyError: another process has been at it for long.
        PannierError: the file is damaged, or the disk said no; the old file is there still.
    """
    with _changing(home):
        keys = open_keys(home, old)
        if first is not None:
            first()
        try:
            replace_file(home.keys, keys_to_file(keys, new, entropy), _PRIVATE)
        except OSError as error:
            raise PannierError(f"cannot write {home.keys}: {error.strerror}") from error


@contextmanager
def settings_held(home: Home) -> Iterator[Path]:
    """Give the settings to whoever changes them: nobody else does so meanwhile.

    Raises:
        BusyError: another process has been at it for long.
    """
    path = home.locks / "config"
    with exclusive(path, "changing the settings", patience_seconds=_PATIENCE_SECONDS):
        yield home.config


def _changing(home: Home) -> AbstractContextManager[None]:
    path = home.locks / "keys"
    return exclusive(path, "changing the passphrase", patience_seconds=_PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A node whose card we have.

    Attributes:
        name: What it is called here.
        card: Verified.
    """

    name: str
    card: Card

    @property
    def node_id(self) -> str:
        """16 hex digits."""
        return self.card.node_id


def read_peers(home: Home) -> dict[str, Peer]:
    """Return the peers by node id, in the order of their names.

    Raises:
        PannierError: a card in the folder cannot be read.
    """
    peers: dict[str, Peer] = {}
    for path in sorted(home.cards.glob("*.card")):
        try:
            card = Card.from_text(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            continue  # forgotten by another process meanwhile
        except NewerError as error:
            raise PannierError(f"{path} is {error}") from error
        except OSError as error:
            raise PannierError(f"cannot read {path}: {error.strerror}") from error
        except (UnicodeDecodeError, LedgerError) as error:
            raise PannierError(
                f"{path} is damaged ({error}): remove it, then `pannier peer add` the card again"
            ) from error
        peers[card.node_id] = Peer(name=path.stem, card=card)
    return peers


def add_peer(home: Home, name: str, card: Card, *, own: bytes) -> Peer:
    """Keep a peer's card under *name*.

    Args:
        home: Where.
        name: What the peer is called here.
        card: Its card.
        own: This node's author, whose own card is refused.

    Raises:
        UsageError: the name is taken or no name, the card has no keys that can be used, or the node
            is known under another name, or by another card, which this one does not take the place
            of: it may promise less.
    """
    if not is_file_name(name):
        raise UsageError(f"{name!r} cannot be a peer's name: use letters, digits, - and _")
    if card.author == own:
        raise UsageError("that is this node's own card: get the other node's with `pannier card`")
    from ledger.hpke import can_seal_for  # noqa: PLC0415 -- few commands meet somebody

    if not can_seal_for(card):
        raise UsageError(
            f"nothing can be sealed for {card.name} with the keys of this card: get another, or "
            "update pannier"
        )
    for peer in read_peers(home).values():
        if peer.node_id == card.node_id:
            _check_pinned(peer, name, card)
        elif peer.name == name:
            raise UsageError(
                f"{name} is the name of another peer: choose another, or `peer rm {name}`"
            )
    try:
        path = home.cards / f"{name}.card"
        if not path.exists():
            replace_file(path, card.to_text().encode() + b"\n", _PRIVATE)
    except OSError as error:
        raise PannierError(f"cannot keep the card: {error.strerror}") from error
    return Peer(name=name, card=card)


def _check_pinned(peer: Peer, name: str, card: Card) -> None:
    """Refuse another card of a node that is known: what its first one promises is pinned."""
    missing = peer.card.algorithms - card.algorithms
    if missing:
        raise UsageError(
            f"this card of {peer.name} promises less than the one known here "
            f"({' and '.join(map(label_of, sorted(missing)))} missing): somebody may want to make "
            f"you use weaker keys; if it is truly theirs, `peer rm {peer.name}` first"
        )
    if peer.card != card:
        raise UsageError(
            f"another card of {peer.name} than the one known here: ask them whether they made it; "
            f"if so, `peer rm {peer.name}` first"
        )
    if peer.name != name:
        raise UsageError(f"that node is known already, as {peer.name}")


def remove_peer(home: Home, name: str) -> None:
    """Forget a peer's card.

    Raises:
        UsageError: nobody is called so.
    """
    try:
        (home.cards / f"{name}.card").unlink()
    except FileNotFoundError as error:
        raise UsageError(f"no peer is called {name}: see `pannier peer list`") from error


def is_file_name(name: str) -> bool:
    """Return whether *name* can begin the name of a file, on any system."""
    return (
        0 < len(name.encode(errors="replace")) <= _MAX_PEER_NAME_BYTES
        and name.isprintable()
        and name == name.strip(". ")
        and not set(name) & set('/\\:*?"<>|')
    )
