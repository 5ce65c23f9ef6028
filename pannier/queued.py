"""Bundles of ours that wait in the outbox: read from it, or made again from their recipes."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from bundler.sealed import bundle_id
from ledger.errors import DamagedError
from ledger.store_blobs import Blobs, Place
from pannier.errors import PannierError
from pannier.node import Node
from spool.errors import StorageError
from spool.name import BundleName

if TYPE_CHECKING:
    from pannier.recipe import Recipe

Sealed = bytes | memoryview
"""The bytes of a bundle."""

_Make = Callable[[], Sealed | None]


def sealed_bundle(node: Node, peer: str, name: BundleName) -> Sealed:
    """Return a queued bundle; one that the disk spoiled is forgotten, and so planned again.

    Raises:
        SpoolError: it is not queued any more, or not as it was sealed.
        LedgerError: the ledger that its contents are in cannot be read.
    """
    return begin_sealed_bundle(node, peer, name)()


def begin_sealed_bundle(node: Node, peer: str, name: BundleName) -> Callable[[], Sealed]:
    """Return what gives `sealed_bundle`; what takes time is begun at once, beside all else.

    Raises:
        SpoolError: it is not queued any more, or of a ledger that cannot be read.
        LedgerError: the ledger that its contents are in turns out to be damaged.
    """
    waiting = node.spool.outbox.recipe(peer, name)
    if waiting is None:
        sealed = node.spool.outbox.read(peer, name)
        is_sound = _is_called(sealed, name)
        return lambda: _sound(node, peer, name, sealed if is_sound else None)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- only contents of files

    make = _making(node, waiting.data, name)
    with ThreadPoolExecutor(1) as beside:
        made = beside.submit(make)
        beside.shutdown(wait=False)
    return lambda: _sound(node, peer, name, made.result())


def _making(node: Node, data: bytes, name: BundleName) -> _Make:
    """Return what makes the bundle of a recipe, in any thread; it gives None if that cannot be."""
    from pannier.recipe import Recipe  # noqa: PLC0415 -- as above

    recipe = None
    with suppress(PannierError):
        recipe = Recipe.open(data, node.rest_key.key)
    store = node.readable(recipe.ledger_id) if recipe is not None else None
    if recipe is not None and store is None and node.has_ledger(recipe.ledger_id):
        raise StorageError(f"bundle {name.bundle_id} is of a ledger that cannot be read now")
    if recipe is None or store is None:
        return lambda: None
    blobs, places = store.blobs, store.blobs.find(recipe.digests)
    _ = blobs.keys  # read here once: threads cannot ask the ledger file
    return lambda: _made(recipe, blobs, places, name)


def _made(
    recipe: "Recipe", blobs: Blobs, places: Mapping[bytes, Place], name: BundleName
) -> Sealed | None:
    """Make the bundle again; None where a content is no longer here, or not as it was.

    Nothing else may be sealed under its key.
    """
    from pannier.recipe import placement_of  # noqa: PLC0415 -- as above

    if len(places) < len(recipe.digests):
        return None
    try:
        sealed = recipe.make(blobs, places)
    except DamagedError:
        return None
    here = placement_of(places[digest] for digest in recipe.digests)
    return sealed if here == recipe.placement or _is_called(sealed, name) else None


def _is_called(sealed: Sealed, name: BundleName) -> bool:
    return bundle_id(sealed).hex() == name.bundle_id


def _sound(node: Node, peer: str, name: BundleName, sealed: Sealed | None) -> Sealed:
    """Return *sealed*, or forget the bundle.

    Raises:
        StorageError: it cannot be had any more.
    """
    if sealed is None:
        node.db.forget_bundle(name.bundle_id)
        node.spool.outbox.withdraw(peer, name)
        raise StorageError(f"bundle {name.bundle_id} was spoiled on this disk; it is made anew")
    return sealed
