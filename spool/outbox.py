"""Bundles that wait for a carrier: `out/<peer node id>/<bundle name>`.

A bundle stays until `withdraw`, however many media took it: only its receipt or its expiry ends
the wait. It lies there sealed; or, where what it carries lies elsewhere, as a *recipe*, from which
its owner makes the same bytes whenever a carrier comes. A recipe is named like its bundle, with
`.recipe` as the ending, and holds the length of the bundle (u64, little-endian), then whatever its
owner likes.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from spool.errors import GoneError, MalformedNameError
from spool.expiry import IsLate, Waiting
from spool.files import Files, Order, Write
from spool.name import BundleName, check_peer, is_peer
from spool.quotas import Quotas

_FOLDER = "out"
_BUNDLE, _RECIPE = ".bundle", ".recipe"
_LENGTH_BYTES = 8


class Recipe(NamedTuple):
    """What stands in place of a bundle.

    Attributes:
        size_bytes: Length of the bundle.
        data: Means nothing to the spool.
    """

    size_bytes: int
    data: bytes


class Outbox:
    """Owner of `out/`."""

    def __init__(self, files: Files, quotas: Quotas) -> None:
        """Own the tree in *files*."""
        self._files = files
        self._quotas = quotas

    def publish(self, peer: str, name: BundleName, data: bytes) -> None:
        """Queue a sealed bundle for *peer*; durable on return, and may be repeated.

        Raises:
            MalformedNameError: *peer* is no node id.
            ConflictError: other bytes are queued under that name.
            FullError: the disk is full.
            StorageError: the disk refused.
        """
        check_peer(peer)
        self._files.create_same(_path(peer, name), data)

    def publish_recipes(self, peer: str, recipes: Mapping[BundleName, Recipe]) -> None:
        """Queue bundles for *peer* as recipes; durable on return, and may be repeated.

        Raises:
            MalformedNameError: *peer* is no node id.
            ConflictError: another recipe is queued under one of the names.
            FullError: the disk is full.
            StorageError: the disk refused.
        """
        check_peer(peer)
        self._files.publish(
            Write(
                _path(peer, name, _RECIPE),
                one.size_bytes.to_bytes(_LENGTH_BYTES, "little") + one.data,
                Order.SAME,
            )
            for name, one in recipes.items()
        )

    def peers(self) -> list[str]:
        """Return the node ids that something is queued for.

        Raises:
            StorageError: the disk refused.
        """
        return [name for name in self._files.names(_FOLDER) if is_peer(name) and self.queued(name)]

    def queued(self, peer: str) -> list[BundleName]:
        """Return what is queued for *peer*, the most urgent first.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        queue: list[BundleName] = []
        for text in self._files.names(f"{_FOLDER}/{peer}"):
            with suppress(MalformedNameError):
                queue.append(BundleName.from_text(_as_bundle(text)))
        return sorted(set(queue))

    def size_bytes(self, peer: str, name: BundleName) -> int | None:
        """Return the length of a queued bundle, None when it is not queued any more.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        facts = self._files.inspect(_path(peer, name))
        if facts is not None:
            return facts.size_bytes
        recipe = self.recipe(peer, name)
        return None if recipe is None else recipe.size_bytes

    def read(self, peer: str, name: BundleName) -> bytes:
        """Return a queued bundle that lies there sealed.

        Raises:
            MalformedNameError: *peer* is no node id.
            GoneError: it is not queued any more, or as a recipe.
            StorageError: the disk refused.
        """
        check_peer(peer)
        return self._files.read(_path(peer, name), limit_bytes=self._quotas.file_bytes)

    def recipe(self, peer: str, name: BundleName) -> Recipe | None:
        """Return what a bundle waits as; None when it is not queued, or lies there sealed.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        with suppress(GoneError):
            path = _path(peer, name, _RECIPE)
            data = self._files.read(path, limit_bytes=self._quotas.file_bytes)
            return Recipe(int.from_bytes(data[:_LENGTH_BYTES], "little"), data[_LENGTH_BYTES:])
        return None

    def withdraw(self, peer: str, name: BundleName) -> None:
        """Take a bundle out of the queue; missing is no error.

        Raises:
            MalformedNameError: *peer* is no node id.
            StorageError: the disk refused.
        """
        check_peer(peer)
        for ending in (_BUNDLE, _RECIPE):
            self._files.remove(_path(peer, name, ending))

    def expire(self, is_late: IsLate) -> list[tuple[str, BundleName]]:
        """Withdraw what is of no use any more; return it, to be planned again.

        Raises:
            StorageError: the disk refused.
        """
        late = [
            (peer, name)
            for peer in self.peers()
            for name in self.queued(peer)
            if is_late(Waiting(name.bundle_id, name.expiry_days, peer))
        ]
        for peer, name in late:
            self.withdraw(peer, name)
        return late


def _path(peer: str, name: BundleName, ending: str = _BUNDLE) -> str:
    return f"{_FOLDER}/{peer}/{name.to_text().removesuffix(_BUNDLE)}{ending}"


def _as_bundle(text: str) -> str:
    return text.removesuffix(_RECIPE) + _BUNDLE if text.endswith(_RECIPE) else text
